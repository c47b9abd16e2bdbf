"""The way of one call on its thread, and the wait for a component that is a coroutine."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from waivern.engine.calls import Awaiting, Call, Failed, Outcome
from waivern.engine.producer import Producer
from waivern.errors import WaivernError
from waivern.message import Json
from waivern.plugins.call_scope import CallScope
from waivern.plugins.capture import attributed

if TYPE_CHECKING:
    from waivern.engine.coroutines import CoroutineDomain


def carry_out(
    call: Call,
    producer: Producer,
    awaiter: CoroutineRunner,
    wanted: Callable[[Call], bool],
    scope: CallScope,
) -> Outcome:
    """Produce an artifact where this is called; nothing that is raised gets out.

    `wanted` returns whether the outcome of a call is still waited for.
    """
    scope.wanted = partial(wanted, call)
    try:
        log = scope.output = producer.logs.of(call.artifact)
        try:
            with attributed(log):
                outcome = producer.begin(call, scope)
                if isinstance(outcome, Awaiting):
                    outcome = _awaited(outcome, producer, awaiter, wanted, scope)
                return outcome
        finally:
            log.finish()
    except BaseException as error:  # noqa: BLE001 - a defect here must not leave the run waiting
        said = "internal error (details withheld: they may contain secrets)"
        return Failed(type(error).__name__, said, None, 0)
    finally:
        scope.returned = True
        for discard in scope.discards:
            with suppress(WaivernError, OSError):  # the end of the attempt removes it
                discard()
        del scope.wanted  # or the threads of a component would keep the executor alive
        # the next call on this thread is another component's; asyncio may be half imported
        forget = getattr(sys.modules.get("asyncio"), "set_event_loop", None)
        if forget is not None:
            forget(None)


def _awaited(
    awaiting: Awaiting,
    producer: Producer,
    awaiter: CoroutineRunner,
    wanted: Callable[[Call], bool],
    scope: CallScope,
) -> Outcome:
    try:
        with scope.entered():
            content = awaiter.run(awaiting, wanted)
        return producer.finish(awaiting, content)
    except BaseException as error:  # noqa: BLE001 - whatever it raised is the call's failure
        return producer.failed(awaiting.call, error, awaiting.working.began)


class CoroutineRunner:
    """Awaits coroutines for blocking callers, each on an event loop of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._domains: dict[int, CoroutineDomain] = {}
        """The event loops at work, by the identity of their calls."""
        self._closed = False

    def run(self, awaiting: Awaiting, wanted: Callable[[Call], bool]) -> Json:
        """Return the content that a component's awaitable results in; blocks the caller.

        Raises RuntimeError if the call is not wanted any more, as no call is after `close`.
        """
        call = awaiting.call
        try:
            domain = self._begin(awaiting, wanted)
        except BaseException:
            if inspect.iscoroutine(awaiting.result):
                awaiting.result.close()
            raise
        try:
            return domain.run()
        finally:
            with self._lock:
                del self._domains[id(call)]

    def cancel(self, call: Call) -> None:
        """Cancel the coroutine of a call that is not wanted any more."""
        with self._lock:
            if (domain := self._domains.get(id(call))) is not None:
                domain.cancel()

    def close(self) -> None:
        """Cancel every coroutine and accept no more; their callers are not waited for."""
        with self._lock:
            self._closed = True
            for domain in self._domains.values():
                domain.cancel()

    def _begin(self, awaiting: Awaiting, wanted: Callable[[Call], bool]) -> CoroutineDomain:
        from waivern.engine.coroutines import CoroutineDomain  # asyncio costs more than a small run

        with self._lock:
            if self._closed or not wanted(awaiting.call):
                raise RuntimeError("the call is not wanted any more")
            domain = self._domains[id(awaiting.call)] = CoroutineDomain(awaiting)
            return domain
