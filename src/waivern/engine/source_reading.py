"""Sources by reference: listed once, and read again by the readers of an item.

    producer ── list_source ─▶ Connector.catalogue ─▶ entries ─▶ the artifact
    producer ── open_input ─▶ Input.items ─▶ Connector.read ─▶ one item, its digest checked

The data never reaches the store. What a reader finds changed is recorded in *its* coverage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from waivern.engine.artifact_identity import MOST_ITEMS, MOST_TEXT
from waivern.errors import ComponentError, IntegrityError
from waivern.message import Json, Message, content_digest, record_line
from waivern.planning.component_properties import configure
from waivern.planning.plan import Extract, Transform
from waivern.plugins.component import list_name, rereadable
from waivern.plugins.context import Context
from waivern.plugins.inputs import InputItem, ListedSource, has_more, name_of
from waivern.record_stream import INLINE_BYTES, INLINE_RECORDS, RecordStream

if TYPE_CHECKING:
    from waivern.plugins.catalogue import Catalogue
    from waivern.plugins.component import Component

MOST_CHANGES = 500_000
"""The items of a source that a forecast compares with earlier ones."""


class CatalogueOrigin(NamedTuple):
    """All that is needed to read the items of a catalogue again."""

    connector: str
    version: str
    properties: Mapping[str, Json]
    """As in the runbook: variables by name."""
    base: str
    """The absolute folder that relative paths start from."""
    below: str | None
    """The same below the folder of the run's runbook; None if it is not below it."""
    on_change: str
    entries: int | None = None
    """The number of its entries in a joined catalogue; None: all are its own."""

    @classmethod
    def of_work(
        cls, work: Extract | Transform, folder: Path, run_base: Path, on_change: str
    ) -> Self:
        """Return the origin of a source that is listed now, from a folder of the run's project."""
        below = str(folder.relative_to(run_base)) if folder.is_relative_to(run_base) else None
        version = str(work.version)
        return cls(work.type, version, work.properties, str(folder), below, on_change)

    @classmethod
    def all_of(cls, message: Message) -> tuple[Self, ...]:
        """Return the origins of a catalogue: one, or in order those that it was joined from.

        Raises IntegrityError if it cannot be a catalogue.
        """
        document = message.extensions["catalogue"]
        try:
            return tuple(cls(**part) for part in document.get("parts", [document]))
        except (TypeError, AttributeError) as error:
            raise IntegrityError(f"'{message.id}' has a catalogue that cannot be one") from error

    def document(self) -> dict[str, Json]:
        """Return it for the artifact's file."""
        document = {**self._asdict(), "properties": dict(self.properties)}
        return {key: value for key, value in document.items() if (key, value) != ("entries", None)}

    def folder(self, run_base: Path) -> Path:
        """Return the folder to read from: of a run's own sources, where its runbook lies now."""
        return Path(self.base) if self.below is None else run_base / self.below


class ReadingContext(Context):
    """The context of a connector that reads items for another component.

    What it skips counts in the coverage of that component.
    """

    def __init__(self, reader: Context, of: str, base: Path, on_change: str) -> None:
        super().__init__(reader.artifact, base, imports=reader.imports)
        self.store_folder = reader.store_folder
        self._reader = reader
        self._of = of
        self._strict = on_change == "fail"
        self.entry: Mapping[str, Json] = {}
        """The entry that is being read."""

    @property
    def missing(self) -> int:
        """The number of items that the reading component has not been given, or not whole."""
        return self._reader.missed

    def skipped(
        self,
        item: str,
        reason: str,
        count: int = 1,
        *,
        size: int | None = None,
        rows: int | None = None,
        values: int | None = None,
        of: str | None = None,  # noqa: ARG002
    ) -> None:
        if self._strict:
            raise ComponentError(
                f"'{item}' of input '{self._of}': {reason}",
                hint="list the source again in a new run, or allow it with `on_change: skip`",
            )
        if rows is not None:  # who searches tables counts values
            values, rows = rows * max(1, len(self.entry.get("columns", ()))), None
        self._reader.skipped(item, reason, count, size=size, rows=rows, values=values, of=self._of)
        self._reader.missed += 1


