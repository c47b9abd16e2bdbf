"""The reference of the runbook language: its examples can be planned, and it is complete."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from transcript import Block, blocks

from waivern.detection import extend_ruleset, scan
from waivern.detection.additions import RulesetError
from waivern.diagnostics import InvalidError
from waivern.language import field_types, models
from waivern.language.artifact_spec import ArtifactSpec, RepeatSpec, RetrySpec
from waivern.language.conditions import Condition
from waivern.language.keys import Model, keys
from waivern.language.params import TYPES, Param
from waivern.language.producer_specs import (
    ChildSpec,
    GateSpec,
    NotifySpec,
    ProcessSpec,
    ReuseSpec,
    SourceSpec,
)
from waivern.language.project import parse
from waivern.record.status import RunStatus
from waivern.runs.policies import ROOTS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RUNBOOK = (DOCS / "reference" / "runbook.md").read_text()
CONDITIONS = (DOCS / "reference" / "conditions.md").read_text()
DETECTION = (DOCS / "explanation" / "detection.md").read_text()
WCT = str(Path(sys.executable).with_name("wct"))

ARTIFACT = set(keys(ArtifactSpec))
TOP = set(keys(models.Runbook))
OWN_RULES = "Your own rules"
AROUND = {
    "files": {"source": {"type": "filesystem", "properties": {"path": "data/files"}}},
    "findings": {"inputs": "files", "process": {"type": "personal_data"}},
}
"""The artifacts that a fragment may refer to."""


def framed(text: str) -> tuple[str, str | None]:
    """Return a whole runbook around a block, and the artifact that the block is, if it is one."""
    keys = yaml.safe_load(text).keys()
    if "artifacts" in keys:
        return text, None
    lines = text.splitlines()
    around = yaml.safe_dump({"artifacts": AROUND})
    if not keys & (ARTIFACT - TOP):
        return f"{text}\n{around}", None
    if not keys & {"source", "inputs", "reuse", "child_runbook", "gate"}:
        lines.append("inputs: findings")
    return f"{around}  shown:\n" + "".join(f"    {line}\n" for line in lines), "shown"


def written(folder: Path) -> dict[str, str | None]:
    """Lay out what the pages show; return each runbook's file and the artifact it has to have."""
    shutil.copytree(ROOT / "runbooks" / "data", folder / "data")
    found: dict[str, str | None] = {}
    shown = [*blocks(RUNBOOK), *blocks(CONDITIONS), *blocks(section(DETECTION, OWN_RULES))]
    for number, block in enumerate(shown):
        if named := re.search(r"file=(\S+)", block.rest):
            path = folder / named[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text)
        elif block.kind == "yaml" and block.rest == "project":
            (folder / "waivern.yaml").write_text(block.text)
        elif block.kind == "yaml":
            assert block.rest == ""
            name = f"block-{number:02}.yaml"
            text, found[name] = framed(block.text)
            (folder / name).write_text(text)
    return found


@dataclass(frozen=True, slots=True)
class Shown:
    """The runbooks that the pages show, as files, and what came of planning them."""

    folder: Path
    files: Mapping[str, str | None]
    planned: Mapping[str, dict[str, list[str]]]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("pages")
    files = written(folder)
    quickstart = ROOT / "runbooks" / "quickstart.yaml"  # what `reuse` is shown with
    subprocess.run([WCT, "run", str(quickstart), "-q"], cwd=folder, check=True)
    script = Path(__file__).with_name("plan_blocks.py")
    done = subprocess.run(
        [sys.executable, str(script), "."], cwd=folder, capture_output=True, check=True
    )
    return Shown(folder, files, json.loads(done.stdout))


def test_every_runbook_that_is_shown_can_be_planned(shown: Shown) -> None:
    assert len(shown.files) > 12
    assert shown.planned.keys() == shown.files.keys()
    for name, plan in shown.planned.items():
        assert "problems" not in plan, (shown.folder / name).read_text()
        artifact = shown.files[name]
        assert artifact is None or any(id_.split("/")[0] == artifact for id_ in plan["artifacts"])


def test_ids_are_what_the_comments_say(shown: Shown) -> None:
    ids = {id_ for plan in shown.planned.values() for id_ in plan["artifacts"]}
    comments = re.findall(r" # (.*)$", RUNBOOK, re.MULTILINE)
    named = {word for text in comments for word in re.findall(r"[\w-]+/[\w./-]+[\w]", text)}
    assert len(named) > 4
    assert named <= ids


def section(page: str, heading: str) -> str:
    """Return the text below a heading, up to the next one of its level or above."""
    (level,) = re.findall(rf"^(#+) {re.escape(heading)}$", page, re.MULTILINE)
    below = re.split(rf"^{level} {re.escape(heading)}$", page, flags=re.MULTILINE)[1]
    return re.split(rf"^#{{1,{len(level)}}} ", below, flags=re.MULTILINE)[0]


def tables(text: str) -> list[dict[str, list[str]]]:
    """Return each table with a first column called `key …`: the key, then the other cells."""
    found: list[dict[str, list[str]]] = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [
            [cell.strip() for cell in row.strip().strip("|").split("|")]
            for row in block.splitlines()
        ]
        if rows[0][0].startswith("key"):
            found.append({row[0].strip("`"): row[1:] for row in rows[2:]})
    return found


