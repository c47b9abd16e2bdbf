"""What an edit of a runbook changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from waivern.planning.changes import changes
from waivern.runbook.loader import parse
from waivern.runbook.model import Runbook


def book(*artifacts: str, head: str = "") -> Runbook:
    text = head + "artifacts:\n" + "".join(f"  {artifact}\n" for artifact in artifacts)
    return parse(text.encode(), path=None, folder=Path("/"), environ={"V": "1", "W": "2"})


SOURCE = "a: {source: {type: t, properties: {p: 1, q: {r: [1, 2]}}}}"
OTHER = "z: {source: {type: t}}"


def said(old: Runbook, new: Runbook) -> list[str]:
    return [str(change) for change in changes(old, new)]


def test_the_same_is_no_change() -> None:
    assert said(book(SOURCE), book(SOURCE)) == []


@pytest.mark.parametrize(
    "new",
    [
        "a: {description: why, name: N, contact: me, source: {type: t, properties: {p: 1, q: {r: "
        "[1, 2]}}}}",
        "a: {source: {properties: {q: {r: [1, 2]}, p: 1}, type: t}}",
        "a: {source: {type: t, properties: {p: 1, q: {r: [1, 2]}}}, output: true}",
        "a: {source: {type: t, properties: {p: 1, q: {r: [1, 2]}}}, optional: true}",
    ],
    ids=["texts", "order of keys", "output", "optional"],
)
def test_what_makes_no_other_artifact(new: str) -> None:
    assert said(book(SOURCE), book(new)) == []


def test_what_the_runbook_says_of_itself_is_no_change() -> None:
    assert said(book(SOURCE), book(SOURCE, head="name: N\nversion: '2'\n# comment\n")) == []


def test_the_order_of_artifacts_is_no_change() -> None:
    assert said(book(SOURCE, OTHER), book(OTHER, SOURCE)) == []


@pytest.mark.parametrize(
    ("new", "what"),
    [
        ("a: {source: {type: u, properties: {p: 1, q: {r: [1, 2]}}}}", "source.type 't' → 'u'"),
        (
            "a: {source: {type: t, properties: {p: 2, q: {r: [1, 2]}}}}",
            "source.properties.p 1 → 2",
        ),
        (
            "a: {source: {type: t, properties: {p: '1', q: {r: [1, 2]}}}}",
            "source.properties.p 1 → '1'",
        ),
        (
            "a: {source: {type: t, properties: {p: 1.0, q: {r: [1, 2]}}}}",
            "source.properties.p 1 → 1.0",
        ),
        (
            "a: {source: {type: t, properties: {p: true, q: {r: [1, 2]}}}}",
            "source.properties.p 1 → True",
        ),
        (
            "a: {source: {type: t, properties: {q: {r: [1, 2]}}}}",
            "source.properties.p 1 → (none)",
        ),
        (
            "a: {source: {type: t, properties: {p: 1, q: {r: [2, 1]}}}}",
            "source.properties.q.r [1, 2] → [2, 1]",
        ),
        (
            "a: {source: {type: t, properties: {p: 1, q: {r: [1, 2]}}}, output_schema: s}",
            "output_schema (none) → 's/1.0.0'",
        ),
    ],
)
def test_one_change(new: str, what: str) -> None:
    assert said(book(SOURCE), book(new)) == [f"a: {what}"]


def test_added_and_removed() -> None:
    assert said(book(SOURCE), book(OTHER)) == ["z: added", "a: removed"]
    assert said(book(SOURCE), book(SOURCE, OTHER)) == ["z: added"]


def test_another_kind_of_artifact() -> None:
    found = said(book(SOURCE), book("a: {reuse: {from_run: r, artifact: x}}"))
    assert len(found) == 2
    assert found[0].startswith("a: source {'type': 't', ")
    assert found[1] == "a: reuse (none) → {'from_run': 'r', 'artifact': 'x'}"
    assert all(len(line) < 160 for line in found)


def test_a_variable_is_compared_as_written() -> None:
    text = "a: {{source: {{type: t, properties: {{p: '${{{}}}'}}}}}}"
    assert said(book(text.format("V")), book(text.format("V"))) == []
    assert said(book(text.format("V")), book(text.format("W"))) == [
        "a: source.properties.p '${V}' → '${W}'"
    ]


def test_the_order_of_inputs_is_a_change() -> None:
    old, new = (book(SOURCE, OTHER, f"m: {{inputs: [{i}]}}") for i in ("a, z", "z, a"))
    assert said(old, new) == ["m: inputs ['a', 'z'] → ['z', 'a']"]


def test_a_long_value_is_cut() -> None:
    long = "a: {{source: {{type: t, properties: {{p: '{}'}}}}}}"
    (line,) = said(book(long.format("x" * 999)), book(long.format("y" * 999)))
    assert len(line) < 200
