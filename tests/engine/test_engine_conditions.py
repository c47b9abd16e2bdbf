"""Conditions, repetition and named outputs, run for real."""

from __future__ import annotations

from typing import Any

import pytest
from engine_kit import FastClock, Ran, Settings, Spec, again, execute, inline, runbook
from engine_steps import Stage

from waivern.message import Json
from waivern.plugins.catalogue import Catalogue
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactRetriedRecord,
    ArtifactSkippedRecord,
    ArtifactStartedRecord,
)


def when(condition: str, *specs: Spec, name: str = "c", **terms: Json) -> Ran:
    book = runbook(Stage(), *specs)
    book["artifacts"][name] |= {"when": condition, **terms}
    return execute(book)


A = Spec("a", call="says", args={"value": {"n": 3, "tags": ["x"]}})
BAD = Spec("bad", args={"fail": True})
C = Spec("c", ("a",), call="counts")
D = Spec("d", ("c",), call="counts")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("inputs.a.n == 3", True),
        ("inputs.a.n > 3", False),
        ("'x' in inputs.a.tags", True),
        ("status.a == 'completed'", True),
        ("status.bad == 'failed'", True),
        ("status.bad == 'completed'", False),
        ("status.after == 'skipped'", True),
    ],
)
def test_a_condition_decides(condition: str, holds: bool) -> None:
    ran = when(condition, A, BAD, Spec("after", ("bad",)), C, D, Spec("e", ("d",), call="counts"))
    expected = "completed" if holds else "skipped"
    assert [ran.statuses[name] for name in "cd"] == [expected] * 2
    if not holds:
        events = {event.artifact: event for event in ran.of(ArtifactSkippedRecord)}
        assert events["c"].cause == "c"
        assert events["c"].reason.startswith(condition)
        assert "does not hold" in events["c"].reason
        assert events["d"].cause == events["e"].cause == "c"


def test_what_is_left_out_does_not_make_a_run_fail() -> None:
    ran = when("inputs.a.n > 3", A, C, D)
    assert (ran.ending.status, ran.ending.exit_code) == ("completed", 0)


def test_those_who_miss_only_something_optional_go_on() -> None:
    book = runbook(Stage(), A, C, Spec("both", ("c", "a2")), Spec("a2"))
    book["artifacts"]["c"] |= {"when": "inputs.a.n > 3", "optional": True}
    book["artifacts"]["both"]["process"]["properties"]["call"] = "engine_steps:derived"
    ran = execute(book)
    assert ran.statuses == {
        "a": "completed",
        "c": "skipped",
        "a2": "completed",
        "both": "completed",
    }


@pytest.mark.parametrize(
    "condition", ["inputs.a.nope == 1", "inputs.a.n < 'x'", "inputs.a.n and true"]
)
def test_a_condition_that_cannot_be_evaluated_fails_its_artifact(condition: str) -> None:
    ran = when(condition, A, C, D)
    assert ran.statuses == {"a": "completed", "c": "failed", "d": "skipped"}
    assert ran.ending.exit_code == 1
    assert ran.error("c")["message"]


def test_a_status_that_is_asked_for_is_not_needed_whatever_else_is() -> None:
    """An input that is also waited for must not be mistaken for what is only asked."""
    for terms in ({}, {"after": "a"}, {"after": ["a", "x"]}):
        book = runbook(Stage(), A, Spec("x"), BAD, C)
        book["artifacts"]["c"] |= {"when": "status.bad == 'failed'", **terms}
        assert execute(book).statuses["c"] == "completed", terms


def test_conditions_see_parameters_and_items() -> None:
    book = runbook(Stage(), Spec("c"))
    book["params"] = {"deep": {"type": "boolean", "default": True}}
    book["artifacts"]["c"] |= {"for_each": ["x", "y"], "when": "params.deep and each == 'x'"}
    assert execute(book).statuses == {"c/x": "completed", "c/y": "skipped"}


def test_a_condition_in_a_step_that_did_not_start_is_not_looked_at() -> None:
    ran = when("inputs.bad.n == 1", BAD, Spec("c", ("bad",)))
    assert ran.statuses == {"bad": "failed", "c": "skipped"}
    assert "c" not in [event.artifact for event in ran.of(ArtifactStartedRecord)]


# resuming


def spare(stage: Stage, *, fail: bool, condition: str = "status.a == 'failed'") -> dict[str, Any]:
    """a; instead of it b; all of what there is; and, if b is skipped, c."""
    book = runbook(
        stage,
        Spec("a", optional=True, args={"fail": fail}),
        Spec("b", optional=True),
        Spec("all", ("a", "b")),
        Spec("c", optional=True),
    )
    book["artifacts"]["b"]["when"] = condition
    book["artifacts"]["c"]["when"] = "status.b == 'skipped'"
    return book


