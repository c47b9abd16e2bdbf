"""The backend port over HTTP: open files and folders on a server, by their numbers."""

from __future__ import annotations

import errno
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from waivern.errors import IntegrityError
from waivern.message import Json
from waivern.store.backend import (
    READ_LIMIT,
    Backend,
    FileHandle,
    FolderEntry,
    FolderHandle,
    OpenHandle,
    OpenMode,
)
from waivern.store.remote.client_session import ClientSession
from waivern.store.remote.connection import ServerConnection, refuse_plain
from waivern.store.remote.frames import PART_BYTES
from waivern.store.remote.operation_groups import FailedRequestError, Request, ThreadGroups

if TYPE_CHECKING:
    from waivern.store.port import FileStatus, HeldFile

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


def _status(found: Any) -> RemoteStatus:
    mode, inode, device, own, size, changed = found
    return RemoteStatus(mode, inode, device, os.geteuid() if own else FOREIGN, size, changed)


class _RemoteHandle(OpenHandle):
    """The common part of an open file and an open folder."""

    __slots__ = ("_closed", "_locked", "number", "place")

    def __init__(self, place: _Place, number: int, name: str) -> None:
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
        return _status(self.ask("stat"))

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
        assert isinstance(lock, _RemoteHandle)
        self.tell("fence", lock=lock.number)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        session = self.place.session
        session.count(-1)
        if session.is_over:
            return
        if self._locked and self.place.groups.current is None:  # others wait for the lock
            self.place.send([Request({"do": "close", "on": self.number})])
        else:
            session.close_later(self.number)


class _Place:
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


class RemoteFile(_RemoteHandle, FileHandle):
    """An open file on a server."""

    __slots__ = ()

    def read(self, count: int, at: int) -> bytes:
        found: bytes = self.ask("read", count=min(count, PART_BYTES), at=at)
        return found

    def read_all(self, at: int = 0) -> bytes:
        chunks: list[bytes] = []
        while True:
            chunk = self.read(PART_BYTES, at)
            chunks.append(chunk)
            at += len(chunk)
            if len(chunk) < PART_BYTES:  # the server returns fewer at the end only
                return b"".join(chunks)

    def write(self, data: bytes) -> None:
        # a part that is cut off is sent again, and none that has arrived
        for start in range(0, len(data), PART_BYTES):
            self.tell("write", data=data[start : start + PART_BYTES])

    def truncate(self, size: int) -> None:
        self.tell("truncate", size=size)

    def overwrite(self, data: bytes) -> None:
        with self.place.groups.together():
            super().overwrite(data)

    def cut(self, size: int) -> None:
        with self.place.groups.together():
            super().cut(size)

    def digest(self) -> str:
        return str(self.ask("digest"))

    def copy_from(self, source: FileHandle) -> bool:
        if not isinstance(source, RemoteFile) or source.place.session is not self.place.session:
            return False
        self.tell("copy", source=source.number)
        return True


