"""The one module through which all run-folder I/O goes.

Everything below the store's root is reached through the descriptor of an open folder and never
follows a symbolic link. `step` is called before every operation that changes the disk or waits
for it, and as "look" before those that only read: the failure tests replace it to fail or to stop
the Nth one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Self

from waivern.errors import IntegrityError, StoreError
from waivern.files import high
from waivern.store.ownership import ForeignOwnerError, Owners, check_owner

FOLDER_MODE = 0o700
FILE_MODE = 0o600
READ_LIMIT = 8 << 30
"""Bytes; a larger file is not one that this program wrote whole."""


def step(_operation: str, _name: str) -> None:
    """Come before every operation; nothing in the product, a fault in the failure tests."""


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def _open(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """Open a file, with a descriptor that components which close low ones do not hit.

    Otherwise what is written there next, the journal too, could go into a file of theirs.
    """
    return high(os.open(path, flags, mode, dir_fd=dir_fd))


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an operating system error into a StoreError that says `what` could not be done.

    A FileNotFoundError passes: whether absence is an error is the caller's to say.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise failure(what, error) from error


def failure(what: str, error: OSError) -> StoreError:
    """Return what to raise where `what` could not be done."""
    message = f"cannot {what}: {error.strerror or error}"
    return StoreError(message, hint=_HINTS.get(error.errno or 0))


_HINTS = {
    28: "free some space, then resume the run",
    122: "the disk quota is used up: free some space, then resume the run",
    30: "the file system is read-only: choose another store with --store",
    24: "raise the limit of open files with `ulimit -n 4096`, or lower --max-concurrency",
    13: "the store's folders must belong to you: see `ls -ld`, or choose another with --store",
}


def make_way(path: str) -> None:
    """Make a folder of the user's choice, and what leads to it, where it is not there."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    if above and above != path:
        make_way(above)
    step("mkdir", path)
    try:
        os.mkdir(path, FOLDER_MODE)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    else:
        os.chmod(path, FOLDER_MODE)  # whatever the umask took away


def sync_way(path: str) -> None:
    """Make the names that lead to a folder durable, up to where its file system is mounted."""
    device = os.stat(path).st_dev
    while (above := os.path.dirname(path)) != path and os.stat(above).st_dev == device:
        try:
            folder = DiskFolder.root(above)
        except PermissionError:  # who may not read it, did not make it
            return
        with folder:
            folder.sync()
        path = above


