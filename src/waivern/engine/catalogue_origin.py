"""Origins of catalogues: all that is needed to read the items of a listed source again.

A catalogue has one origin, or in order those of the catalogues that it was joined from. Its file
records them, so that another attempt or run can read the items, or say exactly what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from waivern.errors import ComponentError, IntegrityError
from waivern.message import Json, Message
from waivern.planning.component_properties import configure
from waivern.planning.plan import Extract, Transform
from waivern.plugins.component import rereadable
from waivern.record_stream import RecordStream

if TYPE_CHECKING:
    from waivern.plugins.catalogue import Catalogue


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
    listed_at: str | None = None
    """The time before it was listed: RFC 3339, UTC; None if an earlier version listed it."""

    @classmethod
    def of_work(
        cls,
        work: Extract | Transform,
        folder: Path,
        run_base: Path,
        on_change: str,
        listed_at: str,
    ) -> Self:
        """Return the origin of a source that is listed now, from a folder of the run's project."""
        below = str(folder.relative_to(run_base)) if folder.is_relative_to(run_base) else None
        version, base = str(work.version), str(folder)
        return cls(work.type, version, work.properties, base, below, on_change, listed_at=listed_at)

    @classmethod
    def all_of(cls, message: Message) -> tuple[Self, ...]:
        """Return the origins of a catalogue: one, or in order those that it was joined from.

        Raises IntegrityError if it cannot be a catalogue.
        """
        _, entries = entries_of(message)
        try:
            document = message.extensions["catalogue"]
            joined = "parts" in document
            parts = tuple(cls(**part) for part in (document["parts"] if joined else [document]))
        except (KeyError, TypeError) as error:
            raise _no_catalogue(message) from error
        counts = [part.entries if joined else len(entries) for part in parts if part.sound]
        known = [count for count in counts if count is not None]
        if len(known) < len(parts) or sum(known) != len(entries):
            raise _no_catalogue(message)
        return parts

    @property
    def sound(self) -> bool:
        """Whether it can be an origin: another run's file may say anything."""
        texts = (self.connector, self.version, self.base, self.on_change, self.below or "")
        if not all(type(text) is str and "\0" not in text for text in texts):
            return False
        below = PurePath(self.below or "")
        return (
            isinstance(self.properties, Mapping)
            and all(type(name) is str for name in self.properties)
            and (self.below is None or type(self.below) is str)
            and Path(self.base).is_absolute()
            and not (below.is_absolute() or ".." in below.parts)
            and self.on_change in ("skip", "fail")
            and (self.entries is None or (type(self.entries) is int and self.entries >= 0))
            and (self.listed_at is None or _is_moment(self.listed_at))
        )

    def document(self) -> dict[str, Json]:
        """Return it for the artifact's file."""
        document = {**self._asdict(), "properties": dict(self.properties)}
        return {
            key: value
            for key, value in document.items()
            if value is not None or key not in ("entries", "listed_at")
        }

    def folder(self, run_base: Path) -> Path:
        """Return the folder to read from: of a run's own sources, where its runbook lies now."""
        return Path(self.base) if self.below is None else run_base / self.below


def _is_moment(text: Json) -> bool:
    try:
        return datetime.fromisoformat(text).utcoffset() is not None
    except (TypeError, ValueError):
        return False


class ListedPart(NamedTuple):
    """A part of a catalogue: an origin, and the entries that come from it."""

    origin: CatalogueOrigin
    """With the number of its entries."""
    entries: Callable[[], Iterable[Json]]
    """Returns the entries, read anew."""


def parts_of(message: Message) -> Iterator[ListedPart]:
    """Yield the parts of a catalogue. Raises IntegrityError if it cannot be one."""
    _, entries = entries_of(message)
    first = 0
    for origin in CatalogueOrigin.all_of(message):
        count = len(entries) if origin.entries is None else origin.entries
        part = partial(islice, entries, first, first + count)
        yield ListedPart(origin._replace(entries=count), part)
        first += count


def joined(messages: Sequence[Message]) -> tuple[str, Iterator[Json], dict[str, Json]] | None:
    """Join catalogues: return the key of their list, their entries, and where those come from.

    None if one has another list.
    """
    lists = [entries_of(message) for message in messages]
    if len({name for name, _ in lists}) != 1:
        return None
    parts = [part.origin for message in messages for part in parts_of(message)]
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


def in_another_run(message: Message) -> dict[str, Json]:
    """Return the origins of a catalogue for a copy in another run: they lie where they are.

    Raises IntegrityError if it cannot be a catalogue.
    """
    parts = [origin._replace(below=None).document() for origin in CatalogueOrigin.all_of(message)]
    return {"parts": parts} if "parts" in message.extensions["catalogue"] else parts[0]


def entries_of(message: Message) -> tuple[str, RecordStream | list[Json]]:
    """Return the key of the list of a catalogue, and its entries.

    Raises IntegrityError if it has no such list.
    """
    if message.records is not None:
        return message.records.name, message.records
    try:
        ((name, entries),) = message.content.items()
    except (AttributeError, ValueError) as error:
        raise _no_catalogue(message) from error
    if not isinstance(entries, list):
        raise _no_catalogue(message)
    return name, entries


def _no_catalogue(message: Message) -> IntegrityError:
    return IntegrityError(
        f"'{message.id}' of run {message.run_id} does not list a source as a catalogue does",
        hint=f"`wct runs verify {message.run_id}` reports whether it was altered; a new run lists "
        "the source again",
    )


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
