"""The same store in memory: for tests, for runs that leave nothing behind."""

from __future__ import annotations

import itertools
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from waivern.errors import ArtifactNotFoundError, IntegrityError, RefusedError, RunNotFoundError
from waivern.ids import SYSTEM, parse_artifact_id, parse_run_id
from waivern.message import Json, Message, decode, encode, sha256
from waivern.store.base import (
    ArtifactRef,
    InitialState,
    Journal,
    JournalLine,
    Lease,
    Owner,
    Receipt,
    RunStore,
)
from waivern.store.journal import JournalChain, read
from waivern.store.layout import json_bytes
from waivern.store.lock import locked_error


@dataclass(slots=True)
class _Run:
    """One run; everything is kept as bytes, so that nobody shares an object with the store."""

    artifacts: dict[str, bytes] = field(default_factory=dict)
    staged: dict[str, bytes] = field(default_factory=dict)
    records: dict[str, bytes] = field(default_factory=dict)
    runbooks: dict[str, bytes] = field(default_factory=dict)
    children: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """By path and digest."""
    logs: dict[str | None, str] = field(default_factory=dict)
    journal: bytearray = field(default_factory=bytearray)
    chain: JournalChain = field(default_factory=JournalChain)
    anchor: dict[str, Json] = field(default_factory=dict)
    owner: Owner | None = None
    requests: dict[str, dict[str, Json]] = field(default_factory=dict)


