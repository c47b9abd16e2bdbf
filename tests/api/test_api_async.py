"""The functions for event loops: the same under asyncio and trio, cancellation included."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from api_kit import Book, join_threads, threads

import waivern
from waivern.store.base import RunStore

GATED = """
name: gated
artifacts:
  a: {{source: {{type: api_step, properties: {{stage: {token}, value: 1}}}}}}
  agreed: {{gate: {{question: Is this all?, show: a}}}}
"""


@pytest.fixture(params=["asyncio", "trio"])
def loop(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """Return a function that runs an async one in an event loop."""
    return partial(anyio.run, backend=request.param)


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    return waivern.open_store("memory:" if request.param == "memory" else tmp_path / "store")


def chain() -> Book:
    book = Book()
    book.step("a", value=1)
    book.step("b", "a", value=2)
    return book


def test_each_returns_what_its_blocking_form_does(loop: Any, store: RunStore) -> None:
    book = chain()

    async def main() -> None:
        plan = await waivern.aplan(book.runbook, store=store)
        assert list(plan.nodes) == ["a", "b"]
        first = await waivern.arun(book.runbook, select="a", store=store, run_id="r")
        assert list(first.artifacts) == ["a"]
        second = await waivern.aresume("r", store=store)
        assert list(second.artifacts) == ["a", "b"]
        third = await waivern.areplay("r", run_id="again", store=store)
        assert third.metadata.replay_of == "r"

    loop(main)
    assert book.stage.calls == ["a", "b", "a", "b"]
    assert not threads()


def test_a_decision_resumes_the_run(loop: Any, store: RunStore) -> None:
    runbook = waivern.load(text=GATED.format(token=Book().stage.token))

    async def main() -> waivern.Decided:
        await waivern.arun(runbook, store=store, run_id="r")
        return await waivern.aapprove("r/agreed", by="ada", store=store)

    decided = loop(main)
    assert decided.result.status is waivern.RunStatus.COMPLETED


def test_errors_are_raised_where_they_are_awaited(loop: Any, tmp_path: Path) -> None:
    async def main() -> None:
        for call in (waivern.aplan, waivern.arun):
            with pytest.raises(waivern.NotFoundError, match="no runbook"):
                await call(tmp_path / "none.yaml", store="memory:")
        with pytest.raises(waivern.RunNotFoundError):
            await waivern.aresume("none", store="memory:")
        with pytest.raises(waivern.UsageError):
            await waivern.aapprove("none", by="", store="memory:")

    loop(main)


def test_a_cancelled_run_is_interrupted_and_can_be_resumed(loop: Any, store: RunStore) -> None:
    book = Book()
    book.step("a", value=1)
    book.step("slow", "a", block="coroutine")

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(waivern.arun, book.runbook, store=store, run_id="r"))
            await anyio.to_thread.run_sync(book.stage.begun, "slow")
            group.cancel_scope.cancel()
        assert store.owner("r") is None  # it is free when the call has ended
        book.step("slow", "a", value=2)
        result = await waivern.aresume("r", book.runbook, allow_changed=True, store=store)
        assert result.status is waivern.RunStatus.COMPLETED

    loop(main)
    assert [str(one["status"]) for one in store.read_json("r", "run")["attempts"]] == [
        "interrupted",
        "completed",
    ]
    assert book.stage.calls.count("a") == 1
    join_threads()


def test_a_stream_delivers_events_and_progress(loop: Any, store: RunStore) -> None:
    book = Book()
    book.step("a", progress=3, block="go")
    book.step("b", "a")

    async def main() -> list[str]:
        seen = []
        async for event in waivern.stream(book.runbook, store=store):
            seen.append(event.type.removeprefix("artifact_"))
            if isinstance(event, waivern.ArtifactProgress):
                book.stage.events["go"].set()
            if isinstance(event, waivern.ArtifactCompleted) and event.artifact == "b":
                assert (await event.message()).schema.name == "json"
        return seen

    assert loop(main) == [
        "run_started",
        *("started", "progress", "completed"),
        *("started", "completed"),
        "run_finished",
    ]


def test_a_stream_that_is_left_ends_its_run(loop: Any, store: RunStore) -> None:
    book = Book()
    book.step("a", value=1)
    book.step("slow", "a", block="coroutine")

    async def main() -> None:
        async with waivern.stream(book.runbook, store=store, run_id="r") as events:
            async for event in events:
                if (event.type, event.artifact) == ("artifact_started", "slow"):
                    break
        assert store.owner("r") is None

    loop(main)
    run = waivern.load_run("r", store=store)
    assert run is not None
    assert run.status is waivern.RunStatus.INTERRUPTED
    join_threads()


def test_a_cancelled_reader_ends_its_run(loop: Any, store: RunStore) -> None:
    book = Book()
    book.step("slow", block="coroutine")

    async def main() -> None:
        with anyio.move_on_after(0.3):
            async for _event in waivern.stream(book.runbook, store=store, run_id="r"):
                pass
        assert store.owner("r") is None

    loop(main)
    run = waivern.load_run("r", store=store)
    assert run is not None
    assert run.status is waivern.RunStatus.INTERRUPTED
    join_threads()


def test_blocking_functions_are_refused_in_either_loop(loop: Any, store: RunStore) -> None:
    runbook = chain().runbook

    async def main() -> None:
        for call in (
            lambda: waivern.run(runbook, store=store),
            lambda: waivern.resume("r", store=store),
            lambda: waivern.replay("r", store=store),
            lambda: waivern.approve("r", by="ada", store=store),
        ):
            with pytest.raises(waivern.RefusedError, match="would block the event loop"):
                call()

    loop(main)