class DiskFolder:
    """An open directory. Everything in it is named relative to its descriptor."""

    __slots__ = ("descriptor", "name", "owners")

    def __init__(self, fd: int, name: str, owners: Owners = None) -> None:
        self.descriptor = fd
        self.name = name
        """For messages only."""
        self.owners = owners
        """The accounts to which all that is opened below must belong."""

    @classmethod
    def root(cls, path: str, owners: Owners = None) -> DiskFolder:
        """Open the store's own root, which the user chose and may have linked to."""
        step("look", path)
        return cls(_open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), path, owners)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the descriptor go; closing twice is harmless."""
        fd, self.descriptor = self.descriptor, -1
        if fd >= 0:
            os.close(fd)

    # folders

    def folder(self, name: str) -> DiskFolder:
        """Open a folder in this one.

        Raises FileNotFoundError, NotADirectoryError on a link, StrangerError if it belongs to
        somebody who is not trusted.
        """
        opened = self.any_folder(name)
        if self.owners is not None:
            try:
                check_owner(os.fstat(opened.descriptor), self.owners, opened.name)
            except BaseException:
                opened.close()
                raise
        return opened

    def any_folder(self, name: str) -> DiskFolder:
        """Open a folder in this one, whoever owns it: to remove it, not to read it."""
        step("look", name)
        fd = _open(name, _FOLDER, dir_fd=self.descriptor)
        return DiskFolder(fd, f"{self.name}/{name}", self.owners)

    def make_folder(self, name: str) -> DiskFolder:
        """Create a folder, durably, and open it. Raises FileExistsError."""
        step("mkdir", name)
        os.mkdir(name, FOLDER_MODE, dir_fd=self.descriptor)
        try:
            made = self.folder(name)
        except PermissionError:  # the umask took even the right to open it
            os.chmod(name, FOLDER_MODE, dir_fd=self.descriptor)
            made = self.folder(name)
        os.fchmod(made.descriptor, FOLDER_MODE)  # whatever the umask took away
        self.sync()
        return made

    def ensure_folder(self, name: str) -> DiskFolder:
        """Open a folder, making it first if it is not there."""
        try:
            return self.folder(name)
        except FileNotFoundError:
            try:
                return self.make_folder(name)
            except FileExistsError:  # another thread was quicker
                return self.folder(name)

    @contextmanager
    def below(self, parents: Sequence[str], *, make: bool = False) -> Iterator[DiskFolder]:
        """Open the folder that `parents` lead to, step by step; this one if there are none."""
        with ExitStack() as stack:
            folder = self
            for parent in parents:
                opened = folder.ensure_folder(parent) if make else folder.folder(parent)
                folder = stack.enter_context(opened)
            yield folder

    def sync(self) -> None:
        """Make the names in this folder durable."""
        step("sync_folder", self.name)
        os.fsync(self.descriptor)

    def names(self) -> list[str]:
        """Return the names in this folder, sorted."""
        step("look", self.name)
        return sorted(os.listdir(self.descriptor))

    def folders(self) -> list[str]:
        """Return the names of the folders in this one, links left out, sorted."""
        step("look", self.name)
        with os.scandir(self.descriptor) as entries:
            return sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))

    def walk(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """Yield (path, is it a regular file) for all below but folders.

        Of a folder with a dot name nothing is looked at; it is yielded itself, with a '/' behind.
        """
        step("look", self.name)
        with os.scandir(self.descriptor) as entries:
            found = sorted(
                (e.name, e.is_dir(follow_symlinks=False), e.is_file(follow_symlinks=False))
                for e in entries
            )
        for name, is_folder, is_file in found:
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
        step("look", self.name)
        count, folders = 0, []
        with os.scandir(self.descriptor) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    with suppress(FileNotFoundError):  # it was removed meanwhile
                        count += entry.stat(follow_symlinks=False).st_size
        for name in folders:
            with suppress(FileNotFoundError), self.folder(name) as inner:
                count += inner.total()
        return count

    # files

    def create(self, name: str, data: bytes) -> int:
        """Create a file with `data` and return its descriptor, to be synced and closed.

        Raises FileExistsError.
        """
        made: list[tuple[int, str]] = []
        self.create_all([(name, data)], made)
        return made[0][0]

    def create_all(self, files: Iterable[tuple[str, bytes]], made: list[tuple[int, str]]) -> None:
        """Create files in this order, and put the descriptor of each into `made`, with its name.

        Raises FileExistsError.
        """
        look = True  # the umask is the same for all: it leaves the mode of each alone, or of none
        for name, data in files:
            step("open", name)
            fd = _open(name, _NEW, FILE_MODE, dir_fd=self.descriptor)
            try:
                if look:
                    look = _keep_mode(fd)
                write_all(fd, data, name)
            except BaseException:
                os.close(fd)
                raise
            made.append((fd, name))

    def write_new(self, name: str, data: bytes) -> None:
        """Create a file with `data`, which is durable. Raises FileExistsError."""
        fd = self.create(name, data)
        try:
            sync_file(fd, name)
        finally:
            os.close(fd)

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
            self._forget(staged)
            raise
        if sync:
            self.sync()

    def rename(self, old: str, new: str) -> None:
        """Rename within this folder."""
        step("rename", new)
        os.rename(old, new, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def move(self, name: str, to: DiskFolder, new: str) -> None:
        """Rename a file into another folder of the same file system."""
        step("rename", new)
        os.rename(name, new, src_dir_fd=self.descriptor, dst_dir_fd=to.descriptor)

    def link(self, name: str, other: str) -> None:
        """Give a file another name, unless something has it by now."""
        step("link", other)
        try:
            os.link(name, other, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except FileExistsError:
            return

    def size(self, name: str) -> int:
        """Return how many bytes a regular file has. Raises what `read` raises."""
        with self.opened(name) as fd:
            return os.fstat(fd).st_size

    def unlink(self, name: str) -> None:
        """Remove a file; nothing happens if it is not there."""
        step("unlink", name)
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return

    def _forget(self, name: str) -> None:
        # after a failure the leftover is only untidy: the next holder of the run sweeps it
        try:
            self.unlink(name)
        except OSError:
            return

    def remove(self, name: str) -> None:
        """Remove whatever has this name, following nothing."""
        self.remove_tree(name) if self.has_folder(name) else self.unlink(name)

    def remove_tree(self, name: str) -> None:
        """Remove a folder and all below it, following nothing."""
        with self.any_folder(name) as inner:
            for child in inner.names():
                inner.remove(child)
        step("rmdir", name)
        try:
            os.rmdir(name, dir_fd=self.descriptor)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            self.remove_tree(name)  # who had it open put something in

    def read(self, name: str, limit: int = READ_LIMIT) -> bytes:
        """Return a regular file's bytes.

        Raises FileNotFoundError; IntegrityError if a link, a FIFO or a device is in its place.
        """
        with self.opened(name) as fd:
            size = os.fstat(fd).st_size
            if size > limit:
                raise IntegrityError(f"{self.name}/{name} has {size} bytes; the limit is {limit}")
            return _read_all(fd, size)

    def is_digest(self, name: str, digest: str, *, size: int | None = None) -> bool:
        """Say whether a regular file has this SHA-256, without holding it in memory.

        With `size`, a file of another size is not read. Raises what `read` raises.
        """
        with self.opened(name) as fd:
            if size is not None and os.fstat(fd).st_size != size:
                return False
            found = hashlib.sha256()
            while chunk := os.read(fd, 1 << 20):
                found.update(chunk)
            return digest == f"sha256:{found.hexdigest()}"

    def read_if_any(self, name: str, limit: int = READ_LIMIT) -> bytes | None:
        """Return a regular file's bytes, or None if there is no file."""
        try:
            return self.read(name, limit)
        except FileNotFoundError:
            return None

    def read_tail(self, name: str, count: int) -> bytes:
        """Return the last `count` bytes of a regular file, or all it has."""
        with self.opened(name) as fd:
            size = os.fstat(fd).st_size
            os.lseek(fd, max(0, size - count), os.SEEK_SET)
            return _read_all(fd, min(size, count))

    @contextmanager
    def opened(self, name: str) -> Iterator[int]:
        """Open a regular file for reading. Raises what `read` raises."""
        step("look", name)
        try:
            fd = _open(name, _READ, dir_fd=self.descriptor)
        except OSError as error:
            if error.errno in _NOT_A_FILE:
                raise IntegrityError(f"{self.name}/{name} is not a regular file") from error
            raise
        try:
            self._check_file(fd, name)
            yield fd
        finally:
            os.close(fd)

    def _check_file(self, fd: int, name: str) -> None:
        """Raise IntegrityError unless an open file is a regular one of somebody who is trusted."""
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise IntegrityError(f"{self.name}/{name} is not a regular file")
        check_owner(found, self.owners, f"{self.name}/{name}")

    def has_file(self, name: str) -> bool:
        """Say whether there is a regular file of this name."""
        step("look", name)
        try:
            mode = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return False
        return stat.S_ISREG(mode)

    def stamp(self, path: str) -> tuple[int, int, int]:
        """Return what changes whenever a file does: its inode, size and time of last change."""
        step("look", path)
        found = os.stat(path, dir_fd=self.descriptor, follow_symlinks=False)
        return found.st_ino, found.st_size, found.st_ctime_ns

    def has(self, name: str) -> bool:
        """Report whether there is anything of this name."""
        step("look", name)
        try:
            os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def has_folder(self, name: str) -> bool:
        """Say whether there is a folder of this name."""
        step("look", name)
        try:
            mode = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return False
        return stat.S_ISDIR(mode)

    def is_no_file(self, name: str) -> bool:
        """Say whether there is something of this name that is no regular file."""
        return not self.has_file(name) and self._exists(name)

    def is_no_folder(self, name: str) -> bool:
        """Say whether there is something of this name that is no folder."""
        return not self.has_folder(name) and self._exists(name)

    def _exists(self, name: str) -> bool:
        step("look", name)
        try:
            os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def open_append(self, name: str) -> int:
        """Return a descriptor that appends to the file, made if it is not there."""
        step("open", name)
        flags = (
            os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
        fd = _open(name, flags, FILE_MODE, dir_fd=self.descriptor)
        try:
            self._check_file(fd, name)
            _keep_mode(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def append(self, name: str, data: bytes, *, own_line: bool = False, sync: bool = False) -> None:
        """Append to a file in one write; with `own_line` on a line that nothing else is on."""
        fd = self.open_append(name)
        try:
            end = self.read_tail(name, 1)
            if own_line and end not in (b"", b"\n"):
                data = b"\n" + data
            write_all(fd, data, name)
            if sync:
                sync_file(fd, name)
                if not end:  # its name is new
                    self.sync()
        finally:
            os.close(fd)

    def may_link(self, name: str) -> bool:
        """Say whether `name` is a symbolic link, or nothing yet."""
        step("look", name)
        try:
            found = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return True
        return stat.S_ISLNK(found.st_mode)

    def link_to(self, name: str, target: str, staging: DiskFolder) -> None:
        """Point the symbolic link `name` at `target`, in place of what it pointed at.

        It is made in `staging`, which somebody sweeps if a crash comes before it is in its place.
        """
        staged = f".tmp-{name}"
        step("symlink", name)
        os.symlink(target, staged, dir_fd=staging.descriptor)
        step("rename", name)
        os.rename(staged, name, src_dir_fd=staging.descriptor, dst_dir_fd=self.descriptor)

    # locks

    def lock_file(self, name: str) -> int:
        """Return a descriptor of a lock file, made if it is not there; it holds no lock yet."""
        step("open", name)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = _open(name, flags, FILE_MODE, dir_fd=self.descriptor)
        _keep_mode(fd)
        return fd

    def same_file(self, name: str, fd: int) -> bool:
        """Say whether `name` is still the file that `fd` has open."""
        try:
            here = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        mine = os.fstat(fd)
        return (here.st_dev, here.st_ino) == (mine.st_dev, mine.st_ino)

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold a shared lock on this folder: something in it is half made."""
        with self._again() as fd:
            step("flock", self.name)
            fcntl.flock(fd, fcntl.LOCK_SH)
            yield

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold an exclusive lock on this folder, waiting for it."""
        with self._again() as fd:
            step("flock", self.name)
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Try to hold this folder exclusively; yields whether nobody is making anything in it."""
        with self._again() as fd:
            yield take_lock(fd, fcntl.LOCK_EX)

    @contextmanager
    def _again(self) -> Iterator[int]:
        step("look", self.name)
        fd = _open(".", _FOLDER, dir_fd=self.descriptor)
        try:
            yield fd
        finally:
            os.close(fd)


_NOT_A_FILE = (40, 62, 6, 21)  # ELOOP on Linux and macOS, ENXIO, EISDIR


def take_lock(fd: int, kind: int) -> bool:
    """Take a kernel lock (LOCK_SH or LOCK_EX) without waiting; say whether it was free."""
    step("flock", "")
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _keep_mode(fd: int) -> bool:
    """Give a new file FILE_MODE if the umask took some of it away; say whether it did."""
    bitten = stat.S_IMODE(os.fstat(fd).st_mode) != FILE_MODE
    if bitten:
        os.fchmod(fd, FILE_MODE)
    return bitten


def write_all(fd: int, data: bytes, name: str) -> None:
    """Write all of `data`, however little the system takes at a time."""
    written = 0
    while written < len(data):
        step("write", name)
        written += os.write(fd, memoryview(data)[written:] if written else data)


def overwrite(fd: int, data: bytes, name: str) -> None:
    """Let an open file hold `data` and nothing else."""
    step("truncate", name)
    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    write_all(fd, data, name)


def _read_all(fd: int, size: int) -> bytes:
    chunks = []
    while chunk := os.read(fd, max(1, min(size, 1 << 24))):
        chunks.append(chunk)
    return b"".join(chunks)


def cut(fd: int, size: int, name: str) -> None:
    """Cut an open file to `size` bytes, durably."""
    step("truncate", name)
    os.ftruncate(fd, size)
    sync_file(fd, name)


def begin_write_back(files: Iterable[int]) -> None:
    """Begin to write open files out, before the first sync of one of them waits.

    So one commit of a journaling file system carries all (measured on ext4: a third of the time).
    """
    if hasattr(os, "posix_fadvise"):
        for fd in files:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


if sys.platform == "darwin":

    def sync_file(fd: int, name: str) -> None:
        """Make a file's bytes durable: on macOS fsync alone leaves them in the drive's cache."""
        step("sync", name)
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)

else:

    def sync_file(fd: int, name: str) -> None:
        """Make a file's bytes, and the size needed to read them, durable."""
        step("sync", name)
        os.fdatasync(fd)