class AsyncInMemoryStore(RunStore):
    """Keeps runs for the life of the object. Thread-safe; other processes do not see it."""

    def __init__(self) -> None:
        self.url = "memory:"
        self.history: list[dict[str, Json]] = []
        self._runs: dict[str, _Run] = {}
        self._remembered: dict[str, str] = {}
        """By key, as JSON."""
        self._pepper = os.urandom(32)
        self._identity = str(uuid.uuid4())
        self._lock = threading.Lock()
        self._tokens = itertools.count()

    def identity(self, *, make: bool = False) -> str | None:  # noqa: ARG002 - it has one
        return self._identity

    def _run(self, run_id: str) -> _Run:
        run = self._runs.get(parse_run_id(run_id))
        if run is None:
            raise RunNotFoundError(f"no run {run_id} in this memory store")
        return run

    def _made(self, run_id: str) -> _Run:
        return self._runs.setdefault(parse_run_id(run_id), _Run())

    # stage and publish

    def stage(self, run_id: str, key: str, message: Message) -> Receipt:
        encoded = encode(message)
        token = f"staged-{next(self._tokens)}"
        with self._lock:
            self._run(run_id).staged[token] = encoded.data
        return Receipt(
            parse_artifact_id(key),
            token,
            len(encoded.data),
            encoded.digest,
            encoded.content_digest,
            str(message.schema),
        )

    def fetch(self, run_id: str, ref: ArtifactRef) -> Message:
        with self._lock:
            run = self._run(run_id)
            found = [run.artifacts.get(ref.key), run.staged.get(ref.staged or "")]
        present = [data for data in found if data is not None]
        for data in present:
            if sha256(data) == ref.digest:
                return decode(data)
        if present:
            raise IntegrityError(f"artifact '{ref.key}' of run {run_id} is not what was recorded")
        raise _missing(run_id, ref.key)

    def verify(self, run_id: str, key: str, *, size: int, digest: str) -> str | None:
        with self._lock:
            data = self._run(run_id).artifacts.get(key)
        if data is None:
            return "missing"
        return None if len(data) == size and sha256(data) == digest else "altered"

    def read_artifact(self, run_id: str, key: str) -> bytes | None:
        with self._lock:
            return self._run(run_id).artifacts.get(key)

    # journal

    def read_journal(self, run_id: str) -> Journal:
        with self._lock:
            return read(bytes(self._run(run_id).journal)).journal

    def last_record(self, run_id: str) -> dict[str, Json] | None:
        lines: tuple[JournalLine, ...] = self.read_journal(run_id).lines
        return lines[-1].record if lines else None

    def read_record(self, run_id: str, name: str) -> bytes:
        with self._lock:
            data = self._run(run_id).records.get(name.removesuffix(".json"))
        if data is None:
            raise ArtifactNotFoundError(f"run {run_id} has no {name}")
        return data

    def files(self, run_id: str) -> list[str]:
        with self._lock:
            run = self._run(run_id)
            own = [f"{SYSTEM}/{name}.json" for name in run.records]
            return sorted([*(f"{key}.json" for key in run.artifacts), *own])

    def read_runbook(self, run_id: str, digest: str) -> bytes:
        with self._lock:
            data = self._run(run_id).runbooks.get(digest)
        if data is None:
            raise IntegrityError(f"run {run_id} has lost the bytes of its runbook, {digest}")
        return data

    def read_child(self, run_id: str, path: str, digest: str) -> bytes:
        with self._lock:
            data = self._run(run_id).children.get((path, digest))
        if data is None:
            raise IntegrityError(f"run {run_id} has lost the bytes of its child {path}, {digest}")
        return data

    # lock

    def begin(self, run_id: str, birth: InitialState, owner: Owner) -> Lease:
        with self._lock:
            if parse_run_id(run_id) in self._runs:
                raise RefusedError(f"there is a run {run_id} already", hint="choose another id")
            run = self._made(run_id)
            run.owner = owner
        lease = _MemoryLease(run, self._lock)
        lease.keep_runbook(birth.runbook)
        lease.keep_children(birth.children)
        lease.append(birth.records, sync=True)
        lease.project(birth.run, birth.state, sync=True)
        return lease

    def lock(self, run_id: str, owner: Owner) -> Lease:
        with self._lock:
            run = self._run(run_id)
            if run.owner is not None:
                raise locked_error(run_id, run.owner)
            run.owner = owner
        return _MemoryLease(run, self._lock)

    def owner(self, run_id: str) -> Owner | None:
        with self._lock:
            return self._run(run_id).owner

    # reading without an event loop

    def runs(self) -> list[str]:
        with self._lock:
            return sorted(self._runs)

    def read_json(self, run_id: str, key: str) -> dict[str, Json]:
        name = parse_artifact_id(key.removeprefix(f"{SYSTEM}/"))
        with self._lock:
            data = self._run(run_id).records.get(name)
        if data is None:
            raise ArtifactNotFoundError(f"run {run_id} has no {name}.json")
        document: dict[str, Json] = json.loads(data)
        return document

    # the rest of a run's life

    def write_log(self, run_id: str, key: str | None, text: str) -> None:
        with self._lock:
            logs, name = self._run(run_id).logs, _log_name(key)
            logs[name] = logs.get(name, "") + text

    def read_log(self, run_id: str, key: str | None) -> str:
        with self._lock:
            return self._run(run_id).logs.get(_log_name(key), "")

    def request(self, run_id: str, name: str, document: dict[str, Json]) -> bool:
        with self._lock:
            return self._run(run_id).requests.setdefault(name, document) is document

    def requests(self, run_id: str) -> dict[str, dict[str, Json]]:
        with self._lock:
            return dict(self._run(run_id).requests)

    def pinned(self, run_id: str) -> bool:
        with self._lock:
            return "pinned" in self._run(run_id).records

    def pin(self, run_id: str, document: dict[str, Json] | None) -> None:
        with self._lock:
            records = self._run(run_id).records
            if document is None:
                records.pop("pinned", None)
            else:
                records.setdefault("pinned", json_bytes(document))

    def remember(self, entries: Mapping[str, dict[str, Json]]) -> None:
        encoded = {key: json.dumps(entry) for key, entry in entries.items()}
        with self._lock:
            self._remembered |= encoded

    def recall(self, key: str) -> dict[str, Json] | None:
        with self._lock:
            found = self._remembered.get(key)
        entry: dict[str, Json] | None = json.loads(found) if found else None
        return entry

    def pepper(self, *, make: bool = True) -> bytes:  # noqa: ARG002 - it is always there
        return self._pepper

    def note(self, line: dict[str, Json]) -> None:
        with self._lock:
            self.history.append(dict(line))

    def notes(self, run_id: str) -> list[dict[str, Json]]:
        with self._lock:
            return [dict(line) for line in self.history if line.get("run_id") == run_id]

    def size(self, run_id: str) -> int:
        with self._lock:
            run = self._run(run_id)
            kept = (run.artifacts, run.records, run.runbooks, run.children)
            files = (len(data) for group in kept for data in group.values())
            return sum(files) + len(run.journal)

    def remove(self, run_id: str, owner: Owner, before: Callable[[], None] = lambda: None) -> None:
        lease = self.lock(run_id, owner)
        try:
            before()
        except BaseException:
            lease.release()
            raise
        with self._lock:
            del self._runs[run_id]

    async def aclose(self) -> None:
        """Nothing to let go of: the runs live as long as the object."""

    # the nine

    async def save(self, run_id: str, key: str, message: Message) -> None:
        data = encode(message).data
        with self._lock:
            self._made(run_id).artifacts[parse_artifact_id(key)] = data

    async def get(self, run_id: str, key: str) -> Message:
        with self._lock:
            run = self._runs.get(parse_run_id(run_id))
            data = run.artifacts.get(parse_artifact_id(key)) if run else None
        if data is None:
            raise _missing(run_id, key)
        return decode(data)

    async def exists(self, run_id: str, key: str) -> bool:
        with self._lock:
            run = self._runs.get(parse_run_id(run_id))
            return run is not None and parse_artifact_id(key) in run.artifacts

    async def delete(self, run_id: str, key: str) -> None:
        with self._lock:
            if run := self._runs.get(parse_run_id(run_id)):
                run.artifacts.pop(parse_artifact_id(key), None)

    async def list_keys(self, run_id: str, prefix: str = "") -> list[str]:
        with self._lock:
            run = self._runs.get(parse_run_id(run_id))
            return sorted(key for key in run.artifacts if key.startswith(prefix)) if run else []

    async def list_runs(self) -> list[str]:
        return self.runs()

    async def clear(self, run_id: str) -> None:
        with self._lock:
            if run := self._runs.get(parse_run_id(run_id)):
                run.artifacts.clear()

    async def save_json(self, run_id: str, key: str, data: dict[str, Json]) -> None:
        name = parse_artifact_id(key.removeprefix(f"{SYSTEM}/"))
        with self._lock:
            self._made(run_id).records[name] = json_bytes(data)

    async def get_json(self, run_id: str, key: str) -> dict[str, Json]:
        return self.read_json(run_id, key)


