"""The walk over the files below a folder, for their content and for their fingerprint."""

from __future__ import annotations

import codecs
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from waivern.builtin import globs
from waivern.ids import STORE
from waivern.plugins.context import Context

MAX_DEPTH = 200
"""The maximal depth of folders: each level keeps a descriptor open while the next is read."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is a prefix of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_REASONS = {
    errno.ELOOP: "symlink",  # it replaced the file after the folder was listed
    errno.ENOENT: "vanished",
    errno.ESTALE: "vanished",
    errno.ENOTDIR: "vanished",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.ENXIO: "not a regular file",
}
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def opened(name: Path | str, within: int | None = None) -> Iterator[int]:
    """Yield a descriptor of a file or folder that is not a symlink. Raises OSError."""
    descriptor = os.open(name, _OPEN, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file that was read: its bytes, and their text in `encoding`."""

    path: str
    """Relative to the source folder, with '/'."""
    data: bytes
    encoding: str
    text: str


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk by descriptors, so that a folder that becomes a symlink meanwhile leads nowhere else.

    Each file is reported to `ctx` as read or not read.
    """

    ctx: Context
    include: Sequence[globs.Glob]
    exclude: Sequence[globs.Glob]
    max_file_size: int
    encoding: str
    store: os.stat_result | None = None
    """The folder of the runs."""
    matched: set[int] = field(default_factory=set)
    """The indices of the patterns of `include` that match something."""

    def files(self, folder: int, above: tuple[str, ...], *, included: bool) -> Iterator[TextFile]:
        """Yield the files below an open folder; `included`: all of them are included."""
        for entry in _entries(folder):
            parts = (*above, entry.name)
            if entry.is_dir(follow_symlinks=False):
                yield from self.subfolder(folder, parts, included=included)
            elif globs.any_fits(self.exclude, parts, folder=False):
                self.ctx.left_out(_shown(parts), "excluded")
            elif not (self.includes(parts, folder=False) or included):
                self.ctx.left_out(_shown(parts), "not included")
            elif entry.is_symlink():
                self.skip(parts, "symlink")
            elif not entry.is_file(follow_symlinks=False):
                self.skip(parts, "not a regular file")
            else:
                yield from self.file(folder, parts)

    def subfolder(
        self, folder: int, parts: tuple[str, ...], *, included: bool
    ) -> Iterator[TextFile]:
        excluded = globs.any_fits(self.exclude, parts, folder=True)
        try:
            with opened(parts[-1], folder) as inner:
                if self._is_store(parts[-1], inner):
                    self.ctx.left_out(_shown(parts) + "/", "store")
                elif excluded or len(parts) > MAX_DEPTH:
                    path, count = _shown(parts) + "/", _count(inner)
                    if count and excluded:
                        self.ctx.left_out(path, "excluded", count)
                    elif count:
                        self.ctx.skipped(path, f"below {MAX_DEPTH} folders", count)
                else:
                    included = self.includes(parts, folder=True) or included
                    yield from self.files(inner, parts, included=included)
        except OSError as error:
            self.ctx.skipped(_shown(parts) + "/", _reason(error))

    def includes(self, parts: tuple[str, ...], *, folder: bool) -> bool:
        """Return whether a pattern includes the entry; record each pattern that does."""
        fitting = [n for n, each in enumerate(self.include) if each.fits(parts, folder=folder)]
        self.matched.update(fitting)
        return bool(fitting)

    def _is_store(self, name: str, folder: int) -> bool:
        """Return whether a folder is a store: artifacts are not sources."""
        if name == STORE:
            return True
        return self.store is not None and os.path.samestat(os.fstat(folder), self.store)

    def file(self, folder: int, parts: tuple[str, ...]) -> Iterator[TextFile]:
        """Yield the file, or record why it is not read."""
        size = None
        try:
            size = _size(folder, parts[-1])
            data = _bytes(folder, parts[-1], self.max_file_size)
            size = len(data)
            text, encoding = _text(data, self.encoding)
        except _Unread as unread:
            self.skip(parts, unread.reason, size)
        except OSError as error:
            self.skip(parts, _reason(error), size)
        else:
            self.ctx.read(size=size)
            self.ctx.progress(self.ctx.coverage.read)
            yield TextFile(_shown(parts), data, encoding, text)

    def skip(self, parts: tuple[str, ...], reason: str, size: int | None = None) -> None:
        self.ctx.skipped(_shown(parts), reason, size=size)


class _Unread(Exception):  # noqa: N818 - not an error: a fact for the coverage record
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _entries(folder: int) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _size(folder: int, name: str) -> int | None:
    """Return the size of a regular file, also of one that may not be read."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _bytes(folder: int, name: str, limit: int) -> bytes:
    with opened(name, folder) as file:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise _Unread("not a regular file")
        if status.st_size > limit:
            raise _Unread("too large")
        data = bytearray()
        while chunk := os.read(file, min(2**20, limit + 1 - len(data))):
            data += chunk
            if len(data) > limit:  # it grew, or it has no size until it is read
                raise _Unread("too large")
        return bytes(data)


def _text(data: bytes, encoding: str) -> tuple[str, str]:
    encoding = next((named for mark, named in _MARKS if data.startswith(mark)), encoding)
    try:
        text = data.decode(encoding)
    except ValueError as error:
        binary = b"\0" in data
        raise _Unread("binary" if binary else f"not {encoding}") from error
    if "\0" in text:
        raise _Unread("binary")
    return text, encoding


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0) or f"unreadable: {error.strerror}"


def _shown(parts: tuple[str, ...]) -> str:
    """Return the path as text; bytes of a name that are not UTF-8 are escaped as '\\xff'."""
    return os.fsencode("/".join(parts)).decode(errors="backslashreplace")


def _count(folder: int, depth: int = MAX_DEPTH) -> int:
    """Count the files below, without reading any; a folder that cannot be listed counts as one."""
    if not depth:
        return 1
    total = 0
    for entry in _entries(folder):
        if not entry.is_dir(follow_symlinks=False):
            total += 1
            continue
        try:
            with opened(entry.name, folder) as inner:
                total += _count(inner, depth - 1)
        except OSError:
            total += 1
    return total
