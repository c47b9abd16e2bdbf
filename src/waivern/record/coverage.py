"""The coverage of a run: how much of its sources was examined, computed once for all readers.

docs/explanation/coverage.md has the definition.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from waivern.message import Json
from waivern.record import consumers, sampling, wording
from waivern.record.consumers import CoverageGap, ExaminedReach
from waivern.record.measure import NONE, WHOLE, Measure, PartialItem, measure, percent
from waivern.record.planted import ScanProof
from waivern.record.status import ArtifactStatus, How

if TYPE_CHECKING:
    from waivern.record.fold import RunRecord
    from waivern.record.step_record import StepRecord


class SourceOutcome(StrEnum):
    """The outcome of a source that has none of the statuses of a failure or a delay."""

    EXAMINED = "examined"
    UNKNOWN = "unknown"
    """It completed, and did not report its total."""
    EMPTY = "empty"
    LEFT_OUT = "left_out"
    """A condition of the runbook excludes it: it does not count."""


class SourceCoverage(NamedTuple):
    """The coverage of one source."""

    artifact: str
    outcome: SourceOutcome | ArtifactStatus
    """The status of a source that did not complete, unless a condition excludes it."""
    measure: Measure
    why: str | None = None
    reach: Fraction = WHOLE
    """The part of its content that its consumers examined."""
    reach_at_best: Fraction = WHOLE
    """The same if the consumers that have not ended examine everything."""

    @property
    def final(self) -> bool:
        """Whether no further attempt can examine more of it."""
        return not isinstance(self.outcome, ArtifactStatus) or self.outcome.final

    @property
    def share(self) -> Fraction:
        """The part of the source that was examined, from 0 to 1."""
        share = self.measure.share
        return share if self.reach is WHOLE or not share else share * self.reach

    def document(self) -> dict[str, Json]:
        """Return the coverage of the source for programs."""
        found = self.measure
        return {
            "source": self.artifact,
            "outcome": str(self.outcome),
            "percent": None if self.outcome is SourceOutcome.LEFT_OUT else number(self.share),
            "why": self.why,
            "items": found.items.document() if found.items else None,
            "units": {unit: each.document() for unit, each in found.units.items()},
            "left_out": found.left_out,
            "left_out_reasons": dict(found.left_out_reasons),
            "reasons": dict(found.reasons),
            "partly": [
                {"item": each.item, "examined": each.read, "known": each.total}
                for each in found.partial
            ],
            "unmatched": list(found.unmatched),
            "encodings": dict(found.encodings),
        }


class SampleBound(NamedTuple):
    """A table of which a part was examined, with the bound for the rest."""

    source: str
    part: PartialItem
    found: int | None = None
    """Examined rows with findings; None if no detector reports them."""
    detector: str | None = None
    """The artifact of the detector: each detector has a bound of its own."""

    @property
    def at_most(self) -> int | None:
        """The upper bound of rows with a finding in the whole table; None if there is none."""
        if self.part.seed is None or self.part.total is None or self.found is None:
            return None
        return sampling.at_most(min(self.found, self.part.read), self.part.read, self.part.total)

    def document(self) -> dict[str, Json]:
        """Return the sample for programs."""
        bound, (item, read, total, seed) = self.at_most, self.part
        document: dict[str, Json] = {"source": self.source, "item": item, "examined": read}
        document |= {"known": total, "random": seed is not None, "seed": seed, "found": self.found}
        document["detector"] = self.detector
        if bound is None:
            return document | {"at_most": None}
        method = {"method": sampling.METHOD, "assumes": sampling.ASSUMES}
        return document | {"at_most": bound, "confidence": sampling.CONFIDENCE / 100, **method}


class RunCoverage(NamedTuple):
    """The coverage of a run: the examined part of its sources."""

    sources: tuple[SourceCoverage, ...]
    gaps: tuple[CoverageGap, ...]
    """The processors that did not examine their whole input."""
    samples: tuple[SampleBound, ...]
    proofs: tuple[ScanProof, ...] = ()
    """The planted values of each scan."""

    @property
    def recall(self) -> Fraction | None:
        """The least part of the planted values that a scan found; None if none was planted."""
        recalls = [each.values.recall for each in self.proofs]
        return min((each for each in recalls if each is not None), default=None)

    @property
    def counted(self) -> tuple[SourceCoverage, ...]:
        """The sources that count: all but those that a condition of the runbook excludes."""
        return tuple(each for each in self.sources if each.outcome is not SourceOutcome.LEFT_OUT)

    @property
    def least(self) -> SourceCoverage | None:
        """The source with the least coverage, which is the coverage of the run."""
        least, smallest = None, WHOLE
        for each in self.counted:
            share = each.share
            if least is None or (share is not smallest and share < smallest):
                least, smallest = each, share
            if not smallest:
                break  # no other has less: the first without coverage is the answer
        return least

    @property
    def share(self) -> Fraction:
        """The part that was examined, from 0 to 1; 0 if there is no source."""
        least = self.least
        return least.share if least else NONE

    @property
    def percent(self) -> str:
        """The percentage as text; '100' only if nothing is missing."""
        return percent(self.share)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The probable mistakes: an empty source, a pattern that matches nothing."""
        blind = (each for each in self.proofs if any(each.values.missing))
        return (
            *(text for each in self.sources for text in _warnings(each)),
            *(f"the scan is blind to what it looks for: {each.sentence}" for each in blind),
        )

    def settled(self) -> "RunCoverage":
        """Return the best possible coverage, if later attempts examine everything."""
        over = (each for each in self.sources if each.final)
        return self._replace(sources=tuple(s._replace(reach=s.reach_at_best) for s in over))

    def document(self, most: int | None = None) -> dict[str, Json]:
        """Return the coverage for programs; of more than `most` sources, none is listed."""
        least = self.least
        listed = most is None or len(self.sources) <= most
        return {
            "percent": number(least.share if least else NONE),
            "least": least.artifact if least else None,
            "unit": least.measure.unit if least else None,
            "summary": wording.sentence(self),
            "count": len(self.sources),
            "sources": [each.document() for each in self.sources] if listed else None,
            "gaps": [gap.document() for gap in self.gaps[:most]],
            "samples": [each.document() for each in self.samples[:most]],
            "planted": [each.document() for each in self.proofs[:most]],
            "warnings": list(self.warnings[:most]),
        }


