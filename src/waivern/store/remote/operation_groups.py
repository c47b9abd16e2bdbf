"""Groups of operations: what a thread has asked for and not yet sent.

A group is sent in one frame, which the server executes in order up to the first operation that
fails. So the journal's holder checks its possession of the run, writes and syncs in one request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from waivern.errors import IntegrityError
from waivern.message import Json
from waivern.store.remote.frames import MOST_OPERATIONS, PART_BYTES, DisplacedError

GROUP_OPERATIONS = MOST_OPERATIONS // 2
"""A frame also has what is closed with it."""


class Request(NamedTuple):
    """An operation to be sent."""

    document: dict[str, Json]
    data: bytes | None = None
    owed: bool = False
    """Whether its caller has left: its error is that of the whole group."""
    explain: Callable[[], None] | None = None
    """Called if it fails, to raise a better error."""


class FailedRequestError(Exception):
    """The error of one of several requests, and its place among them."""

    def __init__(self, place: int, error: Exception) -> None:
        super().__init__(str(error))
        self.place = place
        self.error = error


class Sender(Protocol):
    """The session that sends requests."""

    def close_later(self, handle: Any) -> None:
        """Close a handle with the next frame."""

    def send(self, requests: Sequence[Request]) -> list[Any]:
        """Send requests in one frame; return their results. Raises FailedRequestError."""


class OperationGroup:
    """The requests of one thread that wait to be sent, all to one session."""

    def __init__(self) -> None:
        self.lenient = 0
        """How many callers send what they ask for themselves: they see its errors."""
        self._session: Sender | None = None
        self._waiting: list[Request] = []
        self._size = 0
        self._failed: Exception | None = None

    def takes(self, session: Sender) -> bool:
        """Return whether requests to this session can wait here."""
        return self._failed is None and self._session in (None, session)

    def add(self, session: Sender, request: Request) -> None:
        """Let a request wait."""
        self._use(session)
        self._waiting.append(request._replace(owed=not self.lenient))
        self._size += len(request.data or b"")
        if self._size >= PART_BYTES or len(self._waiting) >= GROUP_OPERATIONS:
            self.flush()

    def answer(self, session: Sender, request: Request) -> Any:
        """Send everything that waits, and this request; return its result."""
        self._use(session)
        self._waiting.append(request)
        return self.flush()

    def _use(self, session: Sender) -> None:
        if self._failed is not None:
            raise self._failed
        if self._session is not session:
            self.flush()
            self._session = session

    def flush(self) -> Any:
        """Send everything that waits; return the last result."""
        if self._failed is not None:
            raise self._failed
        requests, self._waiting, self._size = self._waiting, [], 0
        if not requests:
            return None
        assert self._session is not None
        try:
            return self._session.send(requests)[-1]
        except FailedRequestError as failure:
            for left in requests[failure.place :]:
                if left.document["do"] == "close":
                    self._session.close_later(left.document["on"])
            request = requests[failure.place]
            error = _explained(request, failure.error)
            if request.owed:
                self._failed = error  # or a caller that expects another error would hide it
            raise error from None
        except OSError as error:
            self._failed = error
            raise

    def owe(self) -> None:
        """Make the group answer for what a caller has left waiting, unless it is to be sent yet."""
        if not self.lenient:
            self._waiting = [each._replace(owed=True) for each in self._waiting]

    def drop(self) -> None:
        """Send what waits after an error of the caller; further errors are dropped."""
        try:
            self.flush()
        except Exception:  # noqa: BLE001 - the caller's own error is reported
            self._waiting = []


def _explained(request: Request, error: Exception) -> Exception:
    """Return the better error of a request that can explain what failed."""
    if request.explain is None or not isinstance(error, DisplacedError):
        return error
    try:
        request.explain()
    except Exception as better:  # noqa: BLE001 - it is raised by the caller
        return better
    return IntegrityError(f"the run was taken from its owner: {error}")


class ThreadGroups(threading.local):
    """The group of each thread."""

    current: OperationGroup | None = None

    @contextmanager
    def together(self, *, lenient: bool = False) -> Iterator[None]:
        """Begin a group, or continue that of the caller."""
        group = self.current
        if group is not None:
            group.lenient += lenient
            try:
                yield
            finally:
                group.lenient -= lenient
                if lenient:
                    group.owe()
            return
        self.current = group = OperationGroup()
        group.lenient = int(lenient)
        try:
            yield
        except BaseException:
            self.current = None
            group.drop()
            raise
        self.current = None
        group.flush()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Leave the group for the block: what is asked in it is sent at once."""
        group, self.current = self.current, None
        try:
            yield
        finally:
            self.current = group
