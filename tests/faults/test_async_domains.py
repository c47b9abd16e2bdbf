"""The failure domain of an async component: what it does to its event loop affects itself only."""

from __future__ import annotations

import json
import os

import pytest
from wct_process import Done, Place

from waivern.store.local import LocalFilesystemStore

pytestmark = pytest.mark.sweep

ROGUES = '''
import asyncio
import sys
import threading

from waivern.errors import ComponentError


def release(inputs):
    """Let the artifacts beside the rogue finish, after it has ended."""
    for name in ("go_command", "go_async"):
        with open(name, "w") as go:
            go.write("1")
    return 1


async def beside():
    """Wait for the release, as any coroutine may."""
    def read():
        with open("go_async") as go:
            return go.read()
    return {"released": await asyncio.to_thread(read)}


async def cancels_all():
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.sleep(60)


async def stops():
    asyncio.get_running_loop().stop()
    await asyncio.sleep(60)


async def closes():
    asyncio.get_running_loop().close()


async def exits():
    async def leave():
        sys.exit(0)
    await asyncio.gather(asyncio.sleep(60), leave(), asyncio.sleep(60))


async def interrupts():
    async def leave():
        raise KeyboardInterrupt
    await asyncio.gather(asyncio.sleep(60), leave())


async def runs_another():
    asyncio.run(asyncio.sleep(0))


async def blocks():
    with open("never") as fifo:  # a FIFO that has no writer
        fifo.read()


async def will_not_be_cancelled():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass


async def stops_when_cancelled():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(60)


async def breaks_everything_it_can():
    loop = asyncio.get_running_loop()

    def fail(*_args):
        raise SystemExit(3)

    loop.set_exception_handler(fail)
    loop.call_exception_handler = fail
    asyncio.set_event_loop(None)
    asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
    loop.call_soon(fail)
    await asyncio.sleep(60)


LOCK = asyncio.Lock()
HELD = threading.Event()


async def holds():
    """Hold a lock of the module until another artifact waits for it."""
    async with LOCK:
        HELD.set()
        while not LOCK._waiters:
            await asyncio.sleep(0.01)
    return 1


async def waits():
    await asyncio.to_thread(HELD.wait)
    async with LOCK:
        return 2


async def generate():
    try:
        while True:
            yield 1
    finally:
        await asyncio.sleep(0)
        raise ComponentError("nobody sees this")


async def leaves_things_behind():
    """Return, and leave: a task, one that fails, one that stays, a coroutine, a generator."""
    async def stubborn():
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass

    async def failing():
        try:
            await asyncio.sleep(60)
        finally:
            sys.exit(3)

    tasks = [asyncio.create_task(each()) for each in (stubborn, failing, beside)]
    await asyncio.sleep(0)
    open_generator = generate()
    await anext(open_generator)
    asyncio.sleep(0)
    return {"tasks": len(tasks)}
'''


def carried_out(place: Place, rogue: str, more: str = "") -> Done:
    """Run a rogue beside a command and a coroutine, which are at work until it has ended."""
    (place.path / "rogues.py").write_text(ROGUES)
    for fifo in ("go_command", "go_async", "never"):
        os.mkfifo(place.path / fifo)
    place.runbook(
        "book.yaml",
        f"""
  command: {{source: {{type: command, properties: {{argv: [cat, go_command]}}}}, timeout: 25}}
  beside: {{source: {{type: python, properties: {{call: "rogues.py:beside"}}}}, timeout: 25}}
  rogue:
    source: {{type: python, properties: {{call: "rogues.py:{rogue}"}}}}
    on_error: continue
    {more}
  first: {{source: {{type: python, properties: {{call: "steps.py:value"}}}}}}
  release:
    inputs: [first, rogue]
    process: {{type: python, properties: {{call: "rogues.py:release"}}}}
""",
    )
    return place.wct("run", "book.yaml", "--run-id", "r1", "--json", "--max-concurrency", "4")


def states(place: Place) -> dict[str, list[str]]:
    state = (place.run_folder() / "_system" / "state.json").read_text()
    return dict(json.loads(state))


def error_of(place: Place) -> tuple[str, str]:
    """Return kind and message of what the journal says of the rogue's failure."""
    lines = LocalFilesystemStore(place.path / ".waivern").read_journal("r1").lines
    (error,) = [line.record["error"] for line in lines if line.record["type"] == "artifact_failed"]
    return error["kind"], error["message"]


RUNNING = "cannot be called from a running event loop"


@pytest.mark.parametrize(
    ("rogue", "kind", "message"),
    [
        ("cancels_all", "CancelledError", "its task was cancelled by its own code"),
        ("stops", "ComponentError", "it stopped its event loop before it returned"),
        ("closes", "RuntimeError", "Cannot close a running event loop"),
        ("exits", "SystemExit", "sys.exit(0) was called"),
        ("interrupts", "KeyboardInterrupt", "no message"),
        ("runs_another", "RuntimeError", f"asyncio.run() {RUNNING}"),
        ("breaks_everything_it_can", "SystemExit", "sys.exit(3) was called"),
    ],
)
def test_a_rogue_fails_alone(place: Place, rogue: str, kind: str, message: str) -> None:
    done = carried_out(place, rogue)
    assert done.code == 0, done.err
    state = states(place)
    assert state["failed"] == ["rogue"]
    assert state["completed"] == ["beside", "command", "first", "release"]
    assert error_of(place) == (kind, message)


@pytest.mark.parametrize("rogue", ["blocks", "will_not_be_cancelled", "stops_when_cancelled"])
def test_a_rogue_reaches_its_own_limit_alone(place: Place, rogue: str) -> None:
    done = carried_out(place, rogue, "timeout: 0.2")
    assert done.code == 0, done.err
    state = states(place)
    assert state["failed"] == ["rogue"]
    assert state["completed"] == ["beside", "command", "first", "release"]
    assert error_of(place)[0] == "timeout"


def test_what_a_coroutine_leaves_behind_ends_with_it(place: Place) -> None:
    done = carried_out(place, "leaves_things_behind")
    assert done.code == 0, done.err
    assert states(place)["failed"] == []
    log = (place.run_folder() / "_system" / "logs" / "rogue.log").read_text()
    assert "tasks that ignore their cancellation are dropped" in log


def test_a_lock_of_the_module_wakes_another_artifact(place: Place) -> None:
    (place.path / "rogues.py").write_text(ROGUES)
    place.runbook(
        "book.yaml",
        "".join(
            f'  {name}: {{source: {{type: python, properties: {{call: "rogues.py:{name}"}}}}}}\n'
            for name in ("holds", "waits")
        ),
    )
    done = place.wct("run", "book.yaml", "--max-concurrency", "2")
    assert done.code == 0, done.err
    assert states(place)["completed"] == ["holds", "waits"]
