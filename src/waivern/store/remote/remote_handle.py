"""The common part of open files and folders on a server: a number within a client session."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from waivern.message import Json
from waivern.store.backend import OpenHandle
from waivern.store.remote.client_session import ClientSession
from waivern.store.remote.operation_groups import FailedRequestError, Request, ThreadGroups

if TYPE_CHECKING:
    from waivern.store.port import FileStatus

POLL_S = 0.02
"""How often a handle that waits for a lock tries again."""
FOREIGN = (1 << 32) - 2
"""The account that owns what the server's account does not."""


class RemoteStatus(NamedTuple):
    """The status of a file or folder on a server; what its account owns, this one owns."""

    st_mode: int
    st_ino: int
    st_dev: int
    st_uid: int
    st_size: int
    st_ctime_ns: int


def status_of(found: Any) -> RemoteStatus:
    mode, inode, device, own, size, changed = found
    return RemoteStatus(mode, inode, device, os.geteuid() if own else FOREIGN, size, changed)


class RemoteHandle(OpenHandle):
    """The common part of an open file and an open folder."""

    __slots__ = ("_closed", "_locked", "number", "place")

    def __init__(self, place: SessionPlace, number: int, name: str) -> None:
        self.name = name
        self.place = place
        self.number = number
        self._closed = False
        self._locked = False
        place.session.count(1)

    def ask(self, do: str, **arguments: Json) -> Any:
        """Execute an operation on this handle, and return its result."""
        return self.place.ask(self._request(do, arguments))

    def tell(self, do: str, data: bytes | None = None, **arguments: Json) -> None:
        """Execute an operation that returns nothing, later if there is a group."""
        self.place.tell(self._request(do, arguments, data))

    def _request(self, do: str, arguments: dict[str, Json], data: bytes | None = None) -> Request:
        if self._closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), self.name)
        return Request({"do": do, "on": self.number, **arguments}, data)

    def stat(self) -> FileStatus:
        return status_of(self.ask("stat"))

    def sync(self) -> None:
        self.tell("sync")

    def lock(self, *, exclusive: bool, wait: bool = False) -> bool:
        # the server never waits: the client would keep it busy for as long as others hold the lock
        while not self.ask("lock", exclusive=exclusive):
            if not wait:
                return False
            time.sleep(POLL_S)
        self._locked = True
        return True

    def fenced_by(self, lock: OpenHandle) -> None:
        assert isinstance(lock, RemoteHandle)
        self.tell("fence", lock=lock.number)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        session = self.place.session
        session.count(-1)
        if session.is_over:
            return
        group = self.place.groups.current
        if group is not None and group.takes(session):  # what it opens is closed in it, too
            group.add(session, Request({"do": "close", "on": self.number}))
        elif self._locked:  # others wait for the lock
            self.place.send([Request({"do": "close", "on": self.number})])
        else:
            session.close_later(self.number)


class SessionPlace:
    """The session that a handle belongs to, and the groups of the threads that use it."""

    __slots__ = ("groups", "session")

    def __init__(self, session: ClientSession, groups: ThreadGroups) -> None:
        self.session = session
        self.groups = groups

    def ask(self, request: Request) -> Any:
        """Send a request, after what waits before it, and return its result."""
        group = self.groups.current
        if group is not None:
            return group.answer(self.session, request)
        return self.send([request])[0]

    def tell(self, request: Request) -> None:
        """Send a request that returns nothing, or let it wait in the group of the thread."""
        group = self.groups.current
        if group is not None:
            group.add(self.session, request)
        else:
            self.send([request])

    def send(self, requests: Sequence[Request]) -> list[Any]:
        """Send requests at once."""
        try:
            return self.session.send(requests)
        except FailedRequestError as failure:
            raise failure.error from None

    def open_now(self, request: Request) -> None:
        """Open something: later only if the caller sends what follows itself."""
        group = self.groups.current
        if group is not None and group.lenient:
            group.add(self.session, request)
        else:
            self.ask(request)
