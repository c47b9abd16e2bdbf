"""`wct schema`: what an editor knows of runbooks, by a validator that others wrote."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from wct_process import Place, Wct

from waivern.cli.ui.problem_explanations import EXPLANATIONS
from waivern.plugins.catalogue import Catalogue
from waivern.runs.runbook_schema import runbook_schema

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(
    path
    for path in (ROOT / "runbooks").rglob("*.yaml")
    if re.search("^artifacts:", path.read_text(), re.MULTILINE)
)
SEEN_BY_AN_EDITOR = ("WCT103", "WCT104", "WCT105", "WCT106", "WCT107", "WCT203", "WCT204")


@cache
def validator() -> Draft202012Validator:
    found = runbook_schema(Catalogue(), None)
    assert found.faults == ()
    Draft202012Validator.check_schema(found.document)
    return Draft202012Validator(found.document)


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def faults(text: str) -> list[str]:
    return [str(each.message) for each in validator().iter_errors(read(text))]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_runbook_fits(path: Path) -> None:
    assert faults(path.read_text()) == []


@pytest.mark.parametrize("code", [code for code, each in EXPLANATIONS.items() if each.right])
def test_no_valid_runbook_is_marked(code: str) -> None:
    text = EXPLANATIONS[code].right
    assert text
    assert faults(text) == []


@pytest.mark.parametrize("code", SEEN_BY_AN_EDITOR)
def test_an_editor_sees_wrong_keys_types_components_and_properties(code: str) -> None:
    text = EXPLANATIONS[code].wrong
    assert text
    assert faults(text)


@pytest.mark.parametrize(
    ("source", "fits"),
    [
        ("{type: filesystem, properties: {path: data, max_file_size: '${SIZE}'}}", True),
        ("{type: filesystem, properties: {path: data, max_file_size: 10MB}}", True),
        ("{type: filesystem, properties: {path: data, max_file_size: [1]}}", False),
        ("{type: filesystem, properties: {}}", False),
        ("{type: filesystem}", False),
        ("{type: '${KIND}', properties: {anything: 1}}", True),
        ("{type: sqlite, properties: {path: x.db, include: ['*']}}", False),
        ("{type: personal_data}", False),
    ],
)
def test_properties_are_those_of_the_component(source: str, fits: bool) -> None:
    assert (faults(f"artifacts: {{a: {{source: {source}}}}}") == []) is fits


def test_what_the_project_supplies_is_not_required(place: Place, wct: Wct) -> None:
    book = read("artifacts: {a: {source: {type: filesystem}}}")
    (place.path / "waivern.yaml").write_text("components: {filesystem: {path: data}}\n")
    supplied = Draft202012Validator(json.loads(wct("schema").out))
    assert supplied.is_valid(book)
    assert not validator().is_valid(book)


def test_a_component_of_the_project_is_named_and_not_run(place: Place, wct: Wct) -> None:
    (place.path / "parts").mkdir()
    (place.path / "parts" / "own.py").write_text("raise SystemExit('ran')\nconnector = object()\n")
    (place.path / "waivern.yaml").write_text("component_paths: [parts]\n")
    done = wct("schema")
    assert (done.code, done.err) == (0, "")
    own = Draft202012Validator(json.loads(done.out))
    assert own.is_valid(read("artifacts: {a: {source: {type: own, properties: {x: 1}}}}"))


def test_vscode_gets_the_schema_and_keeps_its_settings(place: Place, wct: Wct) -> None:
    place.runbook("scan.yaml", "  a: {inputs: b}\n")
    (place.path / "other.yaml").write_text("key: value\n")
    folder = place.path / ".vscode"
    folder.mkdir()
    settings = folder / "settings.json"
    settings.write_text('{\n  "editor.rulers": [100],\n  "yaml.schemas": {"x.json": "y.yaml"}\n}\n')
    settings.chmod(0o600)
    done = wct("schema", "--install", "vscode")
    assert (done.code, done.out) == (0, ".vscode/runbook.schema.json is for scan.yaml\n")
    assert json.loads(settings.read_text()) == {
        "editor.rulers": [100],
        "yaml.schemas": {"x.json": "y.yaml", "./.vscode/runbook.schema.json": ["scan.yaml"]},
    }
    assert settings.stat().st_mode & 0o777 == 0o600
    assert settings.read_text().startswith('{\n  "editor.rulers"')
    once = settings.read_bytes()
    assert wct("schema", "--install", "vscode").code == 0
    assert settings.read_bytes() == once
    Draft202012Validator.check_schema(json.loads((folder / "runbook.schema.json").read_text()))
    assert sorted(each.name for each in folder.iterdir()) == [
        "runbook.schema.json",
        "settings.json",
    ]


@pytest.mark.parametrize("text", ['{\n  // mine\n  "a": 1,\n}\n', "[]", '{"yaml.schemas": []}'])
def test_settings_that_cannot_be_merged_are_left_alone(place: Place, wct: Wct, text: str) -> None:
    (place.path / ".vscode").mkdir()
    settings = place.path / ".vscode" / "settings.json"
    settings.write_text(text)
    done = wct("schema", "--install", "vscode")
    assert done.code == 5
    assert "add this by hand" in done.err
    assert settings.read_text() == text
    assert not (place.path / ".vscode" / "runbook.schema.json").exists()


def test_without_settings_they_are_created(place: Place, wct: Wct) -> None:
    assert wct("schema", "--install", "vscode").code == 0
    text = (place.path / ".vscode" / "settings.json").read_text()
    assert json.loads(text)["yaml.schemas"] == {
        "./.vscode/runbook.schema.json": ["runbooks/*.yaml"]
    }
