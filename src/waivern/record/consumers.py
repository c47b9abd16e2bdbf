"""The part of each artifact that the processors behind it examined."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from waivern.message import Json
from waivern.record.measure import Amount, Measure
from waivern.record.status import ArtifactStatus

if TYPE_CHECKING:
    from waivern.record.step import StepRecord

WHOLE = Fraction(1)


class Gap(NamedTuple):
    """A processor that did not examine all that it was given."""

    artifact: str
    amount: Amount | None
    """None: it failed, and examined nothing."""
    unit: str
    reasons: Mapping[str, int]

    def document(self) -> dict[str, Json]:
        """Return the gap for programs."""
        amount = self.amount.document() if self.amount else None
        return {
            "artifact": self.artifact,
            "failed": self.amount is None,
            "amount": amount,
            "unit": self.unit,
            "reasons": dict(self.reasons),
        }


def examine(
    steps: Mapping[str, StepRecord], measures: Mapping[str, Measure]
) -> tuple[tuple[Gap, ...], dict[str, Fraction]]:
    """Return the gaps, and by artifact the part that was examined where that is not all of it.

    A processor that reports coverage has examined what it says, and what follows from it concerns
    its findings, no longer the source. One that reports none passes on what it was given.
    """
    edges = {
        name: _inputs(step)
        for name, step in steps.items()
        if step.completed or step.status is ArtifactStatus.FAILED
    }
    gaps = tuple(gap for name in edges if (gap := _gap(steps[name], measures.get(name))))
    if not gaps:
        return (), {}
    return gaps, _reach(edges, steps, measures)


def _inputs(step: StepRecord) -> tuple[str, ...]:
    """Return what an artifact is made of; the inputs of a connector are for its condition."""
    return () if (step.component or "").startswith("connector:") else step.inputs


def _gap(step: StepRecord, found: Measure | None) -> Gap | None:
    if step.status is ArtifactStatus.FAILED:
        processor = (step.component or "").startswith("processor:")
        return Gap(step.artifact, None, "items", {}) if processor and step.inputs else None
    if found is None or not found.component.startswith("processor:") or found.items is None:
        return None
    if found.behind is not None:  # a copy: the coverage of its run includes the gap
        return None
    amount = found.items if found.amount.complete else found.amount
    unit = "items" if found.amount.complete else found.unit
    return None if amount.complete else Gap(step.artifact, amount, unit, found.reasons)


def _reach(
    edges: Mapping[str, tuple[str, ...]],
    steps: Mapping[str, StepRecord],
    measures: Mapping[str, Measure],
) -> dict[str, Fraction]:
    """Walk from the artifacts that nothing is made of to the sources, each once."""
    reach: dict[str, Fraction] = defaultdict(lambda: WHOLE)
    open_ = Counter(name for inputs in edges.values() for name in inputs)
    ready = [name for name in edges if not open_[name]]
    while ready:
        name = ready.pop()
        for needed in edges[name]:
            part = _part(steps[name], measures.get(name), needed, reach[name])
            reach[needed] = min(reach[needed], part)
            open_[needed] -= 1
            if not open_[needed] and needed in edges:
                ready.append(needed)
    return dict(reach)


def _part(step: StepRecord, found: Measure | None, needed: str, behind: Fraction) -> Fraction:
    """Return the part of an input that a consumer, or what follows from it, examined."""
    if step.status is ArtifactStatus.FAILED:
        return Fraction(0) if (step.component or "").startswith("processor:") else WHOLE
    if found is None or found.items is None or not found.component.startswith("processor:"):
        return behind
    if needed in found.inputs:
        own = found.inputs[needed]
        return own.share if own.known else WHOLE
    return found.share if found.amount.known else WHOLE
