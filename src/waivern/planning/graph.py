"""Order in a graph given as node -> the nodes it needs."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TypeVar

N = TypeVar("N")


def dependents(needs: Mapping[N, Sequence[N]]) -> dict[N, list[N]]:
    """Turn the arrows round: node -> the nodes that need it, in the order of `needs`."""
    found: dict[N, list[N]] = {node: [] for node in needs}
    for node, needed in needs.items():
        for each in needed:
            found[each].append(node)
    return found


def topological(needs: Mapping[N, Sequence[N]]) -> list[N]:
    """Return the nodes, each after all it needs, otherwise in given order.

    Nodes on or behind a cycle are left out, so a result shorter than `needs` means a cycle.
    """
    waiting = {node: len(needed) for node, needed in needs.items()}
    after = dependents(needs)
    ready = deque(node for node, count in waiting.items() if count == 0)
    order = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for each in after[node]:
            waiting[each] -= 1
            if waiting[each] == 0:
                ready.append(each)
    return order


def cycle(needs: Mapping[N, Sequence[N]]) -> list[N]:
    """Return one cycle, each node needing the next and the last the first; empty if none."""
    done = set(topological(needs))
    left = {node: [n for n in needed if n not in done] for node, needed in needs.items()}
    node = next((node for node, needed in left.items() if needed), None)
    if node is None:
        return []
    path: list[N] = []
    seen: dict[N, int] = {}
    while node not in seen:  # every node left needs another that is left
        seen[node] = len(path)
        path.append(node)
        node = left[node][0]
    return path[seen[node] :]


def descendants(after: Mapping[N, Sequence[N]], roots: Sequence[N]) -> set[N]:
    """Return the roots and all that depends on them."""
    found = set(roots)
    stack = list(roots)
    while stack:
        for each in after[stack.pop()]:
            if each not in found:
                found.add(each)
                stack.append(each)
    return found
