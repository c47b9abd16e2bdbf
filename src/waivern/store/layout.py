"""The layout of a store: from ids to open folders, and the names of the files in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from waivern.errors import IntegrityError, RefusedError, RunNotFoundError
from waivern.ids import SCHEMA_VERSION, SYSTEM, parse_artifact_id, parse_run_id
from waivern.message import STREAMS, StreamKind
from waivern.store import journal
from waivern.store.backend import Backend, FolderHandle
from waivern.store.cache_index import Shards
from waivern.store.kept_folders import KeptFolders
from waivern.store.store_values import FileKind, RecordName, RunFile

RUNS, LOGS, REQUESTS, PINNED = "runs", "logs", "requests", "pinned.json"
CHILDREN, CACHE, RUN_LOG, LOCK = "children", "cache", "run.log", "lock"
ITEMS, STAGED, OVER = "items", "staged", ".over"
EVENTS, RUN, STATE, RUNBOOK = "events.jsonl", "run.json", "state.json", "runbook.yaml"
PROGRESS, HISTORY = "progress.json", "runs.jsonl"
RECORD_BYTES = 64 << 20
"""The limit for a record or a runbook (100,000 artifacts need some 4 MiB)."""

JOURNAL_BYTES = 1 << 30
"""A longer journal is not read: a million artifacts need less."""


class AbsentError(Exception):
    """The run or the folder of an artifact is missing; never leaves the store."""


class Layout:
    """The folders of one store, opened anew for each use: runs come and go.

    While a run is held, the cache and the runs that are read stay open, for as long as their paths
    lead to them.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.held: dict[str, FolderHandle] = {}
        """The folders of runs that are leased out: the hot path's short cut."""
        self._kept = KeptFolders(backend)

    def hold(self, run_id: str, run: FolderHandle) -> None:
        """Use the open folder of a run that is leased out."""
        self.held[run_id] = run

    def release(self, run_id: str) -> None:
        """Open the folder of a run anew from now on; with the last one, all folders are closed."""
        self.held.pop(run_id, None)
        if not self.held:
            self._kept.close()

    def root(self, *, make: bool = False) -> FolderHandle:
        """Open the store's root. Raises FileNotFoundError unless `make`."""
        return self.backend.open(make=make)

    def cache(self, *, make: bool = True) -> FolderHandle:
        """Open the folder of the cache. Raises FileNotFoundError unless `make`."""
        return self.backend.open(CACHE, make=make)

    @contextmanager
    def cache_to_read(self) -> Iterator[tuple[FolderHandle, Shards | None]]:
        """Open the folder of the cache, or use the open one, with what was read there before.

        Raises FileNotFoundError.
        """
        if self.held and (kept := self._kept.get(CACHE)):
            yield kept, self._kept.shards
            return
        with ExitStack() as stack:
            yield self._opened(stack, CACHE, self.cache(make=False)), None

    def _opened(self, stack: ExitStack, path: str, folder: FolderHandle) -> FolderHandle:
        """Let an open folder be closed with `stack`, unless it stays open while a run is held."""
        if not (self.held and self._kept.keep(path, folder)):
            stack.enter_context(folder)
        return folder

    def runs(self, *, make: bool = False) -> FolderHandle:
        """Open the folder of all runs. Raises FileNotFoundError unless `make`."""
        return self.backend.open(RUNS, make=make)

    @contextmanager
    def run(self, run_id: str, *, make: bool = False) -> Iterator[FolderHandle]:
        """Open a run's folder. Raises RunNotFoundError unless `make`.

        Also raises it for a file that is missing because the run is being removed.
        """
        if held := self.held.get(run_id):
            yield held
            return
        name = parse_run_id(run_id)
        path = f"{RUNS}/{name}"
        if self.held and (kept := self._kept.get(path)):
            try:
                yield kept
            except (FileNotFoundError, IntegrityError):
                if not self._kept.in_place(path, kept):  # the run was removed meanwhile
                    raise self.no_run(run_id) from None
                raise
            return
        with ExitStack() as stack:
            try:
                runs = stack.enter_context(self.runs(make=make))
                opened = runs.ensure_folder(name) if make else runs.folder(name)
            except FileNotFoundError:
                raise self.no_run(run_id) from None
            except NotADirectoryError as error:
                raise IntegrityError(
                    f"{self.backend.title}/{RUNS}/{run_id} is not a folder"
                ) from error
            run = self._opened(stack, path, opened)
            with self.watched(runs, run, name):
                yield run

    @contextmanager
    def watched(self, runs: FolderHandle, run: FolderHandle, run_id: str) -> Iterator[None]:
        """Raise RunNotFoundError if something is missing because the run was removed meanwhile."""
        try:
            yield
        except (FileNotFoundError, IntegrityError):
            self.in_place(runs, run, run_id)
            raise

    def in_place(self, runs: FolderHandle, run: FolderHandle, run_id: str) -> None:
        """Raise RunNotFoundError if an open run is not, or no longer, the one of this id."""
        if not runs.same_file(run_id, run):
            raise self.no_run(run_id)

    def no_run(self, run_id: str) -> RunNotFoundError:
        """Return the error for a run that is not there."""
        return RunNotFoundError(
            f"no run {run_id} in {self.backend.title}", hint="`wct runs` lists the runs there are"
        )

    @contextmanager
    def system(self, run_id: str, *, make: bool = False) -> Iterator[FolderHandle]:
        """Open the folder of a run's own records. Raises IntegrityError if a run has none."""
        with self.run(run_id, make=make) as run, ExitStack() as stack:
            try:
                opened = run.ensure_folder(SYSTEM) if make else run.folder(SYSTEM)
            except (FileNotFoundError, NotADirectoryError):
                raise IntegrityError(f"run {run_id} has no {SYSTEM} folder") from None
            yield stack.enter_context(opened)

    @contextmanager
    def artifact(
        self,
        run_id: str,
        key: str,
        stream: StreamKind | None = None,
        *,
        make: bool = False,
        make_run: bool = False,
    ) -> Iterator[tuple[FolderHandle, str]]:
        """Open the folder of an artifact's file, or of one of its streams, and name the file.

        Raises AbsentError if the run or the folder is not there.
        """
        *parents, name = artifact_parts(parse_artifact_id(key), stream)
        with ExitStack() as stack:
            try:
                run = stack.enter_context(self.run(run_id, make=make_run))
                folder = stack.enter_context(run.below(parents, make=make))
            except (FileNotFoundError, RunNotFoundError) as error:
                raise AbsentError from error
            except NotADirectoryError as error:
                raise IntegrityError(f"'{key}' of run {run_id} is not below a folder") from error
            yield folder, name

    @contextmanager
    def log(
        self, run_id: str, key: str | None, *, make: bool = False
    ) -> Iterator[tuple[FolderHandle, str]]:
        """Open the folder of an artifact's log, or of the run's own, and name the file."""
        *parents, name = log_parts(key)
        with self.system(run_id) as system, system.below(parents, make=make) as folder:
            yield folder, name


