"""Planning with a resolver of the program: lookups that wait for a remote store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import waivern
from waivern.planning.child_runbooks import ChildReference
from waivern.store.memory import AsyncInMemoryStore

LEAF = """
outputs: {a: {artifact: a}}
artifacts: {a: {source: {type: command, properties: {argv: [echo, "1"]}}}}
"""
MIDDLE = """
params: {leaf: {type: string}}
outputs: {a: {artifact: inner}}
artifacts:
  inner:
    for_each: ["${params.leaf}"]
    child_runbook: {path: "leaf-${each}.yaml", output: a}
"""
ROOT = """
artifacts:
  x: {child_runbook: {path: middle.yaml, output: a, params: {leaf: one}}}
  y: {child_runbook: {path: middle.yaml, output: a, params: {leaf: two}}}
  z: {child_runbook: {path: lib/top.yaml, output: a}}
"""
REUSE = "artifacts:\n  old: {reuse: {from_run: nightly, artifact: a}}\n"


class RemoteStore(AsyncInMemoryStore):
    """A store that also looks up what planning needs, and waits for each answer."""

    def __init__(self) -> None:
        super().__init__()
        self.library: dict[str, str] = {}
        self.names: dict[str, str | waivern.WaivernError] = {}
        self.batches: list[list[str]] = []
        self.most_at_once = 0
        self._at_once = 0

    async def find_children(
        self, wanted: Sequence[ChildReference]
    ) -> Sequence[bytes | waivern.WaivernError | None]:
        found = await self._each([each.path for each in wanted], self.library)
        return [None if text is None else text.encode() for text in found]

    async def find_runs(self, wanted: Sequence[str]) -> Sequence[str | waivern.WaivernError | None]:
        return await self._each(list(wanted), self.names)

    async def _each(self, names: list[str], there: dict[str, Any]) -> list[Any]:
        self.batches.append(names)
        found: dict[int, Any] = {}

        async def look_up(number: int, name: str) -> None:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            await anyio.sleep(0.01)
            self._at_once -= 1
            found[number] = there.get(name)

        async with anyio.create_task_group() as group:
            for number, name in enumerate(names):
                group.start_soon(look_up, number, name)
        return [found[number] for number in range(len(names))]


Loop = Callable[[Callable[[], Awaitable[Any]]], Any]


@pytest.fixture(params=["asyncio", "trio"])
def loop(request: pytest.FixtureRequest) -> Loop:
    """Return a function that runs an async one in an event loop."""
    return partial(anyio.run, backend=request.param)


@pytest.fixture
def remote() -> RemoteStore:
    store = RemoteStore()
    store.library = {
        "middle.yaml": MIDDLE,
        "lib/top.yaml": LEAF,
        "leaf-one.yaml": LEAF,
        "leaf-two.yaml": LEAF,
    }
    return store


def test_children_are_looked_up_level_by_level(loop: Loop, remote: RemoteStore) -> None:
    async def main() -> waivern.Plan:
        return await waivern.aplan(waivern.load(text=ROOT), resolver=remote, store=remote)

    assert list(loop(main).nodes) == ["x/inner/one/a", "y/inner/two/a", "z/a"]
    assert remote.batches == [["middle.yaml", "lib/top.yaml"], ["leaf-one.yaml", "leaf-two.yaml"]]
    assert remote.most_at_once == 2


def test_what_the_resolver_does_not_know_is_looked_up_locally(
    loop: Loop, remote: RemoteStore, tmp_path: Path
) -> None:
    del remote.library["lib/top.yaml"]
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "top.yaml").write_text(LEAF)
    book = waivern.load(text=ROOT, folder=tmp_path)

    async def main() -> waivern.Plan:
        return await waivern.aplan(book, resolver=remote, store=remote)

    assert "z/a" in loop(main).nodes


def test_a_run_is_planned_so_and_resumed_from_what_it_recorded(
    loop: Loop, remote: RemoteStore
) -> None:
    async def main() -> None:
        run = partial(waivern.arun, waivern.load(text=ROOT), resolver=remote, store=remote)
        first = await run(run_id="r", select="x")
        assert first.state.not_started == ("y/inner/two/a", "z/a")
        remote.batches.clear()
        again = await waivern.aresume("r", resolver=remote, store=remote)
        assert again.state.not_started == ()
        assert remote.batches == []

    loop(main)


def test_a_changed_runbook_is_resumed_with_the_resolver(loop: Loop, remote: RemoteStore) -> None:
    async def main() -> None:
        await waivern.arun(waivern.load(text=ROOT), run_id="r", resolver=remote, store=remote)
        remote.library["new.yaml"] = LEAF
        more = waivern.load(text=f"{ROOT}  n: {{child_runbook: {{path: new.yaml, output: a}}}}\n")
        resume = partial(waivern.aresume, "r", more, allow_changed=True, store=remote)
        assert "n/a" in (await resume(resolver=remote)).artifacts

    loop(main)


def test_a_reference_to_a_run_is_resolved(loop: Loop, remote: RemoteStore) -> None:
    remote.names = {"nightly": "r1"}

    async def main() -> None:
        await waivern.arun(waivern.load(text=LEAF), run_id="r1", store=remote)
        await waivern.arun(waivern.load(text=LEAF), run_id="r2", store=remote)
        book = waivern.load(text=REUSE)
        result = await waivern.arun(book, run_id="new", resolver=remote, store=remote)
        assert result.artifacts["old"].how == "reused"
        remote.names = {"nightly": "r2"}  # a resume does not look again
        assert (await waivern.aresume("new", book, resolver=remote, store=remote)).nothing_to_do
        async with waivern.stream(book, run_id="next", resolver=remote, store=remote) as events:
            assert [each.type async for each in events][-1] == "run_finished"

    loop(main)
    assert remote.batches == [["nightly"], ["nightly"]]


def test_errors_that_are_returned_are_reported_with_their_position(
    loop: Loop, remote: RemoteStore
) -> None:
    remote.names = {"nightly": waivern.NotFoundError("no run named nightly")}
    text = REUSE + "  up: {child_runbook: {path: none.yaml, output: a}}\n"

    async def main() -> None:
        with pytest.raises(waivern.InvalidError) as caught:
            await waivern.aplan(waivern.load(text=text), resolver=remote, store=remote)
        old, none = sorted(caught.value.problems, key=lambda each: each.message)
        assert old.message == "'old' cannot be reused: no run named nightly"
        assert old.position is not None
        assert none.message == "no child runbook 'none.yaml'"

    loop(main)
    assert remote.batches == [["none.yaml"], ["nightly"]]


@pytest.mark.parametrize("wrong", ["raises", "too few"])
def test_a_resolver_that_fails_ends_planning(loop: Loop, remote: RemoteStore, wrong: str) -> None:
    async def find_children(wanted: Sequence[ChildReference]) -> Sequence[bytes]:
        await anyio.lowlevel.checkpoint()
        if wrong == "raises":
            raise ConnectionError("no route")
        return []

    remote.find_children = find_children  # type: ignore[method-assign]

    async def main() -> None:
        for call in (waivern.aplan, waivern.arun):
            with pytest.raises(waivern.StoreError, match="the resolver r"):
                await call(waivern.load(text=ROOT), resolver=remote, store=remote)

    loop(main)
    assert waivern.list_runs(store=remote) == []


def test_a_lookup_without_an_end_can_be_cancelled(loop: Loop, remote: RemoteStore) -> None:
    cancelled = []

    async def find_children(wanted: Sequence[ChildReference]) -> Sequence[bytes]:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(len(wanted))
        return []

    remote.find_children = find_children  # type: ignore[method-assign]

    async def main() -> None:
        for call in (waivern.aplan, waivern.arun):
            with anyio.move_on_after(0.2) as scope:
                await call(waivern.load(text=ROOT), resolver=remote, store=remote)
            assert scope.cancelled_caught
            await anyio.sleep(0.05)
        stream = waivern.stream(waivern.load(text=ROOT), resolver=remote, store=remote)
        with anyio.move_on_after(0.2):
            await anext(stream)

    loop(main)
    assert cancelled == [2, 2, 2]


def test_a_replay_looks_up_nothing(remote: RemoteStore) -> None:
    with pytest.raises(waivern.UsageError, match="replay= and resolver="):
        waivern.stream(replay="r", resolver=remote, store=remote)
