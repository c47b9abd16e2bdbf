"""The coverage that an artifact inherits from the run that it is copied from."""

from __future__ import annotations

from fractions import Fraction

from waivern.errors import WaivernError
from waivern.message import Json, Message
from waivern.planning.plan import Copy
from waivern.plugins.context import SharedResults
from waivern.plugins.tally import PLANTED
from waivern.record.coverage import RunCoverage, coverage
from waivern.record.fold import RunRecord
from waivern.record.journal_events import from_record
from waivern.record.measure import measured
from waivern.store.base import RunStore

PARTS = 10**9
"""The share is kept in so many parts, rounded down."""


def inherited(store: RunStore, copy: Copy, source: Message, memo: SharedResults) -> dict[str, Json]:
    """Return what the journal keeps of a copied artifact's coverage.

    A copied source keeps its own counts. A copied result has the coverage of the sources that it
    comes from, in the run that examined them; if that cannot be read, it is unknown.
    """
    try:
        record, found = _of_run(store, copy.run, memo)
        done = record.steps[copy.artifact].completed
        kept = (done.examined if done else None) or {}
        if _is_source(kept, source.source or ""):
            own = measured(source.extensions.get("coverage"), source.source or copy.label, {})
            return kept or own
        shares = _shares(record, found, copy.artifact)
    except (WaivernError, KeyError):
        return {"component": copy.label}
    label: dict[str, Json] = {
        "component": str(kept.get("component") or source.source or copy.label)
    }
    if PLANTED in kept:
        label[PLANTED] = kept[PLANTED]
    return label | ({"behind": _behind(min(shares))} if shares else {})


def _of_run(store: RunStore, run: str, memo: SharedResults) -> tuple[RunRecord, RunCoverage]:
    return memo.get(("coverage", run), lambda: _coverage(store, run))


def _is_source(kept: dict[str, Json], label: str) -> bool:
    component = str(kept.get("component") or label)
    return component.startswith("connector:") or bool(kept.get("behind"))


def _coverage(store: RunStore, run: str) -> tuple[RunRecord, RunCoverage]:
    lines = store.read_journal(run).lines
    record = RunRecord.of(from_record(line.record) for line in lines)
    return record, coverage(record)


def _shares(record: RunRecord, found: RunCoverage, artifact: str) -> list[Fraction]:
    """Return the coverage of each source that an artifact comes from."""
    behind, open_ = {artifact}, [artifact]
    while open_:
        for needed in record.steps[open_.pop()].inputs:
            if needed not in behind and needed in record.steps:
                behind.add(needed)
                open_.append(needed)
    return [each.share for each in found.counted if each.artifact in behind]


def _behind(share: Fraction) -> dict[str, Json]:
    examined = share.numerator * PARTS // share.denominator
    return {"examined": examined, "known": PARTS}
