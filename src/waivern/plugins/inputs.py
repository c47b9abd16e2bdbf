"""The inputs of a processor: artifacts, read whole or item by item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import NamedTuple

from waivern.errors import ComponentError
from waivern.message import Json, SchemaRef
from waivern.record_stream import LIST_BYTES, RecordStream


class InputItem:
    """One element of a list of an input: a file, a table, a record.

    `name` is its path or name, `digest` that of its data (empty where none is recorded), `listed`
    the element as the artifact lists it. Of a catalogue, that is a description; `read` yields the
    element with its data, in several parts if it is large (see `Connector.read`). What cannot be
    read, or has changed since it was listed, is recorded in the coverage of the reader; then
    nothing more is yielded. Read an item before the next one is taken. `input` is the key of the
    input that it belongs to.
    """

    __slots__ = ("_read", "digest", "input", "listed", "name")

    def __init__(
        self,
        name: str,
        digest: str,
        listed: Json,
        read: Callable[[], Iterable[Json]],
        input: str = "",  # noqa: A002 - the word of the runbook
    ) -> None:
        self.input = input
        self.name = name
        self.digest = digest
        self.listed = listed
        self._read = read

    @property
    def size(self) -> int:
        """The bytes of its data, as it is listed; 0 if that is not known."""
        found = self.listed.get("size") if isinstance(self.listed, Mapping) else None
        return found if type(found) is int else 0

    def read(self) -> Iterator[Json]:
        """Yield the element with its data, in one part or several."""
        return iter(self._read())


class ListedSource(NamedTuple):
    """A source that was listed and is read when its items are asked for."""

    name: str
    """The key of the list."""
    items: Callable[[Iterable[Json]], Iterator[InputItem]]
    """Returns the items of the entries of the list."""


class Input:
    """One input of a processor: the artifact's key, its content, and the schema of the content.

    A large list is not in memory: `items` and `each` read it element by element. A processor that
    does so declares `reads_streams`; for any other one, all is read before it is called.
    """

    def __init__(
        self,
        key: str,
        content: Json,
        schema: SchemaRef,
        records: RecordStream | None = None,
        source: ListedSource | None = None,
    ) -> None:
        self.key = key
        self.schema = schema
        self.rest = content
        """The content without the list that is stored as a stream, if there is one."""
        self._records = records
        self._source = source
        self._whole: Json = None

    @property
    def content(self) -> Json:
        """The whole content, data that lies in the source included; it is read once.

        Raises ComponentError if that is more than 64 MiB.
        """
        if not self.unread:
            return self.rest
        if self._whole is None:
            self._whole = {**self.rest, **{name: self._list(name) for name in self.unread}}
        return self._whole

    @property
    def unread(self) -> tuple[str, ...]:
        """The keys of the lists whose elements, or whose data, are not in `rest`."""
        if self._records is None and self._source is None:
            return ()  # asked of each small input
        named = (each.name for each in (self._records, self._source) if each is not None)
        return tuple(dict.fromkeys(named))

    def count(self, name: str) -> int | None:
        """Return how many elements, or parts of such, a list has; None if there is no such list."""
        if self._records is not None and self._records.name == name:
            return self._records.count
        listed = self.rest.get(name) if isinstance(self.rest, Mapping) else None
        return len(listed) if isinstance(listed, list) else None

    def items(self, name: str) -> Iterator[InputItem]:
        """Yield the elements of the list `name`, whose data is read when it is asked for.

        Raises KeyError if the content has no such list.
        """
        stored = self._records is not None and self._records.name == name
        elements: Iterable[Json] = self._records if stored and self._records else self.rest[name]
        listed = self._source is not None and self._source.name == name
        for item in (
            self._source.items(elements) if listed and self._source else listed_items(elements)
        ):
            item.input = self.key
            yield item

    def each(self, name: str) -> Iterator[Json]:
        """Yield the elements of the list `name` with their data. Raises KeyError like `items`."""
        for item in self.items(name):
            yield from item.read()

    def _list(self, name: str) -> list[Json]:
        """Return a list with all its data, parts joined."""
        from pydantic_core import to_json

        found, size = [], 0
        for item in self.items(name):
            parts = []
            for part in item.read():
                parts.append(part)
                size += len(to_json(part))
                if size > LIST_BYTES:
                    raise ComponentError(
                        f"input '{self.key}' has more than {LIST_BYTES:,} bytes of {name!r}, too "
                        "much for a list",
                        hint="read it item by item: declare `reads_streams = True`",
                    )
            if parts:
                found.append(joined_parts(parts))
        return found


def listed_items(elements: Iterable[Json]) -> Iterator[InputItem]:
    """Yield the elements of a list that has its data.

    Consecutive parts of one element are one item: read it before you advance to the next.
    """
    rest = _Following(elements)
    for element in rest:
        if not has_more(element):
            yield InputItem(name_of(element), "", element, partial(iter, [element]))
            continue
        parts = chain([element], rest.parts_of(name_of(element)))
        yield InputItem(name_of(element), "", element, partial(iter, parts))
        for _ in parts:
            pass  # parts that were not asked for


class _Following:
    """The elements that follow, of which one may be taken back."""

    def __init__(self, elements: Iterable[Json]) -> None:
        self._elements = iter(elements)
        self._back: list[Json] = []

    def __iter__(self) -> Iterator[Json]:
        return self

    def __next__(self) -> Json:
        return self._back.pop() if self._back else next(self._elements)

    def parts_of(self, name: str) -> Iterator[Json]:
        """Yield the parts up to the last; the last is missing if the element was cut short."""
        for part in self:
            if name_of(part) != name:
                self._back.append(part)
                return
            yield part
            if not has_more(part):
                return


POSITION = ("more", "line", "column", "start", "row")
"""The keys that say where a part belongs; a whole element has none of them."""
DATA = ("text", "rows", "row_numbers")
"""The keys whose values continue from part to part."""


def has_more(part: Json) -> bool:
    """Return whether the element has more parts than this and those before it."""
    return isinstance(part, Mapping) and part.get("more") is True


def joined_parts(parts: Iterable[Json]) -> Json:
    """Return an element that was read in parts as if it had been read whole.

    A single part that has no `more` is returned as it is. Raises ComponentError if there is no
    part, or if parts differ in what describes the element.
    """
    pieces = iter(parts)
    try:
        whole: Json = next(pieces)
    except StopIteration:
        raise ComponentError("there is nothing to join") from None
    if not has_more(whole):
        return whole
    data: dict[str, list[Json]] = {key: [whole[key]] for key in DATA if key in whole}
    described = _described(whole)
    for part in pieces:
        if _described(part) != described or any(key not in data for key in DATA if key in part):
            raise ComponentError(f"the parts of {name_of(whole) or 'an element'!r} differ")
        for key in data.keys() & part.keys():
            data[key].append(part[key])
    joined = {key: "".join(v) if isinstance(v[0], str) else [*chain(*v)] for key, v in data.items()}
    return {key: joined.get(key, value) for key, value in whole.items() if key not in POSITION}


def _described(part: Json) -> Json:
    return {key: value for key, value in part.items() if key not in (*POSITION, *DATA)}


def name_of(element: Json) -> str:
    """Return the path or name of an element; empty if it has none."""
    if isinstance(element, Mapping):
        for key in ("path", "name"):
            if isinstance(element.get(key), str):
                return str(element[key])
    return ""
