"""The records of runs in a store over the backend port: journal, documents, logs and requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from waivern.errors import ArtifactNotFoundError, IntegrityError
from waivern.ids import SYSTEM, parse_artifact_id, parse_run_id
from waivern.message import Json, json_bytes, sha256
from waivern.store import journal, layout
from waivern.store.backend import Backend, FileHandle, FolderHandle
from waivern.store.base import RunStore
from waivern.store.journal_growth import GrownJournal, JournalPlace, grown_file, stamp_of
from waivern.store.journal_tail import PIECE_BYTES, JournalCursor, JournalTail
from waivern.store.layout import (
    CHILDREN,
    EVENTS,
    JOURNAL_BYTES,
    PINNED,
    RECORD_BYTES,
    REQUESTS,
    RUNBOOK,
    Layout,
    child_parts,
    kept_child_name,
    kept_name,
    read_anchor,
    read_synced,
    refuse_newer,
)
from waivern.store.os_errors import explained
from waivern.store.store_values import FileKind, Journal, JournalLine, RecordName, RunFile
from waivern.store.writers import LogSink

T = TypeVar("T")
TAIL_BYTES = 1 << 16
REQUEST_BYTES = 1 << 18


class BackendRecords(RunStore):
    """The part of a run store that reads the records of runs, and writes those beside the journal.

    The journal itself is written through a lease.
    """

    def __init__(self, backend: Backend) -> None:
        self.url = backend.url
        self.watch_s = backend.watch_s
        self._title = backend.title
        self._blocks = backend.blocks
        self._at = Layout(backend)

    async def _off_loop(self, call: Callable[[], T]) -> T:
        """Run a blocking call on a thread; one that cannot block at once."""
        if not self._blocks:
            return call()
        import anyio

        return await anyio.to_thread.run_sync(call)

    # journal

    def read_journal(self, run_id: str, after: int = 0) -> Journal:
        with explained(f"read the journal of run {run_id}"), self._at.system(run_id) as system:
            anchor = read_anchor(system)  # before the journal, which only grows
            data = system.read_if_any(EVENTS, JOURNAL_BYTES)
            if data is None:
                raise _no_journal(run_id)
        found = journal.read(data, anchor).journal
        return found._replace(lines=found.lines[after:]) if after else found

    def read_on(self, run_id: str, place: JournalPlace | None = None) -> GrownJournal | None:
        with explained(f"read the journal of run {run_id}"), self._at.system(run_id) as system:
            anchor = read_anchor(system)  # before the journal, which only grows
            try:
                events = system.open(EVENTS, "read")
            except FileNotFoundError:
                raise _no_journal(run_id) from None
            with events:
                if place is not None:
                    return grown_file(events, place, anchor)
                data, stamp = events.read_all(), stamp_of(events)
        found = journal.read(data, anchor)
        head = found.lines[-1].hash if found.lines else journal.ROOT
        return GrownJournal(
            found.lines, JournalPlace(len(found.lines), head, found.valid_bytes, stamp)
        )

    def tail(self, run_id: str, after: int = 0) -> JournalTail:
        return FileTail(self._at, run_id, after)

    def last_record(self, run_id: str) -> dict[str, Json] | None:
        with explained(f"read the journal of run {run_id}"), self._at.system(run_id) as system:
            if not system.has_file(EVENTS):
                raise _no_journal(run_id)
            return journal.last(system.read_tail(EVENTS, TAIL_BYTES))

    def read_record(self, run_id: str, record: RecordName) -> bytes:
        most = JOURNAL_BYTES if record == "journal" else RECORD_BYTES
        return self._system_file(run_id, layout.RECORDS[record], most)

    def _system_file(self, run_id: str, name: str, most: int = RECORD_BYTES) -> bytes:
        with explained(f"read {name}"), self._at.system(run_id) as system:
            data = system.read_if_any(name, most)
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

    # documents

    async def save_json(self, run_id: str, key: str, data: dict[str, Json]) -> None:
        await self._off_loop(partial(self._save_json, run_id, key, data))

    def _save_json(self, run_id: str, key: str, data: dict[str, Json]) -> None:
        name = _record_name(key)
        with explained(f"save {name}"), self._at.system(run_id, make=True) as system:
            system.replace(name, json_bytes(data))

    async def get_json(self, run_id: str, key: str) -> dict[str, Json]:
        return await self._off_loop(partial(self.read_json, run_id, key))

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

    # logs, requests, pins

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
                    requests.sync()
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


class FileTail(JournalTail):
    """The durable lines of a journal in a file, of which only what is new is read."""

    def __init__(self, at: Layout, run_id: str, after: int) -> None:
        self._at = at
        self._run_id = run_id
        self._after = after
        self._cursor = JournalCursor()

    def read(self) -> tuple[JournalLine, ...]:
        run_id = self._run_id
        with explained(f"follow the journal of run {run_id}"), self._at.system(run_id) as system:
            durable = read_synced(system)
            try:
                events = system.open(EVENTS, "read")
            except FileNotFoundError:
                raise _no_journal(run_id) from None
            with events:
                return self._cursor.advance(self._piece(events), durable, self._after)

    def _piece(self, events: FileHandle) -> bytes:
        """Return the bytes from the cursor on: a piece of them, and at least a whole line."""
        data = b""
        while more := events.read(PIECE_BYTES, self._cursor.position + len(data)):
            data += more
            if b"\n" in more:
                break
        return data


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


def _record_name(key: str) -> str:
    return parse_artifact_id(key.removeprefix(f"{SYSTEM}/")).replace("/", "-") + ".json"
