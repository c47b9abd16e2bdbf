"""The part of each artifact that the processors behind it examined."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from waivern.message import Json
from waivern.record.measure import NONE, WHOLE, Amount, Measure
from waivern.record.status import ArtifactStatus

if TYPE_CHECKING:
    from waivern.record.fold import RunRecord
    from waivern.record.step_record import StepRecord

PROCESSOR = "processor:"


class CoverageGap(NamedTuple):
    """A processor that did not examine its whole input."""

    artifact: str
    amount: Amount | None
    """None: it did not complete, so it examined nothing."""
    unit: str
    reasons: Mapping[str, int]
    status: ArtifactStatus = ArtifactStatus.COMPLETED

    def document(self) -> dict[str, Json]:
        """Return the gap for programs."""
        amount = self.amount.document() if self.amount else None
        return {
            "artifact": self.artifact,
            "status": str(self.status),
            "failed": self.status is ArtifactStatus.FAILED,
            "amount": amount,
            "unit": self.unit,
            "reasons": dict(self.reasons),
        }


class ExaminedReach(NamedTuple):
    """The part of each artifact that its consumers examined, where that is not all of it."""

    now: Mapping[str, Fraction] = {}
    at_best: Mapping[str, Fraction] = {}
    """The same if the processors that have not ended examine everything."""


def examine(
    record: RunRecord, measures: Mapping[str, Measure]
) -> tuple[tuple[CoverageGap, ...], ExaminedReach]:
    """Return the gaps, and how much of each artifact was examined.

    A processor that reports coverage has examined what it says, and what follows from it concerns
    its findings, no longer the source. One that reports none passes on what it was given. One that
    did not complete has examined nothing, unless a condition of the runbook excludes it.
    """
    steps = record.steps
    edges = {name: _inputs(step) for name, step in steps.items() if step.completed}
    missed = {
        name: needed
        for name, needed in _missed(record)
        if steps[name].status is ArtifactStatus.FAILED or _given(needed, steps, measures)
    }
    gaps = tuple(
        gap for name in steps if (gap := _gap(steps[name], measures.get(name), name in missed))
    )
    if not gaps:
        return (), ExaminedReach()
    # a processor whose status is not final may still examine everything
    over = {name: needed for name, needed in missed.items() if steps[name].status.final}
    at_best = _reach(edges | over, missed, measures)
    now = at_best if len(over) == len(missed) else _reach(edges | missed, missed, measures)
    return gaps, ExaminedReach(now, at_best)


def excluded(record: RunRecord, step: StepRecord) -> bool:
    """Return whether a condition of the runbook excludes an artifact that was skipped."""
    cause = record.steps.get(str((step.error or {}).get("cause")))
    return cause is not None and (cause.error or {}).get("cause") == cause.artifact


def _missed(record: RunRecord) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the processors that should have examined their inputs, and did not complete."""
    for name, step in record.steps.items():
        if step.completed or (step.status is ArtifactStatus.SKIPPED and excluded(record, step)):
            continue
        inputs = record.processors.get(name)
        if inputs is not None:
            yield name, tuple(inputs)
        elif step.status is ArtifactStatus.FAILED and (step.component or "").startswith(PROCESSOR):
            yield name, step.inputs  # an older journal, which does not list the processors


def _given(
    names: Iterable[str], steps: Mapping[str, StepRecord], measures: Mapping[str, Measure]
) -> bool:
    """Return whether there is an input to examine: other than the findings of a detector."""
    completed = (name for name in names if name in steps and steps[name].completed)
    return any(not _reports(measures.get(name)) for name in completed)


def _reports(found: Measure | None) -> bool:
    """Return whether a processor examined its inputs: later ones then concern its findings."""
    return found is not None and found.items is not None and found.component.startswith(PROCESSOR)


def _inputs(step: StepRecord) -> tuple[str, ...]:
    """Return the content inputs of an artifact; those of a connector are only for its condition."""
    return () if (step.component or "").startswith("connector:") else step.inputs


def _gap(step: StepRecord, found: Measure | None, missed: bool) -> CoverageGap | None:
    if missed:
        return CoverageGap(step.artifact, None, "items", {}, step.status)
    if found is None or not found.component.startswith(PROCESSOR) or found.items is None:
        return None
    if found.behind is not None:  # a copy: the coverage of its run includes the gap
        return None
    amount = found.items if found.amount.complete else found.amount
    unit = "items" if found.amount.complete else found.unit
    return None if amount.complete else CoverageGap(step.artifact, amount, unit, found.reasons)


def _reach(
    edges: Mapping[str, tuple[str, ...]],
    missed: Collection[str],
    measures: Mapping[str, Measure],
) -> dict[str, Fraction]:
    """Walk from the artifacts without consumers to the sources, each once."""
    reach: dict[str, Fraction] = defaultdict(lambda: WHOLE)
    open_ = Counter(name for inputs in edges.values() for name in inputs)
    ready = [name for name in edges if not open_[name]]
    while ready:
        name = ready.pop()
        for needed in edges[name]:
            behind = reach[name]
            part = NONE if name in missed else _part(measures.get(name), needed, behind)
            reach[needed] = min(reach[needed], part)
            open_[needed] -= 1
            if not open_[needed] and needed in edges:
                ready.append(needed)
    return dict(reach)


def _part(found: Measure | None, needed: str, behind: Fraction) -> Fraction:
    """Return the part of an input that a consumer, or one behind it, examined."""
    if found is None or not _reports(found):
        return behind
    if needed in found.inputs:
        own = found.inputs[needed]
        return own.share if own.known else WHOLE
    return found.share if found.amount.known else WHOLE
