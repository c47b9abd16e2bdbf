"""The sessions of remote stores: what their clients have open, for as long as they are there.

A session holds files and locks for a client on another computer. It ends when its client ends it,
or is not heard from for a time: then its locks are released, and whatever the client still sends is
refused. So a client that was stopped, or cut off, cannot write to a run that another one has taken.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from waivern.message import Json
from waivern.server.store_operations import EXPECTED, StoreOperations
from waivern.store.backend import Backend
from waivern.store.remote.frames import Frame, error_document

TTL_S = 15.0
"""The time after which a client that is not heard from has lost its session."""
GRACE_S = 2.0
"""The same for a client whose connection has ended: one that lives connects again at once."""
TICK_S = 0.25
STALL_S = 1.0
"""A longer pause between two ticks is one of the server itself, for which clients get more time."""
SESSIONS = 500
OUTSTANDING = 64
"""The answers of a session that are retained at most, in case that they were lost."""
THREADS = 16
SYNCERS = 8


class SessionEndedError(Exception):
    """A request of a session that has ended, or never was."""


class RequestConflictError(Exception):
    """A request whose number cannot be: its answer was received already, or too many are open."""


class RequestedWork(NamedTuple):
    """The operations of one request, in order."""

    operations: Sequence[tuple[str, dict[str, Any]]]
    blobs: Sequence[bytes]


class StoreSession:
    """The open files and locks of one client, and the answers that it may have missed."""

    def __init__(self, user: str, operations: StoreOperations, threads: ThreadPoolExecutor) -> None:
        self.key = secrets.token_urlsafe(24)
        self.user = user
        self._operations = operations
        self._threads = threads
        self._mutex = threading.Lock()
        self._answers: dict[int, Future[Frame]] = {}
        self._received = 0
        """Every request up to this number was answered, and the client has the answer."""
        self._active = 0
        self._ended = False
        self.ttl = TTL_S
        """The seconds after which the session ends if nothing is heard from the client."""
        self._deadline = time.monotonic() + self.ttl

    def begin(self, number: int, received: int, work: RequestedWork) -> Future[Frame]:
        """Begin to execute a request, or return the execution of the same one.

        Raises SessionEndedError, RequestConflictError.
        """
        with self._mutex:
            if self._ended:
                raise SessionEndedError
            self._touch()
            self._forget(received)
            if (known := self._answers.get(number)) is not None:
                return known
            if number <= self._received:
                raise RequestConflictError("this request was answered before")
            if len(self._answers) >= OUTSTANDING:
                raise RequestConflictError("too many requests of this session are not answered")
            self._active += 1
            answer = self._threads.submit(self._perform, work)
            self._answers[number] = answer
            return answer

    def _forget(self, received: int) -> None:
        self._received = max(self._received, received)
        for number in [each for each in self._answers if each <= self._received]:
            del self._answers[number]

    def _touch(self) -> None:
        self._deadline = max(self._deadline, time.monotonic() + self.ttl)

    def touch(self) -> None:
        """Record that the client is there. Raises SessionEndedError."""
        with self._mutex:
            if self._ended:
                raise SessionEndedError
            self._touch()

    def hurry(self) -> None:
        """Record that the client's connection has ended: it has little time to make another."""
        with self._mutex:
            self._deadline = min(self._deadline, time.monotonic() + GRACE_S)

    def allow(self, seconds: float) -> None:
        """Give the client more time."""
        with self._mutex:
            self._deadline += seconds

    @property
    def expired(self) -> bool:
        """Whether the client was not heard from for too long, and nothing of it is executed."""
        return not self._active and time.monotonic() > self._deadline

    def end(self) -> None:
        """End the session: its locks are released when nothing of it is executed any more."""
        with self._mutex:
            self._ended = True
            idle = not self._active
        if idle:
            self._operations.handles.close_all()

    def _perform(self, work: RequestedWork) -> Frame:
        try:
            return self._executed(work)
        finally:
            with self._mutex:
                self._active -= 1
                self._touch()
                over = self._ended and not self._active
            if over:
                self._operations.handles.close_all()

    def _executed(self, work: RequestedWork) -> Frame:
        """Execute operations up to the first one that fails; what follows it depends on it."""
        results: list[Json] = []
        blobs: list[bytes] = []
        for do, arguments in work.operations:
            if self._ended:
                raise SessionEndedError
            try:
                result = self._operations.execute(do, arguments, work.blobs)
            except EXPECTED as error:
                return Frame({"results": results, "error": error_document(error)}, blobs)
            if isinstance(result, bytes):
                results.append({"blob": len(blobs)})
                blobs.append(result)
            else:
                results.append({"value": result})
        return Frame({"results": results}, blobs)


class StoreSessions:
    """All sessions of a server, and the thread that ends those whose clients are gone."""

    def __init__(self, backend: Backend, *, read_only: bool) -> None:
        self._backend = backend
        self._read_only = read_only
        self._sessions: dict[str, StoreSession] = {}
        self._mutex = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, "waivern-store")
        # several files that are synced at once share what the device does
        self._syncers = ThreadPoolExecutor(SYNCERS, "waivern-store-syncer")
        self._watching = False

    def open(self, user: str) -> StoreSession:
        """Open a session. Raises RequestConflictError if there are too many."""
        operations = StoreOperations(self._backend, self._syncers, read_only=self._read_only)
        session = StoreSession(user, operations, self._threads)
        with self._mutex:
            if len(self._sessions) >= SESSIONS:
                raise RequestConflictError("the server has too many sessions")
            self._sessions[session.key] = session
            if not self._watching:
                self._watching = True
                threading.Thread(
                    target=self._watch, name="waivern-store-sessions", daemon=True
                ).start()
        return session

    def find(self, key: str, user: str) -> StoreSession:
        """Return a session of this user. Raises SessionEndedError."""
        session = self._sessions.get(key)
        if session is None or session.user != user:
            raise SessionEndedError
        return session

    def end(self, session: StoreSession) -> None:
        """End a session."""
        with self._mutex:
            self._sessions.pop(session.key, None)
        session.end()

    def close(self) -> None:
        """End all sessions."""
        for session in list(self._sessions.values()):
            self.end(session)

    def _watch(self) -> None:
        """End sessions whose clients are gone, until there are none.

        Only the monotonic clock counts. While this process is stopped it receives nothing, which is
        not the fault of its clients.
        """
        before = time.monotonic()
        while True:
            time.sleep(TICK_S)
            stalled = time.monotonic() - before - TICK_S
            before = time.monotonic()
            for session in list(self._sessions.values()):
                if stalled > STALL_S:
                    session.allow(stalled)
                if session.expired:
                    self.end(session)
            with self._mutex:
                if not self._sessions:
                    self._watching = False
                    return
