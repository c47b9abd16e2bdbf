"""The watch over pools whose places are held by timed-out work that has not ended."""

from __future__ import annotations

from typing import NamedTuple

from waivern.engine.calls import Call, Failed
from waivern.engine.pools import Pools
from waivern.planning.plan import Node

HELD_S = 30.0
"""How long a timed-out try may at least hold the last place of a pool before what waits fails."""
HELD_HINT = (
    "give the component a limit of its own, as for a query or a socket, or run it as a `command`, "
    "which is stopped at its limit"
)


class Hopeless(NamedTuple):
    """Artifacts that would wait for ever, and their failure."""

    nodes: list[Node]
    failure: Failed


class BlockedPools:
    """The pools with timed-out work: which of them are to be reported, and what they fail."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._reported: set[tuple[str, tuple[str, ...]]] = set()
        """The pools, with what holds them, that were reported."""

    def hold(self, call: Call, now: float) -> float:
        """Let a timed-out try hold its place; return after how long the pool is to be looked at."""
        patience_s = max(HELD_S, call.node.timeout or 0.0)
        self._pools.hold(call, now + patience_s)
        return patience_s

    def look(self, now: float) -> tuple[list[str], list[Hopeless]]:
        """Return what people have not been notified of yet, and the artifacts that fail now."""
        notices, hopeless = [], []
        for pool, holders, lasting in self._pools.blocked(now):
            names = " and ".join(f"'{name}'" for name in holders)
            by = f"by a timed-out attempt of {names}"
            if (pool, holders) not in self._reported:
                self._reported.add((pool, holders))
                notices.append(f"waiting for pool '{pool}': held {by}")
            if lasting:
                why = f"pool '{pool}' is held {by} that has not ended"
                failure = Failed("pool", why, HELD_HINT, 0)
                hopeless.append(Hopeless(self._pools.dismiss(pool), failure))
        return notices, hopeless
