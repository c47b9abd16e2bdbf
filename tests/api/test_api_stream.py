"""A run's events as they happen, and what becomes of a run that nobody reads on."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from api_kit import QUICKLY, Book, join_threads, journal, threads, types

import waivern
from waivern.store.base import RunStore


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    return waivern.open_store("memory:" if request.param == "memory" else tmp_path / "store")


def everything() -> Book:
    """Return a book in which everything happens that can."""
    book = Book()
    book.step("a", value={"n": 1}, progress=5)
    book.step("flaky", value=2, fail=2, terms={"retry": QUICKLY})
    book.step("bad", fail=99)
    book.step("left", "bad")
    book.step("waits", ask=True)
    book.step("z", "a", "flaky")
    return book


# what is given


async def test_every_event_is_given_once_and_in_order(store: RunStore) -> None:
    events = [e async for e in waivern.stream(everything().runbook, store=store, check=False)]
    assert events[0].type == "run_started"
    last = events[-1]
    assert isinstance(last, waivern.RunFinished)
    assert last.status is waivern.RunStatus.FAILED

    of: dict[str | None, list[str]] = {}
    for event in events:
        of.setdefault(event.artifact, []).append(event.type.removeprefix("artifact_"))
    assert of == {
        None: ["run_started", "run_finished"],
        "a": ["started", "progress", "completed"],
        "flaky": ["started", "retried", "started", "retried", "started", "completed"],
        "bad": ["started", "failed"],
        "left": ["skipped"],
        "waits": ["started", "suspended"],
        "z": ["started", "completed"],
    }


async def test_seq_is_the_line_of_the_journal(store: RunStore) -> None:
    events = [e async for e in waivern.stream(everything().runbook, store=store, check=False)]
    lines = {line.seq: line.record for line in store.read_journal(events[0].run_id).lines}
    with_line = [event for event in events if event.seq is not None]
    seqs = [event.seq for event in with_line]
    assert seqs == sorted(lines)[1:]  # but for the first line, which is about the run's plan
    for event in with_line:
        record = lines[event.seq or 0]
        assert record["at"] == event.at
        assert record.get("artifact") == event.artifact
        assert record.get("duration_ms") == event.duration_ms
    assert [event.type for event in events if event.seq is None] == ["artifact_progress"]


ERROR = {"kind": "ComponentError", "message": "it was told to fail", "hint": "as you wished"}
FINAL = {"kind": "failed", "message": "bad: ComponentError: it was told to fail", "hint": None}


async def test_each_type_says_what_there_is_to_say() -> None:
    """Of each type, the last one."""
    stream = waivern.stream(everything().runbook, store="memory:", check=False)
    told = {type(event): vars_of(event) async for event in stream}
    assert (
        told[waivern.RunStarted].items()
        >= {
            "artifacts": ("a", "flaky", "bad", "left", "waits", "z"),
            "restored": (),
            "attempt": 1,
        }.items()
    )
    assert (
        told[waivern.ArtifactStarted].items()
        >= {
            "artifact": "z",
            "component": "processor:api_step",
            "inputs": ("a", "flaky"),
        }.items()
    )
    progress = told[waivern.ArtifactProgress]
    assert (progress["n"], progress["total"]) == (5, 5)
    assert told[waivern.ArtifactRetried]["error"] == ERROR
    assert told[waivern.ArtifactRetried]["delay_ms"] <= 4
    assert told[waivern.ArtifactCompleted]["made"].how is waivern.How.PRODUCED
    assert told[waivern.ArtifactFailed]["error"] == ERROR
    skipped = told[waivern.ArtifactSkipped]
    assert (skipped["cause"], skipped["reason"]) == ("bad", "it needs 'bad', which failed")
    waits = told[waivern.ArtifactSuspended]
    assert (waits["reason"], waits["gate"]) == ("an answer is needed", False)
    assert told[waivern.RunFinished]["error"] == FINAL
    common = {"type", "run_id", "artifact", "seq", "at", "duration_ms", "error"}
    assert all(common <= fields.keys() for fields in told.values())
    assert len(told) == 9


def vars_of(event: waivern.RunEvent) -> dict[str, Any]:
    return {field.name: getattr(event, field.name) for field in fields(event)}


async def test_a_completed_event_gives_its_message_even_before_the_run_is_over() -> None:
    book = Book()
    book.step("a", value={"n": 1})
    book.step("b", "a", block="go")
    async for event in waivern.stream(book.runbook, store="memory:"):
        if isinstance(event, waivern.ArtifactCompleted) and event.artifact == "a":
            assert (await event.message()).content == {"n": 1}
            book.stage.events["go"].set()


async def test_progress_is_given_while_the_work_goes_on() -> None:
    book = Book()
    book.step("a", progress=3, block="go")
    async for event in waivern.stream(book.runbook, store="memory:"):
        if isinstance(event, waivern.ArtifactProgress):
            assert (event.n, event.total, event.seq) == (3, 3, None)
            book.stage.events["go"].set()
    assert book.stage.events["go"].is_set()


async def test_a_flood_of_progress_is_thinned_out() -> None:
    book = Book()
    book.step("a", progress=50_000)
    given = [e async for e in waivern.stream(book.runbook, store="memory:")]
    progress = [event for event in given if isinstance(event, waivern.ArtifactProgress)]
    assert 1 <= len(progress) < 1000
    assert progress[-1].n == 50_000


async def test_a_reader_that_is_slow_does_not_slow_the_run(store: RunStore) -> None:
    book = Book()
    names = [f"a{n}" for n in range(50)]
    for name in names:
        book.step(name, value=name)
    book.step("last", *names)
    events = waivern.stream(book.runbook, store=store)
    first = await anext(events)
    assert first.type == "run_started"
    book.stage.begun("last")  # the run goes on, while this blocks the event loop and reads nothing
    rest = await types(events)
    completed = [name for kind, name in rest if kind == "artifact_completed"]
    assert sorted(map(str, completed[:-1])) == sorted(names)
    assert completed[-1] == "last"


# how it ends


async def follow(events: waivern.Stream, seen: list[str]) -> None:
    async for event in events:
        seen.append(event.type)  # noqa: PERF401 - what was seen before it raised counts


async def test_a_failed_run_raises_after_its_last_event() -> None:
    book = Book()
    book.step("bad", fail=1)
    seen: list[str] = []
    with pytest.raises(waivern.RunFailed, match="bad: ComponentError: it was told") as caught:
        await follow(waivern.stream(book.runbook, store="memory:"), seen)
    assert seen[-1] == "run_finished"
    assert caught.value.result.status is waivern.RunStatus.FAILED
    assert caught.value.exit_code == 1


async def test_a_run_that_waits_does_not_raise() -> None:
    book = Book()
    book.step("waits", ask=True)
    events = [event async for event in waivern.stream(book.runbook, store="memory:")]
    last = events[-1]
    assert isinstance(last, waivern.RunFinished)
    assert last.status is waivern.RunStatus.SUSPENDED
    assert last.result.waiting == ("waits",)


async def test_what_is_wrong_with_the_runbook_is_raised_where_it_is_read(tmp_path: Path) -> None:
    events = waivern.stream(tmp_path / "none.yaml", store="memory:")
    with pytest.raises(waivern.NotFoundError, match="no runbook"):
        await anext(events)
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_nothing_happens_before_the_first_event_is_asked_for(tmp_path: Path) -> None:
    waivern.stream(tmp_path / "none.yaml", store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


async def test_when_the_last_event_is_given_the_run_is_free(store: RunStore) -> None:
    book = Book()
    book.step("bad", fail=1)
    async for event in waivern.stream(book.runbook, store=store, run_id="r", check=False):
        if event.type == "run_finished":
            assert store.owner("r") is None
            assert not threads()


async def test_a_run_with_nothing_to_do_only_finishes(store: RunStore) -> None:
    book = Book()
    book.step("a")
    await types(waivern.stream(book.runbook, store=store, run_id="r"))
    again = [event async for event in waivern.stream(book.runbook, resume="r", store=store)]
    (last,) = again
    assert isinstance(last, waivern.RunFinished)
    assert last.seq == len(journal(store, "r"))
    assert last.result.nothing_to_do


# leaving early


def long() -> Book:
    book = Book()
    book.step("a", value=1)
    book.step("slow", "a", block="coroutine")
    book.step("last", "slow")
    return book


async def test_a_run_is_resumed_after_break(store: RunStore) -> None:
    book = Book()
    book.step("a", value=1)
    book.step("b", "a", value=2, fail=1)
    book.step("held", block="go")
    async for event in waivern.stream(book.runbook, store=store, run_id="r"):
        if (event.type, event.artifact) == ("artifact_completed", "a"):
            break
    book.stage.events["go"].set()
    events = await types(waivern.stream(book.runbook, resume="r", store=store, check=False))
    assert events[-1] == ("run_finished", None)
    assert book.stage.calls.count("a") == 1  # it was kept
    statuses = [str(one["status"]) for one in store.read_json("r", "run")["attempts"]]
    assert statuses[0] == "interrupted"
    assert len(statuses) == 2
    join_threads()


async def test_break_ends_the_run_as_interrupted(store: RunStore) -> None:
    book = long()
    async for event in waivern.stream(book.runbook, store=store, run_id="r"):
        if (event.type, event.artifact) == ("artifact_started", "slow"):
            break
    join_threads()
    assert store.owner("r") is None
    metadata = waivern.load_run("r", store=store)
    assert metadata is not None
    assert metadata.status is waivern.RunStatus.INTERRUPTED
    assert journal(store, "r")[-1] == "attempt_ended"


async def test_async_with_waits_until_the_run_is_free(store: RunStore) -> None:
    book = long()
    async with waivern.stream(book.runbook, store=store, run_id="r") as events:
        async for event in events:
            if event.artifact == "slow":
                break
        assert store.owner("r") is not None  # held by a name: nobody has left yet
    assert store.owner("r") is None
    assert not threads()
    assert [event async for event in events] == []


async def test_cancelling_the_reader_ends_the_run(store: RunStore) -> None:
    book = long()
    task = asyncio.create_task(types(waivern.stream(book.runbook, store=store, run_id="r")))
    await asyncio.to_thread(book.stage.begun, "slow")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not threads()
    assert journal(store, "r")[-1] == "attempt_ended"


async def test_an_exception_in_the_body_ends_the_run(store: RunStore) -> None:
    async def read() -> None:
        async for event in waivern.stream(long().runbook, store=store, run_id="r"):
            if event.artifact == "slow":
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await read()
    join_threads()
    assert journal(store, "r")[-1] == "attempt_ended"


async def test_a_reader_that_left_before_the_run_began_ends_it_all_the_same(
    store: RunStore,
) -> None:
    book = long()
    events = waivern.stream(book.runbook, store=store, run_id="r")
    first = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    first.cancel()  # while the run begins: at its first event at the latest
    await asyncio.wait([first])
    await events.aclose()
    assert not threads()
    assert "last" not in book.stage.calls


def test_a_run_whose_event_loop_is_gone_ends() -> None:
    book, store = Book(), waivern.open_store("memory:")
    book.step("held", block="go")
    book.step("slow", "held", block="coroutine")  # would never end by itself
    streams: list[waivern.Stream] = []

    async def look() -> None:
        streams.append(waivern.stream(book.runbook, store=store, run_id="r"))
        assert (await anext(streams[0])).type == "run_started"

    asyncio.run(look())  # the stream is still held, but nobody can ever read on
    book.stage.events["go"].set()
    join_threads()
    assert journal(store, "r")[-1] == "attempt_ended"


async def test_a_component_that_nobody_can_stop_does_not_hold_the_run(store: RunStore) -> None:
    book = Book()
    book.step("held", block="go")
    try:
        async with waivern.stream(book.runbook, store=store, run_id="r") as events:
            async for event in events:
                if event.type == "artifact_started":
                    break
        assert store.owner("r") is None
        assert {name[:14] for name in threads()} == {"waivern-worker"}  # all that is left of it
    finally:
        book.stage.events["go"].set()
    join_threads()


# at once


async def test_two_streams_in_one_event_loop(store: RunStore) -> None:
    """Each run's last step waits for the other's to have begun: they only end side by side."""
    one, other = Book(), Book()
    one.step("a", value=1)
    one.step("b", "a", block="go")
    other.step("a", value=2)
    other.step("b", "a", block="go")

    async def follow(book: Book, peer: Book) -> list[str]:
        run_ids = []
        async for event in waivern.stream(book.runbook, store=store):
            run_ids.append(event.run_id)
            if (event.type, event.artifact) == ("artifact_started", "b"):
                peer.stage.events["go"].set()
        return run_ids

    first, second = await asyncio.gather(follow(one, other), follow(other, one))
    assert len({*first}) == len({*second}) == 1
    assert first[0] != second[0]
    assert sorted(run.status for run in waivern.list_runs(store=store)) == [
        "completed",
        "completed",
    ]


async def test_run_async_returns_what_run_does(store: RunStore) -> None:
    result = await waivern.run_async(everything().runbook, store=store)
    assert result.status is waivern.RunStatus.FAILED
    assert sorted(result.artifacts) == ["a", "flaky", "z"]
