"""What somebody types first: `wct` alone, a parameter that is not there, a named output."""

from __future__ import annotations

from wct_process import Place, Wct

ROUTE = """
from pydantic import BaseModel
from waivern.message import SchemaRef

class Route:
    name, version, accepts, produces = "route", "1.0.0", None, SchemaRef("json")
    outputs = ("high", "low")

    class Config(BaseModel):
        pass

    def process(self, inputs, config, ctx):
        return {"high": {"n": 1}, "low": {"n": 2}}

processor = Route()
"""


def test_wct_alone_shows_its_help(place: Place, wct: Wct) -> None:
    done = wct()
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: wct ")
    assert "validate" in done.out


def test_an_unknown_parameter_is_answered_with_how_one_is_given(place: Place, wct: Wct) -> None:
    step = '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
    book = place.runbook("b.yaml", step, "params: {tables: {type: list, default: []}}")
    done = wct("run", book, "-p", "foo=1")
    assert done.code == 2
    assert "the runbook has: tables" in done.err
    assert "-p tables=" in done.err
    assert "lists the commands" not in done.err
    plain = place.runbook("p.yaml", step)
    assert "this runbook has no parameters" in wct("run", plain, "-p", "foo=1").err


def test_the_step_of_several_outputs_names_them_all(place: Place, wct: Wct) -> None:
    (place.path / "components").mkdir()
    (place.path / "components" / "route.py").write_text(ROUTE)
    (place.path / "waivern.yaml").write_text("component_paths: [components]\n")
    book = place.runbook(
        "b.yaml",
        '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
        "  r: {inputs: a, process: {type: route}}\n",
    )
    assert wct("run", book, "-q", "--run-id", "r1").code == 0
    steps = wct("inspect", "r1", "--json").data("inspect")["steps"]
    keys = {step["artifact"]: step["output_keys"] for step in steps}
    assert keys["r"] == ["r", "r/high", "r/low"]
    assert keys["a"] == ["a"]
