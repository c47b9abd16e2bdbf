"""A failure is data with a cause: whatever a component raises or returns, the run goes on."""

from __future__ import annotations

import pytest
from engine_kit import MakeExecutor, Ran, Spec, execute, inline, runbook, threads
from engine_steps import RAISED, RETURNED, Stage

from waivern.engine.producer import MESSAGE_LIMIT
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactFailedRecord,
    ArtifactSkippedRecord,
)

executors = pytest.mark.parametrize("executor", [inline, threads(2)], ids=["inline", "threads"])


def alone(call: str, which: str, executor: MakeExecutor = inline) -> Ran:
    """Run one bad artifact beside a good one and what hangs on each."""
    return execute(
        runbook(
            Stage(),
            Spec("bad", call=call, args={"which": which}),
            Spec("after", ("bad",)),
            Spec("good"),
            Spec("after_good", ("good",)),
        ),
        executor=executor,
    )


STATUSES = {"bad": "failed", "after": "skipped", "good": "completed", "after_good": "completed"}

SAID = {
    "error": ("ValueError", "bad value"),
    "nothing": ("ValueError", "no message"),
    "exit": ("SystemExit", "sys.exit(3) was called"),
    "interrupt": ("KeyboardInterrupt", "no message"),
    "cancelled": ("CancelledError", "no message"),
    "generator": ("GeneratorExit", "no message"),
    "surrogate": ("ValueError", "file \\udcff.txt"),
    "control": ("ValueError", "a\x00\x1b[31mb\u2028c"),
    "long": ("ValueError", "x" * MESSAGE_LIMIT),
    "unprintable": ("Unprintable", "no message"),
    "group": ("ExceptionGroup", "several (2 sub-exceptions)"),
}


@executors
@pytest.mark.parametrize("call", ["raises", "raises_async"])
@pytest.mark.parametrize("which", RAISED)
def test_what_a_component_raises(call: str, which: str, executor: MakeExecutor) -> None:
    ran = alone(call, which, executor)
    assert ran.statuses == STATUSES
    error = ran.error("bad")
    said = SAID[which]
    if (call, which) == ("raises_async", "cancelled"):
        said = ("CancelledError", "its task was cancelled by its own code")
    assert (error["kind"], error["message"]) == said
    assert ran.ending.status == "failed"
    assert ran.ending.exit_code == 1
    assert ran.ending.error
    assert ran.ending.error.startswith(f"bad: {error['kind']}: ")
    assert "raise RAISED[which]" in ran.store.read_log("r", "bad")


@pytest.mark.parametrize("which", ["exit", "interrupt", "cancelled"])
def test_coroutines_go_on_after_one_raised_what_ends_programs(which: str) -> None:
    specs = [
        Spec("bad", call="raises_async", args={"which": which}, optional=True),
        Spec("good", call="source_async"),
        Spec("after", ("good", "bad"), call="derived_async"),
    ]
    ran = execute(runbook(Stage(), *specs), executor=inline)
    assert ran.statuses == {"bad": "failed", "good": "completed", "after": "completed"}


@pytest.mark.parametrize("which", RETURNED)
def test_what_is_not_json(which: str) -> None:
    ran = alone("returns", which)
    assert ran.statuses == STATUSES
    error = ran.error("bad")
    assert error["kind"] == "ComponentError"
    assert error["message"].startswith(("content is not JSON: ", "content cannot be written"))
    assert len(error["message"]) < 300
    assert ran.store.runs() == ["r"]
    assert "bad" not in ran.state()["completed"]


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("datetime", "$.when is a datetime"),
        ("nan", "$[1] is nan"),
        ("infinity", "$.a.b is -inf"),
        ("very deep", "nested deeper than"),
        ("surrogate", "$.name has a lone surrogate"),
        ("key", "$.a has the key (1, 2), which is not text"),
        ("mixed keys", "the content has the key 2, which is not text"),
        ("set", "the content is a set"),
    ],
)
def test_the_message_names_the_place(which: str, said: str) -> None:
    assert said in alone("returns", which).error("bad")["message"]


