"""Open files and folders on a server: what takes several operations is often one request."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from waivern.errors import IntegrityError
from waivern.store.backend import (
    READ_LIMIT,
    FileHandle,
    FolderEntry,
    FolderHandle,
    OpenHandle,
    OpenMode,
)
from waivern.store.remote.frames import PART_BYTES
from waivern.store.remote.remote_handle import RemoteHandle, status_of

if TYPE_CHECKING:
    from waivern.store.port import FileStatus


class RemoteFile(RemoteHandle, FileHandle):
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

    def begin_sync(self) -> None:
        if self.place.groups.current is not None:  # alone it is no help
            self.tell("begin_sync")

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


class RemoteFolder(RemoteHandle, FolderHandle):
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
        return status_of(self.ask("stat_of", name=name))

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
        if not isinstance(handle, RemoteHandle) or handle.place.session is not self.place.session:
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
    return status_of(found)


LOOKS = 20_000
"""The number of paths that one request asks about."""
