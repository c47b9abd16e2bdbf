"""Where the work runs. An executor takes calls and reports outcomes; it never touches the run.

No component runs on the loop that drives the run: plain ones run on daemon threads, coroutines on
an event loop of their own. What blocks there, blocks nothing else, and can be left behind.
"""

from __future__ import annotations

import asyncio
import threading
import time
from queue import Empty, SimpleQueue
from typing import Protocol

from waivern.engine.calls import Awaiting, Call, Failed, Outcome
from waivern.engine.producer import Producer
from waivern.message import Json


class Report(Protocol):
    """Who is told about calls, from any thread."""

    def began(self, call: Call) -> None:
        """The work on a call begins now."""
        ...

    def done(self, call: Call, outcome: Outcome) -> None:
        """The call has come to its end."""
        ...


class Executor(Protocol):
    """A place where calls are carried out, so many at a time."""

    width: int
    """How many calls are carried out at once; more may be submitted and wait."""

    def submit(self, call: Call, report: Report) -> None:
        """Take a call; it begins now or later, and once begun is reported done exactly once."""
        ...

    def recall(self) -> list[Call]:
        """Give back the calls that have not begun; they will not."""
        ...

    def close(self, patience_s: float) -> bool:
        """Stop what can be stopped; say whether something is left behind."""
        ...


class InlineExecutor:
    """Carries each call out where it is submitted: for tests, and to follow one in a debugger."""

    width = 1

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._coroutines = Coroutines()

    def submit(self, call: Call, report: Report) -> None:
        report.began(call)
        report.done(call, _carry_out(call, self._producer, self._coroutines))

    def recall(self) -> list[Call]:
        return []

    def close(self, patience_s: float) -> bool:
        return self._coroutines.close(patience_s)


class ThreadExecutor:
    """Carries calls out on daemon threads, at most `width` of them.

    A thread that is blocked cannot be stopped: it is left behind when the process ends, and what
    it returns late is never published.
    """

    def __init__(self, producer: Producer, width: int) -> None:
        self.width = width
        self._producer = producer
        self._coroutines = Coroutines()
        self._calls: SimpleQueue[tuple[Call, Report] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._unfinished = 0

    def submit(self, call: Call, report: Report) -> None:
        with self._lock:
            self._unfinished += 1
            short_handed = len(self._threads) < min(self.width, self._unfinished)
        self._calls.put((call, report))
        if short_handed:
            name = f"waivern-worker-{len(self._threads) + 1}"
            self._threads.append(threading.Thread(target=self._serve, name=name, daemon=True))
            self._threads[-1].start()

    def recall(self) -> list[Call]:
        calls: list[Call] = []
        while True:
            try:
                waiting = self._calls.get_nowait()
            except Empty:
                return calls
            if waiting is not None:
                calls.append(waiting[0])
                self._end_one()

    def close(self, patience_s: float) -> bool:
        self.recall()
        deadline = time.monotonic() + patience_s
        stuck = self._coroutines.close(patience_s)
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))
        return stuck or any(thread.is_alive() for thread in self._threads)

    def _serve(self) -> None:
        while waiting := self._calls.get():
            call, report = waiting
            report.began(call)
            try:
                outcome = _carry_out(call, self._producer, self._coroutines)
            except BaseException as error:  # noqa: BLE001 - a defect here must not leave the run waiting
                outcome = Failed(type(error).__name__, str(error), None, 0)
            self._end_one()
            report.done(call, outcome)

    def _end_one(self) -> None:
        with self._lock:
            self._unfinished -= 1


def _carry_out(call: Call, producer: Producer, coroutines: Coroutines) -> Outcome:
    outcome = producer.begin(call)
    if not isinstance(outcome, Awaiting):
        return outcome
    try:
        content = coroutines.run(outcome)
    except BaseException as error:  # noqa: BLE001 - whatever it raised is the call's failure
        return producer.failed(call, error, outcome.began)
    return producer.finish(outcome, content)


class Coroutines:
    """An event loop on a daemon thread, started when the first coroutine comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, awaited: Awaiting) -> Json:
        """Return what a component's result comes to; blocks the caller until then."""

        async def wait() -> tuple[Json, BaseException | None]:
            try:
                return await awaited.result, None
            except (SystemExit, KeyboardInterrupt) as error:  # would end the event loop itself
                return None, error

        content, error = asyncio.run_coroutine_threadsafe(wait(), self._running()).result()
        if error:
            raise error
        return content

    def close(self, patience_s: float) -> bool:
        """Cancel what is being awaited; say whether something did not let itself be cancelled."""
        if self._loop is None:
            return False
        idle = threading.Event()
        asyncio.run_coroutine_threadsafe(_cancel_others(idle), self._loop)
        return not idle.wait(patience_s)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                run = self._loop.run_forever
                threading.Thread(target=run, name="waivern-coroutines", daemon=True).start()
            return self._loop


async def _cancel_others(idle: threading.Event) -> None:
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.wait(others)
    idle.set()
