"""The connector of text files of a folder, in the same order on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, ByteSize, Field

from waivern.builtin import globs
from waivern.builtin.common_properties import Properties, Size, SourcePath, missing
from waivern.builtin.text_encodings import text_encoding
from waivern.builtin.text_files import (
    catalogue_entry,
    each_file,
    files_again,
    text_records,
    touched_files,
)
from waivern.message import Json, SchemaRef
from waivern.plugins.context import Context


def _pattern(text: str) -> str:
    globs.parse(text)
    return text


Pattern = Annotated[str, Field(max_length=1000), AfterValidator(_pattern)]


class Filesystem:
    """Text files of a folder, or one file, with a record of every file that was not read.

    Content: `{"files": [{"path", "size", "encoding", "text"}]}`, `path` relative with '/', `size`
    in bytes, sorted by name, depth first. Every file below the folder is either read or recorded
    as skipped, an excluded folder as one item that counts its files. Symlinks are not followed;
    the folder in which runs are stored, and any `.waivern`, is one item that is never opened.

    By reference, the artifact lists the files: each has its `digest` in place of its text. A file
    above 8 MiB also has the digests of its `blocks` of 8 MiB, and its text is read in parts.
    """

    name = "filesystem"
    version = "2.1.0"
    produces = SchemaRef("file_set")
    repeatable = True
    streams = "files"
    read_properties = ()

    class Config(Properties):
        """The properties of a filesystem source."""

        path: SourcePath = Field(
            description="Folder or file, absolute or relative to the runbook's folder."
        )
        include: list[Pattern] | None = Field(
            default=None,
            max_length=1000,
            description="Patterns like those of .gitignore: read only files that match one.",
        )
        exclude: list[Pattern] = Field(
            default=[],
            max_length=1000,
            description="Patterns of files and folders to leave out; they override include.",
        )
        max_file_size: Size = Field(
            default=ByteSize(2**30),
            description="Larger files are skipped: bytes, or text such as '500kB' or '10GiB'. "
            "Files are read in parts, so the limit bounds time, not memory.",
        )
        encoding: Annotated[str, AfterValidator(text_encoding)] | None = Field(
            default=None,
            description="The encoding of files that have no byte order mark, are not UTF-8 or "
            "UTF-16, and declare none; default: cp1252.",
        )

    def advise(self, config: Config, ctx: Context) -> Iterator[tuple[str, str, str | None]]:
        """Yield a warning if the path does not exist."""
        return missing("path", config.path, ctx)

    def catalogue(self, config: Config, ctx: Context) -> Iterator[Json]:
        """Yield an entry for each file, without its text. Raises the errors of `extract`."""
        return each_file(config, ctx, catalogue_entry)

    def read(self, config: Config, ctx: Context, entries: Iterable[Json]) -> Iterator[Json]:
        """Yield the text of the files that the entries list, as far as it is what they list.

        Raises ComponentError if `path` is no longer there.
        """
        return files_again(config, ctx, entries)

    def touched(
        self, config: Config, ctx: Context, entries: Iterable[Json], since: datetime
    ) -> Iterator[Json]:
        """Yield the entries of the files that may have been written or replaced since a time."""
        return touched_files(config, ctx, entries, since)

    def extract(self, config: Config, ctx: Context) -> Iterator[Json]:
        """Yield the files. Raises ComponentError if `path` is no folder and no file."""
        return each_file(config, ctx, text_records)

    def fingerprint(self, config: Config, ctx: Context) -> Mapping[str, str]:
        """Return each file's digest, or why it cannot be read; raises the errors of `extract`.

        Equal means: the same files with the same bytes are read, and the same others are not, for
        the same reasons. What the properties leave out has no mark, and may change.
        """
        marks: dict[str, str] = {}
        for entry in each_file(config, ctx, catalogue_entry):
            _mark(marks, entry["path"], entry["digest"])
        for item, reason, count in ctx.coverage.skipped:
            if reason not in ctx.coverage.left_out:
                _mark(marks, item, reason if count == 1 else f"{reason}: {count}")
        return marks


def _mark(marks: dict[str, str], item: str, mark: str) -> None:
    """Add a mark; names that are shown alike (their bytes are not UTF-8) share one."""
    marks[item] = f"{marks[item]} {mark}" if item in marks else mark