def number(share: Fraction) -> float:
    """Return a percentage as a number, rounded down like its text."""
    return float(percent(share))


def coverage(record: "RunRecord") -> RunCoverage:
    """Return the coverage of a run from its record. Raises IntegrityError."""
    if record.covered is not None and record.covered[0] == record.count:
        return record.covered[1]
    steps = record.steps
    measures = {
        name: measure(step.completed.examined)
        for name, step in steps.items()
        if step.completed and step.completed.examined
    }
    names = [n for n, step in steps.items() if _is_source(record, step, measures.get(n))]
    gaps, reach = consumers.examine(record, measures)
    sources = tuple(_source(record, name, measures, reach) for name in names)
    proofs = tuple(
        ScanProof(name, each.planted, _copied(steps[name]))
        for name, each in measures.items()
        if each.planted is not None
    )
    return RunCoverage(sources, gaps, tuple(_samples(sources, measures)), proofs)


def _is_source(record: "RunRecord", step: "StepRecord", found: Measure | None) -> bool:
    """Return whether an artifact comes from outside the run: a connector, or another run."""
    if found is not None:
        return found.component.startswith(("connector:", "reuse:")) or found.behind is not None
    label = step.component or ""
    listed = record.sources is not None and step.artifact in record.sources
    return listed or label.startswith(("connector:", "reuse:"))


def _source(
    record: "RunRecord", name: str, measures: Mapping[str, Measure], reach: ExaminedReach
) -> SourceCoverage:
    step = record.steps[name]
    found = measures.get(name) or Measure(step.component or "")
    if step.status is ArtifactStatus.COMPLETED:
        completed = SourceOutcome.EXAMINED
        if found.unknown:
            completed = SourceOutcome.UNKNOWN
        elif found.behind is None and not found.amount.known:
            completed = SourceOutcome.EMPTY
        now, at_best = reach.now.get(name, WHOLE), reach.at_best.get(name, WHOLE)
        return SourceCoverage(name, completed, found, None, now, at_best)
    error = step.error or {}
    why = f"{error.get('kind')}: {error.get('message')}" if error else None
    running = step.status is ArtifactStatus.RUNNING  # it may still examine everything
    outcome: SourceOutcome | ArtifactStatus = step.status
    if running:
        outcome = ArtifactStatus.NOT_STARTED
    if step.status is ArtifactStatus.SKIPPED:
        outcome = SourceOutcome.LEFT_OUT if consumers.excluded(record, step) else outcome
        why = str(error.get("message"))
    return SourceCoverage(name, outcome, found, why)


def _samples(
    sources: tuple[SourceCoverage, ...], measures: Mapping[str, Measure]
) -> Iterator[SampleBound]:
    """Yield each examined part of a table, with the findings that its consumers report."""
    found: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for detector, each in measures.items():
        for of, item, rows in each.found:
            found[of, item].append((rows, detector))
    for source in sources:
        for part in source.measure.partial:
            reports = found.get((source.artifact, part.item)) if part.seed is not None else None
            if not reports:
                yield SampleBound(source.artifact, part)
            for rows, detector in reports or ():
                yield SampleBound(source.artifact, part, rows, detector)


def _copied(step: "StepRecord") -> bool:
    return step.completed is not None and step.completed.how != How.PRODUCED


def _warnings(source: SourceCoverage) -> Iterator[str]:
    found = source.measure
    beside = f"; {found.left_out:,} left out" if found.left_out else ""
    for pattern in found.unmatched:
        yield f"{source.artifact}: nothing matches the pattern '{pattern}'{beside}"
    if source.outcome is SourceOutcome.EMPTY and not found.unmatched:
        yield f"{source.artifact}: the source is empty{beside}"