def log_parts(key: str | None) -> list[str]:
    """Return the folders below `_system` and the name of a log.

    The run's own is not in the folder of the others: whatever its name, an artifact could have it.
    """
    return [RUN_LOG] if key is None else [LOGS, *f"{parse_artifact_id(key)}.log".split("/")]


def artifact_parts(key: str, stream: StreamKind | None = None) -> list[str]:
    """Return the folders in a run and the name of an artifact's file, or of one of its streams."""
    if stream is None:
        return f"{key}.json".split("/")
    return ([SYSTEM, ITEMS] if stream == "items" else []) + f"{key}.jsonl".split("/")


def staged_stream(staged: str, kind: StreamKind) -> str:
    """Return the name of a stream that is staged with an artifact's file `staged`."""
    return f"{staged}.{kind}"


def stream_of(path: str) -> tuple[StreamKind, str] | None:
    """Return the kind of a stream and the key of its artifact, from its path in a run's folder."""
    key = path.removesuffix(".jsonl")
    if key == path:
        return None
    inner = key.removeprefix(f"{SYSTEM}/{ITEMS}/")
    if inner != key:
        return "items", inner
    return None if key.startswith(f"{SYSTEM}/") else ("records", key)


def keys(run: FolderHandle) -> Iterator[str]:
    """Yield the keys of the artifacts in a run's folder."""
    for path, is_file in run.walk():
        name = path.rpartition("/")[2]
        plain = is_file and name.endswith(".json") and not name.startswith(".")
        if plain and not path.startswith(f"{SYSTEM}/"):
            yield path.removesuffix(".json")


