"""Delivery of a run's outputs to the folder that `-o` names.

The folder gets what the run produced, each output as one file with all its records, and loses what
an earlier run of the same runbook had put there. A record beside the files says which files those
are, so that nothing else in the folder is ever touched.

Order: every file is staged under a hidden name, durably; the record is extended by the new files,
so that each is known although a crash may follow; the files are renamed into place; those that are
no longer outputs are removed; the record is reduced to what is there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from waivern.errors import IntegrityError, StoreError, UsageError, WaivernError
from waivern.files import destination
from waivern.ids import STORE, parse_artifact_id
from waivern.message import Json
from waivern.planning.plan import Plan
from waivern.record.fold import RunRecord
from waivern.record.status import CLOSED
from waivern.store.backend import FolderHandle
from waivern.store.base import RunStore
from waivern.store.disk import DiskFolder, make_way
from waivern.store.local import is_run_folder
from waivern.store.os_errors import explained
from waivern.store.store_values import ArtifactRef
from waivern.whole_artifact import file_pieces

RECORD = ".waivern-output.json"
"""The file beside the outputs that says which run wrote them."""
STAGING = ".waivern-staged"
"""The folder beside the outputs in which they are written before they are renamed into place."""
_RECORD_LIMIT = 16 << 20


class DeliveredOutputs(NamedTuple):
    """The outcome of delivering a run's outputs."""

    folder: Path
    """Absolute."""
    copied: tuple[Path, ...] = ()
    """In declared order; below `folder`."""
    missing: Mapping[str, str] = {}
    """Outputs that the run does not have, each with the artifact's status."""
    removed: tuple[Path, ...] = ()
    """Files of an earlier run that are no longer outputs."""
    retained: tuple[Path, ...] = ()
    """Such files that were edited since: they are left as they are."""
    pending: bool = False
    """Whether the run has not ended: the attempt that ends it delivers."""
    error: WaivernError | None = None
    """The reason why not everything was delivered."""


def usable(text: str, store: RunStore) -> str:
    """Return the folder to deliver to; it need not exist.

    Raises UsageError if it cannot be one, or is within a store or a run.
    """
    path = Path(destination(text))
    if not text or "\0" in text or not _can_be_folder(path):
        raise UsageError(
            f"-o {text!r} is not a folder", hint="give a folder; it is created if necessary"
        )
    if (folder := run_store(path, store)) is not None:
        raise UsageError(
            f"-o {text!r} is within {folder}, where runs are stored: a copy could replace one",
            hint="give a folder of its own, such as -o out",
        )
    return str(path)


def _can_be_folder(path: Path) -> bool:
    """Report whether a path is a folder, or whether the first one above it that exists is one."""
    found = next((each for each in (path, *path.parents) if os.path.lexists(each)), None)
    return found is None or os.path.isdir(found)  # noqa: PTH112 - no error for a link elsewhere


def run_store(path: Path, store: RunStore) -> Path | None:
    """Return the store or the run that a folder is within, if any."""
    real = Path(os.path.realpath(path))
    own = Path(os.path.realpath(store.folder)) if store.folder else None
    for folder in (real, *real.parents):
        if folder == own or folder.name == STORE or is_run_folder(str(folder)):
            return folder
    return None


def requested(text: str | None, base: Path) -> str | None:
    """Return the folder that `-o` names, in the form that the journal records.

    One that was given relative to the current folder is recorded relative to the runbook's, so
    that a project that was copied or moved delivers into itself and not into the original.
    """
    if text is None or Path(text).is_absolute():
        return text
    return os.path.relpath(os.path.realpath(text), os.path.realpath(base))


def deliver(store: RunStore, plan: Plan, record: RunRecord) -> DeliveredOutputs | None:
    """Copy the run's outputs to the folder that was requested; None if none was.

    A run that waits for a decision, or was interrupted, delivers when a later attempt ends it.
    """
    if record.output is None:
        return None
    base = os.path.realpath(plan.runbook.document.folder)
    folder = os.path.normpath(Path(base, record.output))
    steps = {name: record.steps[name] for name in plan.outputs}
    missing = {str(name): str(step.status) for name, step in steps.items() if not step.completed}
    outcome = DeliveredOutputs(Path(folder), missing=missing)
    if record.metadata.status not in CLOSED:
        return outcome._replace(pending=True)
    try:
        with explained(f"write to {folder}"), _explained_permission(folder):
            return _replace_all(outcome, _runbook(record, base, folder), store, plan, record)
    except WaivernError as error:
        return outcome._replace(error=error)


