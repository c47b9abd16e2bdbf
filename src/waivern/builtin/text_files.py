"""The files of a source: each read once, or read again as it was listed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, NonNegativeInt

from waivern.builtin import globs
from waivern.builtin.common_properties import located
from waivern.builtin.source_progress import SourceProgress
from waivern.builtin.text_encodings import text_encoding
from waivern.builtin.text_parts import (
    BLOCK,
    Block,
    Digests,
    blocks,
    decoded,
    encoding_of,
    parts,
    unsized_block,
    verified,
)
from waivern.builtin.unread import TOO_LARGE, Unread
from waivern.builtin.walk import (
    NOT_REGULAR,
    FoundFile,
    Walk,
    last_change,
    opened,
    opened_below,
    reason,
)
from waivern.errors import ComponentError
from waivern.message import Json
from waivern.plugins.context import Context

if TYPE_CHECKING:
    from waivern.builtin.filesystem import Filesystem


CLOCKS_DIFFER_S = 60
"""Seconds by which the clock of a file server may be behind."""


class OpenFile(NamedTuple):
    """A regular file that is open for reading, and what is known of how to read it."""

    found: FoundFile
    descriptor: int
    size: int
    config: Filesystem.Config
    progress: SourceProgress

    def blocks(self) -> Iterator[Block]:
        if not self.size:
            return unsized_block(self.descriptor, self.config.max_file_size)
        return self.progress.within(blocks(self.descriptor, self.size))


Use = Callable[[OpenFile], Iterator[Json]]
"""Yields the records of a file. Raises Unread or OSError if it is not read to its end."""


def each_file(config: Filesystem.Config, ctx: Context, use: Use) -> Iterator[Json]:
    """Yield the records of each file of the source, and report each file that has none."""
    root = located(ctx, config.path).resolve()
    ctx.read(0, size=0)  # an empty folder is reported, too
    try:
        with opened(root if root.is_dir() else root.parent) as folder:
            if root.is_dir():
                walk = _walk(config, ctx)
                progress = SourceProgress(ctx, _sizes(folder, config, ctx))
                for file in walk.files(folder, (), included=config.include is None):
                    yield from _records(file, config, ctx, progress, use)
                for number, pattern in enumerate(config.include or ()):
                    if number not in walk.matched:
                        ctx.unmatched(pattern)
                return
            file = FoundFile(folder, (root.name,))
            progress = SourceProgress(ctx, iter([_size(file) or 0]))
            yield from _records(file, config, ctx, progress, use)
    except OSError as error:  # of the root; errors below it are in the coverage record
        raise _unreadable(config.path, error) from error
    if not ctx.coverage.read:
        _, why, _ = ctx.coverage.skipped[-1]
        hint = "you may not read it: see `ls -l`" if why == "denied" else "name a text file"
        raise ComponentError(f"{config.path!r} was not read: {why}", hint=hint)


def _walk(config: Filesystem.Config, ctx: Context) -> Walk:
    store = ctx.store_folder
    return Walk(
        ctx,
        include=tuple(map(globs.parse, config.include or ())),
        exclude=tuple(map(globs.parse, config.exclude)),
        store=store.stat() if store and store.is_dir() else None,
    )


def _sizes(folder: int, config: Filesystem.Config, ctx: Context) -> Iterator[int]:
    """Yield the size of each file that a walk will find, without reporting any."""
    apart = Context(ctx.artifact, ctx.base, store_folder=ctx.store_folder)
    files = _walk(config, apart).files(folder, (), included=config.include is None)
    yield from (_size(file) or 0 for file in files)


def _size(file: FoundFile) -> int | None:
    try:
        return file.size()
    except OSError:
        return None


def _records(
    file: FoundFile, config: Filesystem.Config, ctx: Context, progress: SourceProgress, use: Use
) -> Iterator[Json]:
    size, encoding = None, None

    def records() -> Iterator[Json]:
        nonlocal size, encoding
        with opened(file.parts[-1], file.folder) as descriptor:
            size = _regular_size(descriptor)
            if size > config.max_file_size:
                raise Unread(TOO_LARGE)
            for record in use(OpenFile(file, descriptor, size, config, progress)):
                size, encoding = record["size"], record["encoding"]
                yield record

    end = yield from _early_end(records())
    if end is None:
        ctx.read(size=size, encoding=encoding)
        progress.done(size)
        return
    if size is None:  # it could not be opened, but its size may be known
        size = _size(file)
    ctx.skipped(file.path, end.reason, size=size)
    progress.done(size)
    if end.rest is not None:
        yield {"path": file.path, "size": size, **end.rest}


def _early_end(records: Iterator[Json]) -> Generator[Json, None, Unread | None]:
    """Yield the records; return why there are no more of them, or None if these are all."""
    try:
        for record in records:
            yield record
            del record  # before the next part is read
    except Unread as unread:
        return unread
    except OSError as error:
        return Unread(reason(error))
    return None


def _regular_size(descriptor: int) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise Unread(NOT_REGULAR)
    return status.st_size


def _unreadable(path: str, error: OSError) -> ComponentError:
    return ComponentError(f"{path!r} cannot be read: {error.strerror}")


def catalogue_entry(file: OpenFile) -> Iterator[Json]:
    """Yield the file's entry in the catalogue."""
    digests, encoding = Digests(), ""
    for text in decoded(digests.of(file.blocks()), file.config.encoding):
        encoding = text.encoding
        del text
    path = file.found.path
    entry = {"path": path, "size": digests.size, "encoding": encoding}
    if not path.isascii() or "\\" in path:  # only then can it differ from the exact name
        exact = os.fsencode("/".join(file.found.parts))
        if exact != path.encode():
            entry["path_bytes"] = exact.hex()
    yield entry | digests.document()


