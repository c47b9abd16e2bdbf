"""What a project gives components, over which the properties of a runbook are laid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from children_kit import Outside, at

from waivern.diagnostics import Diagnostic, InvalidError
from waivern.language import loader
from waivern.message import Json
from waivern.planning.defaults import ProjectDefaults
from waivern.planning.planner import plan_at_once
from waivern.planning.resolver import LocalResolver
from waivern.plugins.catalogue import Catalogue

COMPONENT = """
from pydantic import BaseModel, field_validator
from waivern.message import ANY_JSON
from waivern.diagnostics import InvalidError

class Picky:
    name, version, produces = "plan_picky", "1.0.0", ANY_JSON
    class Config(BaseModel):
        model_config = {"extra": "forbid"}
        mode: str = ""
        other: str = ""
        @field_validator("mode")
        @classmethod
        def _look(cls, value):
            if value == "load":
                raise InvalidError([])
            return {"": "", "x": "x"}[value]
    def extract(self, config, ctx):
        return 1

connector = Picky()
"""
READER = """
from pydantic import BaseModel
from waivern.message import ANY_JSON, SchemaRef

class Reader:
    name, version, accepts, produces = "plan_reader", "1.0.0", (SchemaRef("text"),), ANY_JSON
    Config = type("Config", (BaseModel,), {})
    def process(self, inputs, config, ctx):
        return 1

processor = Reader()
"""
PICKY = "a: {source: {type: plan_picky, properties: {%s}}}"


CATALOGUES: list[Catalogue] = []
"""One, once there are tests to run."""


@pytest.fixture(scope="module", autouse=True)
def _components(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("components")
    (folder / "plan_picky.py").write_text(COMPONENT)
    (folder / "plan_reader.py").write_text(READER)
    CATALOGUES.append(Catalogue([folder], within=folder))


def problems(
    folder: Path, text: str, components: Mapping[str, Mapping[str, Json]], **environ: str
) -> tuple[Diagnostic, ...]:
    path = folder / "main.yaml"
    path.write_text(f"artifacts:\n  {text}\n")
    draft = loader.examine(path, environ)
    with pytest.raises(InvalidError) as raised:
        plan_at_once(
            draft,
            LocalResolver(Outside(folder)),
            environ,
            ProjectDefaults(components),
            CATALOGUES[-1],
        )
    return raised.value.problems


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ({"othr": 1}, "unknown property 'othr' (in waivern.yaml)"),
        ({"other": 1}, "property 'other' must be text (in waivern.yaml)"),
        ({"other": "${UNSET}"}, "variable 'UNSET' is not set (in waivern.yaml)"),
        ({"other": "${params.x}"}, "(in waivern.yaml)"),
    ],
)
def test_what_a_project_gave_before_is_told_as_such(
    tmp_path: Path, base: dict[str, Json], said: str
) -> None:
    (problem,) = problems(tmp_path, PICKY % "mode: x", {"plan_picky": base})
    assert said in problem.message
    assert at(problem) == "main.yaml:2"


def test_what_the_runbook_gives_is_told_where_it_is(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, PICKY % "othr: x", {"plan_picky": {"mode": "x"}})
    assert "project" not in problem.message
    assert "unknown property 'othr'" in problem.message


def test_a_validator_that_breaks_is_a_problem_of_its_component(tmp_path: Path) -> None:
    """The value that it stumbled over may be a secret."""
    (problem,) = problems(tmp_path, PICKY % "mode: '${TOKEN}'", {}, TOKEN="s3cret-canary")
    assert "plan_picky: its Config cannot take the properties: KeyError" in problem.message
    assert "canary" not in str(problem)


def test_whatever_error_a_validator_raises_is_a_problem(tmp_path: Path) -> None:
    """One of our own, too, which the plan would raise for what is wrong with the runbook."""
    (problem,) = problems(tmp_path, PICKY % "mode: load", {})
    assert "plan_picky: its Config cannot take the properties: InvalidError" in problem.message


def test_properties_of_what_is_not_there_are_a_problem(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, PICKY % "mode: x", {"filesytem": {"exclude": []}})
    assert "has properties for 'filesytem': no such component" in problem.message
    assert "filesystem" in (problem.hint or "")


def test_one_mistake_of_many_items_is_one_problem(tmp_path: Path) -> None:
    """What reads them is not checked against what they would be."""
    each = "a: {for_each: [x, y], source: {type: plan_picky, properties: {othr: 1}}}"
    reads = "b: {inputs: a/y, process: {type: plan_reader}}"
    (problem,) = problems(tmp_path, f"{each}\n  {reads}", {})
    assert "unknown property 'othr'" in problem.message


def test_what_is_wrong_with_one_key_hides_nothing_else_of_an_artifact(tmp_path: Path) -> None:
    text = """a: {source: {type: plan_pick, properties: {othr: 1}}, outptu: true, name: 5}
  b: {outptu: true}
  c: {source: {typ: x}}
  d: {inputs: [a, b, c], process: {type: merge, properties: {x: 1}}}"""
    found = problems(tmp_path, text, {})
    assert [(one.code, at(one)) for one in found] == [
        ("WCT203", "main.yaml:2"),
        ("WCT103", "main.yaml:2"),
        ("WCT106", "main.yaml:2"),
        ("WCT103", "main.yaml:3"),
        ("WCT105", "main.yaml:4"),
        ("WCT103", "main.yaml:4"),
        ("WCT204", "main.yaml:5"),
    ]


def test_a_property_in_a_list_is_named_by_its_place_and_told_once(tmp_path: Path) -> None:
    text = "a: {source: {type: filesystem, properties: {path: .}}}\n  b: {inputs: a, process: "
    text += "{type: personal_data, properties: {types: [EMAIL_ADRESS]}}}"
    (problem,) = problems(tmp_path, text, {})
    assert "property 'types[0]': 'EMAIL_ADRESS' is not a type" in problem.message
    assert "did you mean 'EMAIL_ADDRESS'?" in problem.message


def test_ids_that_differ_in_case_are_told_once(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, PICKY % "mode: x" + "\n  A: {inputs: a}", {})
    assert problem.code == "WCT113"
