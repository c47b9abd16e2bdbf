"""What a program learns of the coverage of a run, and the limit that it may set."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import waivern

BOOK = """
artifacts:
  files: {source: {type: filesystem, properties: {path: data}}}
  agreed: {gate: {question: All?, show: files}}
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("x" * 200)
    (tmp_path / "data" / "b.bin").write_bytes(b"\0" * 100)
    (tmp_path / "x.yaml").write_text(BOOK)
    return tmp_path / "x.yaml"


def test_the_result_has_the_coverage_that_run_json_has(book: Path, tmp_path: Path) -> None:
    result = waivern.run(book, store=tmp_path / "store")
    found = result.coverage
    assert isinstance(found, waivern.RunCoverage)
    assert (found.share, found.percent) == (Fraction(2, 3), "66.6")
    (source,) = found.sources
    assert (source.artifact, source.measure.items) == ("files", (1, 2))
    kept = waivern.load_run(result.run_id, store=tmp_path / "store")
    assert kept is not None
    assert kept.coverage == found.document() == result.metadata.coverage


def test_the_limit_is_a_term_of_every_verb_that_runs(book: Path, tmp_path: Path) -> None:
    store: dict[str, Any] = {"store": tmp_path / "store"}
    result = waivern.run(book, **store, min_coverage=66.7)
    assert (result.status, result.exit_code) == ("suspended", 6)  # no attempt will examine more
    assert result.policies == ("coverage 66.6 % (files, in bytes) is less than 66.7 %",)
    gate = f"{result.run_id}/agreed"
    decided = waivern.approve(gate, by="ann", min_coverage=66.7, **store)
    assert decided.result is not None
    assert decided.result.exit_code == 6
    again = waivern.resume(result.run_id, min_coverage=90, **store)
    assert (again.nothing_to_do, again.exit_code) == (True, 6)
    assert waivern.resume(result.run_id, min_coverage=66, **store).exit_code == 0
    assert waivern.replay(result.run_id, min_coverage=90, **store).exit_code == 6


@pytest.mark.parametrize("value", [101, -1, float("nan"), True, "90"])
def test_what_is_no_percentage_is_refused(book: Path, tmp_path: Path, value: Any) -> None:
    with pytest.raises(waivern.UsageError, match="min_coverage"):
        waivern.run(book, store=tmp_path / "store", min_coverage=value)
