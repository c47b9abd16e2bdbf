"""The backend port: the fifteen operations on folders and files that a store is written over.

A backend hands out open folders, open folders hand out open files. Nothing else of a store knows
where bytes lie: the run store, the lease, the journal and the cache index are written once, over
the abstract methods below. Everything that is not abstract is either derived from them or a hint
that a backend may ignore.

Names are single segments, without '/'. Errors are those of the operating system:
`FileNotFoundError`, `FileExistsError` and `NotADirectoryError` have their usual meaning, any other
`OSError` is a failure of the device. A name that ought to be a regular file and is none, or one
that belongs to an account that is not trusted, raises `IntegrityError`.

Durability is never implied: what was written survives a power loss after `sync` of the file, and
its name after `sync` of the folder that has it.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, Self, TypeAlias

from waivern.errors import OPEN_FILES_HINT, IntegrityError, StoreError
from waivern.store.ownership import ForeignOwnerError

READ_LIMIT = 8 << 30
"""Bytes; a larger file is not one that this program wrote whole."""
CHUNK_BYTES = 1 << 20


if TYPE_CHECKING:  # creating a Protocol is slow, and `wct runs` must be instant

    class FileStatus(Protocol):
        """The status of a file or folder; `os.stat_result` is one."""

        @property
        def st_mode(self) -> int:
            """The kind and the permission bits, as the module `stat` reads them."""

        @property
        def st_ino(self) -> int:
            """The number that no other file of the same device has."""

        @property
        def st_dev(self) -> int:
            """The device."""

        @property
        def st_uid(self) -> int:
            """The account that owns it."""

        @property
        def st_size(self) -> int:
            """Bytes."""

        @property
        def st_ctime_ns(self) -> int:
            """The time of the last change, set by the backend and by nothing else."""


OpenMode: TypeAlias = Literal["read", "new", "append", "lock"]
"""The purpose for which a file is opened.