def test_what_a_condition_asked_for_has_changed() -> None:
    """A run that is resumed comes to what one comes to that nothing disturbed."""
    stage = Stage()
    first = execute(spare(stage, fail=True))
    made = {event.artifact: event for event in first.of(ArtifactCompletedRecord)}
    assert made["b"].statuses == {"a": "failed"}
    assert made["all"].statuses == {}
    second = again(first, spare(stage, fail=False))
    undisturbed = execute(spare(Stage(), fail=False))
    assert second.statuses == undisturbed.statuses
    assert second.statuses["b"] == "skipped"
    assert second.statuses["c"] == "completed"
    assert second.content("all") == undisturbed.content("all")
    made_before = len(second.of(ArtifactCompletedRecord))
    third = again(second, spare(stage, fail=False))
    assert third.statuses == second.statuses
    assert len(third.of(ArtifactCompletedRecord)) == made_before


def test_a_status_that_is_another_but_lets_it_be_made_all_the_same() -> None:
    stage = Stage()
    first = execute(spare(stage, fail=True, condition="status.a != 'skipped'"))
    second = again(first, spare(stage, fail=False, condition="status.a != 'skipped'"))
    made = [event.statuses for event in second.of(ArtifactCompletedRecord) if event.artifact == "b"]
    assert made == [{"a": "failed"}, {"a": "completed"}]
    assert second.content("all")["inputs"] == ["a", "b"]


def test_what_asks_for_what_is_not_started_waits_and_stays_as_it_was() -> None:
    stage = Stage()
    only_b = Settings(only=("b",))
    fresh = execute(spare(stage, fail=True), settings=only_b)
    assert fresh.statuses["b"] == "not_started"
    assert again(fresh, spare(stage, fail=True)).statuses["b"] == "completed"
    made = execute(spare(stage, fail=True))
    kept = again(made, spare(stage, fail=False), settings=only_b)
    assert (kept.statuses["a"], kept.statuses["b"]) == ("not_started", "completed")
    assert len(kept.of(ArtifactStartedRecord)) == len(made.of(ArtifactStartedRecord))
    assert again(kept, spare(stage, fail=False)).statuses["b"] == "skipped"


# repetition


def repeated(
    until: str, most: int, *, fail_at: int = 0, more: tuple[str, ...] = (), **terms: Json
) -> Ran:
    specs = [
        Spec("seed", call="says", args={"value": {"n": 0}}),
        *(Spec(name) for name in more),
        Spec("loop", ("seed", *more), call="counts", args={"fail_at": fail_at}),
        Spec("end", ("loop",), call="counts"),
    ]
    book = runbook(Stage(), *specs)
    repeat = {"until": until, "max": most, "otherwise": terms.pop("otherwise", "fail")}
    book["artifacts"]["loop"] |= {"repeat": repeat, **terms}
    return execute(book, executor=inline, settings=Settings(FastClock()))


@pytest.mark.parametrize("more", [(), ("x",), ("x", "y")])
@pytest.mark.parametrize("rounds", [1, 2, 3, 5])
def test_until_it_holds(rounds: int, more: tuple[str, ...]) -> None:
    """With other inputs too, no round is made after one that is not."""
    ran = repeated(f"result.n >= {rounds}", 5, more=more)
    expected = {f"loop/round-{n}": "completed" if n <= rounds else "skipped" for n in range(1, 6)}
    assert {k: v for k, v in ran.statuses.items() if k.startswith("loop/")} == expected
    assert ran.content("loop")["n"] == rounds
    assert ran.content("loop")["others"] == [{"name": name, "inputs": []} for name in more]
    assert ran.content("end")["n"] == rounds + 1
    assert ran.ending.status == "completed"
    starts = [e.artifact for e in ran.of(ArtifactStartedRecord) if e.artifact.startswith("loop/")]
    assert len(starts) <= rounds + 1, "the first that is not needed is decided, the rest follow"


def test_the_most_was_reached() -> None:
    ran = repeated("result.n >= 9", 3)
    assert ran.statuses["loop/round-3"] == "completed"
    assert ran.statuses["loop"] == "failed"
    assert ran.statuses["end"] == "skipped"
    assert "did not hold after 3 rounds" in str(ran.error("loop")["message"])
    assert ran.ending.exit_code == 1


def test_the_most_was_reached_and_the_last_is_kept() -> None:
    ran = repeated("result.n >= 9", 3, otherwise="keep")
    assert ran.content("loop")["n"] == 3
    assert ran.ending.status == "completed"


