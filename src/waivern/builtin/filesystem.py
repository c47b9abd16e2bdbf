"""The text files of a folder, in the same order on every machine, and word of all the others."""

from __future__ import annotations

import codecs
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ByteSize, Field

from waivern.builtin import globs
from waivern.builtin.properties import Properties, Size, SourcePath, located
from waivern.errors import ComponentError
from waivern.message import Json, SchemaRef
from waivern.plugins.context import Context

MAX_DEPTH = 200
"""Folders within folders; each level keeps a descriptor open while what is below is read."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_REASONS = {
    errno.ELOOP: "symlink",  # put there since the folder was listed
    errno.ENOENT: "vanished",
    errno.ESTALE: "vanished",
    errno.ENOTDIR: "vanished",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.ENXIO: "not a regular file",
}
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _encoding(name: str) -> str:
    try:
        codecs.lookup(name)
        b"x".decode(name)
    except UnicodeDecodeError:
        pass  # an encoding in which one byte is not a text is an encoding
    except (LookupError, ValueError) as error:
        raise ValueError("not the name of a text encoding") from error
    return name


def _pattern(text: str) -> str:
    globs.parse(text)
    return text


Pattern = Annotated[str, Field(max_length=1000), AfterValidator(_pattern)]


class Filesystem:
    """Text files of a folder, or one file, with a record of every file that was not read.

    Content: `{"files": [{"path", "size", "encoding", "text"}]}`, `path` relative with '/', `size`
    in bytes, sorted by name, depth first. Every file below the folder is either read or recorded
    as skipped, an excluded folder as one item that counts its files. Symlinks are not followed.
    """

    name = "filesystem"
    version = "1.0.0"
    produces = SchemaRef("file_set")

    class Config(Properties):
        """The properties of a filesystem source."""

        path: SourcePath = Field(
            description="Folder or file, absolute or relative to the runbook's folder."
        )
        include: list[Pattern] | None = Field(
            default=None,
            max_length=1000,
            description="Patterns like those of .gitignore: read only files that fit one of them.",
        )
        exclude: list[Pattern] = Field(
            default=[],
            max_length=1000,
            description="Patterns of files and folders to leave out; stronger than include.",
        )
        max_file_size: Size = Field(
            default=ByteSize(10 * 2**20),
            description="Larger files are skipped: bytes, or text such as '500kB' or '10MiB'.",
        )
        encoding: Annotated[str, AfterValidator(_encoding)] = Field(
            default="utf-8",
            description="How bytes are read as text, unless a file has a byte order mark.",
        )

    def extract(self, config: Config, ctx: Context) -> Json:
        """Return the files. Raises ComponentError if `path` is no folder and no file."""
        root = located(ctx, config.path).resolve()
        reader = _Reader(config, ctx)
        try:
            if root.is_dir():
                with _opened(root) as folder:
                    return {
                        "files": list(reader.files(folder, (), included=config.include is None))
                    }
            with _opened(root.parent) as folder:
                files = list(reader.file(folder, (root.name,)))
        except OSError as error:  # of the root; what lies below it is in the coverage record
            raise ComponentError(f"{config.path!r} cannot be read: {error.strerror}") from error
        if not files:
            _, reason, _ = ctx.coverage.skipped[-1]
            raise ComponentError(
                f"{config.path!r} was not read: {reason}", hint="name a folder, or a text file"
            )
        return {"files": files}


@contextmanager
def _opened(name: Path | str, within: int | None = None) -> Iterator[int]:
    descriptor = os.open(name, _OPEN, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class _Reader:
    """Walks by descriptor, so that no folder swapped for a symlink leads outside."""

    config: Filesystem.Config
    ctx: Context

    @cached_property
    def include(self) -> list[globs.Glob]:
        return list(map(globs.parse, self.config.include or ()))

    @cached_property
    def exclude(self) -> list[globs.Glob]:
        return list(map(globs.parse, self.config.exclude))

    def files(self, folder: int, above: tuple[str, ...], *, included: bool) -> Iterator[Json]:
        """Yield the files below an open folder; `included`: all of them are wanted."""
        for entry in _entries(folder):
            parts = (*above, entry.name)
            if entry.is_dir(follow_symlinks=False):
                yield from self.subfolder(folder, parts, included=included)
            elif globs.any_fits(self.exclude, parts, folder=False):
                self.skip(parts, "excluded")
            elif not (included or globs.any_fits(self.include, parts, folder=False)):
                self.skip(parts, "not included")
            elif entry.is_symlink():
                self.skip(parts, "symlink")
            elif not entry.is_file(follow_symlinks=False):
                self.skip(parts, "not a regular file")
            else:
                yield from self.file(folder, parts)

    def subfolder(self, folder: int, parts: tuple[str, ...], *, included: bool) -> Iterator[Json]:
        excluded = globs.any_fits(self.exclude, parts, folder=True)
        try:
            with _opened(parts[-1], folder) as inner:
                if excluded or len(parts) > MAX_DEPTH:
                    reason = "excluded" if excluded else f"below {MAX_DEPTH} folders"
                    if count := _count(inner):
                        self.ctx.skipped(_shown(parts) + "/", reason, count)
                else:
                    included = included or globs.any_fits(self.include, parts, folder=True)
                    yield from self.files(inner, parts, included=included)
        except OSError as error:
            self.ctx.skipped(_shown(parts) + "/", _reason(error))

    def file(self, folder: int, parts: tuple[str, ...]) -> Iterator[Json]:
        """Yield the one file, or record why not."""
        try:
            data = _bytes(folder, parts[-1], self.config.max_file_size)
            text, encoding = _text(data, self.config.encoding)
        except _Unread as unread:
            self.skip(parts, unread.reason)
        except OSError as error:
            self.skip(parts, _reason(error))
        else:
            self.ctx.read()
            self.ctx.progress(self.ctx.coverage.read)
            yield {"path": _shown(parts), "size": len(data), "encoding": encoding, "text": text}

    def skip(self, parts: tuple[str, ...], reason: str) -> None:
        self.ctx.skipped(_shown(parts), reason)


class _Unread(Exception):  # noqa: N818 - not an error: a fact for the coverage record
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _entries(folder: int) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _bytes(folder: int, name: str, limit: int) -> bytes:
    with _opened(name, folder) as file:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise _Unread("not a regular file")
        if status.st_size > limit:
            raise _Unread("too large")
        data = bytearray()
        while chunk := os.read(file, min(2**20, limit + 1 - len(data))):
            data += chunk
            if len(data) > limit:  # it grew, or its size is not known before it is read
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
            with _opened(entry.name, folder) as inner:
                total += _count(inner, depth - 1)
        except OSError:
            total += 1
    return total
