"""The connector of text files of a folder, in the same order on every machine."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, ByteSize, Field

from waivern.builtin import globs
from waivern.builtin.common_properties import Properties, Size, SourcePath, located, missing
from waivern.builtin.walk import TextFile, Walk, opened
from waivern.errors import ComponentError
from waivern.message import Json, SchemaRef, sha256
from waivern.plugins.context import Context


def _encoding(name: str) -> str:
    try:
        codecs.lookup(name)
        b"x".decode(name)
    except UnicodeDecodeError:
        pass  # a known encoding, in which one byte is not a text
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
    as skipped, an excluded folder as one item that counts its files. Symlinks are not followed;
    the folder in which runs are kept, and any `.waivern`, is one item and never looked into.
    """

    name = "filesystem"
    version = "1.0.0"
    produces = SchemaRef("file_set")
    repeatable = True

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

    def advise(self, config: Config, ctx: Context) -> Iterator[tuple[str, str, str | None]]:
        """Yield a warning if the path does not exist."""
        return missing("path", config.path, ctx)

    def extract(self, config: Config, ctx: Context) -> Json:
        """Return the files. Raises ComponentError if `path` is no folder and no file."""
        return {
            "files": [
                {
                    "path": file.path,
                    "size": len(file.data),
                    "encoding": file.encoding,
                    "text": file.text,
                }
                for file in _files(config, ctx)
            ]
        }

    def fingerprint(self, config: Config, ctx: Context) -> Mapping[str, str]:
        """Return each file's digest, or why it cannot be read; raises the errors of `extract`.

        Equal means: the same files with the same bytes are read, and the same others are not, for
        the same reasons. What the properties leave out has no mark, and may change.
        """
        marks: dict[str, str] = {}
        for file in _files(config, ctx):
            _mark(marks, file.path, sha256(file.data))
        for item, reason, count in ctx.coverage.skipped:
            if reason not in ctx.coverage.left_out:
                _mark(marks, item, reason if count == 1 else f"{reason}: {count}")
        return marks


def _files(config: Filesystem.Config, ctx: Context) -> Iterator[TextFile]:
    root, store = located(ctx, config.path).resolve(), ctx.store_folder
    ctx.read(0, size=0)  # an empty folder is reported, too
    walk = Walk(
        ctx,
        include=tuple(map(globs.parse, config.include or ())),
        exclude=tuple(map(globs.parse, config.exclude)),
        max_file_size=config.max_file_size,
        encoding=config.encoding,
        store=store.stat() if store and store.is_dir() else None,
    )
    try:
        if root.is_dir():
            with opened(root) as folder:
                yield from walk.files(folder, (), included=config.include is None)
            for number, pattern in enumerate(config.include or ()):
                if number not in walk.matched:
                    ctx.unmatched(pattern)
            return
        with opened(root.parent) as folder:
            yield from walk.file(folder, (root.name,))
    except OSError as error:  # of the root; errors below it are in the coverage record
        raise ComponentError(f"{config.path!r} cannot be read: {error.strerror}") from error
    if not ctx.coverage.read:
        _, reason, _ = ctx.coverage.skipped[-1]
        hint = "you may not read it: see `ls -l`" if reason == "denied" else "name a text file"
        raise ComponentError(f"{config.path!r} was not read: {reason}", hint=hint)


def _mark(marks: dict[str, str], item: str, mark: str) -> None:
    """Add a mark; names that are shown alike (their bytes are not UTF-8) share one."""
    marks[item] = f"{marks[item]} {mark}" if item in marks else mark
