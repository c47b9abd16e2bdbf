"""The runbooks that are measured: wide, deep, layered."""

from __future__ import annotations

from collections.abc import Iterator

SOURCE = '{source: {type: python, properties: {call: "payload.py:make"}}}'
PROCESS = '{inputs: %s, process: {type: python, properties: {call: "payload.py:follow"}}}'


def wide(count: int) -> str:
    """Return `count` artifacts without inputs."""
    return _runbook(f"  a{n}: {SOURCE}" for n in range(count))


def deep(count: int) -> str:
    """Return a chain: each artifact depends on the one before."""
    rest = (f"  a{n}: " + PROCESS % f"a{n - 1}" for n in range(1, count))
    return _runbook(iter([f"  a0: {SOURCE}", *rest]))


def layered(width: int, depth: int) -> str:
    """`depth` layers of `width`; each artifact needs three of the layer before."""

    def lines() -> Iterator[str]:
        for layer in range(depth):
            for n in range(width):
                if layer == 0:
                    yield f"  l0n{n}: {SOURCE}"
                else:
                    inputs = ", ".join(f"l{layer - 1}n{(n + k) % width}" for k in range(3))
                    yield f"  l{layer}n{n}: " + PROCESS % f"[{inputs}]"

    return _runbook(lines())


def _runbook(lines: Iterator[str]) -> str:
    return "artifacts:\n" + "\n".join(lines) + "\n"
