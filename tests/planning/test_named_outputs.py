"""Processors with several named outputs, each an artifact of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from children_kit import Books, ids, inputs

from waivern.ids import ArtifactId
from waivern.message import SchemaRef
from waivern.planning.plan import OutputPart
from waivern.plugins.catalogue import Catalogue

COMPONENT = """
from pydantic import BaseModel
from waivern.message import SchemaRef

class Route:
    name, version, accepts, produces = "{name}", "1.0.0", None, SchemaRef("finding")
    outputs = {outputs!r}

    class Config(BaseModel):
        pass

    def process(self, inputs, config, ctx):
        return {{}}

processor = Route()
"""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("components")
    for name, outputs in {
        "plan_route": ("high", "low"),
        "plan_escape": ("../../x", "high"),
        "plan_reserved": ("_system", "a.json"),
    }.items():
        (folder / f"{name}.py").write_text(COMPONENT.format(name=name, outputs=outputs))
    return Catalogue([folder], within=folder)


@pytest.fixture
def books(tmp_path: Path, catalogue: Catalogue) -> Books:
    return Books(tmp_path, catalogue)


MAIN = """
artifacts:
  a: {SOURCE}
  on_high: {inputs: route/high, PROCESS}
  route: {inputs: a, process: {type: plan_route}, output: true}
  whole: {inputs: [route, route/low], process: {type: python, properties: {call: 'f.py:f'}}}
"""


def test_each_is_an_artifact(books: Books) -> None:
    plan = books.write(main=MAIN).plan()
    assert ids(plan) == {"a", "on_high", "route", "route/high", "route/low", "whole"}
    assert inputs(plan, "on_high") == ["route/high"]
    assert inputs(plan, "route/low") == ["route"]
    assert plan.nodes[ArtifactId("route/low")].work == OutputPart("low")
    assert plan.nodes[ArtifactId("route/low")].schema == SchemaRef("finding")
    assert plan.nodes[ArtifactId("route")].schema == SchemaRef("json")
    assert plan.outputs == ["route", "route/high", "route/low"]


def test_of_each_item_and_in_a_child(books: Books) -> None:
    books.write(
        child="outputs: {r: {artifact: route/high}}\n" + MAIN,
        main="""
        artifacts:
          b: {SOURCE}
          each: {for_each: [x, y], inputs: b, process: {type: plan_route}}
          high: {inputs: each/x/high, PROCESS}
          sub: {child_runbook: {path: child.yaml, output: r}}
          end: {inputs: sub, PROCESS}
        """,
    )
    plan = books.plan()
    assert inputs(plan, "high") == ["each/x/high"]
    assert inputs(plan, "end") == ["sub/route/high"]


def test_one_that_there_is_not(books: Books) -> None:
    problem = books.write(main=MAIN.replace("route/high", "route/hihg")).only()
    assert "reads 'route/hihg', which is not defined" in problem.message
    assert problem.hint is not None
    assert "route/high" in problem.hint


@pytest.mark.parametrize("type_", ["plan_escape", "plan_reserved"])
def test_names_that_cannot_be(books: Books, type_: str) -> None:
    problems = books.write(
        main=f"artifacts: {{a: {{SOURCE}}, r: {{inputs: a, process: {{type: {type_}}}}}}}"
    ).problems()
    assert all(f"of the processor '{type_}'" in problem.message for problem in problems)


def test_a_name_of_a_child_does_not_hide_one(books: Books) -> None:
    books.write(
        child="outputs: {r: {artifact: x}}\nartifacts: {x: {SOURCE}}",
        main=MAIN + "  sub: {child_runbook: {path: child.yaml, output_mapping: {r: route/high}}}\n",
    )
    assert "'sub' declares 'route/high', which exists already" in books.only().message


def test_of_what_is_repeated(books: Books) -> None:
    """They are of what the last round came to."""
    twice = "type: plan_route}, repeat: {until: round >= 2, max: 2}"
    plan = books.write(main=MAIN.replace("type: plan_route}", twice)).plan()
    assert inputs(plan, "route/high") == ["route"]
    assert inputs(plan, "on_high") == ["route/high"]
    assert ids(plan) >= {"route/round-1", "route/round-2", "route/low"}
    assert plan.outputs == ["route", "route/high", "route/low"]
