"""The walk over the files below a folder, by descriptors: a folder may become a link meanwhile."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from waivern.builtin import globs
from waivern.ids import STORE
from waivern.plugins.context import Context

MAX_DEPTH = 200
"""The maximal depth of folders: each level keeps a descriptor open while the next is read."""

FOLDER, SYMLINK, NOT_REGULAR = "folder", "symlink", "not a regular file"
_REASONS = {
    errno.ELOOP: SYMLINK,  # it replaced the file after the folder was listed
    errno.ENOENT: "vanished",
    errno.ESTALE: "vanished",
    errno.ENOTDIR: "vanished",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.ENXIO: NOT_REGULAR,
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


@contextmanager
def opened_below(folder: int, parts: Sequence[str]) -> Iterator[int]:
    """Yield a descriptor of a file below an open folder, without following links on the way."""
    descriptor = os.dup(folder)
    try:
        for part in parts:
            below = os.open(part, _OPEN, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def last_change(folder: int, parts: Sequence[str]) -> int:
    """Return when a file, or a folder above it up to an open one, last changed, in nanoseconds.

    Links are not followed. Raises OSError.
    """
    latest, descriptor = os.fstat(folder).st_ctime_ns, os.dup(folder)
    try:
        for part in parts[:-1]:
            below = os.open(part, _OPEN, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
            latest = max(latest, os.fstat(descriptor).st_ctime_ns)
        found = os.stat(parts[-1], dir_fd=descriptor, follow_symlinks=False)
        return max(latest, found.st_ctime_ns)
    finally:
        os.close(descriptor)


class FoundFile(NamedTuple):
    """A regular file within an open folder."""

    folder: int
    parts: tuple[str, ...]
    """Its path from the source folder on."""

    @property
    def path(self) -> str:
        return shown(self.parts)

    def size(self) -> int | None:
        """Return the size, also of a file that may not be read; None if it is not a file now."""
        status = os.stat(self.parts[-1], dir_fd=self.folder, follow_symlinks=False)
        return status.st_size if stat.S_ISREG(status.st_mode) else None


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk that reports to `ctx` every file that is excluded or cannot be reached."""

    ctx: Context
    include: Sequence[globs.Glob]
    exclude: Sequence[globs.Glob]
    store: os.stat_result | None = None
    """The folder of the runs."""
    matched: set[int] = field(default_factory=set)
    """The indices of the patterns of `include` that match something."""

    def files(self, folder: int, above: tuple[str, ...], *, included: bool) -> Iterator[FoundFile]:
        """Yield the files below an open folder; `included`: all of them are included."""
        listing = _listed(folder)
        for name in listing.names:
            parts, kind = (*above, name), listing.kinds.get(name)
            if kind == FOLDER:
                yield from self._subfolder(folder, parts, included=included)
            elif globs.any_fits(self.exclude, parts, folder=False):
                self.ctx.left_out(shown(parts), "excluded")
            elif not (self._includes(parts, folder=False) or included):
                self.ctx.left_out(shown(parts), "not included")
            elif kind is not None:
                self.ctx.skipped(shown(parts), kind)
            else:
                yield FoundFile(folder, parts)

    def _subfolder(
        self, folder: int, parts: tuple[str, ...], *, included: bool
    ) -> Iterator[FoundFile]:
        excluded = globs.any_fits(self.exclude, parts, folder=True)
        try:
            with opened(parts[-1], folder) as inner:
                if self._is_store(parts[-1], inner):
                    self.ctx.left_out(shown(parts) + "/", "store")
                elif excluded or len(parts) > MAX_DEPTH:
                    path, count = shown(parts) + "/", _count(inner)
                    if count and excluded:
                        self.ctx.left_out(path, "excluded", count)
                    elif count:
                        self.ctx.skipped(path, f"below {MAX_DEPTH} folders", count)
                else:
                    included = self._includes(parts, folder=True) or included
                    yield from self.files(inner, parts, included=included)
        except OSError as error:
            self.ctx.skipped(shown(parts) + "/", reason(error))

    def _includes(self, parts: tuple[str, ...], *, folder: bool) -> bool:
        """Return whether a pattern includes the entry; record each pattern that does."""
        fitting = [n for n, each in enumerate(self.include) if each.fits(parts, folder=folder)]
        self.matched.update(fitting)
        return bool(fitting)

    def _is_store(self, name: str, folder: int) -> bool:
        """Return whether a folder is a store: artifacts are not sources."""
        if name == STORE:
            return True
        return self.store is not None and os.path.samestat(os.fstat(folder), self.store)


class _Listing(NamedTuple):
    """The names in a folder, sorted, and the kinds of those that are not regular files.

    A million names are about 100 MB; the entries of `scandir` would be nearly twice as much.
    """

    names: list[str]
    kinds: dict[str, str]


def _listed(folder: int) -> _Listing:
    names, kinds = [], {}
    with os.scandir(folder) as entries:
        for entry in entries:
            names.append(entry.name)
            if not entry.is_file(follow_symlinks=False):
                kinds[entry.name] = _kind(entry)
    return _Listing(sorted(names), kinds)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_dir(follow_symlinks=False):
        return FOLDER
    return SYMLINK if entry.is_symlink() else NOT_REGULAR


def reason(error: OSError) -> str:
    """Return why a file or folder is not read, for the coverage record."""
    return _REASONS.get(error.errno or 0) or f"unreadable: {error.strerror}"


def shown(parts: tuple[str, ...]) -> str:
    """Return the path as text; bytes of a name that are not UTF-8 are escaped as '\\xff'."""
    path = "/".join(parts)
    return path if path.isascii() else os.fsencode(path).decode(errors="backslashreplace")


def _count(folder: int, depth: int = MAX_DEPTH) -> int:
    """Count the files below, without reading any; a folder that cannot be listed counts as one."""
    if not depth:
        return 1
    total = 0
    listing = _listed(folder)
    for name in listing.names:
        if listing.kinds.get(name) != FOLDER:
            total += 1
            continue
        try:
            with opened(name, folder) as inner:
                total += _count(inner, depth - 1)
        except OSError:
            total += 1
    return total
