"""The sentences in which the coverage of a run is reported to people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from waivern.record import sampling
from waivern.record.measure import UNITS, Amount, Measure, PartialItem, percent
from waivern.record.status import RECORDED

if TYPE_CHECKING:
    from waivern.record.consumers import CoverageGap
    from waivern.record.coverage import RunCoverage, SampleBound
    from waivern.record.journal_events import ArtifactRedactedRecord

NAMES = 8
_OUTCOMES = {
    **{str(status): status.label for status in RECORDED},
    "unknown": "without a report",
    "empty": "empty",
}
"""The outcomes of sources without coverage, in the order of a report."""


def headline(coverage: RunCoverage) -> str:
    """Return the percentage, with the name of what it measures."""
    least = coverage.least
    if least is None:
        return f"{coverage.percent} %"
    unit = "" if least.measure.items is None else f", in {least.measure.unit}"
    return f"{coverage.percent} % ({least.artifact}{unit})"


def sentence(coverage: RunCoverage) -> str:
    """Return how much was examined, as counts, then the names of what was not."""
    parts = [*_examined(coverage), *_outcomes(coverage), *map(gap, coverage.gaps[:NAMES])]
    if (more := len(coverage.gaps) - NAMES) > 0:
        parts.append(f"{more:,} more processors did not examine everything")
    return "; ".join([*parts, *_left_out(coverage)]) or "no source"


def amounts(coverage: RunCoverage) -> str:
    """Return how much was examined, as counts, and what was left out on purpose."""
    return "; ".join([*_examined(coverage), *_left_out(coverage)])


def sample(each: SampleBound) -> str:
    """Return the bound that a part of a table proves for the whole table."""
    item, read, total, seed = each.part
    place = f"{each.source}: {item}"
    of = "an unknown number of" if total is None else f"{total:,}"
    if seed is None:
        first = f"the first {read:,} of {of} rows" if read else f"none of {of} rows"
        return f"{place}: {first}, not a random sample: no bound holds for the others"
    if each.found is None or each.at_most is None or not total:
        return f"{place}: {read:,} of {of} rows at random (seed {seed}); findings not reported"
    hits = f"{each.found:,} row{'' if each.found == 1 else 's'} with findings among"
    found = hits if each.found else "0 findings in"
    place += f", by {each.detector}" if each.detector else ""
    bound = f"at most {_ceiling(each.at_most, total)} % of rows"
    return f"{place}: {found} {read:,} of {of} rows: {bound} at {sampling.CONFIDENCE} % confidence"


def assumption() -> str:
    """Return the assumption that all bounds depend on."""
    return f"{sampling.METHOD}; assumes {sampling.ASSUMES}"


def examined(artifact: str, found: Measure) -> str:
    """Return what a component examined, in the words of `sentence`."""
    if found.items is None:
        return "not reported" if found.behind is None else _reused(artifact, found.behind)
    kind = UNITS.get(found.unit, "items")
    said = [_of(found.items, kind)]
    said += [_of(each, unit) for unit, each in found.units.items()]
    parts = [", ".join(said)]
    for word, reasons in (
        ("not examined", found.reasons),
        ("left out on purpose", found.left_out_reasons),
    ):
        if reasons:
            listed = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
            parts.append(f"{word}: {listed}")
    if found.encodings.keys() - {"utf-8"}:
        listed = ", ".join(f"{count:,} {name}" for name, count in found.encodings.items())
        parts.append(f"read as: {listed}")
    return "; ".join(parts)


def gap(each: CoverageGap) -> str:
    """Return what a processor did not examine."""
    if each.amount is None:
        return f"{each.artifact} {each.status.clause} and examined nothing"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in each.reasons.items())
    beside = f" ({reasons})" if reasons else ""
    return f"{each.artifact} examined {_of(each.amount, each.unit)}{beside}"


def partial(part: PartialItem) -> str:
    """Return how much of a table was examined."""
    return f"{part.item} {part.read:,} of {'?' if part.total is None else f'{part.total:,}'}"


def redacted(event: ArtifactRedactedRecord) -> str:
    """Return what was destroyed of an artifact, when, by whom and why."""
    reason = f": {event.reason}" if event.reason else ""
    follows = event.copy_of or {}
    of = f", with {follows.get('run')}/{follows.get('artifact')}" if follows else ""
    return f"its {event.destroyed} was destroyed on {event.at} by {event.by}{of}{reason}"


def _reused(artifact: str, behind: Amount) -> str:
    part = percent(behind.share)
    return f"{artifact} comes from a run that examined {part} % of its sources"


def _examined(coverage: RunCoverage) -> Iterator[str]:
    """Yield the total of each kind of item, and the tables that were examined in part."""
    totals: dict[str, Amount] = defaultdict(Amount)
    for source in coverage.sources:
        found = source.measure
        if found.items is None:
            continue
        kind = UNITS.get(found.unit, "items")
        totals[kind] += found.items
        if found.unit == "rows":
            totals["rows"] += found.amount
    tables = totals.get("tables")
    if tables and tables.complete and totals["rows"].known:
        del totals["tables"]
    order = [kind for kind in ("files", "items", "tables", "rows") if kind in totals]
    for source in coverage.sources:
        if source.measure.behind is not None:
            yield _reused(source.artifact, source.measure.behind)
    if order:
        said = [_of(totals[kind], kind) for kind in order]
        yield f"examined {', '.join(said)}{_partly(coverage)}"


def _partly(coverage: RunCoverage) -> str:
    parts = [part for source in coverage.sources for part in source.measure.partial]
    if not parts:
        return ""
    count = sum(source.measure.partials for source in coverage.sources)
    return f" ({_more(map(partial, parts[:NAMES]), count)})"


def _outcomes(coverage: RunCoverage) -> Iterator[str]:
    for outcome, word in _OUTCOMES.items():
        if found := [each.artifact for each in coverage.sources if each.outcome == outcome]:
            yield f"{_sources(found)} {word}: {_more(found[:NAMES], len(found))}"


def _left_out(coverage: RunCoverage) -> Iterator[str]:
    """Yield what the runbook excludes, which does not count."""
    counts: dict[str, int] = defaultdict(int)
    for source in coverage.sources:
        counts[UNITS.get(source.measure.unit, "items")] += source.measure.left_out
    said = [f"{count:,} {_noun(count, kind)}" for kind, count in counts.items() if count]
    if names := [each.artifact for each in coverage.sources if each.outcome == "left_out"]:
        said.append(f"{_sources(names)} by condition ({_more(names[:NAMES], len(names))})")
    if said:
        yield f"left out on purpose: {', '.join(said)}"


def _of(amount: Amount, kind: str) -> str:
    return f"{amount.examined:,} of {amount.known:,} {_noun(amount.known, kind)}"


def _noun(count: int, kind: str) -> str:
    return kind.removesuffix("s") if count == 1 else kind


def _sources(names: list[str]) -> str:
    return f"{len(names):,} source{'' if len(names) == 1 else 's'}"


def _more(shown: Iterable[str], count: int) -> str:
    names = list(shown)
    more = count - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more > 0 else "")


def _ceiling(part: int, whole: int) -> str:
    """Return a percentage, rounded up to a tenth, or to one digit where that is finer."""
    digits = 1
    while digits < 6 and part and part * 100 * 10**digits < whole:
        digits += 1
    scaled = -(-part * 100 * 10**digits // whole)
    return f"{scaled / 10**digits:.{digits}f}"
