"""`repeat` of a child, and what both kinds of repetition refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from children_kit import Books, at, ids, inputs

from waivern.ids import ArtifactId
from waivern.planning.plan import LastRound

CHILD = """
inputs: {draft: {input_schema: json}, rules: {input_schema: json, optional: true, default: 1}}
outputs: {better: {artifact: fixed}, notes: {artifact: found}, group: {artifact: many}}
artifacts:
  found: {inputs: [draft, rules], PROCESS}
  fixed: {inputs: [found, draft], PROCESS}
  extra: {SOURCE}
  many: {for_each: [x, y], SOURCE}
"""
MAIN = """
artifacts:
  start: {SOURCE}
  loop:
    child_runbook: {path: child.yaml, input_mapping: {draft: start}, output: better}
    repeat: {until: result.ok, max: 3, feed: {better: draft}}
  end: {inputs: loop, PROCESS}
"""


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path).write(child=CHILD, main=MAIN)


def test_each_round_takes_what_the_one_before_gave(books: Books) -> None:
    plan = books.plan()
    own = {"found", "fixed", "extra", "many/x", "many/y", "rules"}
    rounds = {f"loop/round-{n}/{name}" for n in (1, 2, 3) for name in own}
    assert ids(plan) == {"start", "loop", "end"} | rounds
    assert inputs(plan, "loop/round-1/found") == ["start", "loop/round-1/rules"]
    assert inputs(plan, "loop/round-2/found") == ["loop/round-1/fixed", "loop/round-2/rules"]
    assert inputs(plan, "loop/round-3/fixed") == ["loop/round-3/found", "loop/round-2/fixed"]
    assert inputs(plan, "loop") == [f"loop/round-{n}/fixed" for n in (1, 2, 3)]
    assert isinstance(plan.nodes[ArtifactId("loop")].work, LastRound)
    assert inputs(plan, "end") == ["loop"]
    for name in own:
        (test,) = plan.nodes[ArtifactId(f"loop/round-2/{name}")].tests
        assert (test.result, test.holds) == ("loop/round-1/fixed", False)
        assert not plan.nodes[ArtifactId(f"loop/round-1/{name}")].tests


def test_several_outputs_of_a_repeated_child(books: Books) -> None:
    main = MAIN.replace("output: better", "output_mapping: {better: good, notes: why}")
    plan = books.write(main=main.replace("inputs: loop", "inputs: [good, why]")).plan()
    assert inputs(plan, "end") == ["good", "why"]
    assert inputs(plan, "why") == [f"loop/round-{n}/found" for n in (1, 2, 3)]
    plan = books.write(main=main).plan()
    assert inputs(plan, "end") == ["good", "why"]


def test_an_output_feeds_the_input_of_its_name(books: Books) -> None:
    books.write(
        child=CHILD.replace("better:", "draft:"),
        main=MAIN.replace(", feed: {better: draft}", "").replace("better", "draft"),
    )
    assert inputs(books.plan(), "loop/round-2/found")[0] == "loop/round-1/fixed"


def test_a_repeated_child_for_each(books: Books) -> None:
    main = MAIN.replace("  loop:", "  loop:\n    for_each: [a, b]")
    plan = books.write(main=main).plan()
    assert inputs(plan, "end") == ["loop/a", "loop/b"]
    assert inputs(plan, "loop/b/round-2/found")[0] == "loop/b/round-1/fixed"


def test_output_and_optional_are_of_the_result(books: Books) -> None:
    plan = books.write(main=MAIN.replace("  loop:", "  loop:\n    output: true")).plan()
    assert plan.outputs == ["loop"]
    books.write(
        main="""
        artifacts:
          start: {SOURCE}
          loop: {inputs: start, PROCESS, repeat: {until: result.ok, max: 2}, optional: true,
                 output: true, pool: p, retry: {max: 3}, timeout: 5}
        config: {pools: {p: 1}}
        """
    )
    plan = books.plan()
    assert plan.outputs == ["loop"]
    first, last = plan.nodes[ArtifactId("loop/round-1")], plan.nodes[ArtifactId("loop")]
    assert (first.optional, first.tolerated, last.optional) == (False, True, True)
    assert (first.pool, first.timeout) == ("p", 5)
    assert (last.pool, last.timeout, last.retry) == (None, None, None)


@pytest.mark.parametrize(
    ("old", "new", "said", "line"),
    [
        ("{better: draft}", "{bettr: draft}", "has no output 'bettr'", 6),
        ("{better: draft}", "{better: daft}", "has no input 'daft'", 6),
        (", feed: {better: draft}", "", "without feeding it its own result", 6),
        ("output: better", "output: beter", "has no output 'beter'", 5),
        ("output: better", "output: group", "one artifact in each round", 6),
        ("until: result.ok", "until: params.nope", "'nope', which the condition uses", 6),
        ("until: result.ok", "until: status.start == 'failed'", "'until'", 6),
        ("max: 3", "max: 101", "at most 100", 6),
        ("max: 3, ", "", "'max'", 6),
        ("child.yaml", "nope.yaml", "no child runbook", 5),
    ],
)
def test_one_mistake_is_one_problem(books: Books, old: str, new: str, said: str, line: int) -> None:
    problem = books.write(main=MAIN.replace(old, new)).only()
    assert said in problem.message
    assert at(problem) == f"main.yaml:{line}"


def test_a_child_that_gives_back_what_it_takes_is_not_repeated(books: Books) -> None:
    books.write(child=CHILD.replace("artifact: fixed", "artifact: draft"))
    assert "one artifact in each round" in books.only().message


def test_a_gate_is_not_repeated(books: Books) -> None:
    gate = "{gate: {question: Q, show: a}, repeat: {until: result.ok, max: 2}}"
    problem = books.write(main=f"artifacts: {{a: {{SOURCE}}, g: {gate}}}").only()
    assert "'repeat' of artifact 'g' cannot be repeated" in problem.message


SECRETIVE = CHILD.replace("{draft: {input_schema: json}", "{draft: {input_schema: json, SENS}")


def test_what_is_fed_to_a_sensitive_input_is_sensitive(books: Books) -> None:
    """So are the last round, which nobody is fed, and what it is around the child."""
    plan = books.write(child=SECRETIVE.replace("SENS", "sensitive: true")).plan()
    rounds = [f"loop/round-{n}/fixed" for n in (1, 2, 3)]
    assert [n for n in plan.nodes if plan.nodes[n].sensitive] == ["start", *rounds, "loop"]


def test_an_inner_repetition_of_what_is_sensitive(books: Books) -> None:
    inner = "inputs: {i: {input_schema: json}}\noutputs: {o: {artifact: y}}\n"
    books.write(inner=inner + "artifacts: {y: {inputs: i, PROCESS}}")
    fixed = "fixed: {inputs: [found, draft], PROCESS}"
    inside = "{path: inner.yaml, input_mapping: {i: draft}, output: o}"
    again = f"fixed: {{child_runbook: {inside}, repeat: {{until: result.ok, max: 2}}}}"
    child = SECRETIVE.replace("SENS", "sensitive: true").replace(fixed, again)
    books.write(child=child.replace("max: 2}", "max: 2, feed: {o: i}}"))
    marked = {n for n, node in books.plan().nodes.items() if node.sensitive}
    loops = {f"loop/round-{n}/fixed" for n in (1, 2, 3)}
    assert marked == {"start", "loop"} | loops | {f"{a}/round-{n}/y" for a in loops for n in (1, 2)}


def test_what_is_fed_has_to_be_what_the_child_takes(books: Books) -> None:
    child = CHILD.replace("{draft: {input_schema: json}", "{draft: {input_schema: text}")
    main = MAIN.replace("start: {SOURCE}", "start: {SOURCE, output_schema: text}")
    problem = books.write(child=child, main=main).only()
    assert "input 'draft' takes text/1.0.0; 'fixed' is json/1.0.0" in problem.message
    assert at(problem) == "main.yaml:6"


@pytest.mark.parametrize(
    "loop",
    [
        "{inputs: a, PROCESS, R}",
        "{child_runbook: {path: c.yaml, input_mapping: {o: a}, output: o}, R}",
    ],
)
def test_until_is_checked_even_of_one_round(books: Books, loop: str) -> None:
    books.write(
        c="inputs: {o: {input_schema: json}}\noutputs: {o: {artifact: x}}\nartifacts: {x: {SOURCE}}"
    )
    repeat = "repeat: {until: params.nope == 1, max: 1}"
    books.write(main=f"artifacts: {{a: {{SOURCE}}, r: {loop.replace('R}', repeat + '}')}}}")
    assert "'nope', which the condition uses" in books.only().message