`new` creates it for writing; `append` writes at the end; `lock` is to be locked and overwritten.
The last two create a file that is missing.
"""


class FolderEntry(NamedTuple):
    """One name in a folder, links not followed."""

    name: str
    is_folder: bool
    is_file: bool
    """Whether it is a regular file; links, FIFOs and devices are neither."""


class OpenHandle(ABC):
    """An open file or folder: the same one until it is closed, whatever happens to its name."""

    __slots__ = ("name",)

    name: str
    """Used in messages only."""

    @abstractmethod
    def stat(self) -> FileStatus:
        """Return its status. Raises OSError if it was closed."""

    @abstractmethod
    def sync(self) -> None:
        """Make durable: of a file its bytes, of a folder the names in it.

        Everything that was written or renamed before is durable afterwards. An error means that
        nothing is known about it, so that the attempt must end.
        """

    @abstractmethod
    def lock(self, *, exclusive: bool, wait: bool = False) -> bool:
        """Take a shared or exclusive lock; return whether it was free.

        The lock belongs to this handle: two handles of one file exclude each other, also within a
        process. It is released when the handle is closed or the process dies. With `wait` it
        always succeeds, after the others have released theirs.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the handle and its lock; closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class FileHandle(OpenHandle):
    """An open file."""

    __slots__ = ()

    @abstractmethod
    def read(self, count: int, at: int) -> bytes:
        """Return at most `count` bytes from position `at`; empty at the end."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Write all of `data`: at the end in mode `append`, else after what was written last.

        Another reader sees it at once. After an error a part of it may have been written.
        """

    @abstractmethod
    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes; the next write follows there."""

    # derived, and hints

    def begin_sync(self) -> None:
        """Begin to write the file out, before the first `sync` of a group waits: only a hint."""

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

    def copy_from(self, source: FileHandle) -> bool:  # noqa: ARG002
        """Append all of another file without reading it, and return whether that was possible.

        Only a hint: if it was not, nothing has been written.
        """
        return False

    def overwrite(self, data: bytes) -> None:
        """Let the file hold `data` and nothing else."""
        self.truncate(0)
        self.write(data)

    def cut(self, size: int) -> None:
        """Cut the file to `size` bytes, durably."""
        self.truncate(size)
        self.sync()


def lines_of(file: FileHandle, longest: int) -> Iterator[bytes]:
    """Yield the lines of a file; of one that is longer than that, only its end."""
    at, rest = 0, b""
    while chunk := file.read(1 << 20, at):
        at += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        rest = rest[-longest:]
    if rest:
        yield rest


class FolderHandle(OpenHandle):
    """An open folder. Everything in it is named relative to it, and links are never followed."""

    __slots__ = ()

    @abstractmethod
    def folder(self, name: str, *, foreign: bool = False) -> FolderHandle:
        """Open a folder in this one; '.' opens this one again, with a lock of its own.

        Raises FileNotFoundError, NotADirectoryError for a link, and ForeignOwnerError if an
        account owns it that is not trusted; `foreign` allows that, to remove it.
        """

    @abstractmethod
    def make_folder(self, name: str, *, durable: bool = True) -> FolderHandle:
        """Create a folder, durably unless it may be lost, readable by its owner only, and open it.

        Raises FileExistsError.
        """

    @abstractmethod
    def entries(self) -> list[FolderEntry]:
        """Return everything in this folder, sorted by name."""

    @abstractmethod
    def stat(self, name: str = ".") -> FileStatus:
        """Return the status of what has a name, or a path below; a link is not followed.

        Raises FileNotFoundError, and NotADirectoryError on the way.
        """

    @abstractmethod
    def open(self, name: str, mode: OpenMode) -> FileHandle:
        """Open a regular file, readable by its owner only if it is created now.

        Raises FileNotFoundError, FileExistsError, IntegrityError.
        """

    @abstractmethod
    def rename(self, old: str, new: str, to: FolderHandle | None = None) -> None:
        """Rename a file or folder, within this folder or into another of the same backend.

        It is atomic: a file of the new name is replaced at once, and a reader finds the one or
        the other. A folder replaces nothing (an OSError with EEXIST or ENOTEMPTY).
        """

    @abstractmethod
    def unlink(self, name: str) -> None:
        """Remove a file or a link; nothing happens if it is missing."""

    @abstractmethod
    def rmdir(self, name: str) -> None:
        """Remove an empty folder. Raises an OSError with ENOTEMPTY if it is not empty."""

    # hints: a backend may ignore them

    def look(self, name: str) -> FileStatus | None:
        """Return the status of what has a name, or None; failure tests count it as an operation."""
        try:
            return self.stat(name)
        except FileNotFoundError:
            return None

    def link_to(self, name: str, target: str, staging: FolderHandle) -> None:
        """Let a symbolic link lead to `target`, for people who open the store by hand.

        It is staged in `staging`, which is swept if a crash comes before it is in its place.
        """

    # derived: questions

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

    # derived: folders

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

    # derived: reading

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

    def is_digest(self, name: str, digest: str, *, size: int | None = None) -> bool:
        """Return whether a regular file has this SHA-256, without holding it in memory.

        With `size`, a file of another size is not read. Raises what `read` raises.
        """
        with self.open(name, "read") as file:
            if size is not None and file.stat().st_size != size:
                return False
            return file.digest() == digest

    # derived: writing

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

    # derived: locks on the folder itself

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


class Backend(ABC):
    """The place of one store: the way to its first folder."""

    url: str
    """The URL or path that `open_store` opens to reach the same store."""
    title: str
    """The name of the store in messages."""
    blocks = True
    """Whether an operation may take long enough to be kept off an event loop."""
    watch_s = 0.2
    """How often a reader looks for changes that another process makes, in seconds."""

    @abstractmethod
    def open(self, name: str = ".", *, make: bool = False) -> FolderHandle:
        """Open the store's folder, or one right below it; with `make` it is created, durably.

        Raises FileNotFoundError unless `make`, IntegrityError if it is no folder, RefusedError if
        it is not to be trusted.
        """

    def displaced(self, runs: FolderHandle) -> str | None:  # noqa: ARG002
        """Return why an open folder of runs is not the store's any more; None if it still is."""
        return None


def identity(found: FileStatus) -> tuple[int, int]:
    """Return what no other file has, for as long as it exists."""
    return found.st_dev, found.st_ino


@contextmanager
def explained(action: str) -> Iterator[None]:
    """Turn an operating system error into a StoreError that says which action failed.

    A FileNotFoundError passes: whether absence is an error is the caller's decision.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise failure(action, error) from error


def failure(action: str, error: OSError) -> StoreError:
    """Return the error to raise for an action that failed."""
    message = f"cannot {action}: {error.strerror or error}"
    return StoreError(message, hint=_HINTS.get(error.errno or 0))


_HINTS = {
    28: "free some space, then resume the run",
    122: "the disk quota is used up: free some space, then resume the run",
    30: "the file system is read-only: choose another store with --store",
    24: OPEN_FILES_HINT,
    13: "the store's folders must belong to you: see `ls -ld`, or choose another with --store",
}
