"""The operations of a remote store, executed on the backend of the server's own store."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from waivern.errors import WaivernError
from waivern.message import Json
from waivern.server.store_arguments import changes, safe_name, safe_path
from waivern.store.backend import Backend, FileHandle, FolderHandle, OpenHandle
from waivern.store.port import identity
from waivern.store.remote.frames import DisplacedError

if TYPE_CHECKING:
    from waivern.store.port import FileStatus

HANDLES = 512
"""The files and folders that a session has open at most; a process may usually have 1,024."""
COPY_BYTES = 1 << 20


class _Entry:
    """An open handle, the depth of a folder, and the number of operations that use it now."""

    __slots__ = ("closing", "depth", "handle", "locked", "syncing", "users")

    def __init__(self, handle: OpenHandle, depth: int) -> None:
        self.handle = handle
        self.depth = depth
        self.locked = False
        self.syncing: Future[None] | None = None
        """A sync that has begun, after everything that was written to the file."""
        self.users = 0
        self.closing = False


class HandleTable:
    """The open files and folders of a session, by the numbers that its client gave them.

    A handle is closed when no operation uses it: the number of a closed descriptor is given to the
    next file, into which a late write would go.
    """

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._mutex = threading.Lock()

    def add(self, number: int, handle: OpenHandle, depth: int) -> None:
        """Add an open handle. Raises OSError if the number is taken, or if there are too many."""
        with self._mutex:
            if number not in self._entries and len(self._entries) < HANDLES:
                self._entries[number] = _Entry(handle, depth)
                return
        handle.close()
        raise OSError(errno.EMFILE, "the session has too many open files")

    @contextmanager
    def using(self, number: int) -> Iterator[_Entry]:
        """Use a handle, which stays open meanwhile. Raises OSError if it is not open."""
        with self._mutex:
            entry = self._entries.get(number)
            if entry is None or entry.closing:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            entry.users += 1
        try:
            yield entry
        finally:
            with self._mutex:
                entry.users -= 1
                last = entry.closing and not entry.users
            if last:
                entry.handle.close()

    def name_of(self, number: int) -> str | None:
        """Return the name of an open handle, for messages."""
        entry = self._entries.get(number)
        return None if entry is None else entry.handle.name

    def close(self, number: int) -> None:
        """Close a handle; nothing happens if it is not open."""
        with self._mutex:
            entry = self._entries.pop(number, None)
            if entry is None:
                return
            entry.closing = True
            unused = not entry.users
        if unused:
            entry.handle.close()

    def close_all(self) -> None:
        """Close everything, locks last: nothing of a run is open when its next holder comes."""
        with self._mutex:
            entries = sorted(self._entries.values(), key=lambda entry: entry.locked)
            self._entries.clear()
        for entry in entries:
            with suppress(OSError):
                entry.handle.close()


class StoreOperations:
    """The execution of operations for one session; files of a group are synced by `syncers`."""

    def __init__(self, backend: Backend, syncers: Executor, *, read_only: bool) -> None:
        self._syncers = syncers
        self.handles = HandleTable()
        self._backend = backend
        self._read_only = read_only

    def execute(self, do: str, arguments: dict[str, Any], blobs: Sequence[bytes]) -> Json | bytes:
        """Execute a checked operation. Raises one of EXPECTED."""
        if self._read_only and changes(do, arguments):
            raise OSError(errno.EROFS, "the server is read-only")
        if do == "write":
            arguments["data"] = blobs[arguments["data"]]
        method: Callable[..., Json | bytes] = getattr(self, f"_{do}")
        try:
            return method(**arguments)
        except OSError as error:
            if error.filename is None and "on" in arguments:
                error.filename = self.handles.name_of(arguments["on"])
            raise

    # handles

    @contextmanager
    def _folder_of(self, number: int) -> Iterator[tuple[FolderHandle, int]]:
        with self.handles.using(number) as entry:
            if not isinstance(entry.handle, FolderHandle):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            yield entry.handle, entry.depth

    @contextmanager
    def _file_of(self, number: int) -> Iterator[FileHandle]:
        with self.handles.using(number) as entry:
            if not isinstance(entry.handle, FileHandle):
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
            yield entry.handle

    def _stat(self, on: int) -> Json:
        with self.handles.using(on) as entry:
            return _status(entry.handle.stat())

    def _sync(self, on: int) -> None:
        with self.handles.using(on) as entry:
            begun, entry.syncing = entry.syncing, None
            if begun is None:
                entry.handle.sync()
            else:
                begun.result()

    def _lock(self, on: int, exclusive: bool) -> Json:
        with self.handles.using(on) as entry:
            found = entry.handle.lock(exclusive=exclusive)
            entry.locked = entry.locked or found
            return found

    def _fence(self, on: int, lock: int) -> None:
        # the session fences its client; this is for a store whose own locks can be lost
        with self.handles.using(on) as entry, self.handles.using(lock) as held:
            entry.handle.fenced_by(held.handle)

    def _close(self, on: int) -> None:
        self.handles.close(on)

    # folders

    def _root(self, new: int, name: str, make: bool) -> None:
        self.handles.add(new, self._backend.open(name, make=make), 0 if name == "." else 1)

    def _folder(self, on: int, name: str, new: int, foreign: bool) -> None:
        with self._folder_of(on) as (folder, depth):
            safe_name(name, depth, itself=True)
            opened = folder.folder(name, foreign=foreign)
            self.handles.add(new, opened, depth if name == "." else depth + 1)

    def _make_folder(self, on: int, name: str, new: int, durable: bool) -> None:
        with self._folder_of(on) as (folder, depth):
            made = folder.make_folder(safe_name(name, depth), durable=durable)
            self.handles.add(new, made, depth + 1)

    def _below(self, on: int, names: list[str], new: int, make: bool = False) -> None:
        with self._folder_of(on) as (folder, depth):
            for below, name in enumerate(names):
                safe_name(name, depth + below)
            with folder.below(names, make=make) as found:
                self.handles.add(new, found.folder("."), depth + len(names))

    def _make_below(self, on: int, names: list[str], new: int) -> None:
        self._below(on, names, new, make=True)

    def _entries(self, on: int) -> Json:
        with self._folder_of(on) as (folder, _):
            return [[*entry] for entry in folder.entries()]

    def _names(self, on: int) -> Json:
        with self._folder_of(on) as (folder, _):
            return [*folder.names()]

    def _walk(self, on: int) -> Json:
        with self._folder_of(on) as (folder, _):
            return [[*found] for found in folder.walk()]

    def _total(self, on: int) -> Json:
        with self._folder_of(on) as (folder, _):
            return folder.total()

    def _stat_of(self, on: int, name: str) -> Json:
        with self._folder_of(on) as (folder, depth):
            return _status(folder.stat(safe_path(name, depth)))

    def _look_at(self, on: int, paths: list[str]) -> Json:
        with self._folder_of(on) as (folder, depth):
            looked = folder.look_at(safe_path(path, depth) for path in paths)
            return [
                {"errno": errno.errorcode.get(each.errno or 0, "EIO")}
                if isinstance(each, OSError)
                else each and _status(each)
                for each in looked
            ]

    def _same_file(self, on: int, name: str, handle: int) -> Json:
        with self._folder_of(on) as (folder, depth), self.handles.using(handle) as entry:
            return folder.same_file(safe_name(name, depth), entry.handle)

    def _is_locked(self, on: int, name: str) -> Json:
        with self._folder_of(on) as (folder, depth):
            return folder.is_locked(safe_name(name, depth))

    def _open(self, on: int, name: str, new: int, mode: Any) -> None:
        with self._folder_of(on) as (folder, depth):
            self.handles.add(new, folder.open(safe_name(name, depth), mode), depth)

    def _rename(self, on: int, old: str, name: str, to: int) -> None:
        with self._folder_of(on) as (folder, depth), self._folder_of(to) as (target, below):
            folder.rename(safe_name(old, depth), safe_name(name, below), target)

    def _unlink(self, on: int, name: str) -> None:
        with self._folder_of(on) as (folder, depth):
            folder.unlink(safe_name(name, depth))

    def _rmdir(self, on: int, name: str) -> None:
        with self._folder_of(on) as (folder, depth):
            folder.rmdir(safe_name(name, depth))

    def _remove(self, on: int, name: str) -> None:
        with self._folder_of(on) as (folder, depth):
            folder.remove(safe_name(name, depth))

    def _link(self, on: int, name: str, target: str, staging: int) -> None:
        with self._folder_of(on) as (folder, depth), self._folder_of(staging) as (staged, _):
            folder.link_to(safe_name(name, depth), target, staged)

    # files

    def _read(self, on: int, count: int, at: int) -> bytes:
        with self._file_of(on) as file:
            return _filled(file, count, at)

    def _read_file(self, on: int, name: str, last: bool, count: int) -> Json | bytes:
        """Return a file's bytes, or its last ones; its size if there are more than `count`."""
        with self._folder_of(on) as (folder, depth):
            with folder.open(safe_name(name, depth), "read") as file:
                size = file.stat().st_size
                if size <= count or last:
                    return _filled(file, count, max(0, size - count))
                return size

    def _write(self, on: int, data: bytes) -> None:
        with self.handles.using(on) as entry:
            entry.syncing = None  # what it makes durable comes before this
        with self._file_of(on) as file:
            file.write(data)

    def _begin_sync(self, on: int) -> None:
        with self.handles.using(on) as entry:
            entry.syncing = self._syncers.submit(self._sync_file, on)

    def _sync_file(self, on: int) -> None:
        with self._file_of(on) as file:
            file.sync()

    def _truncate(self, on: int, size: int) -> None:
        with self._file_of(on) as file:
            file.truncate(size)

    def _digest(self, on: int) -> Json:
        with self._file_of(on) as file:
            return file.digest()

    def _copy(self, on: int, source: int) -> None:
        with self._file_of(on) as file, self._file_of(source) as read:
            if not file.copy_from(read):
                at = 0
                while chunk := read.read(COPY_BYTES, at):
                    file.write(chunk)
                    at += len(chunk)

    # possession

    def _require(self, held: list[list[Any]], runs: int) -> None:
        for number, name, handle, device, inode, size in held:
            with self._folder_of(number) as (folder, depth), self.handles.using(handle) as entry:
                mine, there = entry.handle.stat(), folder.look(safe_name(name, depth))
                if there is None or {identity(mine), identity(there)} != {(device, inode)}:
                    raise DisplacedError(f"another file has taken the place of {name}")
                if size not in (None, mine.st_size):
                    raise DisplacedError(f"{name} has {mine.st_size} bytes, not {size}")
        with self._folder_of(runs) as (folder, _):
            if (why := self._backend.displaced(folder)) is not None:
                raise DisplacedError(why)


def _filled(file: FileHandle, count: int, at: int) -> bytes:
    """Return `count` bytes from a position: fewer only at the end of the file."""
    chunks: list[bytes] = []
    while count and (chunk := file.read(count, at)):
        chunks.append(chunk)
        count -= len(chunk)
        at += len(chunk)
    return b"".join(chunks)


def _status(found: FileStatus) -> list[Json]:
    """Return a status as the client reads it; of the owner only whether it is this account."""
    own = found.st_uid == os.geteuid()
    return [found.st_mode, found.st_ino, found.st_dev, own, found.st_size, found.st_ctime_ns]


EXPECTED = (OSError, WaivernError, DisplacedError)
"""What an operation raises; anything else is a defect."""
