"""The POSIX side of the backend port, and the one module through which all run-folder I/O goes.

Everything below the store's root is reached through the descriptor of an open folder and never
follows a symbolic link. `step` is called before every operation that changes the disk or waits
for it, and as "look" before those that only read: the failure tests replace it to fail or to stop
the Nth one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from waivern.errors import IntegrityError
from waivern.files import high
from waivern.message import sha256
from waivern.store.backend import FileHandle, FolderEntry, FolderHandle, OpenMode
from waivern.store.ownership import Owners, check_owner

if TYPE_CHECKING:
    from waivern.store.port import FileStatus

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def step(_operation: str, _name: str) -> None:
    """Precede every operation: nothing in the product, a fault in the failure tests."""


_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FLAGS: dict[OpenMode, int] = {"read": _READ, "new": _NEW, "append": _APPEND, "lock": _LOCK}
_HAS_FADVISE = hasattr(os, "posix_fadvise")
_HAS_COPY = hasattr(os, "copy_file_range")
_NO_COPY = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
COPY_BYTES = 1 << 27
"""What one system call copies, so that a copy can be interrupted."""
_NOT_A_FILE = (40, 62, 6, 21)  # ELOOP on Linux and macOS, ENXIO, EISDIR


def _open(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """Open a file, with a descriptor that components which close low ones do not hit.

    Otherwise what is written there next, the journal too, could go into a file of theirs.
    """
    return high(os.open(path, flags, mode, dir_fd=dir_fd))


def make_way(path: str) -> None:
    """Create a folder of the user's choice, and those that lead to it, where they are missing."""
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
        os.chmod(path, FOLDER_MODE)  # the umask may have taken bits away


def sync_way(path: str) -> None:
    """Make the names that lead to a folder durable, up to where its file system is mounted."""
    device = os.stat(path).st_dev
    while (above := os.path.dirname(path)) != path and os.stat(above).st_dev == device:
        try:
            folder = DiskFolder.root(above)
        except PermissionError:  # an account that may not read it has not created it
            return
        with folder:
            folder.sync()
        path = above


def found_at(path: str) -> os.stat_result:
    """Return the status of what lies at a path; a link at its end is not followed."""
    step("look", path)
    return os.stat(path, follow_symlinks=False)


