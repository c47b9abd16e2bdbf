"""Plans: all that is wrong in one report, each problem where it is; schemas and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from waivern.diagnostics import Diagnostic, InvalidError
from waivern.errors import NotFoundError
from waivern.ids import ArtifactId
from waivern.language.loader import parse
from waivern.language.producer_specs import ReuseSpec
from waivern.message import SchemaRef
from waivern.planning.child_runbooks import ChildFile
from waivern.planning.plan import Copy, Extract, Plan, Transform
from waivern.planning.planner import plan_at_once
from waivern.planning.resolver import LocalResolver

A = "a: {source: {type: filesystem, properties: {path: .}}}"


class Shelf:
    """What other runs have: a resolver for tests, as the port asks for."""

    def __init__(self, **schemas: str) -> None:
        self.schemas = schemas
        self.asked: list[tuple[str, str, str]] = []

    def child(self, path: str, parent: str, templates: tuple[str, ...]) -> ChildFile:
        raise NotFoundError(f"nobody has {path}, asked for by {parent!r} or in {templates}")

    def reuse(self, artifact: ArtifactId, source: ReuseSpec) -> Copy:
        self.asked.append((artifact, source.from_run, source.artifact))
        if source.artifact not in self.schemas:
            raise NotFoundError(f"nobody has {source.artifact}", hint="look elsewhere")
        schema = self.schemas[source.artifact]
        return Copy(source.from_run, source.artifact, 3, "sha256:d", "sha256:c", schema)


def plan(
    *artifacts: str, shelf: Shelf | None = None, environ: Mapping[str, str] | None = None
) -> Plan:
    text = "artifacts:\n" + "".join(f"  {line}\n" for a in artifacts for line in a.splitlines())
    environ = environ or {}
    runbook = parse(text.encode(), path="book.yaml", folder=Path("/"), environ=environ)
    return plan_at_once(runbook, LocalResolver(shelf or Shelf()), environ)


def problems(*artifacts: str, shelf: Shelf | None = None) -> tuple[Diagnostic, ...]:
    with pytest.raises(InvalidError) as raised:
        plan(*artifacts, shelf=shelf)
    return raised.value.problems


def only(*artifacts: str, shelf: Shelf | None = None) -> Diagnostic:
    (problem,) = problems(*artifacts, shelf=shelf)
    return problem


def python(name: str, *inputs: str, extra: str = "") -> str:
    call = "properties: {call: 'f.py:f'}"
    if inputs:
        made = f"inputs: [{', '.join(inputs)}], process: {{type: python, {call}}}"
    else:
        made = f"source: {{type: python, {call}}}"
    return f"{name}: {{{made}{extra}}}"


def marked(problem: Diagnostic) -> str:
    """Return the text that the problem's caret is under."""
    at = problem.position
    assert at is not None
    assert at.file == "book.yaml"
    start = at.column - at.text_column
    return at.text[start : start + at.length]


# what a plan is


def test_nodes_come_after_their_inputs_and_know_what_they_are() -> None:
    made = plan(
        python("last", "mid", "copy", extra=", output: true"),
        python("mid", "first", extra=", optional: true, output_schema: notes/2.0.0"),
        "copy: {reuse: {from_run: r1, artifact: x}}",
        python("first"),
        shelf=Shelf(x="findings/1.2.0"),
    )
    assert list(made.nodes) == ["copy", "first", "mid", "last"]
    nodes = {str(name): node for name, node in made.nodes.items()}
    assert isinstance(nodes["first"].work, Extract)
    assert isinstance(nodes["mid"].work, Transform)
    assert nodes["last"].inputs == ("mid", "copy")
    assert (nodes["mid"].optional, nodes["last"].optional) == (True, False)
    assert made.outputs == ["last"]
    assert {str(k): v for k, v in made.dependents.items()} == {
        "copy": ["last"],
        "first": ["mid"],
        "mid": ["last"],
        "last": [],
    }
    assert nodes["mid"].schema == SchemaRef("notes", "2.0.0")
    assert nodes["copy"].schema == SchemaRef("findings", "1.2.0")
    assert [nodes[n].work.label for n in ("first", "mid", "copy")] == [
        "connector:python",
        "processor:python",
        "reuse:r1/x",
    ]


def test_no_secret_is_in_a_plan() -> None:
    text = "a: {source: {type: python, properties: {call: 'f.py:f', args: {t: '${TOKEN}'}}}}"
    made = plan(text, environ={"TOKEN": "s3cret-value"})
    assert "s3cret-value" not in repr(made)
    assert "${TOKEN}" in repr(made.nodes)


# problems


def test_all_problems_are_in_one_report_in_the_order_of_the_file() -> None:
    found = problems(
        python("a", "b"),
        "unknown: {source: {type: filesytem}}",
        python("b", "a"),
        python("c", "nobody", "d"),
        "wrong: {source: {type: filesystem, properties: {pth: x}}}",
        "copy: {reuse: {from_run: r1, artifact: x}}",
        python("d"),
    )
    assert [problem.code for problem in found] == [
        "WCT202",
        "WCT203",
        "WCT201",
        "WCT204",
        "WCT207",
    ]
    lines = [problem.position.line for problem in found if problem.position]
    assert lines == [2, 3, 5, 6, 7]