class RemoteFolder(_RemoteHandle, FolderHandle):
    """An open folder on a server."""

    __slots__ = ()

    # folders

    def folder(self, name: str, *, foreign: bool = False) -> RemoteFolder:
        number = self.place.session.new_handle()
        self.place.open_now(
            self._request("folder", {"name": name, "new": number, "foreign": foreign})
        )
        return RemoteFolder(self.place, number, f"{self.name}/{name}")

    def make_folder(self, name: str, *, durable: bool = True) -> RemoteFolder:
        number = self.place.session.new_handle()
        self.ask("make_folder", name=name, new=number, durable=durable)
        return RemoteFolder(self.place, number, f"{self.name}/{name}")

    def ensure_folder(self, name: str) -> RemoteFolder:
        return self._made_below([name])

    def _made_below(self, names: list[str]) -> RemoteFolder:
        number = self.place.session.new_handle()
        self.tell("make_below", names=[*names], new=number)
        return RemoteFolder(self.place, number, "/".join((self.name, *names)))

    @contextmanager
    def below(self, parents: Sequence[str], *, make: bool = False) -> Iterator[FolderHandle]:
        if not parents:
            yield self
            return
        with self._made_below([*parents]) if make else self._opened_below([*parents]) as folder:
            yield folder

    def _opened_below(self, names: list[str]) -> RemoteFolder:
        number = self.place.session.new_handle()
        self.place.open_now(self._request("below", {"names": [*names], "new": number}))
        return RemoteFolder(self.place, number, "/".join((self.name, *names)))

    def rmdir(self, name: str) -> None:
        self.ask("rmdir", name=name)

    def remove(self, name: str) -> None:
        self.ask("remove", name=name)

    def remove_tree(self, name: str) -> None:
        self.ask("remove", name=name)

    # questions

    def entries(self) -> list[FolderEntry]:
        return [FolderEntry(*each) for each in self.ask("entries")]

    def names(self) -> list[str]:
        return [str(each) for each in self.ask("names")]

    def walk(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        yield from ((prefix + path, is_file) for path, is_file in self.ask("walk"))

    def total(self) -> int:
        return int(self.ask("total"))

    def stat(self, name: str = ".") -> FileStatus:
        return _status(self.ask("stat_of", name=name))

    def look(self, name: str) -> FileStatus | None:
        (found,) = self.look_at([name])
        if isinstance(found, OSError):
            raise found
        return found

    def look_at(self, paths: Iterable[str]) -> list[FileStatus | OSError | None]:
        every = [*paths]
        found: list[FileStatus | OSError | None] = []
        for start in range(0, len(every), LOOKS):
            part = every[start : start + LOOKS]
            looked = self.ask("look_at", paths=[*part])
            found += [_looked(each, path) for each, path in zip(looked, part, strict=True)]
        return found

    def same_file(self, name: str, handle: OpenHandle) -> bool:
        if not isinstance(handle, _RemoteHandle) or handle.place.session is not self.place.session:
            return False
        return bool(self.ask("same_file", name=name, handle=handle.number))

    def is_locked(self, name: str) -> bool:
        return bool(self.ask("is_locked", name=name))

    # files

    def open(self, name: str, mode: OpenMode) -> RemoteFile:
        number = self.place.session.new_handle()
        request = self._request("open", {"name": name, "new": number, "mode": mode})
        if mode == "new":
            self.place.tell(request)
        else:
            self.place.open_now(request)
        return RemoteFile(self.place, number, name)

    def rename(self, old: str, new: str, to: FolderHandle | None = None) -> None:
        target = self if to is None else to
        assert isinstance(target, RemoteFolder)
        self.tell("rename", old=old, name=new, to=target.number)

    def unlink(self, name: str) -> None:
        self.tell("unlink", name=name)

    def link_to(self, name: str, target: str, staging: FolderHandle) -> None:
        assert isinstance(staging, RemoteFolder)
        self.tell("link", name=name, target=target, staging=staging.number)

    # several operations in one request

    def read(self, name: str, limit: int = READ_LIMIT) -> bytes:
        found = self.ask("read_file", name=name, last=False, count=max(1, min(limit, PART_BYTES)))
        if isinstance(found, bytes):
            return found
        if found > limit:
            raise IntegrityError(f"{self.name}/{name} has {found} bytes; the limit is {limit}")
        return super().read(name, limit)

    def read_tail(self, name: str, count: int) -> bytes:
        if count > PART_BYTES:
            return super().read_tail(name, count)
        found: bytes = self.ask("read_file", name=name, last=True, count=count)
        return found

    def size(self, name: str) -> int:
        with self.place.groups.together(lenient=True):
            return super().size(name)

    def is_digest(self, name: str, digest: str, *, size: int | None = None) -> bool:
        with self.place.groups.together(lenient=True):
            return super().is_digest(name, digest, size=size)

    def create(self, name: str, data: bytes) -> FileHandle:
        with self.place.groups.together():
            return super().create(name, data)

    def write_new(self, name: str, data: bytes) -> None:
        with self.place.groups.together():
            super().write_new(name, data)

    def replace(self, name: str, data: bytes, *, sync: bool = True) -> None:
        # the ids of processes and threads on another computer may be the same ones
        staged = f".tmp-{name}-{secrets.token_hex(8)}"
        try:
            with self.place.groups.together():
                self.write_new(staged, data)
                self.rename(staged, name)
                if sync:
                    self.sync()
        except OSError:
            with suppress(OSError):
                self.unlink(staged)
            raise

    def append(self, name: str, data: bytes, *, own_line: bool = False, sync: bool = False) -> None:
        with self.place.groups.together(lenient=True):
            super().append(name, data, own_line=own_line, sync=sync)

    # locks on the folder itself

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._again(exclusive=False, wait=True):
            yield

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._again(exclusive=True, wait=True):
            yield

    @contextmanager
    def alone(self) -> Iterator[bool]:
        with self._again(exclusive=True, wait=False) as found:
            yield found

    @contextmanager
    def _again(self, *, exclusive: bool, wait: bool) -> Iterator[bool]:
        """Open the folder again and lock it, in one request."""
        with ExitStack() as stack:
            with self.place.groups.together(lenient=True):
                again = stack.enter_context(self.folder(".", foreign=True))
                found = again.lock(exclusive=exclusive, wait=wait)
            yield found


def _looked(found: Any, path: str) -> FileStatus | OSError | None:
    if found is None:
        return None
    if isinstance(found, dict):
        number = getattr(errno, str(found.get("errno")), errno.EIO)
        return OSError(number, os.strerror(number), path)
    return _status(found)


LOOKS = 20_000
"""The number of paths that one request asks about."""


class HttpBackend(Backend):
    """The store of a server. A session is opened when it is first used."""

    watch_s = 0.5
    delays = True

    def __init__(self, url: str, token: str | None) -> None:
        self.url = self.title = url
        self._connection = ServerConnection(url, token)
        self._groups = ThreadGroups()
        self._mutex = threading.Lock()
        self._place: _Place | None = None
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

    def _opened(self, place: _Place, name: str, *, make: bool) -> RemoteFolder:
        number = place.session.new_handle()
        place.ask(Request({"do": "root", "new": number, "name": name, "make": make}))
        return RemoteFolder(place, number, self.title if name == "." else f"{self.title}/{name}")

    def _current(self) -> _Place:
        """Return the session of this process; a new one if the last one has ended."""
        with self._mutex:
            if self._place is None or self._place.session.is_over:
                refuse_plain(self.url)
                self._place = _Place(ClientSession(self._connection), self._groups)
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
            assert isinstance(each.handle, _RemoteHandle)
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
