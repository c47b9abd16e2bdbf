"""Where things lie below `.waivern`: ids in, open folders out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from waivern.errors import IntegrityError, RefusedError, RunNotFoundError
from waivern.ids import SCHEMA_VERSION, SYSTEM, parse_artifact_id, parse_run_id
from waivern.message import Json
from waivern.store import journal
from waivern.store.disk import DiskFolder, make_way, sync_way
from waivern.store.ownership import (
    ForeignOwnerError,
    Owners,
    check_folder,
    check_found,
    check_links,
    refused,
)

RUNS, LOGS, REQUESTS, PINNED = "runs", "logs", "requests", "pinned.json"
CHILDREN, CACHE, RUN_LOG = "children", "cache", "run.log"
EVENTS, RUN, STATE, RUNBOOK = "events.jsonl", "run.json", "state.json", "runbook.yaml"
RECORD_BYTES = 64 << 20
"""What a record of a run may have (100,000 artifacts make some 4 MiB), and a runbook."""

JOURNAL_BYTES = 1 << 30
"""A longer journal is not read: a million artifacts make less."""


class AbsentError(Exception):
    """What was looked for is not there; never leaves this room."""


class Layout:
    """The folders of one store, opened anew for each use: runs come and go."""

    def __init__(self, path: str, owners: Owners = None) -> None:
        self.path = path
        self.runs_path = f"{path}/{RUNS}"
        self._owners = owners
        self._checked: tuple[int, int] | None = None
        """The root whose path was checked for links of strangers."""
        self.held: dict[str, DiskFolder] = {}
        """The folders of runs that are leased out: the hot path's short cut."""

    @contextmanager
    def root(self) -> Iterator[DiskFolder]:
        """Open the store's root, making it if need be: 0700, and ignored by git."""
        make_way(self.path)
        with self.opened(repair=True) as root:
            if not root.read_if_any(".gitignore"):  # made last: with it the store is durable
                root.ensure_folder(RUNS).close()
                root.sync()
                sync_way(self.path)
                root.append(".gitignore", b"*\n!.gitignore\n", sync=True)  # a crash leaves no more
                root.sync()
            yield root

    @contextmanager
    def cache(self, *, make: bool = True) -> Iterator[DiskFolder]:
        """Open the folder of the cache. Raises FileNotFoundError unless `make`."""
        with self._part(CACHE, make=make) as cache:
            yield cache

    @contextmanager
    def runs(self, *, make: bool = False) -> Iterator[DiskFolder]:
        """Open the folder of all runs. Raises FileNotFoundError unless `make`."""
        with self._part(RUNS, make=make) as runs:
            yield runs

    @contextmanager
    def _part(self, name: str, *, make: bool) -> Iterator[DiskFolder]:
        path = f"{self.path}/{name}"
        with ExitStack() as stack:
            root = stack.enter_context(self.root() if make else self.opened())
            try:
                part = stack.enter_context(root.ensure_folder(name) if make else root.folder(name))
            except NotADirectoryError as error:
                raise IntegrityError(f"{path} is not a folder") from error
            except ForeignOwnerError as error:
                raise refused(self.path, f"is not all yours: {error.message}") from error
            check_folder(part.descriptor, path, self._owners, repair=make, store=self.path)
            yield part

    @contextmanager
    def opened(self, *, repair: bool = False) -> Iterator[DiskFolder]:
        """Open the store's root, if nobody else could have planted what is in it."""
        try:
            opened = DiskFolder.root(self.path, self._owners)
        except PermissionError:
            check_links(self.path, self._owners)
            check_found(os.stat(self.path), self.path, self._owners)
            raise
        with opened as root:
            check_folder(root.descriptor, self.path, self._owners, repair=repair)
            found = os.fstat(root.descriptor)
            if self._checked != (found.st_dev, found.st_ino):
                check_links(self.path, self._owners)
                self._check_parts(root)
                self._checked = (found.st_dev, found.st_ino)
            yield root

    def _check_parts(self, root: DiskFolder) -> None:
        """Refuse all of a store of which a part is not trusted, before any of it is used."""
        for name in (RUNS, CACHE):
            with suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=root.descriptor, follow_symlinks=False)
                check_found(found, f"{self.path}/{name}", self._owners, self.path)

    @contextmanager
    def run(self, run_id: str, *, make: bool = False) -> Iterator[DiskFolder]:
        """Open a run's folder. Raises RunNotFoundError unless `make`.

        So does what looks in vain for something in a run that is removed meanwhile.
        """
        if held := self.held.get(run_id):
            yield held
            return
        name = parse_run_id(run_id)
        with ExitStack() as stack:
            try:
                runs = stack.enter_context(self.runs(make=make))
                opened = runs.ensure_folder(name) if make else runs.folder(name)
            except FileNotFoundError:
                raise self.no_run(run_id) from None
            except NotADirectoryError as error:
                raise IntegrityError(f"{self.path}/{RUNS}/{run_id} is not a folder") from error
            run = stack.enter_context(opened)
            with self.watched(runs, run, name):
                yield run

    @contextmanager
    def watched(self, runs: DiskFolder, run: DiskFolder, run_id: str) -> Iterator[None]:
        """Raise RunNotFoundError if something is missing because the run was removed meanwhile."""
        try:
            yield
        except (FileNotFoundError, IntegrityError):
            self.in_place(runs, run, run_id)
            raise

    def in_place(self, runs: DiskFolder, run: DiskFolder, run_id: str) -> None:
        """Raise RunNotFoundError if an open run is not, or no longer, the one of this id."""
        if not runs.same_file(run_id, run.descriptor):
            raise self.no_run(run_id)

    def no_run(self, run_id: str) -> RunNotFoundError:
        """Return the error for a run that is not there."""
        return RunNotFoundError(
            f"no run {run_id} in {self.path}", hint="`wct runs` lists the runs there are"
        )

    @contextmanager
    def system(self, run_id: str, *, make: bool = False) -> Iterator[DiskFolder]:
        """Open the folder of a run's own records. Raises IntegrityError if a run has none."""
        with self.run(run_id, make=make) as run, ExitStack() as stack:
            try:
                opened = run.ensure_folder(SYSTEM) if make else run.folder(SYSTEM)
            except (FileNotFoundError, NotADirectoryError):
                raise IntegrityError(f"run {run_id} has no {SYSTEM} folder") from None
            yield stack.enter_context(opened)

    @contextmanager
    def artifact(
        self, run_id: str, key: str, *, make: bool = False, make_run: bool = False
    ) -> Iterator[tuple[DiskFolder, str]]:
        """Open the folder of an artifact's file, and name the file.

        Raises AbsentError if the run or the folder is not there.
        """
        *parents, last = parse_artifact_id(key).split("/")
        with ExitStack() as stack:
            try:
                run = stack.enter_context(self.run(run_id, make=make_run))
                folder = stack.enter_context(run.below(parents, make=make))
            except (FileNotFoundError, RunNotFoundError) as error:
                raise AbsentError from error
            except NotADirectoryError as error:
                raise IntegrityError(f"'{key}' of run {run_id} is not below a folder") from error
            yield folder, f"{last}.json"

    @contextmanager
    def log(
        self, run_id: str, key: str | None, *, make: bool = False
    ) -> Iterator[tuple[DiskFolder, str]]:
        """Open the folder of an artifact's log, or of the run's own, and name the file."""
        *parents, name = log_parts(key)
        with self.system(run_id) as system, system.below(parents, make=make) as folder:
            yield folder, name