class SourceReader:
    """A reader of the items of one catalogue, on behalf of one component."""

    def __init__(self, connector: Any, config: object, ctx: ReadingContext) -> None:
        self._connector = connector
        self._config = config
        self._ctx = ctx
        self._wanted: list[Json] = []
        self._open: Iterator[Json] | None = None
        self._unfinished: object = None
        """Marks the reading of an item whose last part was not read; None: there is none."""

    @property
    def source(self) -> ListedSource:
        """The source, for an input."""
        return ListedSource(list_name(self._connector), self.items)

    def items(self, entries: Iterable[Json]) -> Iterator[InputItem]:
        """Yield the items of the entries; what an item needs is open while it is read."""
        try:
            for entry in entries:
                yield InputItem(
                    name_of(entry), str(entry.get("digest", "")), entry, _Reading(self, entry)
                )
            if self._open is not None and self._unfinished is None:
                self._next_part("")
        finally:
            self._open = None  # closes what the connector has open

    def parts(self, entry: Json) -> Iterator[Json]:
        """Yield an item with its data. One session of the connector serves many items.

        A connector may open a database for all of them; the session ends with an item that it
        skips, because only its end shows that nothing more is coming. It also ends with an item
        that is left before its last part: what follows in it belongs to that item.
        """
        if self._unfinished is not None:
            self._open = None
        self._unfinished = reading = object()
        self._wanted[:] = [entry]
        self._ctx.entry, missing, name = entry, self._ctx.missing, name_of(entry)
        while self._unfinished is reading:
            renewed = self._open is None
            part = self._next_part(name)
            if part is None and self._wanted and not renewed:
                continue  # the session had ended before: it asked for all it wanted at once
            if part is None and self._ctx.missing == missing:
                self._ctx.skipped(name, "not read by its connector", size=entry.get("size"))
            if not has_more(part):
                self._unfinished = None
            if part is not None:
                yield part
            if not has_more(part):
                return
        raise ComponentError(
            f"'{name}' was read on after another item was begun",
            hint="read an item before the next one is taken",
        )

    def _next_part(self, name: str) -> Json:
        """Return the next part of an item; None if the session of the connector has ended."""
        if self._open is None:
            self._open = iter(self._connector.read(self._config, self._ctx, self._asked()))
        part = next(self._open, None)
        if part is None:
            self._open = None
        elif name_of(part) != name:
            raise ComponentError(
                f"connector {self._connector.name!r} yielded an item {name_of(part)!r}, "
                f"but was asked for {repr(name) if name else 'no more'}",
                hint="`read` yields one item for each entry, under its name; the parts of a large "
                "one have `more`",
            )
        return part

    def _asked(self) -> Iterator[Json]:
        while self._wanted:
            yield self._wanted.pop()


class _Reading:
    """The reading of one item, when it is asked for."""

    __slots__ = ("_entry", "_reader")

    def __init__(self, reader: SourceReader, entry: Json) -> None:
        self._reader = reader
        self._entry = entry

    def __call__(self) -> Iterator[Json]:
        return self._reader.parts(self._entry)


def source_of(
    message: Message,
    name: str,
    ctx: Context,
    run_base: Path,
    components: Catalogue,
    environ: Mapping[str, str],
) -> ListedSource:
    """Return the source that a catalogue lists, to be read by the component that has `ctx`.

    `name` is its name for the artifact, `run_base` the folder of the run's runbook.
    """
    parts = CatalogueOrigin.all_of(message)
    readers = [reader_of(part, name, ctx, run_base, components, environ) for part in parts]
    first = readers[0].source
    if len(readers) == 1:
        return first

    def items(entries: Iterable[Json]) -> Iterator[InputItem]:
        rest = iter(entries)
        for part, reader in zip(parts, readers, strict=True):
            yield from reader.items(islice(rest, part.entries))

    return ListedSource(first.name, items)


def reader_of(
    origin: CatalogueOrigin,
    name: str,
    ctx: Context,
    run_base: Path,
    components: Catalogue,
    environ: Mapping[str, str],
) -> SourceReader:
    """Return the reader of the entries of one origin, like `source_of`."""
    reading = ReadingContext(ctx, name, origin.folder(run_base), origin.on_change)
    connector, config = connector_of(origin, components, environ)
    return SourceReader(connector, config, reading)


def joined(messages: Sequence[Message]) -> tuple[str, Iterator[Json], dict[str, Json]] | None:
    """Join catalogues: return the key of their list, their entries, and where those come from.

    None if one is no catalogue, or has another list.
    """
    lists = [entries_of(message) for message in messages if "catalogue" in message.extensions]
    if len(lists) < len(messages) or len({name for name, _ in lists}) != 1:
        return None
    parts = []
    for message, (_, entries) in zip(messages, lists, strict=True):
        for origin in CatalogueOrigin.all_of(message):
            own = len(entries) if origin.entries is None else origin.entries
            parts.append(origin._replace(entries=own))
    name = lists[0][0]
    everything = chain.from_iterable(entries for _, entries in lists)
    return name, everything, {"parts": [part.document() for part in parts]}