def test_exactly_the_dependents_are_skipped() -> None:
    stage = Stage()
    ran = execute(
        runbook(
            stage,
            Spec("a"),
            Spec("b", ("a",), args={"fail": True}),
            Spec("c", ("b",)),
            Spec("d", ("c", "a")),
            Spec("e", ("a",)),
            Spec("f", ("e", "d")),
            Spec("g"),
        )
    )
    skipped = {
        e.artifact: (e.cause, e.reason) for e in ran.events if isinstance(e, ArtifactSkippedRecord)
    }
    assert skipped == dict.fromkeys("cdf", ("b", "it needs 'b', which failed"))
    assert {n for n, s in ran.statuses.items() if s == "completed"} == {"a", "e", "g"}
    assert ran.error("d") == {
        "kind": "skipped",
        "message": "it needs 'b', which failed",
        "cause": "b",
    }
    assert ran.ending.error == "b: ComponentError: b was told to fail"
    assert {name for _, name in stage.trace} == {"a", "b", "e", "g"}


def test_a_skip_names_all_its_causes() -> None:
    """It waits for all that it needs, and what follows from it names the same causes."""
    failing = {"fail": True}
    ran = execute(
        runbook(
            Stage(),
            Spec("quick", args=failing),
            Spec("a"),
            Spec("b", ("a",)),
            Spec("late", ("b",), args=failing),
            Spec("both", ("quick", "late", "a")),
            Spec("after", ("both",)),
            *(Spec(f"f{n}", args=failing) for n in range(25)),
            Spec("many", tuple(f"f{n}" for n in range(25))),
        )
    )
    skipped = {e.artifact: e for e in ran.events if isinstance(e, ArtifactSkippedRecord)}
    for name in ("both", "after"):
        assert (skipped[name].cause, skipped[name].more_causes) == ("quick", ["late"])
        assert skipped[name].reason == "it needs 'quick' and 'late', which failed"
    assert ran.error("both")["more_causes"] == ["late"]
    assert skipped["many"].reason.endswith("'f3', 'f4' and others, which failed")
    assert len(skipped["many"].more_causes) == 19
    assert ran.state()["skipped"] == ["after", "both", "many"]


def test_several_failures_are_counted() -> None:
    ran = execute(runbook(Stage(), *(Spec(f"a{n}", args={"fail": True}) for n in range(3))))
    assert ran.ending.error
    assert ran.ending.error.endswith(" was told to fail (and 2 more)")
    assert sum(isinstance(event, ArtifactFailedRecord) for event in ran.events) == 3


def test_an_optional_artifact_is_only_missed() -> None:
    ran = execute(
        runbook(
            Stage(),
            Spec("lost", optional=True, args={"fail": True}),
            Spec("there"),
            Spec("both", ("lost", "there")),
            Spec("only", ("lost",)),
            Spec("after_only", ("only", "there")),
        )
    )
    assert ran.statuses == {
        "lost": "failed",
        "there": "completed",
        "both": "completed",
        "only": "skipped",
        "after_only": "skipped",
    }
    done = {e.artifact: e for e in ran.events if isinstance(e, ArtifactCompletedRecord)}
    assert done["both"].inputs == {"there": done["there"].content_digest}
    assert ran.content("both")["inputs"] == ["there"]
    assert ran.ending.status == "completed"
    assert ran.ending.exit_code == 0
    assert ran.ending.error is None


def test_a_skipped_optional_artifact_is_only_missed_too() -> None:
    ran = execute(
        runbook(
            Stage(),
            Spec("lost", optional=True, args={"fail": True}),
            Spec("only", ("lost",), optional=True),
            Spec("there"),
            Spec("after", ("only", "there")),
        )
    )
    assert ran.statuses["only"] == "skipped"
    assert ran.statuses["after"] == "completed"
    assert ran.content("after")["inputs"] == ["there"]


def test_an_input_that_is_lost_on_the_shelf_is_a_failure() -> None:
    """What lies there is checked again when it is read."""
    stage = Stage()
    ran = execute(runbook(stage, Spec("a"), Spec("missing", call="raises", args={"which": "gone"})))
    assert ran.statuses == {"a": "completed", "missing": "failed"}
    assert ran.error("missing")["kind"] == "KeyError"