def log_parts(key: str | None) -> list[str]:
    """Return the folders below `_system` and the name of a log.

    The run's own is not in the folder of the others: whatever its name, an artifact could have it.
    """
    return [RUN_LOG] if key is None else [LOGS, *f"{parse_artifact_id(key)}.log".split("/")]


def keys(run: DiskFolder) -> Iterator[str]:
    """Yield the keys of the artifacts in a run's folder."""
    for path, is_file in run.walk():
        name = path.rpartition("/")[2]
        plain = is_file and name.endswith(".json") and not name.startswith(".")
        if plain and not path.startswith(f"{SYSTEM}/"):
            yield path.removesuffix(".json")


def json_bytes(document: dict[str, Json]) -> bytes:
    """Return a record as its file: 2-space indent, newline at the end."""
    from pydantic_core import to_json

    return to_json(document, indent=2) + b"\n"


def kept_name(digest: str) -> str:
    """Return the name under which an earlier runbook's bytes are kept."""
    return f"runbook.{digest.removeprefix('sha256:')[:16]}.yaml"


def kept_child_name(digest: str) -> str:
    """Return the name under which an earlier child's bytes are kept."""
    return f"child.{digest.removeprefix('sha256:')[:16]}.yaml"


def child_parts(path: str) -> list[str]:
    """Return the folders and the name of a kept child. Raises IntegrityError if it leads out."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise IntegrityError(f"the journal has a child runbook that cannot be: {path[:200]!r}")
    return parts


def refuse_newer(system: DiskFolder, run_id: str) -> None:
    """Raise RefusedError if a newer version of this program wrote a run: it is only read."""
    try:
        version = json.loads(system.read(RUN, RECORD_BYTES))["schema_version"]
    except (FileNotFoundError, IntegrityError, ValueError, KeyError, TypeError, RecursionError):
        return
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise RefusedError(
            f"run {run_id} was written by a newer version of waivern (schema_version {version}; "
            f"this one writes {SCHEMA_VERSION}): it is read, and not changed",
            hint="upgrade waivern, and use that version",
        )


def read_anchor(system: DiskFolder) -> journal.JournalAnchor:
    """Return what `run.json` says of the journal; nothing if it cannot be read."""
    try:
        head = json.loads(system.read(RUN, RECORD_BYTES))["journal"]
        return journal.JournalAnchor(max(0, int(head["count"])), str(head["head"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return journal.JournalAnchor()  # a projection: the journal's own marks still hold