def delivered(record: RunRecord) -> dict[str, str]:
    """Return the file of each artifact of a run in the folder that its outputs were delivered to.

    Files that another run replaced since are not among them.
    """
    if record.output is None:
        return {}
    folder, run_id = os.path.normpath(Path(record.base, record.output)), record.metadata.run_id
    try:
        with DiskFolder.root(folder) as root:
            runbooks = _Record.read(root).runbooks
    except (OSError, WaivernError):  # it is not there any more, or closed
        return {}
    entries = (each for each in runbooks.values() if each.get("run_id") == run_id)
    files = (name for entry in entries for name in _mapping(entry.get("files")) if _is_output(name))
    return {name.removesuffix(".json"): str(Path(folder, name)) for name in files}


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _runbook(record: RunRecord, base: str, folder: str) -> str:
    """Return the path that distinguishes this runbook's outputs from others in the folder."""
    run = record.metadata
    name = Path(run.runbook_path).name if run.runbook_path else run.runbook_name
    return os.path.relpath(Path(base, name), folder)


def _replace_all(
    outcome: DeliveredOutputs, runbook: str, store: RunStore, plan: Plan, record: RunRecord
) -> DeliveredOutputs:
    folder, run_id = outcome.folder, record.metadata.run_id
    _make(str(folder))
    with DiskFolder.root(str(folder)) as root, root.locked(), _staging(root) as staging:
        owned = _Record.read(root)
        before = owned.files(runbook)
        digests = dict(_stage(staging, store, plan, record))
        owned.assign(runbook, run_id, digests, before).write(root, staging)
        for number, name in enumerate(digests):
            with _place(root, name, make=True) as (place, last):
                staging.rename(str(number), last, place)
                place.sync()
        stale = {name: known for name, known in before.items() if name not in digests}
        retained = [name for name, known in stale.items() if not _remove(root, name, known)]
        owned.assign(runbook, run_id, digests).write(root, staging)
    return outcome._replace(
        copied=tuple(folder / name for name in digests),
        removed=tuple(folder / name for name in stale if name not in retained),
        retained=tuple(folder / name for name in retained),
    )


@contextmanager
def _staging(root: FolderHandle) -> Iterator[FolderHandle]:
    """Make the folder in which files are staged; it is swept before and after.

    The leftovers of a killed delivery are content of an earlier run, and must not stay.
    """
    if root.has_folder(STAGING):
        root.remove_tree(STAGING)
    try:
        with root.make_folder(STAGING) as staging:
            yield staging
    finally:
        # A failure here leaves what the next delivery sweeps, and must not hide another error.
        with suppress(OSError):
            root.remove_tree(STAGING)


def _stage(
    staging: FolderHandle, store: RunStore, plan: Plan, record: RunRecord
) -> Iterator[tuple[str, str]]:
    """Write each output, durably, under a number; yield its file name and digest in this order."""
    number = 0
    for artifact in plan.outputs:
        done = record.steps[artifact].completed
        if done is None:
            continue
        ref = ArtifactRef(artifact, done.digest, done.content_digest)
        message = store.fetch(record.metadata.run_id, ref)
        digest = _write(staging, str(number), file_pieces(message))
        yield f"{artifact}.json", digest
        number += 1


def _write(folder: FolderHandle, name: str, pieces: Iterable[bytes]) -> str:
    """Write a file, durably, and return its digest."""
    found = hashlib.sha256()
    with folder.open(name, "new") as file:
        for piece in pieces:
            file.write(piece)
            found.update(piece)
        file.sync()
    return f"sha256:{found.hexdigest()}"


