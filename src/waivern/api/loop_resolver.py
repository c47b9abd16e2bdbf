"""The bridge from planning, which has a thread of its own, to a resolver in an event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import anyio
from anyio import from_thread
from anyio.lowlevel import current_token

from waivern.errors import RefusedError, StoreError, WaivernError
from waivern.planning.child_runbooks import ChildReference
from waivern.runs.remote_resolver import RemoteChild, RemoteResolver, RemoteRun

T = TypeVar("T")


class LoopResolver:
    """A resolver for another thread, whose lookups are awaited in the event loop that made it.

    Clients of remote stores belong to that event loop. The thread waits for each lookup, and so
    needs no event loop of its own.
    """

    def __init__(self, resolver: RemoteResolver) -> None:
        self._resolver = resolver
        self._token = current_token()
        self._scope = anyio.CancelScope()
        """Around the lookup that is in progress; planning makes one after the other."""
        self._cancelled = False

    def cancel(self) -> None:
        """Cancel the lookup in progress, and refuse all later ones; in the event loop only."""
        self._cancelled = True
        self._scope.cancel()

    async def find_children(self, wanted: Sequence[ChildReference]) -> Sequence[RemoteChild]:
        """Return what the resolver returns, without waiting as a coroutine."""
        return self._awaited(self._resolver.find_children, wanted)

    async def find_runs(self, wanted: Sequence[str]) -> Sequence[RemoteRun]:
        """Return what the resolver returns, without waiting as a coroutine."""
        return self._awaited(self._resolver.find_runs, wanted)

    def _awaited(self, look_up: Callable[[Any], Awaitable[T]], wanted: object) -> T:
        async def in_loop() -> T:
            with anyio.CancelScope() as self._scope:
                if self._cancelled:
                    self._scope.cancel()
                return await look_up(wanted)
            raise RefusedError("planning was cancelled during a lookup")

        try:
            return from_thread.run(in_loop, token=self._token)
        except WaivernError:
            raise
        except Exception as error:  # the resolver's own: it fails planning as a store does
            message = f"the resolver raised {type(error).__name__}: {error}"
            hint = "raise a WaivernError, or return one for a lookup that fails"
            raise StoreError(message, hint=hint) from error
