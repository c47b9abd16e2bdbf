"""Conditions that can never hold are refused before anything runs, with what can be."""

from __future__ import annotations

import pytest
from wct_process import Place, Wct

FINDINGS = """
  files: {source: {type: filesystem, properties: {path: .}}}
  findings: {inputs: files, process: {type: personal_data}}
"""
STEP = '{type: python, properties: {call: "steps.py:value"}}'


def _when(place: Place, condition: str, more: str = "") -> str:
    asked = f"  asked:\n    when: {condition!r}\n    inputs: findings\n    process: {STEP}\n"
    return place.runbook("book.yaml", FINDINGS + more + asked, HEAD)


HEAD = "params: {n: {type: integer, default: 1}, day: {type: date, default: '2025-01-01'}}"

NEVER = [
    (
        'inputs.findings.findings[0].category == "HEALTH"',
        '`inputs.findings.findings[0].category` is never "HEALTH"',
        "did you mean 'health'?",
    ),
    ('"HEALTH" in inputs.findings.findings[*].category', 'is never "HEALTH"', "'health'?"),
    ('"EMAIL" in inputs.findings.findings[*].type', 'is never "EMAIL"', "EMAIL_ADDRESS"),
    ('inputs.findings.findings[*].typ == "x"', "has no field 'typ'", "did you mean 'type'?"),
    ("exists(inputs.findings.finding)", "has no field 'finding'", "did you mean 'findings'?"),
    ("inputs.findings.summary.findings > '3'", "cannot be ordered", None),
    ("inputs.findings.summary.findings == '3'", "they are never equal", None),
    ("'EMAIL' in inputs.findings.summary.by_type", "never has the key 'EMAIL'", "EMAIL_ADDRESS"),
    ("inputs.findings.summary.by_type.EMAIL > 0", "has no field 'EMAIL'", "EMAIL_ADDRESS"),
    ("inputs.findings.findings.type == 'x'", "has no field 'type'", "[*].type"),
    ("max(inputs.findings.findings[*].severity) > 1", "its items are text", None),
    ("inputs.findings.findings", "has to be true or false, and is a list", None),
    ("starts_with(inputs.findings.findings[0].kind, 'v_')", "never begins with 'v_'", "value"),
    ("status.files == 'success'", "`status.files` is never 'success'", "completed"),
    ("status.files in ['success', 'failed']", "is never 'success'", "it can be: completed"),
    ("status.files == true", "they are never equal", None),
    ("params.n == '1'", "`params.n` is a number", None),
    ("params.day > 20250101", "cannot be ordered", None),
    ("not params.n", "has to be true or false, and is a number", None),
]


@pytest.mark.parametrize(("condition", "said", "hint"), NEVER)
def test_what_can_never_be_is_refused_with_its_place(
    place: Place, condition: str, said: str, hint: str | None, wct: Wct
) -> None:
    done = wct("validate", _when(place, condition))
    assert done.code == 3
    assert said in done.err
    assert hint is None or hint in done.err
    assert "book.yaml:7:" in done.err


POSSIBLE = [
    "'health' in inputs.findings.findings[*].category or params.n > 3",
    "inputs.findings.summary.by_type.EMAIL_ADDRESS > 0",
    "count(inputs.findings.findings[*].locations[*].file) > 0 and params.day > '2024-12-31'",
    "status.files in ['completed', 'failed'] and status.files != 'skipped'",
    "inputs.findings.findings[0].severity in ['high', 'medium'] or lower('A') == 'a'",
    "exists(inputs.findings.findings[0].hit_ratio)",
]


@pytest.mark.parametrize("condition", POSSIBLE)
def test_what_can_be_is_not_refused(place: Place, condition: str, wct: Wct) -> None:
    assert wct("validate", _when(place, condition)).code == 0


def test_a_gate_and_a_merge_are_known_too(place: Place, wct: Wct) -> None:
    more = (
        "  other: {inputs: files, process: {type: personal_data}}\n"
        "  both: {inputs: [findings, other]}\n"
        "  asked1:\n    inputs: both\n    when: \"'HEALTH' in inputs.both.findings[*].category\"\n"
        f"    process: {STEP}\n"
        "  gate: {gate: {question: Go?, show: both}}\n"
        "  asked2:\n    inputs: gate\n    when: inputs.gate.aproved\n"
        f"    process: {STEP}\n"
    )
    done = wct("validate", _when(place, "true", more))
    assert "the condition of 'asked1': `inputs.both.findings[*].category` is never" in done.err
    assert "has no field 'aproved'" in done.err
    assert "did you mean 'approved'?" in done.err


def test_a_policy_that_never_trips_is_refused(place: Place, wct: Wct) -> None:
    book = _when(place, "true")
    policy = "'HEALTH' in artifacts.findings.findings[*].category"
    done = wct("run", book, "--fail-on", policy)
    assert done.code == 2
    assert "is never 'HEALTH'" in done.err
    assert "did you mean 'health'?" in done.err
    assert not (place.path / ".waivern").exists()


def test_types_of_own_rules_are_known(place: Place, wct: Wct) -> None:
    (place.path / "own.yaml").write_text(
        "name: own\nversion: 1.0.0\ntypes:\n"
        "  BADGE: {category: employment, patterns: ['BADGE-[0-9]{6}']}\n"
    )
    text = FINDINGS.replace("personal_data", "personal_data, properties: {ruleset: own.yaml}")
    asked = "  asked:\n    when: \"'%s' in inputs.findings.findings[*].type\"\n"
    asked += f"    inputs: findings\n    process: {STEP}\n"
    assert wct("validate", place.runbook("own_book.yaml", text + asked % "BADGE")).code == 0
    done = wct("validate", place.runbook("own_book.yaml", text + asked % "BADGES"))
    assert done.code == 3
    assert "did you mean 'BADGE'?" in done.err


def test_only_what_is_looked_for_can_be_found(place: Place, wct: Wct) -> None:
    """Where items differ, it is enough that one of them can."""
    text = (
        "  files: {source: {type: filesystem, properties: {path: .}}}\n"
        "  found:\n    for_each: [IBAN_CODE, EMAIL_ADDRESS]\n    inputs: files\n"
        "    process: {type: personal_data, properties: {types: ['${each}'], field_names: false}}\n"
        "  asked:\n    for_each: [IBAN_CODE, EMAIL_ADDRESS]\n    inputs: found/${each}\n"
        f"    process: {STEP}\n"
    )
    when = "    when: \"'%s' in inputs['found/IBAN_CODE'].findings[*].type\"\n"
    one = f"  one:\n    inputs: found/IBAN_CODE\n    process: {STEP}\n"
    assert wct("validate", place.runbook("b.yaml", text + one + when % "IBAN_CODE")).code == 0
    assert wct("validate", place.runbook("b.yaml", text + one + when % "PHONE_NUMBER")).code == 3
