"""Planted values in Python: `result.coverage.proofs`, and `min_recall` of every verb that runs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import waivern

BOOK = """
name: x
artifacts:
  files: {source: {type: filesystem, properties: {path: data}}}
  found: {inputs: files, process: {type: personal_data, properties: {%s}}}
  agreed: {gate: {question: All?, show: found}}
"""
ACME = "name: acme\nversion: 1.0.0\ntypes: {IBAN_CODE: {unless: [iban]}}\n"


def book(folder: Path, properties: str = "") -> Path:
    (folder / "data").mkdir()
    (folder / "data" / "a.txt").write_text("mail: jo@acme.io\n")
    (folder / "acme.yaml").write_text(ACME)
    (folder / "x.yaml").write_text(BOOK % properties)
    return folder / "x.yaml"


def test_the_result_has_what_each_scan_found(tmp_path: Path) -> None:
    result = waivern.run(book(tmp_path), store=tmp_path / "store", min_recall=1.0)
    (proof,) = result.coverage.proofs
    assert (proof.artifact, proof.copied, proof.values.recall) == ("found", False, Fraction(1))
    assert proof.values.found == proof.values.planted > 100
    assert result.coverage.recall == Fraction(1)
    assert result.policies == ()


def test_the_limit_is_a_term_of_every_verb_that_runs(tmp_path: Path) -> None:
    store: dict[str, Any] = {"store": tmp_path / "store"}
    blind = "ruleset: acme.yaml, types: [IBAN_CODE, EMAIL_ADDRESS]"
    result = waivern.run(book(tmp_path, blind), **store, min_recall=0.51)
    assert (result.status, result.exit_code) == ("suspended", 6)
    assert result.policies == (
        "recall 0.5 is less than 0.51: found: 1 of 2 planted values found; "
        "not found in text lines: IBAN_CODE",
    )
    assert any("IBAN_CODE" in warning for warning in result.warnings)
    decided = waivern.approve(f"{result.run_id}/agreed", by="ann", min_recall=0.5, **store)
    assert decided.result is not None
    assert decided.result.exit_code == 0
    assert waivern.resume(result.run_id, min_recall=1, **store).exit_code == 6
    assert waivern.replay(result.run_id, min_recall=1, **store).exit_code == 6


@pytest.mark.parametrize("value", [1.1, -1, float("nan"), True, "1"])
def test_what_is_no_share_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(waivern.UsageError, match="min_recall"):
        waivern.run(book(tmp_path), store=tmp_path / "store", min_recall=value)
