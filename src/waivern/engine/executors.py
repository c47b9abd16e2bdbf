"""Where the work runs. An executor takes calls and delivers outcomes; it never touches the run.

No component runs on the loop that drives the run: plain ones run on daemon threads, coroutines on
an event loop of their own. What blocks there, blocks nothing else, and can be left behind.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol, TypeAlias

from waivern.engine.calls import Awaiting, Call, Outcome
from waivern.engine.producer import Producer

Deliver: TypeAlias = Callable[[Call, Outcome], None]
"""Takes an outcome, from any thread."""


class Executor(Protocol):
    """A place where calls are carried out."""

    def submit(self, call: Call, deliver: Deliver) -> None:
        """Begin a call; its outcome is delivered exactly once, now or later."""
        ...

    def close(self, patience_s: float) -> bool:
        """Take no more and stop what can be stopped; say whether something is left behind."""
        ...


class InlineExecutor:
    """Carries each call out where it is submitted: for tests, and to follow one in a debugger."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._coroutines = Coroutines(producer)

    def submit(self, call: Call, deliver: Deliver) -> None:
        outcome = self._producer.begin(call)
        if isinstance(outcome, Awaiting):
            self._coroutines.follow(outcome, lambda finish: deliver(call, finish()))
        else:
            deliver(call, outcome)

    def close(self, patience_s: float) -> bool:
        return self._coroutines.close(patience_s)


class ThreadExecutor:
    """Carries calls out on daemon threads, at most `width` of them.

    A thread that is blocked cannot be stopped: it is left behind when the process ends, and what
    it returns late is never published.
    """

    def __init__(self, producer: Producer, width: int) -> None:
        self._producer = producer
        self._coroutines = Coroutines(producer)
        self._width = width
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = 0
        self._busy = 0
        self._lock = threading.Lock()

    def submit(self, call: Call, deliver: Deliver) -> None:
        self._put(lambda: self._begin(call, deliver))

    def close(self, patience_s: float) -> bool:
        stuck = self._coroutines.close(patience_s)
        for _ in range(self._threads):
            self._jobs.put(None)
        return stuck or self._busy > 0

    def _begin(self, call: Call, deliver: Deliver) -> None:
        outcome = self._producer.begin(call)
        if isinstance(outcome, Awaiting):
            self._coroutines.follow(
                outcome, lambda finish: self._put(lambda: deliver(call, finish()))
            )
        else:
            deliver(call, outcome)

    def _put(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)
        with self._lock:
            grow = self._threads < self._width and self._jobs.qsize() > self._threads - self._busy
            self._threads += grow
        if grow:
            name = f"waivern-worker-{self._threads}"
            threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            with self._lock:
                self._busy += 1
            try:
                job()
            finally:
                with self._lock:
                    self._busy -= 1


class Coroutines:
    """An event loop on a daemon thread, started when the first coroutine comes."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, awaited: Awaiting, then: Callable[[Callable[[], Outcome]], None]) -> None:
        """Await a component's result, then hand over the function that makes its outcome.

        That function stages the content, so it blocks and is for a thread.
        """
        loop = self._running()

        async def wait() -> None:
            try:
                content = await awaited.result
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the failure, as data
                raised = error
                then(lambda: self._producer.failed(awaited.call, raised, awaited.began))
            else:
                then(lambda: self._producer.finish(awaited, content))

        def start() -> None:
            task = loop.create_task(wait())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        loop.call_soon_threadsafe(start)

    def close(self, patience_s: float) -> bool:
        """Cancel what is being awaited; say whether something did not let itself be cancelled."""
        if self._loop is None:
            return False
        idle = threading.Event()
        asyncio.run_coroutine_threadsafe(self._cancel_all(idle), self._loop)
        return not idle.wait(patience_s)

    async def _cancel_all(self, idle: threading.Event) -> None:
        while tasks := set(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        idle.set()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                run = self._loop.run_forever
                threading.Thread(target=run, name="waivern-coroutines", daemon=True).start()
            return self._loop
