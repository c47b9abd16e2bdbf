"""A uniform random sample without replacement, reproducible, in memory for the sample only."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


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


def picked(items: Iterable[T], at: list[int]) -> Iterator[T]:
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
