"""`wct graph`: the graph of a runbook and of a run, in each format."""

from __future__ import annotations

import sys

import pytest
from wct_process import Place, Wct

BOOK = """
  a: {source: {type: python, properties: {call: "steps.py:value"}}}
  b: {source: {type: python, properties: {call: "steps.py:fail"}}}
  c: {inputs: [a, b], process: {type: python, properties: {call: "steps.py:total"}}}
"""


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what planning adds to `sys.path`."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def book(place: Place) -> str:
    return place.runbook("book.yaml", BOOK)


def test_a_runbook_is_drawn_before_it_has_run(place: Place, wct: Wct, book: str) -> None:
    drawn = wct("graph", book)
    assert drawn.code == 0
    assert "○ a" in drawn.out
    assert "→ ○ c" in drawn.out
    assert "python" in drawn.out
    assert not (place.path / ".waivern").exists(), "nothing is written"


def test_a_run_is_drawn_with_its_outcome(wct: Wct, book: str) -> None:
    wct("run", book, "-q")
    drawn = wct("graph", "@last").out
    assert "✔ a" in drawn
    assert "✘ b" in drawn
    assert "⊘ c" in drawn
    assert "skipped" in drawn
    for form, beginning in (("mermaid", "flowchart LR"), ("dot", "digraph"), ("svg", "<svg")):
        written = wct("graph", "@last", "--format", form)
        assert written.out.startswith(beginning)
        assert "failed" in written.out


def test_what_cannot_be_drawn_is_refused(wct: Wct, book: str) -> None:
    unknown = wct("graph", book, "--expand", "d")
    assert unknown.code == 4
    assert "no artifact 'd' in the graph" in unknown.err
    missing = wct("graph", "gone.yaml")
    assert missing.code == 4
    wct("run", book, "-q")
    assert wct("graph", "@last", "-p", "x=1").code == 2
    broken = wct("graph", "nothing")
    assert broken.code == 4
    assert "nothing" in broken.err
