"""On which terms a program has something run: what is made, what is taken, what is a failure."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api_kit import Book

import waivern

PEOPLE = """
name: people
artifacts:
  files: {source: {type: filesystem, properties: {path: customers}}}
  findings: {inputs: files, process: {type: personal_data}}
  agreed: {gate: {question: Is this all?, show: findings}}
  rare: {inputs: findings, when: inputs.findings.summary.findings > 9, process: {type: merge}}
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Return a runbook whose components say what they depend on, so that they are cached."""
    (tmp_path / "customers").mkdir()
    (tmp_path / "customers" / "mail.txt").write_text("ada@example.com has written\n")
    (tmp_path / "people.yaml").write_text(PEOPLE)
    return tmp_path / "people.yaml"


def chain() -> Book:
    book = Book()
    book.step("a", value=3)
    book.step("b", "a")
    book.step("c", "b")
    return book


def how(result: waivern.RunResult) -> dict[str, str]:
    """Return how each completed artifact came to be."""
    return {name: str(made.how) for name, made in result.artifacts.items()}


def refused(
    store: Path, error: type[waivern.WaivernError], call: Callable[[], object]
) -> waivern.WaivernError:
    """Return the error that a call raises; nothing may be written by it."""
    before = sorted(store.rglob("*"))
    with pytest.raises(error) as caught:
        call()
    assert sorted(store.rglob("*")) == before
    return caught.value


# what is made


def test_what_is_selected_is_made_and_a_resume_makes_the_rest(store: Path) -> None:
    book = chain()
    result = waivern.run(book.runbook, select="+b", store=store, run_id="r")
    assert list(result.artifacts) == ["a", "b"]
    assert result.state.not_started == ("c",)
    assert waivern.resume("r", exclude=("c",), store=store).nothing_to_do
    assert list(waivern.resume("r", store=store).artifacts) == ["a", "b", "c"]
    assert book.stage.calls == ["a", "b", "c"]


def test_what_is_excluded_is_not_made(store: Path) -> None:
    result = waivern.run(chain().runbook, select=["a", "b", "c"], exclude={"b+"}, store=store)
    assert list(result.artifacts) == ["a"]


def test_what_failed_is_selected_by_its_result(store: Path) -> None:
    book = Book()
    book.step("good", value=1)
    book.step("bad", fail=1)
    book.step("worse", fail=1)
    waivern.run(book.runbook, store=store, run_id="r")
    result = waivern.resume("r", select="result:failed", exclude="worse", store=store)
    assert list(result.artifacts) == ["good", "bad"]
    assert book.stage.calls.count("worse") == 1


def test_a_selection_that_cannot_be_is_refused(store: Path) -> None:
    runbook = chain().runbook

    def run(**terms: Any) -> Callable[[], object]:
        return lambda: waivern.run(runbook, store=store, **terms)

    error = refused(store, waivern.ArtifactNotFoundError, run(select="bb"))
    assert (error.message, error.hint) == (
        "no artifact of the runbook matches 'bb'",
        "did you mean 'b'?",
    )
    error = refused(store, waivern.UsageError, run(select="b"))
    assert error.message == "'b' is selected, but not what it depends on: 'a'"
    refused(store, waivern.UsageError, run(exclude="*"))
    refused(store, waivern.RefusedError, run(select="result:failed"))
    error = refused(store, waivern.UsageError, run(select=None))
    assert (error.message, error.hint) == ("select= cannot be 'None'", "give a text, or several")
    refused(store, waivern.UsageError, run(exclude=["a", b"b"]))
    refused(store, waivern.UsageError, run(select=3))


# what counts as failed


def test_a_policy_that_holds_is_in_the_result(store: Path) -> None:
    runbook, holds = chain().runbook, "artifacts.a > 2"
    result = waivern.run(runbook, fail_on=[holds, "status.b == 'failed'"], store=store, run_id="r")
    assert result.status is waivern.RunStatus.COMPLETED
    assert [text.split("  ")[0] for text in result.policies] == [holds]
    assert result.exit_code == 6
    result = waivern.run(runbook, fail_on="artifacts.a > 3", store=store)
    assert (result.policies, result.exit_code) == ((), 0)
    assert waivern.resume("r", fail_on=holds, store=store).exit_code == 6
    assert waivern.replay("r", fail_on=holds, store=store).exit_code == 6


def test_a_policy_that_cannot_be_is_refused(store: Path) -> None:
    runbook = chain().runbook

    def run(condition: str) -> Callable[[], object]:
        return lambda: waivern.run(runbook, fail_on=condition, store=store)

    for wrong, kind in (
        ("artifacts.a >", waivern.UsageError),
        ("params.none == 1", waivern.UsageError),
        ("status.aa == 'failed'", waivern.ArtifactNotFoundError),
    ):
        assert "fail-on" in refused(store, kind, run(wrong)).message
    refused(store, waivern.UsageError, lambda: waivern.run(runbook, fail_on=[1], store=store))  # type: ignore[list-item]


@pytest.mark.parametrize(("most", "last"), [(1, []), (2, []), (3, ["last"]), (None, ["last"])])
async def test_after_so_many_failures_nothing_more_is_started(
    store: Path, most: int | None, last: list[str]
) -> None:
    book, failed = Book(), []
    book.step("bad", fail=1)
    book.step("worse", fail=1)
    book.step("held", block="go")
    book.step("last", "held")
    async for event in waivern.stream(book.runbook, max_failures=most, check=False, store=store):
        failed += [event.artifact] if event.type == "artifact_failed" else []
        if len(failed) == min(most or 2, 2):  # it is known of in the run, which goes on or does not
            book.stage.events["go"].set()
    assert [name for name in book.stage.calls if name == "last"] == last
    assert isinstance(event, waivern.RunFinished)
    assert event.result.reason == (None if last else "fail_fast")


@pytest.mark.parametrize("name", ["max_failures", "max_concurrency"])
@pytest.mark.parametrize("wrong", [0, -1, True, False, "2", 1.0])
def test_a_count_is_a_whole_number_from_1(store: Path, name: str, wrong: object) -> None:
    terms: dict[str, Any] = {name: wrong, "store": store}
    error = refused(store, waivern.UsageError, lambda: waivern.run(chain().runbook, **terms))
    assert error.message == f"{name}= cannot be {repr(wrong)!r}"
    assert error.hint == "give a whole number from 1"


# what is taken


def test_the_cache_is_used_unless_it_is_switched_off(people: Path, store: Path) -> None:
    produced = {"files": "produced", "findings": "produced"}
    cached = {"files": "cached", "findings": "cached"}
    assert how(waivern.run(people, store=store)) == produced
    assert how(waivern.run(people, store=store)) == cached
    assert how(waivern.run(people, cache=True, store=store)) == cached
    assert how(waivern.run(people, cache=False, store=store)) == produced
    assert how(waivern.run(people, refresh=["findings"], store=store, run_id="r")) == {
        "files": "cached",
        "findings": "produced",
    }
    assert how(waivern.replay("r", store=store)) == produced


def test_the_cache_of_a_project_is_overruled(people: Path, store: Path) -> None:
    (people.parent / "waivern.yaml").write_text("cache: false\n")
    terms: dict[str, Any] = {"store": store, "project_root": people.parent}
    waivern.run(people, **terms, cache=True)
    assert how(waivern.run(people, **terms))["files"] == "produced"
    assert how(waivern.run(people, **terms, cache=True))["files"] == "cached"


def test_a_resume_makes_again_what_is_to_be_refreshed(store: Path) -> None:
    book = chain()
    waivern.run(book.runbook, store=store, run_id="r")
    result = waivern.resume("r", refresh="b", store=store)
    assert book.stage.calls == ["a", "b", "c", "b"]  # c is kept: b came out as it was
    assert result.status is waivern.RunStatus.COMPLETED


def test_a_decision_can_make_something_again(people: Path, store: Path) -> None:
    waivern.run(people, store=store, run_id="r")
    decided = waivern.approve("r", by="ada", refresh="files", cache=False, store=store)
    assert decided.result is not None
    assert decided.result.state.completed == ("agreed", "files", "findings")
    lines = waivern.open_store(store).read_journal("r").lines
    begun = [line.record for line in lines if line.record["type"] == "attempt_started"]
    assert begun[-1]["invalidated"] == {"files": "it is to be refreshed"}


def test_what_is_taken_can_be_wrong(people: Path, store: Path) -> None:
    error = refused(
        store,
        waivern.ArtifactNotFoundError,
        lambda: waivern.run(people, refresh=["finding"], store=store),
    )
    assert error.hint == "did you mean 'findings'?"


@pytest.mark.parametrize("wrong", [0, 1, "no"])
def test_a_switch_is_true_or_false(people: Path, store: Path, wrong: object) -> None:
    """0, which is equal to False, would switch nothing off."""
    terms: dict[str, Any] = {"cache": wrong, "store": store}
    error = refused(store, waivern.UsageError, lambda: waivern.run(people, **terms))
    assert error.hint == "give True or False"


# with an event loop


async def test_a_stream_takes_what_a_run_does(store: Path) -> None:
    book = chain()
    events = [
        event
        async for event in waivern.stream(
            book.runbook, select="+b", fail_on="artifacts.a > 2", store=store, run_id="r"
        )
    ]
    last = events[-1]
    assert isinstance(last, waivern.RunFinished)
    assert (len(last.result.policies), last.result.exit_code) == (1, 6)
    assert {e.artifact for e in events if e.type == "artifact_completed"} == {"a", "b"}
    result = await waivern.run_async(resume="r", refresh="a", store=store)
    assert list(result.artifacts) == ["a", "b", "c"]
    assert book.stage.calls == ["a", "b", "a", "c"]


async def test_a_stream_resumes_on_the_terms_of_a_resume(store: Path) -> None:
    book = chain()
    await waivern.run_async(book.runbook, select="a", store=store, run_id="r")
    book.step("b", "a", value="other")
    with pytest.raises(waivern.RefusedError, match="changed since"):
        await waivern.run_async(book.runbook, resume="r", store=store)
    result = await waivern.run_async(book.runbook, resume="r", allow_changed=True, store=store)
    assert result.artifacts["b"].message().content == [["a"], "other"]


async def test_arguments_of_a_stream_that_do_not_go_together_are_named(store: Path) -> None:
    runbook = chain().runbook

    def stream(*source: waivern.Runbook, **terms: Any) -> Callable[[], object]:
        return lambda: waivern.stream(*source, store=store, **terms)

    for call, message, hint in (
        (
            stream(runbook, data={"x": 1}, force=True),
            "source= and data=, force= cannot be combined",
            "with source=, use the arguments of waivern.run()",
        ),
        (
            stream(resume="r", run_id="x"),
            "resume= and run_id= cannot be combined",
            "with resume=, use the arguments of waivern.resume()",
        ),
        (
            stream(runbook, replay="r", cache=True, select="a"),
            "replay= and source=, select=, cache= cannot be combined",
            "with replay=, use the arguments of waivern.replay()",
        ),
        (stream(), "there is nothing to run", "give a source, resume= or replay="),
        (stream(runbook, max_failures=0), "max_failures= cannot be '0'", None),
    ):
        error = refused(store, waivern.UsageError, call)
        assert error.message == message
        assert hint in (None, error.hint)
    stream(runbook, data={}, force=False)()  # says nothing, as a program of its own may pass on


@pytest.mark.parametrize(
    ("verb", "word"),
    [
        ("run", "data"),
        ("replay", "cache"),
        ("approve", "select"),
        ("plan", "refresh"),
        ("forecast", "max_failures"),
        ("resume", "asc_again"),
        ("stream", "nonsense"),
    ],
)
def test_an_argument_that_a_function_does_not_have_is_a_type_error(verb: str, word: str) -> None:
    """As of every function; a type checker reports it before."""
    terms: dict[str, Any] = {word: None} | ({"by": "ada"} if verb == "approve" else {})
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{word}'"):
        getattr(waivern, verb)("r", **terms)


def test_the_executor_is_named(store: Path) -> None:
    runbook = chain().runbook
    assert waivern.run(runbook, executor="threads", store=store).exit_code == 0
    with pytest.raises(waivern.NotFoundError, match="no executor 'dask'"):
        waivern.run(runbook, executor="dask", store=store)
    with pytest.raises(waivern.UsageError, match="executor= cannot be of the type int"):
        waivern.run(runbook, executor=1, store=store)  # type: ignore[arg-type]
    assert len(waivern.list_runs(store=store)) == 1


def test_every_argument_is_explicit_and_typed() -> None:
    """Completion, help() and type checkers see each of them; most are the same everywhere."""
    verbs = ("plan", "run", "resume", "replay", "approve")
    for verb in verbs:
        blocking, async_ = (inspect.signature(getattr(waivern, n)) for n in (verb, f"a{verb}"))
        awaited = [each for each in async_.parameters.values() if each.name != "resolver"]
        assert blocking == async_.replace(parameters=awaited)  # only an event loop can await it
        kinds = {each.kind for each in blocking.parameters.values()}
        assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
        assert all(each.annotation for each in blocking.parameters.values())


# what would be made


def foreseen(*source: Path, **terms: Any) -> dict[str, str]:
    return {each.artifact: str(each.action) for each in waivern.forecast(*source, **terms)}


def test_a_forecast_says_what_a_run_then_does(people: Path, store: Path) -> None:
    def ahead(**terms: Any) -> dict[str, str]:
        before = sorted(store.rglob("*"))
        found = foreseen(people, store=store, **terms)
        assert sorted(store.rglob("*")) == before
        return found

    rest = {"agreed": "gate", "rare": "decided at run time"}
    assert ahead() == {"files": "produce", "findings": "produce"} | rest
    waivern.run(people, store=store, run_id="r")
    assert ahead() == {"files": "cached", "findings": "cached"} | rest
    assert ahead(refresh="findings") == {"files": "cached", "findings": "produce"} | rest
    assert ahead(cache=False) == {"files": "produce", "findings": "produce"} | rest
    kept = {"files": "keep", "findings": "keep"} | rest | {"rare": "skip"}
    assert ahead(resume="r") == foreseen(resume="r", store=store) == kept


def test_a_forecast_has_the_words_of_the_command(people: Path, store: Path) -> None:
    waivern.run(people, store=store)
    found = waivern.forecast(people, refresh=["files"], store=store)
    assert all(isinstance(each.action, waivern.Action) for each in found)
    assert found[0] == waivern.Forecast(
        artifact=found[0].artifact,
        action=waivern.Action.PRODUCE,
        reason="it is to be refreshed",
        component="connector:filesystem",
        expected_ms=found[0].expected_ms,
        work=True,
        keep="reference",
    )
    wct = Path(sys.executable).with_name("wct")
    said = subprocess.run(
        [wct, "plan", people, "--refresh", "files", "--store", store, "--json"],
        capture_output=True,
        check=True,
    )
    assert [each.document() for each in found] == json.loads(said.stdout)["data"]["artifacts"]


def test_a_forecast_of_changes_says_what_they_touch(store: Path) -> None:
    book = chain()
    waivern.run(book.runbook, store=store, run_id="r")
    book.step("b", "a", value="other")
    first, second, third = waivern.forecast(book.runbook, resume="r", store=store)
    assert (first.action, second.action) == (waivern.Action.KEEP, waivern.Action.PRODUCE)
    assert second.reason.startswith("runbook changed")
    assert third.action is waivern.Action.PRODUCE


def test_a_forecast_raises_what_a_run_would(people: Path, store: Path) -> None:
    for error, call in (
        (waivern.UsageError, lambda: waivern.forecast(store=store)),
        (waivern.NotFoundError, lambda: waivern.forecast("none.yaml", store=store)),
        (waivern.RunNotFoundError, lambda: waivern.forecast(resume="r", store=store)),
        (waivern.InvalidError, lambda: waivern.forecast(people, params={"x": 1}, store=store)),
        (
            waivern.ArtifactNotFoundError,
            lambda: waivern.forecast(people, refresh="none", store=store),
        ),
    ):
        refused(store, error, call)


async def test_a_forecast_may_be_asked_for_in_an_event_loop(people: Path, store: Path) -> None:
    """As a plan may: neither waits for a run."""
    found = await asyncio.to_thread(waivern.forecast, people, store=store)
    assert waivern.forecast(people, store=store) == found