def test_an_input_that_is_not_there() -> None:
    problem = only(python("findings"), python("b", "finding"))
    assert problem.message == "artifact 'b' reads 'finding', which is not defined"
    assert marked(problem) == "finding"
    assert "findings" in (problem.hint or "")


def test_several_inputs_that_are_not_there() -> None:
    found = problems(python("a"), python("b", "x", "a", "y"), python("c", "b"))
    assert [marked(problem) for problem in found] == ["x", "y"]


def test_a_circle_is_drawn() -> None:
    problem = only(python("a", "c"), python("b", "a"), python("c", "b"), python("z", "c"))
    assert problem.code == "WCT202"
    assert problem.message == "artifacts need each other in a circle: a → c → b → a"
    assert problem.position is not None


def test_an_artifact_that_reads_itself() -> None:
    assert only(python("a", "a")).message.endswith("circle: a → a")


def test_a_component_that_is_not_there() -> None:
    problem = only("a: {source: {type: filesytem}}", python("b", "a"))
    assert problem.code == "WCT203"
    assert marked(problem) == "filesytem"
    assert "filesystem" in (problem.hint or "")


def test_a_processor_is_no_connector() -> None:
    problem = only("a: {source: {type: merge}}")
    assert "'merge' is a processor" in (problem.hint or "")


def test_properties_that_do_not_fit() -> None:
    found = problems(
        "a: {source: {type: filesystem, properties: {path: ., pth: x, max_file_size: nope}}}"
    )
    assert {problem.code for problem in found} == {"WCT204"}
    assert "pth" in [marked(problem) for problem in found]
    assert any("unknown property 'pth'" in problem.message for problem in found)


def test_a_property_that_is_missing() -> None:
    problem = only("a: {source: {type: python}}")
    assert problem.code == "WCT204"
    assert "property 'call' is required" in problem.message
    assert problem.position is not None


def test_no_problem_shows_the_value_of_a_variable() -> None:
    text = "a: {source: {type: python, properties: {call: '${TOKEN}'}}}"
    with pytest.raises(InvalidError) as raised:
        plan(text, environ={"TOKEN": "s3cret-value"})
    assert "s3cret-value" not in str(raised.value)
    assert raised.value.problems[0].code == "WCT204"


def test_what_cannot_be_reused_says_why() -> None:
    problem = only("copy: {reuse: {from_run: r1, artifact: x}}", python("b", "copy"))
    assert problem.code == "WCT207"
    assert problem.message == "'copy' cannot be reused: nobody has x"
    assert problem.hint == "look elsewhere"
    assert marked(problem) == "r1"


def test_each_reuse_is_asked_for_once() -> None:
    shelf = Shelf(x="json/1.0.0")
    plan("c: {reuse: {from_run: '@last', artifact: x}}", python("d", "c"), shelf=shelf)
    assert shelf.asked == [("c", "@last", "x")]


def test_one_mistake_is_one_problem() -> None:
    """What hangs on a wrong artifact is not wrong itself."""
    problem = only(
        "a: {source: {type: nothing_like_it}}",
        python("b", "a"),
        "c: {inputs: [a, b]}",
        python("d", "c", "b"),
    )
    assert problem.code == "WCT203"


# schemas


def test_a_processor_reads_only_what_it_accepts() -> None:
    problem = only(
        python("a", extra=", output_schema: poems/1.0.0"),
        "b: {inputs: [a], process: {type: personal_data}}",
    )
    assert problem.code == "WCT205"
    assert marked(problem) == "a"
    assert "which is poems/1.0.0" in problem.message
    assert (problem.hint or "").startswith("it reads ")


def test_a_merge_has_the_schema_of_its_inputs() -> None:
    made = plan(
        python("a", extra=", output_schema: notes"),
        python("b", extra=", output_schema: notes"),
        "c: {inputs: [a, b]}",
    )
    assert made.nodes[ArtifactId("c")].schema == SchemaRef("notes")


def test_a_merge_of_different_schemas() -> None:
    problem = only(python("a", extra=", output_schema: notes"), python("b"), "c: {inputs: [a, b]}")
    assert problem.code == "WCT206"
    assert "a is notes/1.0.0, b is json/1.0.0" in problem.message


def test_output_schema_is_believed_only_of_plain_json() -> None:
    made = plan(python("a", extra=", output_schema: notes/3.1.4"))
    assert made.nodes[ArtifactId("a")].schema == SchemaRef("notes", "3.1.4")
    problem = only(f"{A[:-1]}, output_schema: notes}}")
    assert problem.code == "WCT208"
    assert marked(problem) == "notes"


def test_output_schema_of_a_copy() -> None:
    copy = "c: {{reuse: {{from_run: r, artifact: x}}, output_schema: {}}}"
    assert plan(copy.format("notes"), shelf=Shelf(x="notes/1.0.0")).nodes
    problem = only(copy.format("notes"), shelf=Shelf(x="poems/1.0.0"))
    assert problem.code == "WCT208"
    assert "in that run it is poems/1.0.0" in problem.message
