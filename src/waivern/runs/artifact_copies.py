"""The copies of artifacts: in other runs of the store, and those that were delivered outside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple, TypeAlias

from waivern.errors import RunNotFoundError, WaivernError
from waivern.record.fold import RunRecord
from waivern.record.step_record import StepRecord
from waivern.runs.queries import fold
from waivern.store.base import RunStore

Place: TypeAlias = tuple[str, str]
"""A run and one of its artifacts."""
_COPIED = b'"origin":{'
"""A part of each journal line of a copy."""


class KnownCopies(NamedTuple):
    """The copies that the journals of a store know."""

    of: dict[Place, Place]
    """The copies, each with the artifact that it was copied from."""
    unreadable: tuple[str, ...] = ()
    """The runs that cannot be read and name one of the artifacts' runs."""


def copies(store: RunStore, originals: Collection[Place]) -> KnownCopies:
    """Return the copies of artifacts in other runs of the store, and the copies of those.

    A copy was reused, or taken from the cache, whole or item by item.
    """
    made: dict[Place, list[Place]] = defaultdict(list)
    damaged: dict[str, bytes] = {}
    for run_id in store.runs():
        data = b""
        try:
            data = store.read_record(run_id, "journal")
            if _COPIED not in data:
                continue
            _, record = fold(store, run_id)
        except RunNotFoundError:  # it was removed meanwhile
            continue
        except WaivernError:
            damaged[run_id] = data
            continue
        for copy, original in _copied(record):
            made[original].append(copy)
    found: dict[Place, Place] = {}
    open_ = sorted(originals)
    while open_:
        original = open_.pop()
        for copy in made.get(original, ()):
            if copy not in found and copy not in originals:
                found[copy] = original
                open_.append(copy)
    runs = {f'"{run_id}"'.encode() for run_id, _ in (*originals, *found)}
    return KnownCopies(
        found, tuple(run for run, data in damaged.items() if any(name in data for name in runs))
    )


def _copied(record: RunRecord) -> Iterator[tuple[Place, Place]]:
    """Yield the artifacts of a run that are copies, or have parts of one, with the original."""
    run_id = record.metadata.run_id
    for name, step in record.steps.items():
        for origin in _origins(step):
            yield (run_id, name), origin


def _origins(step: StepRecord) -> Iterator[Place]:
    done = step.completed
    if done is None:
        return
    taken = (done.items or {}).get("origin")
    for origin in (done.origin, taken):
        if isinstance(origin, dict) and "run" in origin and "artifact" in origin:
            yield str(origin["run"]), str(origin["artifact"])
