"""Searches of items in parts: the findings are those of the whole item, and little is held."""

from __future__ import annotations

import gc
import json
import tracemalloc
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from component_content import collected
from hypothesis import given, settings
from hypothesis import strategies as st

from waivern.builtin import text_search
from waivern.builtin.personal_data import PersonalData
from waivern.message import ANY_JSON, Json, SchemaRef, sha256
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input
from waivern.record_stream import RecordStream

PEOPLE = [(n, f"p{n}@acme.com", f"+44 20 7123 {n:04}", f"536-90-{4000 + n}") for n in range(12)]
ROWS = [",".join(map(str, person)) for person in PEOPLE]
TEXTS = {
    "log": [f"line {n}: mail to {mail}, phone {phone}" for n, mail, phone, _ in PEOPLE],
    "csv": ["id,email,phone,order number", *ROWS],
    "insert": [
        "INSERT INTO customers (id, email, phone, order_number) VALUES",
        *[f"({n}, '{mail}', '{phone}', '{order}')," for n, mail, phone, order in PEOPLE],
        "(99, 'z@acme.com', '+44 20 7123 9999', '536-90-4999');",
        "-- call 020 7123 9999, ssn 536-90-4399",
    ],
    "copy": [
        "COPY customers (id, email, phone, order_number) FROM stdin;",
        *["\t".join(map(str, person)) for person in PEOPLE],
        "\\.",
        "ssn 536-90-4399",
    ],
    "html": [
        "<table><tr><th>id</th><th>email</th><th>phone</th><th>order number</th></tr>",
        *["<tr>" + "".join(f"<td>{cell}</td>" for cell in person) + "</tr>" for person in PEOPLE],
        "</table>",
        "<p>ssn 536-90-4399</p>",
    ],
    "list": ["ssn:", *[f"  - {order}" for *_, order in PEOPLE]],
    "jsonl": [json.dumps({"mail": mail, "order number": order}) for _, mail, _, order in PEOPLE],
    "quoted": [
        "From: a <a@example.org>",
        "Content-Transfer-Encoding: quoted-printable",
        "",
        *[line for row in ROWS for line in (f"mail: {row[:9]}=", f"{row[9:].replace('@', '=40')}")],
    ],
    "base64": [
        "Content-Type: text/plain",
        "Content-Transfer-Encoding: base64",
        "",
        *[b64encode(f"{row:<56}\n".encode()).decode() for row in ROWS],
    ],
    "entities": [f"<li>line {n}: {mail.replace('@', '&#64;')}</li>" for n, mail, *_ in PEOPLE],
    "xml": ["<?xml version='1.0'?>", *[f"<email>{mail}</email>" for _, mail, *_ in PEOPLE]],
}


def stream(name: str, elements: Callable[[], Iterator[Json]]) -> RecordStream:
    """Return a record stream of what `elements` yields, which is called each time it is read."""

    def chunks(_at: int = 0) -> Iterator[bytes]:
        for element in elements():
            yield json.dumps(element).encode() + b"\n"

    data = b"".join(chunks())
    return RecordStream(name, data.count(b"\n"), len(data), sha256(data), chunks)


def search(one: Input, ctx: Context | None = None, **config: Any) -> list[Json]:
    made = PersonalData.Config(**config)
    found = PersonalData().process([one], made, ctx or Context("f", Path()))
    return list(collected("findings", found)["findings"])


def files(*parts: Json) -> Input:
    return Input("source", {"files": list(parts)}, SchemaRef("file_set"))


def cut(lines: list[str], places: set[int]) -> list[Json]:
    """Return a text in parts that begin at some of its lines."""
    ends = sorted({0, len(lines), *(place for place in places if 2 < place < len(lines))})
    parts: list[Json] = []
    start = 0
    for begin, end in pairwise(ends):
        text = "".join(f"{line}\n" for line in lines[begin:end])
        parts.append({"path": "a.txt", "text": text, "line": begin, "start": start, "more": True})
        start += len(text)
    del parts[-1]["more"]
    return parts


@pytest.mark.parametrize("name", TEXTS)
@given(places=st.sets(st.integers(0, 15)))
@settings(max_examples=12, deadline=None)
@pytest.mark.sweep
def test_a_text_in_parts_has_the_findings_of_the_whole(name: str, places: set[int]) -> None:
    whole = search(files({"path": "a.txt", "text": "".join(f"{line}\n" for line in TEXTS[name])}))
    assert whole
    assert search(files(*cut(TEXTS[name], places))) == whole