class DiskFile(FileHandle):
    """An open file of a file system."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int, name: str) -> None:
        self.descriptor = descriptor
        self.name = name

    def stat(self) -> os.stat_result:
        return os.fstat(self.descriptor)

    def read(self, count: int, at: int) -> bytes:
        return os.pread(self.descriptor, count, at)

    def write(self, data: bytes) -> None:
        written = 0
        while written < len(data):  # the system may take fewer bytes at a time
            step("write", self.name)
            written += os.write(self.descriptor, memoryview(data)[written:] if written else data)

    def copy_from(self, source: FileHandle) -> bool:
        if not _HAS_COPY or not isinstance(source, DiskFile):
            return False
        at = 0
        while True:  # the kernel shares the blocks where the file system can
            step("write", self.name)
            try:
                count = os.copy_file_range(
                    source.descriptor, self.descriptor, COPY_BYTES, offset_src=at
                )
            except OSError as error:
                if at or error.errno not in _NO_COPY:
                    raise
                return False
            if not count:
                return True
            at += count

    def truncate(self, size: int) -> None:
        step("truncate", self.name)
        os.ftruncate(self.descriptor, size)
        os.lseek(self.descriptor, size, os.SEEK_SET)

    def sync(self) -> None:
        step("sync", self.name)
        if sys.platform == "darwin":  # there fsync alone leaves the bytes in the drive's cache
            fcntl.fcntl(self.descriptor, fcntl.F_FULLFSYNC)
        else:  # the bytes, and the size that is needed to read them
            os.fdatasync(self.descriptor)

    def begin_sync(self) -> None:
        # so one commit of a journaling file system carries all files of a group
        # (measured on ext4: a third of the time)
        if _HAS_FADVISE:
            os.posix_fadvise(self.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def lock(self, *, exclusive: bool, wait: bool = False) -> bool:
        return _flock(self.descriptor, self.name, exclusive=exclusive, wait=wait)

    def close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class DiskFolder(FolderHandle):
    """An open directory. Everything in it is named relative to its descriptor."""

    __slots__ = ("descriptor", "owners")

    def __init__(self, descriptor: int, name: str, owners: Owners = None) -> None:
        self.descriptor = descriptor
        self.name = name
        self.owners = owners
        """The accounts to which everything that is opened below must belong."""

    @classmethod
    def root(cls, path: str, owners: Owners = None) -> DiskFolder:
        """Open the store's own root, which the user chose and may have linked to."""
        step("look", path)
        return cls(_open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), path, owners)

    def close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def sync(self) -> None:
        step("sync_folder", self.name)
        os.fsync(self.descriptor)

    def lock(self, *, exclusive: bool, wait: bool = False) -> bool:
        return _flock(self.descriptor, self.name, exclusive=exclusive, wait=wait)

    # folders

    def folder(self, name: str, *, foreign: bool = False) -> DiskFolder:
        step("look", name)
        descriptor = _open(name, _FOLDER, dir_fd=self.descriptor)
        opened = DiskFolder(descriptor, f"{self.name}/{name}", self.owners)
        if self.owners is not None and not foreign:
            try:
                check_owner(os.fstat(descriptor), self.owners, opened.name)
            except BaseException:
                opened.close()
                raise
        return opened

    def make_folder(self, name: str, *, durable: bool = True) -> DiskFolder:
        step("mkdir", name)
        os.mkdir(name, FOLDER_MODE, dir_fd=self.descriptor)
        try:
            created = self.folder(name)
        except PermissionError:  # the umask took even the right to open it
            os.chmod(name, FOLDER_MODE, dir_fd=self.descriptor)
            created = self.folder(name)
        os.fchmod(created.descriptor, FOLDER_MODE)  # the umask may have taken bits away
        if durable:
            self.sync()
        return created

    def rmdir(self, name: str) -> None:
        step("rmdir", name)
        os.rmdir(name, dir_fd=self.descriptor)

    # names

    def entries(self) -> list[FolderEntry]:
        step("look", self.name)
        with os.scandir(self.descriptor) as entries:
            return sorted(
                FolderEntry(
                    each.name,
                    each.is_dir(follow_symlinks=False),
                    each.is_file(follow_symlinks=False),
                )
                for each in entries
            )

    def names(self) -> list[str]:
        step("look", self.name)
        return sorted(os.listdir(self.descriptor))  # without the kinds: a store has many runs

    def stat(self, name: str = ".") -> os.stat_result:
        return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)

    def look(self, name: str) -> FileStatus | None:
        step("look", name)
        return super().look(name)

    def rename(self, old: str, new: str, to: FolderHandle | None = None) -> None:
        target = self if to is None else to
        assert isinstance(target, DiskFolder)
        step("rename", new)
        os.rename(old, new, src_dir_fd=self.descriptor, dst_dir_fd=target.descriptor)

    def unlink(self, name: str) -> None:
        step("unlink", name)
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return

    def link_to(self, name: str, target: str, staging: FolderHandle) -> None:
        assert isinstance(staging, DiskFolder)
        staged = f".tmp-{name}"
        step("symlink", name)
        os.symlink(target, staged, dir_fd=staging.descriptor)
        step("rename", name)
        os.rename(staged, name, src_dir_fd=staging.descriptor, dst_dir_fd=self.descriptor)

    # files

    def open(self, name: str, mode: OpenMode) -> DiskFile:
        step("look" if mode == "read" else "open", name)
        try:
            descriptor = _open(name, _FLAGS[mode], FILE_MODE, dir_fd=self.descriptor)
        except OSError as error:
            if mode == "read" and error.errno in _NOT_A_FILE:
                raise IntegrityError(f"{self.name}/{name} is not a regular file") from error
            raise
        try:
            if mode in ("read", "append"):
                self._check_file(descriptor, name)
            if mode != "read":
                _keep_mode(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return DiskFile(descriptor, name)

    def read_exactly(self, name: str, digest: str, held: int) -> bytes | None:
        with self.open(name, "read") as file:  # once, and not for each question
            if file.stat().st_size > held and file.digest() != digest:
                return None
            data = file.read_all()
        return data if sha256(data) == digest else None

    def create_all(self, files: Iterable[tuple[str, bytes]], created: list[FileHandle]) -> None:
        # the umask is the same for all files: it leaves the mode of each alone, or of none
        changed_by_umask = True
        for name, data in files:
            step("open", name)
            file = DiskFile(_open(name, _NEW, FILE_MODE, dir_fd=self.descriptor), name)
            try:
                if changed_by_umask:
                    changed_by_umask = _keep_mode(file.descriptor)
                file.write(data)
            except BaseException:
                file.close()
                raise
            created.append(file)

    def _check_file(self, descriptor: int, name: str) -> None:
        """Raise IntegrityError unless an open file is a regular one of a trusted account."""
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise IntegrityError(f"{self.name}/{name} is not a regular file")
        check_owner(found, self.owners, f"{self.name}/{name}")


def _flock(descriptor: int, name: str, *, exclusive: bool, wait: bool) -> bool:
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    step("flock", name)
    try:
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _keep_mode(descriptor: int) -> bool:
    """Give a file that may be new FILE_MODE; return whether the umask had taken some of it away."""
    changed = stat.S_IMODE(os.fstat(descriptor).st_mode) != FILE_MODE
    if changed:
        os.fchmod(descriptor, FILE_MODE)
    return changed
