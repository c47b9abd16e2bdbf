"""Earlier results item by item: found in any order, read linearly, refused if their index lies."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from waivern.engine.earlier_items import EarlierItems, entry_digest
from waivern.errors import IntegrityError
from waivern.message import Json, Message, SchemaRef, record_line, sha256
from waivern.plugins.inputs import InputItem
from waivern.record_stream import RecordStream

ITEMS = 3_000
PIECE = 1 << 12
"""The bytes of one chunk."""


class CountedBytes:
    """Bytes that are read in chunks and counted."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read = 0

    def __call__(self, at: int) -> Iterator[bytes]:
        for begin in range(at, len(self.data), PIECE):
            chunk = self.data[begin : begin + PIECE]
            self.read += len(chunk)
            yield chunk


def stream(name: str, records: list[Json]) -> tuple[RecordStream, CountedBytes]:
    data = b"".join(record_line(record, 1) for record in records)
    read = CountedBytes(data)
    return RecordStream(name, len(records), len(data), sha256(data), read), read


def item(number: int) -> InputItem:
    entry = {"name": f"{number}.txt", "digest": f"sha256:{number}"}
    return InputItem(entry["name"], entry["digest"], entry, list, "files")


def results(number: int) -> list[Json]:
    """Return the records of an item: none, one or several."""
    return [{"item": number, "record": n, "text": "x" * 100} for n in range(number % 4)]


@pytest.mark.parametrize("order", ["same", "reversed", "from both ends", "random"])
def test_what_is_read_grows_with_the_records(order: str) -> None:
    lines: list[Json] = [
        {
            "input": "files",
            "item": item(n).name,
            "digest": entry_digest(item(n).listed),
            "records": len(results(n)),
            "coverage": {"read": 1},
        }
        for n in range(ITEMS)
    ]
    records, read = stream("found", [record for n in range(ITEMS) for record in results(n)])
    index, _ = stream("items", lines)
    message = Message("found", {}, SchemaRef("json"), records=records, items=index)
    earlier = EarlierItems(message, "found", {}, lambda: True)

    numbers = [*range(ITEMS)]
    if order == "reversed":
        numbers.reverse()
    elif order == "from both ends":
        numbers = [n for pair in zip(numbers, reversed(numbers), strict=True) for n in pair][:ITEMS]
    elif order == "random":
        random.Random(1).shuffle(numbers)
    for number in numbers:
        taken = earlier.take(item(number), entry_digest(item(number).listed))
        assert taken is not None
        assert taken.records == results(number)
        assert taken.lines == b"".join(record_line(each, 1) for each in taken.records)
    assert read.read <= (1 if order == "same" else 2) * len(read.data) + ITEMS * 6 * PIECE
    assert order == "same" or read.read < ITEMS * len(read.data) / 10


def test_an_item_that_was_not_there_or_differs_is_not_found() -> None:
    index, _ = stream(
        "items",
        [
            {"input": "", "item": "", "digest": "", "records": 2, "coverage": {}},
            {
                "input": "files",
                "item": item(3).name,
                "digest": entry_digest(item(3).listed),
                "records": 3,
                "coverage": {},
            },
        ],
    )
    content = {"found": [{"other": 1}, {"other": 2}, *results(3)]}
    message = Message("found", content, SchemaRef("json"), items=index)
    earlier = EarlierItems(message, "found", {}, lambda: True)
    taken = earlier.take(item(3), entry_digest(item(3).listed))
    assert taken is not None
    assert taken.records == results(3)
    assert earlier.take(item(4), entry_digest(item(4).listed)) is None
    assert earlier.take(item(3), entry_digest(item(4).listed)) is None


LINE = {"input": "files", "item": "a", "digest": "d", "records": 2, "coverage": {"read": 1}}


def indexed(*lines: Json) -> EarlierItems:
    """Return an earlier result of three records with an index of these lines."""
    index, _ = stream("items", [*lines])
    message = Message("found", {"found": [1, 2, 3]}, SchemaRef("json"), items=index)
    return EarlierItems(message, "found", {}, lambda: True)


def line(**more: Json) -> dict[str, Json]:
    return {**LINE, **more}


def test_an_item_that_is_listed_twice_is_not_taken() -> None:
    one = InputItem("a", "sha256:0", {}, list, "files")
    taken = indexed(LINE).take(one, "d")
    assert taken is not None
    assert (taken.records, taken.coverage) == ([1, 2], {"read": 1})
    assert indexed(line(records=1), LINE).take(one, "d") is None


LIES: dict[str, tuple[Json, ...]] = {
    "too many records": (LINE, LINE),
    "a negative number": (line(records=5), line(records=-2)),
    "a number that is none": (LINE, line(records=True)),
    "a fraction": (line(records=1.5), line(records=1.5)),
    "a huge number": (line(records=1 << 60),),
    "no number": ({key: LINE[key] for key in LINE if key != "records"},),
    "no object": ([1, 2, 3],),
    "a name that is none": (LINE, line(item=["b"], records=1)),
    "a coverage that is none": (LINE, line(item="b", records=1, coverage=7)),
    "a coverage of texts": (LINE, line(item="b", records=1, coverage={"read": "many"})),
    "amounts that are none": (LINE, line(item="b", records=1, coverage={"units": {"bytes": 1}})),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_index_that_lies_is_refused(lie: str) -> None:
    with pytest.raises(IntegrityError, match="index of items"):
        indexed(*LIES[lie])
