"""The inputs of a processor: artifacts, read whole or item by item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from waivern.errors import ComponentError
from waivern.message import Json, SchemaRef
from waivern.record_stream import RecordStream


class InputItem:
    """One element of a list of an input: a file, a table, a record.

    `name` is its path or name, `digest` that of its data (empty where none is recorded), `listed`
    the element as the artifact lists it. Of a catalogue, that is a description; `read` yields the
    element with its data, in several parts if it is large (see `Connector.read`). What cannot be
    read, or has changed since it was listed, is recorded in the coverage of the reader; then
    nothing more is yielded.
    """

    __slots__ = ("_read", "digest", "listed", "name")

    def __init__(
        self, name: str, digest: str, listed: Json, read: Callable[[], Iterable[Json]]
    ) -> None:
        self.name = name
        self.digest = digest
        self.listed = listed
        self._read = read

    def read(self) -> Iterator[Json]:
        """Yield the element with its data, in one part or several."""
        return iter(self._read())


def listed_items(elements: Iterable[Json]) -> Iterator[InputItem]:
    """Yield the elements of a list that has its data.

    Consecutive parts of one element are one item: read it before you advance to the next.
    """
    rest = iter(elements)
    for element in rest:
        if not has_more(element):
            yield InputItem(_name(element), "", element, partial(iter, [element]))
            continue
        parts = chain([element], _up_to_last(rest))
        yield InputItem(_name(element), "", element, partial(iter, parts))
        for _ in parts:
            pass  # parts that were not asked for


def _up_to_last(parts: Iterator[Json]) -> Iterator[Json]:
    for part in parts:
        yield part
        if not has_more(part):
            return


POSITION = ("more", "line", "column", "start", "row")
"""The keys that say where a part belongs; a whole element has none of them."""
DATA = ("text", "rows", "row_numbers")
"""The keys whose values continue from part to part."""


def has_more(part: Json) -> bool:
    """Return whether more parts of the same element follow."""
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
            raise ComponentError(f"the parts of {_name(whole) or 'an element'!r} differ")
        for key in data.keys() & part.keys():
            data[key].append(part[key])
    joined = {key: "".join(v) if isinstance(v[0], str) else [*chain(*v)] for key, v in data.items()}
    return {key: joined.get(key, value) for key, value in whole.items() if key not in POSITION}


def _described(part: Json) -> Json:
    return {key: value for key, value in part.items() if key not in (*POSITION, *DATA)}


def _name(element: Json) -> str:
    if isinstance(element, Mapping):
        for key in ("path", "name"):
            if isinstance(element.get(key), str):
                return str(element[key])
    return ""


@dataclass(frozen=True)
class Input:
    """One input of a processor: the artifact's key, its content, and the schema of the content.

    A processor that declares `reads_streams` reads large lists with `items` or `each`; such a list
    is then missing from `content`. Any other processor finds all lists in `content`.
    """

    key: str
    content: Json
    schema: SchemaRef
    records: RecordStream | None = None
    """The list that is missing from `content`."""
    reader: Callable[[str], Iterator[InputItem] | None] = field(
        default=lambda _name: None, compare=False, repr=False
    )
    """Returns the items of a list whose data is read from the source; None: it has none such."""

    def items(self, name: str) -> Iterator[InputItem]:
        """Yield the elements of the list `name`, whose data is read when it is asked for.

        Raises KeyError if the content has no such list.
        """
        if (found := self.reader(name)) is not None:
            return found
        if self.records is not None and self.records.name == name:
            return listed_items(self.records)
        return listed_items(self.content[name])

    def each(self, name: str) -> Iterator[Json]:
        """Yield the elements of the list `name` with their data. Raises KeyError like `items`."""
        for item in self.items(name):
            yield from item.read()
