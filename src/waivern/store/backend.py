"""The classes that a backend subclasses: the port, and what is derived from its operations.

A store uses open files and folders through `FileHandle` and `FolderHandle`. A backend implements
the abstract methods, which `waivern.store.port` describes, and may override a derived one with a
quicker one.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from waivern.errors import IntegrityError
from waivern.message import sha256
from waivern.store.ownership import ForeignOwnerError
from waivern.store.port import (
    Backend,
    FilePort,
    FolderEntry,
    FolderPort,
    OpenHandle,
    OpenMode,
    identity,
)

if TYPE_CHECKING:
    from waivern.store.port import FileStatus

__all__ = ["Backend", "FileHandle", "FolderEntry", "FolderHandle", "OpenHandle", "OpenMode"]

READ_LIMIT = 8 << 30
"""Bytes; a larger file is not one that this program wrote whole."""
CHUNK_BYTES = 1 << 20


class FileHandle(FilePort):
    """An open file."""

    __slots__ = ()

    def read_all(self, at: int = 0) -> bytes:
        """Return everything from position `at`."""
        size, chunks = self.stat().st_size - at, []
        while chunk := self.read(max(1, min(size, 1 << 24)), at):
            chunks.append(chunk)
            at += len(chunk)
        return b"".join(chunks)

    def digest(self) -> str:
        """Return the SHA-256 of the bytes as 'sha256:<hex>', without holding them in memory."""
        import hashlib  # lists of runs need no digest (ADR 9)

        found, at = hashlib.sha256(), 0
        while chunk := self.read(CHUNK_BYTES, at):
            found.update(chunk)
            at += len(chunk)
        return f"sha256:{found.hexdigest()}"

    def overwrite(self, data: bytes) -> None:
        """Let the file hold `data` and nothing else."""
        self.truncate(0)
        self.write(data)

    def cut(self, size: int) -> None:
        """Cut the file to `size` bytes, durably."""
        self.truncate(size)
        self.sync()


class FolderHandle(FolderPort):
    """An open folder."""

    __slots__ = ()

    # questions

    def look_at(self, paths: Iterable[str]) -> list[FileStatus | OSError | None]:
        """Return the status of each path below; None if it is missing, or why it is unknown."""
        return [self._looked(path) for path in paths]

    def _looked(self, path: str) -> FileStatus | OSError | None:
        try:
            return self.look(path)
        except OSError as error:
            return error

    def is_locked(self, name: str) -> bool:
        """Return whether another handle of a file holds its lock. Raises FileNotFoundError."""
        with self.open(name, "read") as file:
            return not file.lock(exclusive=False)

    def has(self, name: str) -> bool:
        """Return whether there is anything of this name."""
        return self.look(name) is not None

    def has_file(self, name: str) -> bool:
        """Return whether there is a regular file of this name."""
        found = self.look(name)
        return found is not None and stat.S_ISREG(found.st_mode)

    def has_folder(self, name: str) -> bool:
        """Return whether there is a folder of this name."""
        found = self.look(name)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def is_no_file(self, name: str) -> bool:
        """Return whether there is something of this name that is not a regular file."""
        found = self.look(name)
        return found is not None and not stat.S_ISREG(found.st_mode)

    def is_no_folder(self, name: str) -> bool:
        """Return whether there is something of this name that is not a folder."""
        found = self.look(name)
        return found is not None and not stat.S_ISDIR(found.st_mode)

    def may_link(self, name: str) -> bool:
        """Return whether `name` is a symbolic link or still free."""
        found = self.look(name)
        return found is None or stat.S_ISLNK(found.st_mode)

    def same_file(self, name: str, handle: OpenHandle) -> bool:
        """Return whether `name` is still what `handle` has open."""
        try:
            return identity(self.stat(name)) == identity(handle.stat())
        except FileNotFoundError:
            return False

    def names(self) -> list[str]:
        """Return the names in this folder, sorted."""
        return [entry.name for entry in self.entries()]

    def walk(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """Yield (path, whether it is a regular file) for everything below but folders.

        A folder with a dot name is not looked into; it is yielded itself, followed by '/'.
        """
        for name, is_folder, is_file in self.entries():
            if is_folder and not name.startswith("."):
                try:
                    inner = self.folder(name)
                except ForeignOwnerError:
                    yield f"{prefix}{name}/", False
                    continue
                with inner:
                    yield from inner.walk(f"{prefix}{name}/")
            else:
                yield prefix + name + "/" * is_folder, is_file

    def total(self) -> int:
        """Return the number of bytes in the files of this folder and all below."""
        count = 0
        for entry in self.entries():
            try:
                if entry.is_folder:
                    with self.folder(entry.name) as inner:
                        count += inner.total()
                else:
                    count += self.stat(entry.name).st_size
            except FileNotFoundError:  # it was removed meanwhile
                continue
        return count

    # folders

    def ensure_folder(self, name: str) -> FolderHandle:
        """Open a folder, creating it first if it is missing."""
        try:
            return self.folder(name)
        except FileNotFoundError:
            try:
                return self.make_folder(name)
            except FileExistsError:  # another thread was quicker
                return self.folder(name)

    @contextmanager
    def below(self, parents: Sequence[str], *, make: bool = False) -> Iterator[FolderHandle]:
        """Open the folder that `parents` lead to, step by step; this one if there are none."""
        with ExitStack() as stack:
            folder: FolderHandle = self
            for parent in parents:
                opened = folder.ensure_folder(parent) if make else folder.folder(parent)
                folder = stack.enter_context(opened)
            yield folder

    def remove(self, name: str) -> None:
        """Remove whatever has this name, following nothing."""
        self.remove_tree(name) if self.has_folder(name) else self.unlink(name)

    def remove_tree(self, name: str) -> None:
        """Remove a folder and all below it, following nothing."""
        with self.folder(name, foreign=True) as inner:
            for child in inner.names():
                inner.remove(child)
        try:
            self.rmdir(name)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            self.remove_tree(name)  # a process that still had it open put something in

    # reading

    def read(self, name: str, limit: int = READ_LIMIT) -> bytes:
        """Return a regular file's bytes. Raises FileNotFoundError, IntegrityError."""
        with self.open(name, "read") as file:
            size = file.stat().st_size
            if size > limit:
                raise IntegrityError(f"{self.name}/{name} has {size} bytes; the limit is {limit}")
            return file.read_all()

    def read_if_any(self, name: str, limit: int = READ_LIMIT) -> bytes | None:
        """Return a regular file's bytes, or None if there is no file."""
        try:
            return self.read(name, limit)
        except FileNotFoundError:
            return None

    def read_tail(self, name: str, count: int) -> bytes:
        """Return the last `count` bytes of a regular file, or all it has."""
        with self.open(name, "read") as file:
            return file.read_all(max(0, file.stat().st_size - count))

    def size(self, name: str) -> int:
        """Return how many bytes a regular file has. Raises what `read` raises."""
        with self.open(name, "read") as file:
            return file.stat().st_size

    def read_exactly(self, name: str, digest: str, held: int) -> bytes | None:
        """Return the bytes of a regular file with this SHA-256; None if it has another one.

        A file of more than `held` bytes is only read whole if it has. Raises what `read` raises.
        """
        if self.size(name) > held and not self.is_digest(name, digest):
            return None
        data = self.read(name)
        return data if sha256(data) == digest else None

    def is_digest(self, name: str, digest: str, *, size: int | None = None) -> bool:
        """Return whether a regular file has this SHA-256, without holding it in memory.

        With `size`, a file of another size is not read. Raises what `read` raises.
        """
        with self.open(name, "read") as file:
            if size is not None and file.stat().st_size != size:
                return False
            return file.digest() == digest

    # writing

    def create(self, name: str, data: bytes) -> FileHandle:
        """Create a file with `data`, to be synced and closed. Raises FileExistsError."""
        file = self.open(name, "new")
        try:
            file.write(data)
        except BaseException:
            file.close()
            raise
        return file

    def create_all(self, files: Iterable[tuple[str, bytes]], created: list[FileHandle]) -> None:
        """Create files in this order; each is put into `created` as soon as it is complete."""
        for name, data in files:
            created.append(self.create(name, data))

    def write_new(self, name: str, data: bytes) -> None:
        """Create a file with `data`, whose bytes are durable. Raises FileExistsError."""
        with self.create(name, data) as file:
            file.sync()

    def replace(self, name: str, data: bytes, *, sync: bool = True) -> None:
        """Put a file in the place of another at once; with `sync` durably.

        Its bytes are durable before it has the name, or a power loss could leave an empty file.
        """
        staged = f".tmp-{name}-{os.getpid()}-{threading.get_ident()}"
        self.unlink(staged)
        try:
            self.write_new(staged, data)
            self.rename(staged, name)
        except OSError:
            self._sweep(staged)
            raise
        if sync:
            self.sync()

    def _sweep(self, name: str) -> None:
        # after a failure the leftover is only untidy: the next holder of the run sweeps it
        try:
            self.unlink(name)
        except OSError:
            return

    def append(self, name: str, data: bytes, *, own_line: bool = False, sync: bool = False) -> None:
        """Append to a file in one write; with `own_line` on a line that nothing else is on."""
        with self.open(name, "append") as file:
            end = self.read_tail(name, 1)
            if own_line and end not in (b"", b"\n"):
                data = b"\n" + data
            file.write(data)
            if sync:
                file.sync()
                if not end:  # its name is new
                    self.sync()

    # locks on the folder itself

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold a shared lock on this folder: something in it is half made."""
        with self.folder(".", foreign=True) as again:
            again.lock(exclusive=False, wait=True)
            yield

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold an exclusive lock on this folder, waiting for it."""
        with self.folder(".", foreign=True) as again:
            again.lock(exclusive=True, wait=True)
            yield

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Try to hold this folder exclusively; yield whether nothing is being made in it."""
        with self.folder(".", foreign=True) as again:
            yield again.lock(exclusive=True)
