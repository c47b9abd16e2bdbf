"""The run store, written once over the backend port: runs as folders of plain files."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

from waivern.errors import (
    ArtifactNotFoundError,
    IntegrityError,
    RefusedError,
    RunNotFoundError,
    StoreError,
)
from waivern.ids import SYSTEM, parse_artifact_id, parse_run_id, segment_fault
from waivern.message import Json, json_bytes, sha256
from waivern.store import (
    cache_index,
    journal,
    layout,
    lock,
    run_index,
    store_id,
)
from waivern.store.backend import Backend, FolderHandle, explained, lines_of
from waivern.store.backend_artifacts import BackendArtifacts
from waivern.store.layout import (
    CHILDREN,
    EVENTS,
    JOURNAL_BYTES,
    PINNED,
    RECORD_BYTES,
    REQUESTS,
    RUNBOOK,
    child_parts,
    kept_child_name,
    kept_name,
    read_anchor,
    refuse_newer,
)
from waivern.store.store_values import (
    FileKind,
    InitialState,
    Journal,
    Owner,
    RecordName,
    RunFile,
    RunIndex,
    Stamp,
)
from waivern.store.writers import Lease, LogSink

if TYPE_CHECKING:  # only writing needs it, and `wct runs` must be instant
    from waivern.store.lease import BackendLease

LATEST = "latest"
"""The link to the newest run."""
HISTORY = "runs.jsonl"
STAMPED = tuple(f"{SYSTEM}/{name}" for name in (layout.RUN, layout.STATE, EVENTS))
"""The records from which the row of a run is read."""
TAIL_BYTES = 1 << 16
REQUEST_BYTES = 1 << 16


class BackendStore(BackendArtifacts):
    """A run store over a backend."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.url = backend.url
        self.watch_s = backend.watch_s
        self._identity: str | None = None

    def identity(self, *, make: bool = False) -> str | None:
        if self._identity is None:
            with (
                explained("open the store for writing" if make else "read the id of the store"),
                ExitStack() as stack,
            ):
                if make:
                    root = stack.enter_context(self._at.root(make=True))
                    self._identity = store_id.make(root)
                else:
                    with suppress(FileNotFoundError):
                        root = stack.enter_context(self._at.root())
                        self._identity = store_id.read(root)
        return self._identity

    # journal

    def read_journal(self, run_id: str, after: int = 0) -> Journal:
        with explained(f"read the journal of run {run_id}"), self._at.system(run_id) as system:
            anchor = read_anchor(system)  # before the journal, which only grows
            data = system.read_if_any(EVENTS, JOURNAL_BYTES)
            if data is None:
                raise _no_journal(run_id)
        found = journal.read(data, anchor).journal
        return found._replace(lines=found.lines[after:]) if after else found

    def last_record(self, run_id: str) -> dict[str, Json] | None:
        with explained(f"read the journal of run {run_id}"), self._at.system(run_id) as system:
            if not system.has_file(EVENTS):
                raise _no_journal(run_id)
            return journal.last(system.read_tail(EVENTS, TAIL_BYTES))

    def read_record(self, run_id: str, record: RecordName) -> bytes:
        return self._system_file(run_id, layout.RECORDS[record])

    def _system_file(self, run_id: str, name: str) -> bytes:
        with explained(f"read {name}"), self._at.system(run_id) as system:
            data = system.read_if_any(name, RECORD_BYTES)
        if data is None:
            raise ArtifactNotFoundError(f"run {run_id} has no {name}")
        return data

    def files(self, run_id: str) -> list[RunFile]:
        with explained(f"list run {run_id}"), self._at.run(run_id) as run:
            return [layout.described(path) for path in sorted(path for path, _ in run.walk())]

    def file_path(self, kind: FileKind, name: str = "") -> str:
        return layout.file_path(kind, name)

    def is_intact(self, run_id: str, file: RunFile) -> bool:
        try:
            data = self._system_file(run_id, file.path.removeprefix(f"{SYSTEM}/"))
        except IntegrityError:
            return False
        return sha256(data).removeprefix("sha256:").startswith(file.name)

    @property
    def uncovered(self) -> tuple[str, ...]:
        return layout.UNCOVERED

    def read_runbook(self, run_id: str, digest: str) -> bytes:
        with explained(f"read the runbook of run {run_id}"), self._at.system(run_id) as system:
            for name in (RUNBOOK, kept_name(digest)):
                data = system.read_if_any(name, RECORD_BYTES)
                if data is not None and sha256(data) == digest:
                    return data
        raise IntegrityError(f"run {run_id} has lost the bytes of its runbook, {digest}")

    def read_child(self, run_id: str, path: str, digest: str) -> bytes:
        *parents, last = child_parts(path)
        with explained(f"read a child of run {run_id}"), self._at.system(run_id) as system:
            for folders, name in (([CHILDREN, *parents], last), ([], kept_child_name(digest))):
                with suppress(FileNotFoundError, NotADirectoryError):
                    with system.below(folders) as folder:
                        data = folder.read_if_any(name, RECORD_BYTES)
                    if data is not None and sha256(data) == digest:
                        return data
        raise IntegrityError(f"run {run_id} has lost the bytes of its child {path}, {digest}")

    # lock

    def begin(self, run_id: str, initial: InitialState, owner: Owner) -> Lease:
        from waivern.store import run_removal
        from waivern.store.lease import BackendLease

        name = parse_run_id(run_id)
        with explained(f"begin run {run_id}"), self._at.runs(make=True) as runs:
            run_removal.sweep(runs)
            with self._at.root(make=True) as root:
                if not root.may_link(LATEST):
                    raise StoreError(
                        f"{self._title}/{LATEST} is no link, and should lead to the newest run",
                        hint="a copy may have made a folder of it: remove it",
                    )
            if runs.has(name):
                raise _taken(run_id)
            with runs.shared():
                try:
                    lease = BackendLease.build(
                        self._at.backend, runs, name, initial, owner, self._forget
                    )
                except OSError as error:
                    if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                        raise
                    raise _taken(run_id) from error  # another process was quicker
        self._remember(lease)
        try:
            with explained("note the newest run"), self._at.root(make=True) as root:
                root.link_to(LATEST, f"{layout.RUNS}/{name}", lease.staging.folder)
        except BaseException:
            lease.release()
            raise
        return lease

    def lock(self, run_id: str, owner: Owner) -> Lease:
        from waivern.store import run_removal
        from waivern.store.lease import BackendLease

        name = parse_run_id(run_id)
        with ExitStack() as stack:
            stack.enter_context(explained(f"lock run {run_id}"))
            refuse_newer(stack.enter_context(self._at.system(name)), name)
            run = stack.enter_context(self._at.run(name))
            with self._at.runs() as runs:
                run_removal.sweep(runs)
                lease = BackendLease.acquire(self._at.backend, runs, run, name, owner, self._forget)
                try:
                    self._at.in_place(runs, run, name)
                except RunNotFoundError:
                    lease.release()
                    raise
        self._remember(lease)
        return lease

    def owner(self, run_id: str) -> Owner | None:
        with explained(f"look at run {run_id}"), self._at.system(run_id) as system:
            return lock.holder(system)

    def _remember(self, lease: BackendLease) -> None:
        self._leases[lease.run_id] = lease
        self._over.discard(lease.run_id)
        self._attempts.pop(lease.run_id, None)
        self._at.held[lease.run_id] = lease.run

    def _forget(self, run_id: str) -> None:
        self._over.add(run_id)
        self._leases.pop(run_id, None)
        self._at.held.pop(run_id, None)

    # the rest of a run's life

    def log(self, run_id: str, key: str | None) -> LogSink:
        parse_run_id(run_id)
        layout.log_parts(key)  # refuses a key that is none
        from waivern.store.log_files import LogFile

        return LogFile(self._at, run_id, key)

    def read_log(self, run_id: str, key: str | None) -> str:
        from waivern.store import log_files

        return log_files.read(self._at, run_id, key)

    def log_path(self, run_id: str, key: str | None) -> str | None:
        from waivern.store import log_files

        return log_files.path(self.folder, parse_run_id(run_id), key) if self.folder else None

    def request(self, run_id: str, name: str, document: dict[str, Json]) -> bool:
        with explained(f"ask run {run_id} to {name}"), self._at.system(run_id) as system:
            with system.ensure_folder(REQUESTS) as requests:
                try:
                    requests.write_new(f"{name}.json", json_bytes(document))
                except FileExistsError:
                    return False
        return True

    def requests(self, run_id: str) -> dict[str, dict[str, Json]]:
        try:
            with explained("read requests"), self._at.system(run_id) as system:
                with system.folder(REQUESTS) as requests:
                    names = [name for name in requests.names() if name.endswith(".json")]
                    read = {name: _request(requests, name) for name in names}
        except FileNotFoundError:
            return {}
        return {name.removesuffix(".json"): asked for name, asked in read.items() if asked}

    def pinned(self, run_id: str) -> bool:
        with explained(f"look at run {run_id}"), self._at.system(run_id) as system:
            return system.has(PINNED)  # whatever it is: a damaged pin is a pin

    def pin(self, run_id: str, document: dict[str, Json] | None) -> None:
        with explained(f"pin run {run_id}"), self._at.system(run_id) as system:
            refuse_newer(system, run_id)
            if document is None:
                system.unlink(PINNED)
                system.sync()
            else:  # directly under its name: a resume sweeps everything that is staged
                with suppress(FileExistsError):
                    system.write_new(PINNED, json_bytes(document))
                    system.sync()

    def remember(self, entries: Mapping[str, dict[str, Json]]) -> None:
        try:
            with explained("write the cache"), self._at.cache() as folder:
                cache_index.write(folder, entries, lambda: set(self.runs()))
        except FileNotFoundError as error:
            raise StoreError(f"the cache of {self._title} was removed meanwhile") from error

    def recall(self, key: str) -> dict[str, Json] | None:
        try:
            with explained("read the cache"), self._at.cache(make=False) as folder:
                return cache_index.read(folder, key)
        except FileNotFoundError:
            return None

    def cache_secret(self, *, make: bool = True) -> bytes:
        try:
            with explained("read the key of the cache"), self._at.cache(make=make) as folder:
                return cache_index.secret(folder, make=make)
        except FileNotFoundError:
            raise ArtifactNotFoundError(f"{self._title} has no cache yet") from None

    def append_history(self, line: dict[str, Json]) -> None:
        text = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        with explained("write the history"), self._at.root(make=True) as root:
            root.append(HISTORY, text, own_line=True, sync=True)

    def read_history(self, run_id: str | None = None) -> list[dict[str, Json]]:
        try:
            with (
                explained("read the history"),
                self._at.root() as root,
                root.open(HISTORY, "read") as file,
            ):
                lines = lines_of(file, RECORD_BYTES)
                if run_id is None:
                    return [_object(line) or {} for line in lines if line.strip()]
                named = (line for line in lines if run_id.encode() in line)
                found = [line for line in map(_object, named) if line]
        except FileNotFoundError:
            return []
        return [line for line in found if line.get("run_id") == run_id]

    def append_access(self, record: dict[str, Json]) -> None:
        from waivern.store import access_log

        with explained("write the access log"), self._at.root(make=True) as root:
            access_log.append(root, record)

    def read_access(self) -> Journal:
        from waivern.store import access_log

        try:
            with explained("read the access log"), self._at.root() as root:
                return access_log.read(root)
        except FileNotFoundError:
            return Journal(())

    def size(self, run_id: str) -> int:
        with explained(f"measure run {run_id}"), self._at.run(run_id) as run:
            return run.total()

    def remove(self, run_id: str, owner: Owner, before: Callable[[], None] = lambda: None) -> None:
        from waivern.store import run_removal

        name = parse_run_id(run_id)
        with explained(f"remove run {run_id}"):
            run_removal.remove(self._at, name, owner, before)

    async def aclose(self) -> None:
        """Nothing is held between calls but leases, and those are their holders'."""

    # two of the nine

    async def save_json(self, run_id: str, key: str, data: dict[str, Json]) -> None:
        await self._off_loop(partial(self._save_json, run_id, key, data))

    def _save_json(self, run_id: str, key: str, data: dict[str, Json]) -> None:
        name = _record_name(key)
        with explained(f"save {name}"), self._at.system(run_id, make=True) as system:
            system.replace(name, json_bytes(data))

    async def get_json(self, run_id: str, key: str) -> dict[str, Json]:
        return await self._off_loop(partial(self.read_json, run_id, key))

    # the same without an event loop, for readers that must start quickly

    def runs(self) -> list[str]:
        try:
            with explained(f"list the runs in {self._title}"), self._at.runs() as runs:
                return [name for name in runs.names() if segment_fault(name) is None]
        except FileNotFoundError:
            return []

    def indexed(self) -> RunIndex:
        moment = time.time_ns()
        try:
            with explained(f"list the runs in {self._title}"), self._at.runs() as runs:
                names = [name for name in runs.names() if segment_fault(name) is None]
                found: dict[str, Stamp | None] = dict.fromkeys(names)
                real = found.keys() & {each.name for each in runs.entries() if each.is_folder}
                found |= run_index.stamps(runs, sorted(real), STAMPED)
            with explained("read the index"), self._at.root() as root:
                return RunIndex(found, run_index.read(root, found), moment)
        except FileNotFoundError:
            return RunIndex({}, {})

    def index(self, seen: RunIndex, entries: Mapping[str, list[Json]]) -> None:
        with suppress(FileNotFoundError), explained("write the index"):
            with self._at.root() as root:
                if root.stat().st_uid == os.geteuid():  # else only its owner may
                    run_index.write(root, seen, entries)

    def read_json(self, run_id: str, key: str) -> dict[str, Json]:
        name = _record_name(key)
        try:
            with explained(f"read {name}"), self._at.run(run_id) as run:
                with run.below([SYSTEM]) as system:
                    document = json.loads(system.read(name, RECORD_BYTES))
        except FileNotFoundError:
            raise ArtifactNotFoundError(f"run {run_id} has no {name}") from None
        except (ValueError, RecursionError) as error:
            raise IntegrityError(f"{name} of run {run_id} is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise IntegrityError(f"{name} of run {run_id} is not a JSON object")
        return document


def _taken(run_id: str) -> RefusedError:
    return RefusedError(
        f"there is a run {run_id} already, or another process is creating it",
        hint="choose another id",
    )


def _no_journal(run_id: str) -> IntegrityError:
    return IntegrityError(f"run {run_id} has no journal")


def _request(requests: FolderHandle, name: str) -> dict[str, Json] | None:
    """Return the request in a file; None if it is still being written, or is none."""
    try:
        document = json.loads(requests.read(name, REQUEST_BYTES))
        json_bytes(document)  # or it could not be journaled
    except (FileNotFoundError, IntegrityError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _object(line: bytes) -> dict[str, Json] | None:
    """Return the JSON object on a line; None if there is none."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _record_name(key: str) -> str:
    return parse_artifact_id(key.removeprefix(f"{SYSTEM}/")).replace("/", "-") + ".json"
