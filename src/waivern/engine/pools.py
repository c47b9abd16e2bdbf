"""Pools: how many artifacts run at once by pool, and which wait for a place. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import NamedTuple

from waivern.engine.calls import Call
from waivern.planning.plan import Node


class BlockedPool(NamedTuple):
    """A pool in which artifacts wait and timed-out work holds every place or a part of them."""

    pool: str
    holders: tuple[str, ...]
    """The artifacts whose timed-out tries have not ended, sorted."""
    hopeless: bool
    """Whether such tries hold every place, and each has had its time to end."""


class Pools:
    """Places by pool; an artifact without a pool needs none.

    A timed-out try holds its place until its work has really ended.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, deque[Node]] = {}
        self._held: dict[int, tuple[Call, float]] = {}
        """Timed-out tries, by identity, and until when it is assumed that they will end."""

    def __bool__(self) -> bool:
        """Return whether anything waits for room."""
        return any(self._waiting.values())

    def admits(self, node: Node) -> bool:
        """Say whether there is room for an artifact; if not, it waits, to be had from `next`."""
        if node.pool is None or self._taken[node.pool] < self._sizes[node.pool]:
            return True
        self._waiting.setdefault(node.pool, deque()).append(node)
        return False

    def next(self) -> Node | None:
        """Return one that has waited and for which there is room now."""
        for pool, waiting in self._waiting.items():
            if waiting and self._taken[pool] < self._sizes[pool]:
                return waiting.popleft()
        return None

    def enter(self, node: Node) -> None:
        """Take a place."""
        if node.pool is not None:
            self._taken[node.pool] += 1

    def leave(self, node: Node) -> None:
        """Give it back."""
        if node.pool is not None:
            self._taken[node.pool] -= 1

    def hold(self, call: Call, until: float) -> None:
        """Let a timed-out try hold its place; it is assumed to end before the time `until`."""
        if call.node.pool is not None:
            self._held[id(call)] = (call, until)

    def release(self, call: Call) -> None:
        """Give back the place of a timed-out try that has ended."""
        if self._held.pop(id(call), None) is not None:
            self.leave(call.node)

    def blocked(self, now: float) -> list[BlockedPool]:
        """Return the pools in which artifacts wait while timed-out tries hold places."""
        held: dict[str, list[tuple[Call, float]]] = {}
        for call, until in self._held.values():
            if self._waiting.get(pool := call.node.pool or ""):
                held.setdefault(pool, []).append((call, until))
        return [
            BlockedPool(
                pool,
                tuple(sorted({call.artifact for call, _ in tries})),
                len(tries) == self._sizes[pool] and all(until <= now for _, until in tries),
            )
            for pool, tries in held.items()
        ]

    def dismiss(self, pool: str) -> list[Node]:
        """Return what waits for a place in a pool; it does not wait any more."""
        return list(self._waiting.pop(pool, ()))