def _remove(root: FolderHandle, name: str, known: Collection[str]) -> bool:
    """Remove a file that an earlier run delivered; report false if it is another by now."""
    try:
        with _place(root, name) as (place, last):
            with place.open(last, "read") as file:
                if file.digest() not in known:
                    return False
            place.unlink(last)
            place.sync()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except IntegrityError:  # a folder, or a link of another owner, has taken its name
        return False
    return True


@contextmanager
def _place(
    root: FolderHandle, name: str, *, make: bool = False
) -> Iterator[tuple[FolderHandle, str]]:
    """Open the folder in which a file below the root lies; yield it and the last name."""
    *parents, last = name.split("/")
    with root.below(parents, make=make) as place:
        yield place, last


@dataclass
class _Record:
    """The list of the files in a folder that runs have delivered, by runbook."""

    runbooks: dict[str, dict[str, Json]] = field(default_factory=dict)

    @classmethod
    def read(cls, root: FolderHandle) -> _Record:
        """Return the folder's record; an empty one if it has none that can be read.

        Without it nothing is removed, which is the safe side.
        """
        try:
            document = json.loads(root.read_if_any(RECORD, _RECORD_LIMIT) or b"{}")
            runbooks = dict(document.get("runbooks", {}))
            return cls({str(key): dict(value) for key, value in runbooks.items()})
        except (ValueError, TypeError, AttributeError, RecursionError, IntegrityError):
            return cls()

    def files(self, runbook: str) -> dict[str, set[str]]:
        """Return the files that a runbook's runs have delivered, each with its possible digests.

        There are two if a delivery was killed: the file may not have been replaced.
        """
        entry, found = self.runbooks.get(runbook, {}), dict[str, set[str]]()
        for key in ("files", "replacing"):
            listed = entry.get(key)
            for name, digests in listed.items() if isinstance(listed, dict) else ():
                if _is_output(name):
                    known = digests if isinstance(digests, list) else [digests]
                    found.setdefault(name, set()).update(map(str, known))
        return found

    def assign(
        self,
        runbook: str,
        run_id: str,
        files: Mapping[str, str],
        replacing: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> _Record:
        """Record that the files are those of a run, and of no other runbook."""
        others = {key: value for key, value in self.runbooks.items() if key != runbook}
        for value in others.values():
            delivered = value.get("files")
            if isinstance(delivered, dict):
                value["files"] = {name: d for name, d in delivered.items() if name not in files}
        entry: dict[str, Json] = {"run_id": run_id, "files": dict(files)}
        if replacing:
            entry["replacing"] = {name: sorted(known) for name, known in replacing.items()}
        self.runbooks = {**others, runbook: entry}
        return self

    def write(self, root: FolderHandle, staging: FolderHandle) -> None:
        document = {"schema": "wct.outputs/1", "runbooks": self.runbooks}
        staging.write_new("record", (json.dumps(document, indent=2) + "\n").encode())
        staging.rename("record", RECORD, root)
        root.sync()


def _is_output(name: object) -> bool:
    """Check that a name in the record can be that of an output: the record may be anybody's."""
    if not isinstance(name, str) or not name.endswith(".json"):
        return False
    try:
        parse_artifact_id(name.removesuffix(".json"))
    except UsageError:
        return False
    return True


@contextmanager
def _explained_permission(folder: str) -> Iterator[None]:
    """Report of a folder that may not be written to that it is that of `-o`, not the store's."""
    try:
        yield
    except (PermissionError, OSError) as error:
        if isinstance(error, FileNotFoundError) or error.errno not in _NOT_WRITABLE:
            raise
        raise StoreError(
            f"cannot write to {folder}: {error.strerror}",
            hint="give -o a folder that you can write to; the run is stored, and `wct run RUNBOOK "
            "--resume RUN -o DIR` copies its outputs",
        ) from error


_NOT_WRITABLE = (errno.EPERM, errno.EACCES, errno.EROFS, errno.EEXIST, errno.ENOTDIR)


def _make(folder: str) -> None:
    try:
        make_way(folder)
    except FileNotFoundError as error:  # nothing can be created there: below /proc, for example
        raise StoreError(
            f"cannot create {folder}: {error.strerror}", hint="give -o another folder"
        ) from error
