"""The backend port: the fifteen operations on folders and files that a store is written over.

A backend hands out open folders, open folders hand out open files. Nothing else of a store knows
where bytes lie: the run store, the lease, the journal and the cache index are written once, over
the abstract methods below and what `FileHandle` and `FolderHandle` derive from them. A method that
is not abstract is a hint, which a backend may ignore.

Names are single segments, without '/'. Errors are those of the operating system:
`FileNotFoundError`, `FileExistsError` and `NotADirectoryError` have their usual meaning, any other
`OSError` is a failure of the device. A name that ought to be a regular file and is none, or one
that belongs to an account that is not trusted, raises `IntegrityError`.

Durability is never implied: what was written survives a power loss after `sync` of the file, and
its name after `sync` of the folder that has it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    from waivern.store.backend import FileHandle, FolderHandle

    # creating a Protocol is slow, and `wct runs` must be instant
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


def identity(found: FileStatus) -> tuple[int, int]:
    """Return what no other file has, for as long as it exists."""
    return found.st_dev, found.st_ino


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

    def fenced_by(self, lock: OpenHandle) -> None:  # noqa: B027 - a hint
        """Let this handle, and those opened from it, write only while `lock` holds its lock.

        A backend whose locks can be lost while their process lives must follow this hint, and
        refuse what is written afterwards (IntegrityError).
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class FilePort(OpenHandle):
    """The operations on an open file."""

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

    # hints

    def begin_sync(self) -> None:
        """Begin to write the file out, before the first `sync` of a group waits: only a hint."""

    def copy_from(self, source: FileHandle) -> bool:  # noqa: ARG002
        """Append all of another file without reading it, and return whether that was possible.

        Only a hint: if it was not, nothing has been written.
        """
        return False


class FolderPort(OpenHandle):
    """The operations on an open folder.

    Everything in it is named relative to it, and links are never followed.
    """

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

    # hints

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


class HeldFile(NamedTuple):
    """A file or folder that is open, and the place that must still lead to it."""

    folder: FolderHandle
    name: str
    handle: OpenHandle
    identity: tuple[int, int]
    size: int | None = None
    """The bytes that a file must have; None: any number."""


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

    # hints

    lasting = False
    """Whether a folder that stays open shows all that other processes change in it afterwards."""

    def leads_to(self, path: str, folder: FolderHandle) -> bool:  # noqa: ARG002
        """Return whether a path below the root still leads to an open folder that is trusted."""
        return False

    delays = False
    """Whether `together` delays operations: then those of a group come from one thread."""

    def changed_at(self, folder: FolderHandle, name: str) -> int | None:  # noqa: ARG002
        """Return when a file, or the names in a folder, last changed: nanoseconds since the epoch.

        None: it is not there, or the backend does not know it for all processes.
        """
        return None

    def together(self) -> AbstractContextManager[None]:
        """Begin a group of operations of this thread, which may be delayed.

        An operation that returns nothing may be executed later, in order: at the latest at the end
        of the block, or before one that returns something. Its error is then raised there, and
        nothing after it is executed. A slow connection so carries a group at once.
        """
        return nullcontext()

    def require(
        self,
        held: Sequence[HeldFile],  # noqa: ARG002
        runs: FolderHandle,  # noqa: ARG002
        check: Callable[[], None],
    ) -> None:
        """Call `check`, which raises an error unless all of `held` are in their places.

        A backend that delays operations checks them, and `displaced`, where it executes the group,
        and calls `check` only to explain what failed.
        """
        check()

    def as_listed(self) -> AbstractContextManager[None]:
        """Let this thread read runs as the last listing of all runs has shown them.

        A backend whose listings show which runs are unchanged need not ask for each of them again.
        """
        return nullcontext()

    def displaced(self, runs: FolderHandle) -> str | None:  # noqa: ARG002
        """Return why an open folder of runs is not the store's any more; None if it still is."""
        return None