def origin_at(message: Message, number: int) -> CatalogueOrigin:
    """Return the origin of an entry of a catalogue, by its number, from 1."""
    passed = 0
    for origin in CatalogueOrigin.all_of(message):
        passed += number if origin.entries is None else origin.entries
        if number <= passed:
            return origin
    raise IntegrityError(f"'{message.id}' does not record where its entry {number} comes from")


def in_another_run(document: dict[str, Json]) -> dict[str, Json]:
    """Return the origins of a catalogue for a copy in another run: they lie where they are."""
    if "parts" in document:
        return {"parts": [in_another_run(part) for part in document["parts"]]}
    return {**document, "below": None}


def entries_of(message: Message) -> tuple[str, RecordStream | list[Json]]:
    """Return the key of the list of a catalogue, and its entries."""
    if message.records is not None:
        return message.records.name, message.records
    ((name, entries),) = message.content.items()
    return name, entries


def connector_of(
    origin: CatalogueOrigin, components: Catalogue, environ: Mapping[str, str]
) -> tuple[Any, object]:
    """Return the connector that reads the items of a catalogue, and its Config.

    Raises NotFoundError if it is not installed, ComponentError if it cannot read a source again.
    """
    connector: Any = components.load("connectors", origin.connector)
    if not rereadable(connector):
        raise ComponentError(
            f"connector {origin.connector!r} cannot read its source again here",
            hint="install the version that listed it, or list the source in a new run",
        )
    return connector, configure(connector.Config, origin.properties, environ)


class SourceMarks:
    """The identity of a listed source: digests of its entries and of what could not be read."""

    def __init__(self, name: str) -> None:
        self._name = name
        """The key of the list."""
        self._records = hashlib.sha256()
        self._size = 0
        self.count = 0
        self._inline: list[Json] | None = []
        """The entries, while the artifact's own file may have them."""
        self.items: dict[str, str] | None = {}
        """The digest of each entry by name; None if there are too many."""

    def noting(self, entries: Iterable[Json]) -> Generator[Json, None, None]:
        """Yield the entries on, and note them."""
        for entry in entries:
            line = record_line(entry, self.count + 1)
            self.count += 1
            self._size += len(line)
            self._records.update(line)
            if self._inline is not None:
                self._inline.append(entry)
                if self.count > INLINE_RECORDS or self._size > INLINE_BYTES:
                    self._inline = None
            if self.items is not None:
                self.items[name_of(entry)] = f"sha256:{hashlib.sha256(line).hexdigest()}"
                if self.count > MOST_CHANGES:
                    self.items = None
            yield entry

    def content_digest(self) -> str:
        """Return the digest that the content of the artifact has."""
        if self._inline is not None:
            return content_digest({self._name: self._inline})
        digest = f"sha256:{self._records.hexdigest()}"
        records = RecordStream(self._name, self.count, self._size, digest, lambda: iter(()))
        return content_digest({}, records)

    def document(self, ctx: Context) -> dict[str, Json]:
        """Return what identifies the source; what `ctx` has as skipped is part of it.

        What the properties leave out is not: it may change.
        """
        left_out = ctx.coverage.left_out
        marks = [
            [item, reason if count == 1 else f"{reason}: {count}"]
            for item, reason, count in ctx.coverage.skipped
            if reason not in left_out
        ]
        digest = content_digest([self._records.hexdigest(), marks])
        count = self.count + len(marks)
        source: dict[str, Json] = {"digest": digest, "count": count}
        if self.items is None or count > MOST_ITEMS:
            return source
        items = {ctx.redact(item): mark for item, mark in [*self.items.items(), *marks]}
        few = sum(map(len, [*items, *items.values()])) <= MOST_TEXT
        return {**source, "items": dict(sorted(items.items()))} if few else source


def listed(connector: Component, config: object, ctx: Context) -> Iterator[Json]:
    """Yield the entries of a source. Raises ComponentError for one that cannot be one."""
    for entry in connector.catalogue(config, ctx):  # type: ignore[union-attr]
        if not (isinstance(entry, dict) and name_of(entry) and entry.get("digest")):
            raise ComponentError(
                f"connector {connector.name!r} listed an entry without a name or a digest",
                hint="an entry is an object with 'path' or 'name', and 'digest'",
            )
        yield entry