class _MemoryLease(Lease):
    def __init__(self, run: _Run, lock: threading.Lock) -> None:
        self._run = run
        self._lock = lock
        self._released = False

    def append(self, records: Iterable[dict[str, Json]], *, sync: bool) -> None:
        with self._lock:
            self._run.journal += self._run.chain.extend(records)
            if sync:
                self._run.chain.mark_durable()

    def publish(self, receipts: Iterable[Receipt]) -> None:
        with self._lock:
            for receipt in receipts:
                self._run.artifacts[receipt.key] = self._run.staged.pop(receipt.staged)

    def project(self, run: dict[str, Json], state: dict[str, Json], *, sync: bool) -> None:
        chain = self._run.chain
        with self._lock:
            if sync:
                self._run.anchor = {"count": chain.durable, "head": chain.head}
            head = self._run.anchor
            self._run.records["run"] = json_bytes({**run, "journal": head})
            self._run.records["state"] = json_bytes(state)

    @property
    def head(self) -> dict[str, Json]:
        return self._run.anchor

    def keep_runbook(self, data: bytes) -> None:
        with self._lock:
            self._run.runbooks[sha256(data)] = data

    def keep_children(self, children: Mapping[str, bytes]) -> None:
        with self._lock:
            self._run.children |= {(path, sha256(data)): data for path, data in children.items()}

    def withdraw(self, keys: Iterable[str]) -> None:
        with self._lock:
            for key in keys:
                self._run.artifacts.pop(key, None)

    def discard(self, keys: Iterable[str]) -> None:
        with self._lock:
            self._run.staged.clear()
            for key in keys:
                self._run.artifacts.pop(key, None)

    def forget_requests(self) -> None:
        with self._lock:
            self._run.requests.clear()

    def release(self) -> None:
        with self._lock:
            if not self._released:  # another may hold the run by now
                self._released, self._run.owner = True, None


def _missing(run_id: str, key: str) -> ArtifactNotFoundError:
    return ArtifactNotFoundError(f"run {run_id} has no artifact '{key}'")


def _log_name(key: str | None) -> str | None:
    return None if key is None else parse_artifact_id(key)
