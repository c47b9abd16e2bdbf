"""What plain scalars mean: the YAML 1.2 core schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from runbook_text import problems, runbook

from waivern.ids import ArtifactId
from waivern.language.producer_specs import SourceSpec

VALUES = [
    ("", None),
    ("~", None),
    ("null", None),
    ("NULL", None),
    ("nULL", "nULL"),
    ("true", True),
    ("True", True),
    ("FALSE", False),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("y", "y"),
    ("0", 0),
    ("-0", 0),
    ("+12", 12),
    ("012", 12),
    ("08", 8),
    ("0o17", 15),
    ("0o18", "0o18"),
    ("0x1F", 31),
    ("-0x1F", "-0x1F"),
    ("0b11", "0b11"),
    ("1_000", "1_000"),
    ("1,000", "1,000"),
    ("1.5", 1.5),
    ("-.5", -0.5),
    ("5.", 5.0),
    ("1e3", 1000.0),
    ("1E-2", 0.01),
    (".", "."),
    ("1.2.3", "1.2.3"),
    ("12:30:45", "12:30:45"),
    ("2026-01-31", "2026-01-31"),
    ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z"),
    ("=", "="),
    ("<<", "<<"),
    ("'12'", "12"),
    ('"true"', "true"),
    ("!!str 12", "12"),
    ("! 12", "12"),
    ("!!int '12'", 12),
    ("!!float 1", 1.0),
    ("!!bool 'true'", True),
    ("!!null ''", None),
    ("!!seq [1]", [1]),
    ("!!map {a: 1}", {"a": 1}),
    ("|\n  a\n  b", "a\nb\n"),
    ("١٢", "١٢"),  # digits, but not ASCII ones
    ("1" * 300, int("1" * 300)),
]


def properties(yaml: str) -> Any:
    text = f"artifacts:\n a:\n  source:\n   type: t\n   properties:\n{yaml}"
    producer = runbook(text).artifacts[ArtifactId("a")].producer
    assert isinstance(producer, SourceSpec)
    return producer.properties


@pytest.mark.parametrize(("written", "value"), VALUES)
def test_a_scalar_is_what_yaml_1_2_says(written: str, value: object) -> None:
    found = properties("    x: " + written.replace("\n", "\n    ") + "\n")["x"]
    assert (type(found), found) == (type(value), value)


def test_values_are_json_and_shared_text_is_kept() -> None:
    found = properties('    x: {"a\\tb": [1, "\\u263a", {}]}\n    "": empty\n')
    assert found == {"x": {"a\tb": [1, "☺", {}]}, "": "empty"}
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("written", ["9" * 301, "0x" + "f" * 5000, "9" * 5000, "1." + "0" * 5000])
def test_a_number_of_many_digits_is_refused(written: str) -> None:
    [problem] = problems("artifacts: {a: {source: {type: t, properties: {x: " + written + "}}}}")
    assert problem.code == "WCT111"
    assert "more than 300 digits" in problem.message