@pytest.mark.parametrize("name", TEXTS)
def test_a_long_text_is_searched_in_pieces(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = files({"path": "a.txt", "text": "".join(f"{line}\n" for line in TEXTS[name])})
    whole = search(one)
    monkeypatch.setattr(text_search, "PIECE", 200)
    assert search(one) == whole


def test_a_long_line_is_cut_between_values(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[" + ", ".join(f'"p{n}@acme.com"' for n in range(500)) + "]"
    whole = search(files({"path": "a.json", "text": text}))
    monkeypatch.setattr(text_search, "PIECE", 1_500)
    assert search(files({"path": "a.json", "text": text})) == whole
    assert [finding["total"] for finding in whole] == [500]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_after_a_first_piece_without_one_are_counted(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_search, "PIECE", 100)
    text = "x " * 200 + "".join(f"{end}p{n}@acme.com" for n in range(5))
    (finding,) = search(files({"path": "a.txt", "text": text}))
    places = [(place["line"], place["column"]) for place in finding["locations"]]
    assert places == [(2, 1), (3, 1), (4, 1), (5, 1), (6, 1)]


def test_a_part_that_is_missing_moves_the_places_of_the_next() -> None:
    parts = cut([f"line {n}: p{n}@acme.com" for n in range(9)], {3, 6})
    (finding,) = search(files(parts[0], parts[2]))
    assert [place["line"] for place in finding["locations"]] == [1, 2, 3, 7, 8, 9]
    assert finding["locations"][3]["start"] == parts[2]["start"] + len("line 6: ")


def test_a_file_that_ends_with_a_part_was_not_read() -> None:
    parts, ctx = cut([f"p{n}@acme.com" for n in range(9)], {4}), Context("f", Path())
    (finding,) = search(files(parts[0]), ctx)
    assert finding["total"] == 4
    assert ctx.coverage.read == 0
    search(files(*parts), ctx)
    assert ctx.coverage.read == 1


COLUMNS = [{"name": name, "type": "TEXT"} for name in ("email", "photo", "note")]
CELLS: list[list[Json]] = [
    [
        f"p{n}@acme.com" if n % 3 else None,
        {"bytes": 9} if n % 2 else None,
        f"call +44 20 7123 {n:04}",
    ]
    for n in range(30)
]


def table(begin: int, end: int, **more: Json) -> Json:
    return {"name": "t", "row_count": 90, "columns": COLUMNS, "rows": CELLS[begin:end], **more}


@given(middle=st.integers(0, 30))
@settings(max_examples=12, deadline=None)
@pytest.mark.sweep
def test_a_table_in_parts_has_the_findings_of_the_whole(middle: int) -> None:
    found, covered = [], []
    for parts in (
        [table(0, 30)],
        [table(0, middle, more=True, row=0), table(middle, 30, row=middle)],
    ):
        ctx = Context("f", Path())
        one = Input("source", {"tables": parts}, SchemaRef("database"))
        found.append(search(one, ctx, max_locations=25))
        covered.append(ctx.coverage.document())
    assert found[0] == found[1]
    assert covered[0] == covered[1]
    assert covered[0] is not None
    assert covered[0]["found"] == [{"item": "t", "found": 30, "input": "source"}]
    ratios = [f["hit_ratio"] for f in found[0] if f["kind"] == "value"]
    assert ratios == [1.0, 1.0]


def test_rows_of_a_sample_keep_their_numbers() -> None:
    parts = [
        table(0, 2, more=True, row=0, row_numbers=[4, 7]),
        table(2, 4, row=2, row_numbers=[11, 60]),
    ]
    found = search(Input("source", {"tables": parts}, SchemaRef("database")))
    phones = next(f for f in found if f["type"] == "PHONE_NUMBER")
    assert [place["row"] for place in phones["locations"]] == [4, 7, 11, 60]


def test_json_records_are_searched_one_by_one() -> None:
    def people() -> Iterator[Json]:
        yield from ({"email": f"p{n}@acme.com"} for n in range(2_000))

    one = Input("source", {"owner": "jo@acme.de"}, ANY_JSON, stream("people", people))
    inline = Input("source", {"owner": "jo@acme.de", "people": list(people())}, ANY_JSON)
    assert search(one) == search(inline)
    assert {f["field"]: f["total"] for f in search(one) if f["kind"] == "value"} == {
        "$.owner": 1,
        "$.people[*].email": 2_000,
    }


@pytest.mark.sweep
def test_memory_depends_on_the_part_and_not_on_the_number_of_parts() -> None:
    def log(parts: int) -> Iterator[Json]:
        for n in range(parts):
            text = "".join(f"mail to user{line}@acme.com\n" for line in range(1_000))
            yield {"path": "a.log", "text": text, **({"more": True} if n + 1 < parts else {})}

    def peak(parts: int) -> int:
        one = Input("s", {}, SchemaRef("file_set"), stream("files", lambda: log(parts)))
        gc.disable()  # hypothesis hooks into collections, and what it needs then would count
        tracemalloc.start()
        try:
            (finding,) = search(one)
            assert finding["total"] == 1_000 * parts
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            gc.enable()

    peak(2)  # what is loaded once
    assert peak(12) < 1.3 * peak(3)
