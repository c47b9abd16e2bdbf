"""The backend port over HTTP: the store of a server, as its client sees it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from weakref import WeakSet

from waivern.message import Json
from waivern.store.backend import Backend, FolderHandle
from waivern.store.remote.client_session import ClientSession
from waivern.store.remote.connection import ServerConnection, refuse_plain
from waivern.store.remote.operation_groups import Request, ThreadGroups
from waivern.store.remote.remote_folders import RemoteFolder
from waivern.store.remote.remote_handle import RemoteHandle, SessionPlace

if TYPE_CHECKING:
    from waivern.store.port import HeldFile


class HttpBackend(Backend):
    """The store of a server. A session is opened when it is first used."""

    watch_s = 0.5
    delays = True

    def __init__(self, url: str, token: str | None) -> None:
        self.url = self.title = url
        self._connection = ServerConnection(url, token)
        self._groups = ThreadGroups()
        self._mutex = threading.Lock()
        self._place: SessionPlace | None = None
        _backends.add(self)

    def open(self, name: str = ".", *, make: bool = False) -> FolderHandle:
        place = self._current()
        try:
            return self._opened(place, name, make=make)
        except OSError:
            if not place.session.is_over:
                raise
        # a server forgets who does nothing for a time; what was open then stays unusable
        return self._opened(self._current(), name, make=make)

    def _opened(self, place: SessionPlace, name: str, *, make: bool) -> RemoteFolder:
        number = place.session.new_handle()
        place.ask(Request({"do": "root", "new": number, "name": name, "make": make}))
        return RemoteFolder(place, number, self.title if name == "." else f"{self.title}/{name}")

    def _current(self) -> SessionPlace:
        """Return the session of this process; a new one if the last one has ended."""
        with self._mutex:
            if self._place is None or self._place.session.is_over:
                refuse_plain(self.url)
                self._place = SessionPlace(ClientSession(self._connection), self._groups)
            return self._place

    def together(self) -> AbstractContextManager[None]:
        return self._groups.together()

    def require(
        self, held: Sequence[HeldFile], runs: FolderHandle, check: Callable[[], None]
    ) -> None:
        assert isinstance(runs, RemoteFolder)
        files: list[Json] = []
        for each in held:
            assert isinstance(each.folder, RemoteFolder)
            assert isinstance(each.handle, RemoteHandle)
            folder, handle = each.folder.number, each.handle.number
            files.append([folder, each.name, handle, *each.identity, each.size])

        def explain() -> None:
            with self._groups.apart():
                check()

        document: dict[str, Json] = {"do": "require", "held": files, "runs": runs.number}
        with self._groups.together():
            runs.place.tell(Request(document, explain=explain))

    def close(self) -> None:
        """End the session; what is still open cannot be used any more."""
        with self._mutex:
            place, self._place = self._place, None
        if place is not None:
            place.session.close()
        self._connection.close()

    def renew(self) -> None:
        """Start anew in a forked child: session and connections are the parent's."""
        self._mutex = threading.Lock()
        self._groups = ThreadGroups()
        self._place = None
        self._connection.renew()


_backends: WeakSet[HttpBackend] = WeakSet()


def _after_fork() -> None:
    for backend in list(_backends):
        backend.renew()


os.register_at_fork(after_in_child=_after_fork)
