"""Component functions of the engine's tests, called as `engine_steps:<name>`.

They run in this process, so that a test can wait for them and hold them up: with the events and
barriers of a `Stage`, found by the token among their arguments.
"""

from __future__ import annotations

import asyncio
import datetime
import threading
from collections import defaultdict
from typing import Any, NoReturn

from waivern.errors import ComponentError
from waivern.message import Json
from waivern.plugins.component import Suspend

WAIT_S = 10
"""How long anything here waits before it fails: only a defect lets it come to that."""


class Stage:
    """What one test shares with its components."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.trace: list[tuple[str, str]] = []
        """('start' or 'end', name), as it happened."""
        self.events: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self.barrier: threading.Barrier | None = None
        self.running = 0
        self.most = 0
        self.threads: dict[str, str] = {}
        self.on_loop: dict[str, bool] = {}
        self.token = f"stage-{id(self)}"
        STAGES[self.token] = self

    def enter(self, name: str) -> None:
        with self.lock:
            self.trace.append(("start", name))
            self.running += 1
            self.most = max(self.most, self.running)
            self.threads[name] = threading.current_thread().name
            try:
                asyncio.get_running_loop()
                self.on_loop[name] = True
            except RuntimeError:
                self.on_loop[name] = False

    def leave(self, name: str) -> None:
        with self.lock:
            self.trace.append(("end", name))
            self.running -= 1

    def place(self, kind: str, name: str) -> int:
        return self.trace.index((kind, name))


STAGES: dict[str, Stage] = {}


def source(token: str, name: str, fail: bool = False) -> Json:
    return derived([], token, name, fail)


def derived(inputs: list[Json], token: str, name: str, fail: bool = False) -> Json:
    """Say who one is, and whose content one was given."""
    stage = STAGES[token]
    stage.enter(name)
    try:
        if fail:
            raise ComponentError(f"{name} was told to fail")
        return {"name": name, "inputs": [each["name"] for each in inputs]}
    finally:
        stage.leave(name)


async def source_async(token: str, name: str, fail: bool = False) -> Json:
    return await derived_async([], token, name, fail)


async def derived_async(inputs: list[Json], token: str, name: str, fail: bool = False) -> Json:
    await asyncio.sleep(0)
    return derived(inputs, token, name, fail)


class Flaky(ComponentError):  # noqa: N818 - what it is, is what matters
    """What may be well the next time."""


class FlakyNetwork(Flaky):
    """One of its kinds."""


def flaky(token: str, name: str, times: int, kind: str = "Flaky") -> Json:
    """Fail so many times, then not."""
    stage = STAGES[token]
    stage.enter(name)
    try:
        if len([each for each in stage.trace if each == ("start", name)]) <= times:
            raise {"Flaky": Flaky, "FlakyNetwork": FlakyNetwork, "ValueError": ValueError}[kind](
                f"{name} failed"
            )
        return {"name": name, "inputs": []}
    finally:
        stage.leave(name)


def waits(token: str, name: str, event: str) -> Json:
    """Wait for something outside, until the event is set."""
    if not STAGES[token].events[event].is_set():
        raise Suspend(f"{name} waits for {event}")
    return source(token, name)


def says(token: str, name: str, value: Json) -> Json:
    """Return a value that conditions can look at."""
    source(token, name)
    return value


def counts(inputs: list[Json], token: str, name: str, fail_at: int = 0) -> Json:
    """Add one to what the first input counted."""
    derived([], token, name)
    n = inputs[0]["n"] + 1
    if n == fail_at:
        raise ComponentError(f"{n} is too much")
    return {"n": n, "others": inputs[1:]}


def blocked(token: str, name: str) -> Json:
    """Block a thread until the event `name` is set."""
    stage = STAGES[token]
    stage.enter(name)
    try:
        assert stage.events[name].wait(WAIT_S)
        return {"name": name, "inputs": []}
    finally:
        stage.leave(name)


async def blocked_async(token: str, name: str) -> Json:
    """Block the thread of all coroutines, as no coroutine should."""
    return blocked(token, name)


def sets(inputs: list[Json], token: str, name: str, event: str) -> Json:
    STAGES[token].events[event].set()
    return derived(inputs, token, name)


def together_after(inputs: list[Json], token: str, name: str) -> Json:
    return together(token, name)


def together(token: str, name: str) -> Json:
    stage = STAGES[token]
    stage.enter(name)
    try:
        assert stage.barrier
        stage.barrier.wait(WAIT_S)
        return name
    finally:
        stage.leave(name)


async def together_async(token: str, name: str) -> Json:
    stage = STAGES[token]
    stage.enter(name)
    try:
        assert stage.barrier
        await asyncio.to_thread(stage.barrier.wait, WAIT_S)
        return name
    finally:
        stage.leave(name)


async def never(token: str, name: str) -> Json:
    """Wait for ever, as a coroutine may, and say so when one is cancelled."""
    stage = STAGES[token]
    stage.enter(name)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        stage.events["cancelled"].set()
        raise
    return name


async def ends_last(token: str, name: str) -> Json:
    """Wait for ever; when the run cancels one, say so to other coroutines."""
    try:
        return await never(token, name)
    except asyncio.CancelledError:
        STAGES[token].events["closing"].set()
        raise


async def cleans_up(token: str, name: str) -> Json:
    """Wait for ever; when cancelled, clean up until the run is closing."""
    try:
        return await never(token, name)
    except asyncio.CancelledError:
        assert await asyncio.to_thread(STAGES[token].events["closing"].wait, WAIT_S)
        STAGES[token].events["cleaned up"].set()
        raise


class Unprintable(Exception):  # noqa: N818 - a name for what it is
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


RAISED: dict[str, BaseException] = {
    "error": ValueError("bad value"),
    "nothing": ValueError(),
    "exit": SystemExit(3),
    "interrupt": KeyboardInterrupt(),
    "cancelled": asyncio.CancelledError(),
    "generator": GeneratorExit(),
    "surrogate": ValueError("file \udcff.txt"),
    "control": ValueError("a\x00\x1b[31mb\u2028c"),
    "long": ValueError("x" * 1_000_000),
    "unprintable": Unprintable(),
    "group": ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
}


def raises(which: str) -> Json:
    raise RAISED[which]


async def raises_async(which: str) -> Json:
    await asyncio.sleep(0)
    raise RAISED[which]


def _deep(levels: int) -> Json:
    value: Json = 1
    for _ in range(levels):
        value = [value]
    return value


def _circle() -> Json:
    value: list[Any] = []
    value.append(value)
    return value


RETURNED: dict[str, Json] = {
    "datetime": {"when": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)},
    "nan": [1.0, float("nan")],
    "infinity": {"a": {"b": float("-inf")}},
    "deep": _deep(300),
    "very deep": _deep(100_000),
    "circle": _circle(),
    "surrogate": {"name": "\udcff"},
    "surrogate key": {"\udcff": 1},
    "key": {"a": {(1, 2): 3}},
    "mixed keys": {"a": 1, 2: 3},
    "set": {1, 2},
    "bytes": b"x",
    "object": object(),
}


def returns(which: str) -> Json:
    return RETURNED[which]


def leak(secret: str, how: str) -> Json:
    """Put a secret where it must not stay."""
    if how == "component error":
        raise ComponentError(f"cannot log in with {secret}", hint=f"is {secret} right?")
    if how == "key":
        raise KeyError(secret)
    if how == "cause":
        try:
            int(secret)
        except ValueError as error:
            raise RuntimeError("wrapped") from error
    raise RuntimeError(f"cannot log in with {secret}")


class Burst(dict[str, Json]):
    """Ends everything when it is looked at."""

    def __init__(self, secret: str) -> None:
        super().__init__(a=1)
        self.secret = secret

    def items(self) -> NoReturn:
        raise SystemExit(f"cannot log in with {self.secret}")


async def leak_late(secret: str) -> Json:
    """Return what puts a secret where it must not stay when it is written."""
    return Burst(secret)


def act(token: str, name: str, fails: int, suspends: bool) -> Json:
    return acts([], token, name, fails, suspends)


def acts(inputs: list[Json], token: str, name: str, fails: int, suspends: bool) -> Json:
    """Fail so many times; then wait for something, or say who one is."""
    stage = STAGES[token]
    stage.enter(name)
    try:
        if stage.trace.count(("start", name)) <= fails:
            raise Flaky(f"{name} fails")
        if suspends:
            raise Suspend(f"{name} waits")
        return {"name": name, "inputs": [each["name"] for each in inputs]}
    finally:
        stage.leave(name)
