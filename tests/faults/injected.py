"""Inside the process under test: counts the store's operations, and breaks one of them.

`disk.step` is all that the product offers for this, and `database.step` for stores in a database.
They are replaced before `wct` begins: by a sitecustomize.py in the real script, after the fork in
the zygote. `serial` makes the sequence of operations the same every time, so that an ordinal names
one operation: a component begins when all before it is committed and projected, the ledger never
waits for company, and whether somebody wants the run cancelled is looked up once.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHANGES = {"link", "mkdir", "open", "rename", "rmdir", "symlink", "truncate", "unlink", "write"}
"""Operations after which the files are others; a kill before or after any other leaves the same."""
CALLED = threading.local()
KILL = os.kill
"""As it is before a run refuses it to components: the cache is written in a component's call."""


class Fault:
    """What is to happen at which operation, and what happened; see `plan` in harness.py."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.action: str = spec.get("action", "none")
        self.ordinal: int = spec.get("ordinal", 0)
        self.looks: bool = spec.get("looks", False)
        self.only: str | None = spec.get("only")
        self.persistent: bool = spec.get("persistent", False)
        self.number: int = spec.get("number", 0)
        self.times: int = spec.get("times", 1)
        self.trace: bool = spec.get("trace", False)
        self.report: int = spec["report"]
        self.stops: tuple[int, int] | None = spec.get("stops")
        """Where to ask for a copy of the store, and where the answer comes from."""
        self.gate = Gate()
        self._chance = random.Random(spec.get("seed", 0))
        self._lock = threading.Lock()
        self._stopping = threading.Lock()
        self._changed = False
        self._count = 0

    def step(self, operation: str, name: str) -> None:
        with self._lock:
            if self.only not in (None, operation) or (operation == "look" and not self.looks):
                return
            self._count += 1
            count = self._count
            changed, self._changed = self._changed, operation in CHANGES
        if self.trace:
            self._note("step", operation, name)
        if self.action == "delay":
            self._dawdle(operation)
        elif self.action == "stop":
            if changed:
                self._stop(count, operation, name)
        elif count == self.ordinal:
            self._note("broke", operation, name)
            self.gate.open()
            self._break(name)
        elif self.persistent and self.ordinal < count:
            self._break(name, again=True)

    def _break(self, name: str, *, again: bool = False) -> None:
        match self.action:
            case "short":
                CALLED.short = True
            case "torn" | "tear" if not again:  # the first half is written, then comes the fault
                CALLED.short = True
            case "error" | "torn":
                raise OSError(self.number, os.strerror(self.number), name)
            case "kill" | "tear":
                KILL(os.getpid(), signal.SIGKILL)
            case "signal":
                for _ in range(self.times):
                    KILL(os.getpid(), self.number)

    def _stop(self, count: int, operation: str, name: str) -> None:
        """Let zygote.py stop the process and copy what it has left so far."""
        assert self.stops
        asking, answering = self.stops
        with self._stopping:
            self._note("stopped", str(count), operation, name)
            os.write(asking, f"{count}\n".encode())
            KILL(os.getpid(), signal.SIGSTOP)  # all threads, as SIGKILL would
            os.read(answering, 1)

    def _dawdle(self, operation: str) -> None:
        if operation in ("flock", "open", "truncate", "rename") and self._chance.random() < 0.5:
            time.sleep(self._chance.random() * 0.01)

    def _note(self, *words: str) -> None:
        os.write(self.report, ("\t".join(words) + "\n").encode())


class Gate:
    """Lets the artifacts of a run be made one after the other, each when all is on the disk."""

    def __init__(self) -> None:
        self._settled = 0
        self._begun = 0
        self._open = False
        self._changed = threading.Condition()

    def open(self) -> None:
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def settle(self, count: int) -> None:
        with self._changed:
            self._settled += count
            self._changed.notify_all()

    def pass_through(self) -> None:
        with self._changed:
            due, self._begun = self._begun, self._begun + 1
            self._changed.wait_for(lambda: self._open or self._settled >= due, 10)


def install(spec: dict[str, Any]) -> None:
    """Break what `spec` says, in this process, from now on."""
    from waivern.store import disk
    from waivern.store.sql import database

    time.sleep(spec.get("late_s", 0))
    fault = Fault(spec)
    disk.step = fault.step  # type: ignore[assignment]
    database.step = fault.step  # type: ignore[assignment]
    _let_writes_be_short()
    if spec.get("wal"):
        _record_durable()
    if spec.get("serial", True) and fault.action != "delay":
        _serialise(fault.gate)


def _let_writes_be_short() -> None:
    write = os.write

    def perhaps_short(fd: int, data: Any, /) -> int:
        if getattr(CALLED, "short", False):
            CALLED.short = False
            return write(fd, bytes(data)[: max(1, len(data) // 2)])
        return write(fd, data)

    os.write = perhaps_short


def _record_durable() -> None:
    """Write beside a SQLite database, after each durable commit, how much of its log is synced."""
    from waivern.store.sql.sqlite_database import SqliteDatabase

    commit = SqliteDatabase.commit

    def recorded(self: Any, transaction: Any) -> None:
        durable = transaction.durable
        commit(self, transaction)
        if durable:
            log = Path(f"{self.path}-wal").read_bytes()
            Path(f"{self.path}-durable").write_bytes(log[:32] + str(len(log)).encode())

    _replace(SqliteDatabase, "commit", recorded)


def _serialise(gate: Gate) -> None:
    from waivern.cli.ui import progress
    from waivern.engine import ledger
    from waivern.engine.producer import Producer
    from waivern.store.disk_backend import DiskBackend
    from waivern.store.lease import BackendLease
    from waivern.store.sql.sqlite_store import SqliteBackend

    ledger.GATHER_S, ledger.IDLE_S = 0.0, 60.0
    ledger.PROJECT_EVERY_S, ledger.PROJECTION_SHARE = 0.0, 0
    DiskBackend.watch_s = SqliteBackend.watch_s = 60.0
    progress.TICK_S = 0.001  # so that more has been told when a kill comes
    begin, append, project = Producer.begin, BackendLease.append, BackendLease.project
    pending = 0

    def gated(self: Any, *call: Any) -> Any:
        gate.pass_through()
        return begin(self, *call)

    def counted(self: Any, records: Any, *, sync: bool) -> None:
        nonlocal pending
        group = list(records)
        append(self, group, sync=sync)
        pending += sum(map(_ends_a_call, group))

    def projected(self: Any, *args: Any, **options: Any) -> None:
        nonlocal pending
        project(self, *args, **options)
        gate.settle(pending)
        pending = 0

    _replace(Producer, "begin", gated)
    _replace(BackendLease, "append", counted)
    _replace(BackendLease, "project", projected)


def _ends_a_call(record: dict[str, Any]) -> bool:
    """Say whether an event is what one call of a component, or for it, came to."""
    match record["type"]:
        case "artifact_skipped":
            return bool(record["cause"] == record["artifact"])
        case "artifact_suspended":  # to ask people is the loop's to do
            return not record["gate"]
        case "artifact_failed":
            return record["error"]["kind"] not in ("rejected", "expired")
    return record["type"] in ("artifact_completed", "artifact_retried")


def _replace(owner: type, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)
