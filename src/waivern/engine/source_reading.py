"""Sources by reference, read again: the items of a catalogue, for the component that asks for them.

    component_calls ── open ─▶ Input.items ─▶ Connector.read ─▶ one item, its digest checked

The data never reaches the store. What a reader finds changed is recorded in *its* coverage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waivern.engine.catalogue_origin import CatalogueOrigin, connector_of
from waivern.errors import ComponentError, IntegrityError, SourceChangedError
from waivern.message import Json, Message
from waivern.plugins.component import list_name
from waivern.plugins.context import Context
from waivern.plugins.inputs import InputItem, ListedSource, has_more, name_of
from waivern.plugins.tally import sizes_in_values

if TYPE_CHECKING:
    from waivern.plugins.catalogue import Catalogue


class ReadingContext(Context):
    """The context of a connector that reads items for another component.

    What it skips counts in the coverage of that component.
    """

    def __init__(
        self, reader: Context, of: str, base: Path, on_change: str, again: str | None
    ) -> None:
        super().__init__(
            reader.artifact,
            base,
            reader._emit_log,  # noqa: SLF001
            memo=reader._memo,  # noqa: SLF001
            store_folder=reader.store_folder,
            imports=reader.imports,
            redact=reader.redact,
            service=reader.service,
        )
        self._reader = reader
        self.of = of
        """The name of the input that the items belong to."""
        self._strict = on_change == "fail"
        self._again = again
        """How to list the source again."""
        self.entry: Mapping[str, Json] = {}
        """The entry that is being read."""

    @property
    def missing(self) -> int:
        """The number of items that the reading component has not been given, or not whole."""
        return self._reader.missed

    def note_entry_delivered(self) -> None:
        """Count the entry that is being read: the reading component has been given all of it."""
        self._reader.note_delivered(self.entry, self.of)

    def _note_skipped(
        self,
        item: str,
        reason: str,
        count: int,
        sizes: dict[str, int | None],
        of: str | None,  # noqa: ARG002 - its connector does not know the input
    ) -> None:
        if self._strict:
            raise SourceChangedError(f"{item!r} of input '{self.of}': {reason}", hint=self._again)
        in_values = sizes_in_values(self.entry, sizes)
        self._reader._note_skipped(item, reason, count, in_values, self.of)  # noqa: SLF001
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

    def touched(self, entries: Iterable[Json], since: datetime | None) -> Iterable[Json]:
        """Return those of some entries whose items may have been touched since a time."""
        touched = getattr(self._connector, "touched", None)
        if touched is None or since is None:
            return entries
        found: Iterable[Json] = touched(self._config, self._ctx, entries, since)
        return found

    def items(self, entries: Iterable[Json]) -> Iterator[InputItem]:
        """Yield the items of the entries; what an item needs is open while it is read."""
        try:
            for entry in entries:
                if not (isinstance(entry, dict) and name_of(entry)):
                    raise IntegrityError(f"input '{self._ctx.of}' lists an item without a name")
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
                    self._ctx.note_entry_delivered()
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
    parts, again = CatalogueOrigin.all_of(message), _again(message)
    readers = [reader_of(part, name, ctx, run_base, components, environ, again) for part in parts]
    first = readers[0].source
    if len(readers) == 1:
        return first

    def items(entries: Iterable[Json]) -> Iterator[InputItem]:
        rest = iter(entries)
        for part, reader in zip(parts, readers, strict=True):
            yield from reader.items(islice(rest, part.entries))

    return ListedSource(first.name, items)


def _again(message: Message) -> str:
    """Return the next step after the source of a catalogue has changed, for `on_change: fail`."""
    if (message.source or "").startswith("reuse:"):
        return "run the runbook of the reused run again, and reuse the new run"
    name = "NAME" if "parts" in message.extensions["catalogue"] else message.id
    return (
        f"`wct runs resume {message.run_id} --refresh {name}` lists the source again; "
        "`on_change: skip` leaves out what has changed"
    )


def reader_of(
    origin: CatalogueOrigin,
    name: str,
    ctx: Context,
    run_base: Path,
    components: Catalogue,
    environ: Mapping[str, str],
    again: str | None = None,
) -> SourceReader:
    """Return the reader of the entries of one origin, like `source_of`.

    `again` says how to list the source again, where a change fails the reader.
    """
    reading = ReadingContext(ctx, name, origin.folder(run_base), origin.on_change, again)
    connector, config = connector_of(origin, components, environ)
    return SourceReader(connector, config, reading)