MODELS: list[tuple[str, int, type[Model]]] = [
    ("The top level", 0, models.Runbook),
    ("config", 0, models.RunbookConfig),
    ("An artifact", 0, ArtifactSpec),
    ("source and process", 0, SourceSpec),
    ("source and process", 0, ProcessSpec),
    ("reuse", 0, ReuseSpec),
    ("child_runbook", 0, ChildSpec),
    ("gate", 0, GateSpec),
    ("gate", 1, NotifySpec),
    ("repeat", 0, RepeatSpec),
    ("retry", 0, RetrySpec),
    ("params", 0, Param),
    ("inputs and outputs of a child", 0, models.ChildInput),
    ("inputs and outputs of a child", 1, models.ChildOutput),
]


def test_every_model_has_a_table() -> None:
    assert {shape for _, _, shape in MODELS} == {
        each for each in Model.__subclasses__() if each.__module__ != "waivern.language.project"
    }


@pytest.mark.parametrize(("heading", "number", "shape"), MODELS, ids=str)
def test_keys_are_those_of_the_model(heading: str, number: int, shape: type[Model]) -> None:
    table = tables(section(RUNBOOK, heading))[number]
    assert sorted(table) == sorted(keys(shape))
    for key, (_, default, _) in table.items():
        field = shape.model_fields[key]
        assert (default == "required") == field.is_required(), key
        if isinstance(field.default, bool | int | float | str):
            plain = f"{field.default:g}" if isinstance(field.default, float) else field.default
            assert str(plain).lower() in default, key


def allowed(*place: str) -> list[str]:
    """Return the keys that a project file may have at a place, as it says itself."""
    tree: dict[str, Any] = {"odd": None}
    for key in reversed(place):
        tree = {key: tree}
    data = yaml.safe_dump(tree).encode()
    with pytest.raises(InvalidError) as caught:
        parse(data, path="waivern.yaml", folder=ROOT, statuses=list(RunStatus))
    hint = caught.value.problems[0].hint
    assert hint is not None
    return hint.rpartition("allowed here: ")[2].split(", ")


def test_keys_are_those_of_the_project_file() -> None:
    (table,) = tables(section(RUNBOOK, "The project file"))
    wanted: list[str] = []
    for key in allowed():
        nested = key in ("persistence", "retention")
        wanted += [f"{key}.{below}" for below in allowed(key)] if nested else [key]
    assert list(table) == wanted


def test_types_of_parameters_are_all_named() -> None:
    (table,) = tables(section(RUNBOOK, "params"))
    assert re.findall(r"`(\w+)`", table["type"][-1]) == list(TYPES)


def test_refused_keys_are_all_named() -> None:
    named = re.findall(r"`(\w+)`", section(RUNBOOK, "Refused"))
    assert {*ArtifactSpec.unsupported, *models.RunbookConfig.unsupported} <= set(named)


def refused(document: dict[str, Any]) -> list[str]:
    """Return the keys that a ruleset may have where `document` has one that it may not."""
    plain = {"name": "x", "version": "1", **document}
    with pytest.raises(RulesetError) as caught:
        extend_ruleset(plain, "")
    hints = [fault.hint for fault in caught.value.problems if fault.hint]
    (hint,) = [hint for hint in hints if hint.startswith("allowed here: ")]
    return hint.removeprefix("allowed here: ").split(", ")


def test_keys_of_rulesets_are_all_named() -> None:
    text = section(DETECTION, OWN_RULES)
    top, rule = tables(text)
    named = [name for row in top for name in re.findall(r"\w+", row)]
    assert sorted(named) == sorted(refused({"odd": 1}))
    assert sorted(rule) == sorted(refused({"types": {"T": {"odd": 1}}}))
    for part in ("fields", "categories"):
        named = re.findall(r"`(\w+)`", top[part][0])
        assert set(refused({part: {"contact": {"odd": 1}}})) <= set(named)


def test_ruleset_that_is_shown_finds_what_it_says() -> None:
    (shown,) = [b for b in blocks(section(DETECTION, OWN_RULES)) if "file=" in b.rest]
    rules = extend_ruleset(yaml.safe_load(shown.text), "")
    found = scan("Staff number LO-061, locker LO-061.", rules)
    assert [(each.type, each.rule, each.confidence) for each in found] == [
        ("STAFF_NUMBER", "acme/STAFF_NUMBER", 0.99)
    ]


def test_questions_in_the_examples_can_be_read() -> None:
    rows = re.findall(r"^\| .* \| `(.*)` \|$", section(CONDITIONS, "Examples"), re.MULTILINE)
    assert len(rows) > 8
    for text in rows:
        roots = ROOTS if "artifacts." in text else field_types.WHEN | field_types.UNTIL
        assert Condition.parse(text, roots).text == text


def test_names_are_those_of_each_place() -> None:
    """The table says which names may stand where."""
    rows = re.findall(r"^\| `(\w+)[.`].*\| (.*) \|$", section(CONDITIONS, "Names"), re.MULTILINE)
    places = {name: set(re.findall(r"`([\w.-]+)`", where)) for name, where in rows}
    for place, roots in (
        ("when", field_types.WHEN),
        ("until", field_types.UNTIL),
        ("--fail-on", ROOTS),
    ):
        assert {name for name, where in places.items() if place in where} == roots, place


def test_blocks_of_other_kinds_are_few() -> None:
    """What is no YAML is not looked at here, except that it has to be JSON where it says so."""
    kinds = [block.kind for block in blocks(RUNBOOK)]
    assert set(kinds) == {"yaml", "json", "python"}
    for block in blocks(RUNBOOK):
        if block.kind == "json":
            assert isinstance(parsed(block), dict)


def parsed(block: Block) -> Any:
    return json.loads(block.text)
