"""Lookups that wait: planning under asyncio and trio, and without an event loop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import anyio
import pytest

from waivern.diagnostics import InvalidError
from waivern.errors import IntegrityError, NotFoundError, StoreError, WaivernError
from waivern.ids import ArtifactId
from waivern.language.loader import parse
from waivern.language.models import Runbook
from waivern.language.producer_specs import ReuseSpec
from waivern.planning.child_runbooks import ChildFile, ChildReference
from waivern.planning.plan import Copy, Plan
from waivern.planning.planner import plan_runbook
from waivern.planning.resolver import run_to_end

LEAF = (
    b"outputs: {a: {artifact: a}}\n"
    b"artifacts: {a: {source: {type: python, properties: {call: 'f.py:f'}}}}\n"
)
MIDDLE = (
    b"outputs: {a: {artifact: inner}}\n"
    b"artifacts: {inner: {child_runbook: {path: leaf.yaml, output: a}}}\n"
)
COPY = b"artifacts: {c: {reuse: {from_run: '@last', artifact: x}}, d: {inputs: c}}\n"


class RemoteResolver:
    """A resolver that waits for each lookup, and makes those of a batch concurrently."""

    def __init__(self, error: WaivernError | None = None) -> None:
        self.batches: list[list[str]] = []
        self.most_at_once = 0
        self._at_once = 0
        self._error = error

    async def children(
        self, wanted: Sequence[ChildReference]
    ) -> Sequence[ChildFile | WaivernError]:
        self.batches.append([each.path for each in wanted])
        found: dict[str, ChildFile | WaivernError] = {}

        async def look_up(path: str) -> None:
            await self._wait()
            data = MIDDLE if path.startswith("middle") else LEAF
            missing = NotFoundError(f"no child {path}")
            found[path] = missing if path == "none.yaml" else ChildFile(path, Path("/"), data)

        async with anyio.create_task_group() as group:
            for each in wanted:
                group.start_soon(look_up, each.path)
        return [found[each.path] for each in wanted]

    async def copies(
        self, wanted: Mapping[ArtifactId, ReuseSpec]
    ) -> Mapping[ArtifactId, Copy | WaivernError]:
        self.batches.append(sorted(wanted))
        await self._wait()
        if isinstance(self._error, StoreError):
            raise self._error
        copy = Copy("r", "x", 3, "sha256:1", "sha256:2", "json/1.0.0")
        return dict.fromkeys(wanted, self._error or copy)

    async def _wait(self) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await anyio.sleep(0.01)
        self._at_once -= 1


def runbook(text: bytes) -> Runbook:
    return parse(text, path="book.yaml", folder=Path("/"), environ={})


def children(*paths: str) -> bytes:
    lines = (
        f"  c{n}: {{child_runbook: {{path: {path}, output: a}}}}\n" for n, path in enumerate(paths)
    )
    return ("artifacts:\n" + "".join(lines)).encode()


def planned(text: bytes, resolver: RemoteResolver, backend: str) -> Plan:
    return anyio.run(partial(plan_runbook, runbook(text), resolver, {}), backend=backend)


both = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@both
def test_the_children_of_a_runbook_are_looked_up_at_once(backend: str) -> None:
    remote = RemoteResolver()
    plan = planned(children("leaf.yaml", "middle1.yaml", "middle2.yaml"), remote, backend)
    assert list(plan.nodes) == ["c0/a", "c1/inner/a", "c2/inner/a"]
    assert remote.batches[0] == ["leaf.yaml", "middle1.yaml", "middle2.yaml"]
    assert remote.batches[1:] == [["leaf.yaml", "leaf.yaml"]]  # of both parents at once
    assert remote.most_at_once == 3


@both
def test_reused_artifacts_are_looked_up_in_one_batch(backend: str) -> None:
    text = COPY.replace(b"}, d", b"}, e: {reuse: {from_run: r, artifact: y}}, d")
    remote = RemoteResolver()
    plan = planned(text, remote, backend)
    assert remote.batches == [["c", "e"]]
    assert isinstance(plan.nodes[ArtifactId("c")].work, Copy)


@both
def test_all_errors_of_lookups_are_reported_at_once(backend: str) -> None:
    text = children("none.yaml") + b"  c: {reuse: {from_run: '@last', artifact: x}}\n"
    with pytest.raises(InvalidError) as raised:
        planned(text, RemoteResolver(NotFoundError("no such run")), backend)
    assert [each.message for each in raised.value.problems] == [
        "no child none.yaml",
        "'c' cannot be reused: no such run",
    ]


@both
@pytest.mark.parametrize("error", [IntegrityError("damaged"), StoreError("unreachable")])
def test_errors_that_are_no_fault_of_the_runbook_end_planning(
    backend: str, error: WaivernError
) -> None:
    with pytest.raises(type(error), match=error.message):
        planned(COPY, RemoteResolver(error), backend)


def test_planning_without_an_event_loop_refuses_to_wait() -> None:
    async def answers() -> int:
        return 3

    assert run_to_end(answers()) == 3

    class Waiting:
        def __await__(self):  # type: ignore[no-untyped-def]
            yield

    async def really_waits() -> None:
        await Waiting()

    with pytest.raises(RuntimeError, match="a lookup waited"):
        run_to_end(really_waits())


def test_a_plan_of_local_files_starts_no_event_loop(tmp_path: Path) -> None:
    (tmp_path / "leaf.yaml").write_bytes(LEAF)
    (tmp_path / "book.yaml").write_bytes(children("leaf.yaml"))
    program = (
        "import sys, waivern\n"
        "assert list(waivern.plan('book.yaml', store='memory:').nodes) == ['c0/a']\n"
        "assert not {'asyncio', 'trio', 'anyio'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
