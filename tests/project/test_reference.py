"""The generated pages of the reference, compared with the code."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from transcript import ROOT, fresh_clone

from waivern.record import journal_events

PATH = ROOT / "docs" / "reference" / "generate.py"
_spec = importlib.util.spec_from_file_location("generate", PATH)
assert _spec is not None
assert _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


@pytest.mark.parametrize("name", sorted(generate.PAGES))
def test_a_generated_page_is_current(name: str) -> None:
    page = (PATH.parent / name).read_text()
    assert page == generate.PAGES[name](), "run: python docs/reference/generate.py"


def test_every_schema_of_a_shipped_component_is_described() -> None:
    named = set(re.findall(r"Produces \[`([\w/.-]+)`\]", generate.components()))
    page = (PATH.parent / "schemas.md").read_text()
    headings = set(re.findall(r"^## (\w+)$", page, re.MULTILINE))
    assert {name.partition("/")[0] for name in named} <= headings


def documented_fields(page: str) -> set[str]:
    return set(re.findall(r"^\| `([\w.\[\]]+)` \|", page, re.MULTILINE))


def fields(value: object, path: str = "") -> set[str]:
    """Return the paths of all fields in a content, as the page writes them."""
    if isinstance(value, list):
        return {each for item in value for each in fields(item, f"{path}[]")}
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, below in value.items():
        here = f"{path}.{key}" if path else key
        found |= {here} | fields(below, here)
    return found


OPEN = ("ruleset.", "rulesets[]", ".rule.", ".by_", ".locations[]", ".rows[]")
"""Fields whose own fields a cell of the table names, or that depend on the data."""


def test_every_field_that_the_sample_data_produces_is_described(tmp_path: Path) -> None:
    clone = fresh_clone(tmp_path)
    wct = Path(sys.executable).with_name("wct")
    run = [str(wct), "run", "runbooks/quickstart.yaml", "-q", "--run-id", "r"]
    subprocess.run(run, cwd=clone, check=True, capture_output=True)
    described = documented_fields((PATH.parent / "schemas.md").read_text())
    for name in ("files", "customers", "findings"):
        content = json.loads((clone / f".waivern/runs/r/{name}.json").read_bytes())["content"]
        found = {each for each in fields(content) if not any(part in each for part in OPEN)}
        assert found <= described, found - described


def test_every_event_of_the_journal_is_described() -> None:
    page = (PATH.parent / "disk-format.md").read_text()
    described = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    names = [kind.__name__.removesuffix("Record") for kind in get_args(journal_events.Event)]
    assert len(names) > 10
    assert {re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower() for name in names} <= described
