"""How many artifacts of a pool are made at once, and which wait for room. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from waivern.planning.plan import Node


class Pools:
    """Places by pool; what belongs to none always has one."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, deque[Node]] = {}

    def __bool__(self) -> bool:
        """Whether anything waits for room."""
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