def test_that_it_did_not_hold_is_not_tried_again() -> None:
    ran = repeated("result.n >= 9", 2, retry={"max": 5})
    assert ran.statuses["loop"] == "failed"
    assert not ran.of(ArtifactRetriedRecord)


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize("more", [(), ("x",)])
def test_a_round_that_fails(optional: bool, more: tuple[str, ...]) -> None:
    """What the rounds before came to is not taken for the result."""
    ran = repeated("result.n >= 9", 4, fail_at=2, more=more, optional=optional)
    assert ran.statuses["loop/round-1"] == "completed"
    assert ran.statuses["loop/round-2"] == "failed"
    assert ran.statuses["loop/round-3"] == ran.statuses["loop/round-4"] == "skipped"
    assert ran.statuses["loop"] == "skipped"
    assert ran.ending.status == ("completed" if optional else "failed")


def test_conditions_of_what_is_repeated_are_asked_once() -> None:
    ran = repeated("result.n >= 2", 3, when="inputs.seed.n == 0")
    assert ran.content("loop")["n"] == 2
    ran = repeated("result.n >= 2", 3, when="inputs.seed.n == 1")
    assert ran.statuses["loop"] == ran.statuses["end"] == "skipped"
    assert ran.ending.status == "completed"


def test_until_sees_the_round() -> None:
    assert repeated("round == 3", 5).content("loop")["n"] == 3


def test_until_that_cannot_be_evaluated() -> None:
    ran = repeated("result.nope", 3)
    assert ran.statuses["loop/round-2"] == "failed"
    assert ran.statuses["loop"] == "skipped"
    assert ran.ending.exit_code == 1


# named outputs

COMPONENT = """
from pydantic import BaseModel
from waivern.message import ANY_JSON

class Route:
    name, version = "route_test", "1.0.0"
    accepts, produces = None, ANY_JSON
    outputs = ("high", "low", "none")

    class Config(BaseModel):
        pass

    def process(self, inputs, config, ctx):
        content = inputs[0].content
        return {key: content[key] for key in ("high", "low", "none") if key in content}

processor = Route()
"""


CATALOGUES: list[Catalogue] = []
"""One, once there are tests to run."""


@pytest.fixture(scope="module", autouse=True)
def _route(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("components")
    (folder / "route_test.py").write_text(COMPONENT)
    CATALOGUES.append(Catalogue([folder], within=folder))


def routed(value: Json, **more: Json) -> Ran:
    stage = Stage()
    book = runbook(stage, Spec("a", call="says", args={"value": value}))
    book["artifacts"]["route"] = {"inputs": "a", "process": {"type": "route_test"}, **more}
    for name in ("high", "low"):
        spec = Spec(f"on_{name}", ("a",))
        made = runbook(stage, spec)["artifacts"][spec.name]
        made["process"]["properties"] = {"call": "test_engine_conditions:same"}
        book["artifacts"][spec.name] = made | {"inputs": f"route/{name}"}
        book["artifacts"][f"then_{name}"] = made | {"inputs": spec.name}
    book["artifacts"]["all"] = book["artifacts"]["on_high"] | {"inputs": ["on_high", "on_low"]}
    return execute(book, settings=Settings(catalogue=CATALOGUES[-1]))


def same(inputs: list[Json]) -> Json:
    return inputs[0] if len(inputs) == 1 else inputs


def test_each_output_goes_its_way() -> None:
    ran = routed({"high": [1], "low": 0})
    assert ran.content("route") == {"high": [1], "low": 0}
    assert ran.content("route/high") == ran.content("then_high") == [1]
    assert ran.content("route/low") == ran.content("then_low") == 0
    assert ran.statuses["route/none"] == "skipped"
    assert ran.content("all") == [[1], 0]
    assert ran.ending.status == "completed"


@pytest.mark.parametrize("low", [{}, {"low": None}])
def test_an_output_that_yields_nothing(low: dict[str, Json]) -> None:
    ran = routed({"high": [1], **low})
    assert ran.statuses["then_high"] == "completed"
    skipped = {event.artifact: event for event in ran.of(ArtifactSkippedRecord)}
    assert set(skipped) == {"route/low", "route/none", "on_low", "then_low", "all"}
    assert "yielded nothing for 'low'" in skipped["route/low"].reason
    assert skipped["then_low"].cause == "route/low"
    assert ran.ending.status == "completed"


def test_others_go_on_without_an_optional_one() -> None:
    ran = routed({"high": [1]}, optional=True)
    assert ran.statuses["on_low"] == "skipped", "it has nothing else"
    assert ran.statuses["then_high"] == "completed"
