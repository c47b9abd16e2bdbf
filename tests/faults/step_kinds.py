"""Which operations of a command to break, where to break each of them would repeat the same steps.

A run makes one artifact as it makes the next: it opens, writes, syncs and renames, and appends to
the journal. `test_kill_points` and `test_failing_operations` break every operation of such a run.
The sweeps of longer commands break each kind of operation three times: where it is first, where it
is last, and in the middle; and what they append to the journal each time, as each event is another.
With WAIVERN_FAULTS_ALL they break every operation, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from harness import ALL, Bench

JOURNAL = {("write", "events.jsonl"), ("sync", "events.jsonl")}
_CHANCE = re.compile(r"[0-9a-f]{8,}|\d+")
"""What differs in the names of files from process to process, and from artifact to artifact."""


def chosen(steps: Sequence[tuple[str, str]]) -> list[int]:
    """Return the ordinals, from 1 on, of the operations to break; `steps` is a trace."""
    if ALL:
        return list(range(1, len(steps) + 1))
    found = {number for number, step in enumerate(steps, 1) if step in JOURNAL}
    kinds: dict[tuple[str, str], list[int]] = {}
    for number, (operation, name) in enumerate(steps, 1):
        kind = operation, _CHANCE.sub("#", name.rpartition("/")[2])
        kinds.setdefault(kind, []).append(number)
    for same in kinds.values():
        found |= {same[0], same[len(same) // 2], same[-1]}
    return sorted(found)


def broken_at(bench: Bench, ordinals: Sequence[int], point: Callable[[int], bool]) -> int:
    """Call `point` with each ordinal; return how many of them broke something.

    The number of operations differs by a few from time to time: the last may break nothing.
    """
    broke: list[int] = []

    def tried(ordinal: int) -> None:
        if any(point(ordinal) for _ in range(bench.TRIES)):
            broke.append(ordinal)

    bench.each([partial(tried, ordinal) for ordinal in ordinals])
    missed = set(ordinals) - set(broke)
    assert not missed - set(ordinals[-bench.WIDTH :]), f"{sorted(missed)} broke nothing"
    return len(broke)
