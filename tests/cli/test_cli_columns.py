"""Records described by columns: the same facts as a table, as lines for a pipe, and as JSON."""

from __future__ import annotations

import io
import json
from typing import NamedTuple

import pytest
from wct_process import Place

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.screen import Screen

TEXT = "the reason is longer than the terminal of a person who works on a small laptop is wide"


class Row(NamedTuple):
    name: str
    number: int | None
    tags: list[str]
    why: str


ROWS = Records[Row](
    Column("name", lambda row: row.name, "NAME"),
    Column(
        "count", lambda row: row.number, "COUNT", shown=lambda row: f"{row.number} items", drop=1
    ),
    Column("tags", lambda row: [*row.tags], piped=False),
    Column("why", lambda row: row.why, "WHY", flexible=True, whole=True),
)
TWO = (Row("one", 1, ["a", "b"], TEXT), Row("two", None, [], "a\tb"))


def screen(width: int) -> Screen:
    return Screen(io.StringIO(), tty=width > 0, live=False, colour=False, unicode=True, width=width)


def shown(records: Records[Row], width: int) -> list[str]:
    out = screen(width)
    records.show(out, TWO)
    assert isinstance(out.stream, io.StringIO)
    return out.stream.getvalue().splitlines()


def test_a_pipe_gets_whole_texts_between_tabs() -> None:
    assert shown(ROWS, 0) == [f"one\t1\t{TEXT}", "two\t\ta\\tb"]
    assert ROWS.pipe_help.endswith("tabs: name, count, why.")


def test_programs_get_every_column() -> None:
    assert json.dumps(ROWS.documents(TWO[1:])) == (
        '[{"name": "two", "count": null, "tags": [], "why": "a\\tb"}]'
    )


@pytest.mark.parametrize("width", [25, 40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = shown(ROWS, width)
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("NAME")
    text = " ".join(line.split("  ")[-1].strip() for line in lines[1:])
    assert TEXT in text, "a reason is whole"


def test_a_narrow_terminal_drops_the_column_whose_turn_it_is() -> None:
    assert ["COUNT" in shown(ROWS, width)[0] for width in (35, 60)] == [False, True]


def test_a_text_that_is_not_whole_is_cut() -> None:
    cut = Records[Row](
        *ROWS.columns[:2],
        Column("why", lambda row: row.why, "WHY", flexible=True, keep_end=True),
    )
    lines = shown(cut, 60)
    assert len(lines) == 3
    assert lines[1].endswith("small laptop is wide")
    assert "…" in lines[1]


def test_every_list_of_components_is_complete(place: Place) -> None:
    for kind in ("connectors", "processors"):
        listed = place.wct(kind, "--json").data("components")
        assert [each["name"] for each in listed] == [row[0] for row in place.wct(kind).rows]
        assert all(each["description"] and each["properties"] is not None for each in listed)
