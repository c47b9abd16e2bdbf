"""The lines in which a command shows how much of the sources was examined."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.record.coverage import RunCoverage
from waivern.record.text_forms import clean, clip
from waivern.record.wording import assumption, headline, sample, sentence

SAMPLES = 10
UNEXAMINED = 3
"""The sources whose unexamined items are explained."""


def coverage_lines(coverage: RunCoverage) -> Iterator[str]:
    """Yield the headline with its counts, then what each part of a table proves."""
    if not coverage.sources:
        return
    text = f"{headline(coverage)}: {sentence(coverage)}"
    yield f"  coverage   {clip(clean(text), 2000)}"
    yield from _unexamined_lines(coverage)
    shown = coverage.samples[:SAMPLES]
    for each in shown:
        yield f"  sample     {clip(clean(sample(each)), 1000)}"
    if (more := len(coverage.samples) - len(shown)) > 0:
        yield f"             and {more:,} more: `wct inspect RUN --json` lists them"
    if any(each.at_most is not None for each in shown):
        yield f"             ({assumption()})"
    yield from _proof_lines(coverage)


def _unexamined_lines(coverage: RunCoverage) -> Iterator[str]:
    """Yield why parts of the sources were not examined, for each source that has some."""
    sources = [each for each in coverage.counted if each.measure.reasons]
    for each in sources[:UNEXAMINED]:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in each.measure.reasons.items())
        yield f"  unexamined {clip(clean(f'{each.artifact}: {reasons}'), 1000)}"
    if (more := len(sources) - UNEXAMINED) > 0:
        yield f"             and {more:,} more sources: `wct inspect RUN --json` lists them"


def _proof_lines(coverage: RunCoverage) -> Iterator[str]:
    """Yield what each scan found of its planted values, those that missed some first."""
    proofs = sorted(coverage.proofs, key=lambda each: each.values.found >= each.values.planted)
    for each in proofs[:SAMPLES]:
        yield f"  planted    {clip(clean(each.sentence), 1000)}"
    if (more := len(proofs) - SAMPLES) > 0:
        yield f"             and {more:,} more scans: `wct inspect RUN --json` lists them"