RECORDS: dict[RecordName, str] = {
    "run": RUN,
    "state": STATE,
    "journal": EVENTS,
    "runbook": RUNBOOK,
    "pin": PINNED,
}
UNCOVERED = (
    f"{SYSTEM}/{RUN_LOG}",
    f"{SYSTEM}/{LOCK}",
    f"{SYSTEM}/{LOGS}/",
    f"{SYSTEM}/{REQUESTS}/",
    f"{SYSTEM}/{PINNED}",
    f"{SYSTEM}/{PROGRESS}",
)
"""Files that no event describes, and folders with everything that is in them."""
_EARLIER = r"(runbook|child)\.([0-9a-f]{16})\.yaml"


def described(path: str) -> RunFile:
    """Return what a path in a run's folder is."""
    if path in UNCOVERED or path.startswith(tuple(one for one in UNCOVERED if one[-1] == "/")):
        return RunFile(path, "uncovered")
    staged = path.startswith((f"{SYSTEM}/{STAGED}/", f"{SYSTEM}/{OVER}/"))
    if staged or path.rpartition("/")[2].startswith(".tmp-"):
        return RunFile(path, "staged")
    if (stream := stream_of(path)) is not None:
        return RunFile(path, *stream)
    folder, _, rest = path.partition("/")
    if folder != SYSTEM:
        key = path.removesuffix(".json")
        return RunFile(path, "other") if key == path else RunFile(path, "artifact", key)
    for record, name in RECORDS.items():
        if rest == name:
            return RunFile(path, "record", record)
    if (child := rest.removeprefix(f"{CHILDREN}/")) != rest:
        return RunFile(path, "child", child)
    if (earlier := re.fullmatch(_EARLIER, rest)) is not None:
        kind: FileKind = "earlier runbook" if earlier[1] == "runbook" else "earlier child"
        return RunFile(path, kind, earlier[2])
    return RunFile(path, "other")


def file_path(kind: FileKind, name: str) -> str:
    """Return the path of an artifact, a stream, a record or a child in a run's folder."""
    if kind == "artifact":
        return "/".join(artifact_parts(name))
    if kind in STREAMS:
        return "/".join(artifact_parts(name, kind))
    if kind == "child":
        return f"{SYSTEM}/{CHILDREN}/{name}"
    return f"{SYSTEM}/{RECORDS.get(name, name)}"  # type: ignore[call-overload]


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


def refuse_newer(system: FolderHandle, run_id: str) -> None:
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


def next_attempt(system: FolderHandle) -> int:
    """Return the number of the attempt that begins now: one more than `run.json` has."""
    try:
        return len(json.loads(system.read(RUN, RECORD_BYTES))["attempts"]) + 1
    except (FileNotFoundError, IntegrityError, ValueError, KeyError, TypeError, RecursionError):
        return 1  # for people only: the token is what makes the name unique


def read_anchor(system: FolderHandle) -> journal.JournalAnchor:
    """Return what `run.json` says of the journal; nothing if it cannot be read."""
    try:
        head = json.loads(system.read(RUN, RECORD_BYTES))["journal"]
        return journal.JournalAnchor(max(0, int(head["count"])), str(head["head"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return journal.JournalAnchor()  # a projection: the journal's own marks still hold


def read_synced(system: FolderHandle) -> int:
    """Return how many lines of the journal `run.json` reports to be durable; 0 if it does not."""
    try:
        head = json.loads(system.read(RUN, RECORD_BYTES))["journal"]
        return int(head["synced"] if "synced" in head else head["count"])  # of earlier versions
    except (FileNotFoundError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return 0  # the marks in the lines themselves still hold
