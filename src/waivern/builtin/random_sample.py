"""A uniform random sample without replacement, reproducible, in memory for the sample only."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

HELD = 100_000
"""The positions that are drawn at once; of a larger sample, each is drawn when it is needed."""


def seed_of(name: str) -> int:
    """Return the seed for a name, always the same."""
    digest = hashlib.sha256(f"waivern sample\0{name}".encode(errors="backslashreplace")).digest()
    return int.from_bytes(digest[:6], "big")


def positions(count: int, size: int, seed: int, name: str) -> list[int]:
    """Return `size` distinct positions below `count`, ascending; each subset is equally likely.

    The name separates samples with one seed, so that a table added does not change another's.
    This is Floyd's algorithm: one draw for each position, whatever `count` is.
    """
    source = random.Random(f"{seed}/{name}")  # noqa: S311 - reproducible on purpose
    chosen: set[int] = set()
    for last in range(count - size, count):
        drawn = source.randrange(last + 1)
        chosen.add(last if drawn in chosen else drawn)
    return sorted(chosen)


def drawn(count: int, size: int, seed: int, name: str) -> Iterator[int]:
    """Yield the positions of a sample, ascending; no more than `HELD` of them are in memory.

    A larger sample is drawn by Knuth's algorithm S: one draw for each position below `count`.
    """
    if size <= HELD:
        yield from positions(count, size, seed, name)
        return
    source = random.Random(f"{seed}/{name}")  # noqa: S311 - reproducible on purpose
    for position in range(count):
        if source.randrange(count - position) < size:
            yield position
            size -= 1


def picked(items: Iterable[T], at: Iterable[int]) -> Iterator[T]:
    """Yield the items at ascending positions, and read no further than the last of them."""
    wanted = iter(at)
    position = next(wanted, None)
    for number, item in enumerate(items):
        if position is None:
            return
        if number == position:
            yield item
            position = next(wanted, None)
            if position is None:
                return