def text_records(file: OpenFile) -> Iterator[Json]:
    """Yield the file with its text, in parts if it is large."""
    size, passed, encoding = file.size, 0, file.config.encoding
    several = size > BLOCK
    if several:  # all parts have the same encoding: it is known before the first one
        encoding = encoding_of(blocks(file.descriptor, size), encoding)
        os.lseek(file.descriptor, 0, os.SEEK_SET)

    def passing() -> Iterator[Block]:
        nonlocal size, passed
        for block in file.blocks():
            passed += len(block.data)
            if block.last:
                size = passed  # of a file that has no size, or shrank
            yield block
            del block  # before the next one is read

    for part in parts(decoded(passing(), encoding, exact=several)):
        yield {"path": file.found.path, "size": size, **part}
        del part


class ListedFile(BaseModel):
    """An entry of a catalogue, which may come from a foreign run."""

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True)

    path: str
    size: NonNegativeInt
    encoding: Annotated[str, AfterValidator(text_encoding)]
    digest: str
    blocks: list[str] = []
    path_bytes: str | None = None
    """The path in hexadecimal, where it is not UTF-8 and `path` is only how it is shown."""

    @classmethod
    def of(cls, entry: Json) -> ListedFile:
        """Return the entry. Raises ComponentError if it is none, or leads out of its folder."""
        try:
            file = cls.model_validate(entry)
            unsafe = {"", ".", ".."} & {*file.parts} or "\0" in file.path
        except ValueError as error:
            raise ComponentError("not an entry of a catalogue of files") from error
        if unsafe or len(file.digests) != max(1, -(-file.size // BLOCK)):
            raise ComponentError(f"not an entry of a catalogue of files: {file.path!r:.200}")
        return file

    @property
    def parts(self) -> tuple[str, ...]:
        exact = (
            self.path if self.path_bytes is None else os.fsdecode(bytes.fromhex(self.path_bytes))
        )
        return tuple(exact.split("/"))

    @property
    def digests(self) -> list[str]:
        return self.blocks or [self.digest]


def files_again(config: Filesystem.Config, ctx: Context, entries: Iterable[Json]) -> Iterator[Json]:
    """Yield the files that the entries list, as far as they are what was listed."""
    root = located(ctx, config.path).resolve()
    whole = root.is_dir()
    try:
        with opened(root if whole else root.parent) as folder:
            for entry in entries:
                file = ListedFile.of(entry)
                if not whole and file.parts != (root.name,):
                    raise ComponentError(
                        f"{config.path!r} is not a folder, which it was when it was listed"
                    )
                end = yield from _early_end(_file_again(folder, file))
                if end is None:
                    continue
                ctx.skipped(file.path, end.reason, size=file.size)
                if end.rest is not None:
                    yield {"path": file.path, "size": file.size, **end.rest}
    except OSError as error:  # of the root
        raise _unreadable(config.path, error) from error


def touched_files(
    config: Filesystem.Config, ctx: Context, entries: Iterable[Json], since: datetime
) -> Iterator[Json]:
    """Yield the entries of the files that may have been written or replaced since a time.

    The time at which the system last changed a file or one of the folders above it cannot be set
    back, and covers renames. An unknown one counts as later.
    """
    root = located(ctx, config.path).resolve()
    limit = (since.timestamp() - CLOCKS_DIFFER_S) * 1e9
    with suppress(OSError), opened(root if root.is_dir() else root.parent) as folder:
        for entry in entries:
            parts = ListedFile.of(entry).parts
            try:
                if last_change(folder, parts) < limit:
                    continue
            except OSError:
                pass  # vanished, say: to be found out by reading
            yield entry
        return
    yield from entries


def _file_again(folder: int, file: ListedFile) -> Iterator[Json]:
    with opened_below(folder, file.parts) as descriptor:
        _regular_size(descriptor)
        checked = verified(blocks(descriptor, file.size), file.digests)
        for part in parts(decoded(checked, file.encoding, exact=True)):
            yield {"path": file.path, "size": file.size, **part}
            del part
