"""Sources by reference, listed: the entries of a catalogue, and the marks that identify them.

    component_calls ── list ─▶ Connector.catalogue ─▶ entries ─▶ the artifact

The list is the fingerprint of the source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING

from waivern.engine.artifact_identity import MOST_ITEMS, MOST_TEXT
from waivern.errors import ComponentError
from waivern.message import Json, content_digest, record_line
from waivern.plugins.context import Context
from waivern.plugins.inputs import name_of
from waivern.record_stream import INLINE_BYTES, INLINE_RECORDS, RecordStream

if TYPE_CHECKING:
    from waivern.plugins.component import Component

MOST_CHANGES = 500_000
"""The items of a source that a forecast compares with earlier ones."""


def listed(connector: Component, config: object, ctx: Context) -> Iterator[Json]:
    """Yield the entries of a source. Raises ComponentError for one that cannot be one."""
    for entry in connector.catalogue(config, ctx):  # type: ignore[union-attr]
        if not (isinstance(entry, dict) and name_of(entry) and entry.get("digest")):
            raise ComponentError(
                f"connector {connector.name!r} listed an entry without a name or a digest",
                hint="an entry is an object with 'path' or 'name', and 'digest'",
            )
        yield entry


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
        records = RecordStream(self._name, self.count, self._size, digest, lambda _at: iter(()))
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
