"""Files by the paths of users: opened without blocking, and only if they are regular files."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from io import BufferedReader

from waivern.errors import RefusedError, UsageError


class NotAFileError(OSError):
    """Raised for a folder, a FIFO, a socket or a device; `strerror` says which."""


def open_file(path: str | os.PathLike[str], *, follow: bool = True) -> BufferedReader:
    """Open a regular file for reading; with `follow`, also through a symbolic link.

    Raises NotAFileError, OSError, and ValueError for a path that holds a NUL.
    """
    # Without O_NONBLOCK, to open a FIFO without a writer would wait for ever.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
    raise NotAFileError(errno.EINVAL, what)


def current_folder() -> str:
    """Return the path of the current folder. Raises RefusedError if it was removed."""
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib is slow to import
    except FileNotFoundError as error:
        raise RefusedError(
            "the current folder was removed",
            hint="change to a folder that exists: cd ~",
        ) from error


def absolute(path: str | os.PathLike[str]) -> str:
    """Return a path that starts from the root, with `~` as the home folder.

    Raises RefusedError as `current_folder` does.
    """
    text = at_home(path)
    return text if os.path.isabs(text) else os.path.join(current_folder(), text)  # noqa: PTH117, PTH118


FLOOR = 2048
"""Long-lived descriptors get numbers from here on, if the limit of open files allows it."""


def high(descriptor: int) -> int:
    """Move a descriptor out of reach of code that closes low ones it does not know; return it.

    Programs that become daemons close those from 3 on. Where there is no room, it stays.
    """
    floor = min(FLOOR, os.sysconf("SC_OPEN_MAX") // 2)
    if descriptor >= floor:
        return descriptor
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, floor)
    except OSError:
        return descriptor
    os.close(descriptor)
    return moved


def at_home(path: str | os.PathLike[str]) -> str:
    """Return a path with a leading `~` replaced by the home folder, where there is one."""
    return os.path.expanduser(os.fspath(path))  # noqa: PTH111 - pathlib raises for an unknown user


def destination(path: str | os.PathLike[str]) -> str:
    """Return the path of a folder that may be created, with `~` replaced.

    Raises UsageError for the home folder of an unknown user: a folder named `~ann` would be made.
    """
    found = at_home(path)
    if found.startswith("~"):
        user = found.partition("/")[0]
        message = f"{user[:80]!r} is not the home folder of a user of this machine"
        raise UsageError(
            message, hint=f"correct the name, or write `./{user[:80]}` for such a folder"
        )
    return found


def trusted_owners(folder: str | os.PathLike[str] = ".") -> frozenset[int]:
    """Return the accounts whose files may control what is done in a folder.

    They are the caller, root, and the owner of the folder, who could change it in any case: so a
    container's root works in a folder that is mounted from a user.
    """
    owner = owner_of(folder)
    return frozenset({0, os.geteuid()} if owner is None else {0, os.geteuid(), owner})


def owner_of(path: str | os.PathLike[str]) -> int | None:
    """Return the owner of the file at a path, links not followed; None if it cannot be read."""
    try:
        return os.lstat(path).st_uid
    except OSError:
        return None
