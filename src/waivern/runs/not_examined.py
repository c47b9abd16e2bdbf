"""The parts of a run's sources that were not examined, one by one, for exports and reports.

"No findings" means nothing without them. The journal has the reasons and their numbers; the file of
an artifact has the names of the items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from waivern.errors import WaivernError
from waivern.message import Json
from waivern.record.coverage import RunCoverage, SourceCoverage, SourceOutcome
from waivern.record.measure import Measure, percent
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.runs.recorded_artifacts import fetched

if TYPE_CHECKING:
    from waivern.runs.exporter import ExportedRun

NAMED = 1000
"""The items of one artifact that are named; the others are counted by their reason."""


class NotExamined(NamedTuple):
    """A part of a source that was not examined, or a reason why the result is incomplete."""

    source: str
    """The artifact: a source, or the processor that did not examine its input; empty: the run."""
    item: str
    """The file, table or column; empty: the whole source, or items that are only counted."""
    reason: str
    number: int = 1
    """The number of items."""
    on_purpose: bool = False
    """Whether the runbook excludes it."""

    @property
    def sentence(self) -> str:
        """The part with its reason, on one line."""
        what = f"{self.number:,} items" if self.number > 1 and not self.item else self.item
        return ": ".join(filter(None, (self.source, what, self.reason)))

    def document(self) -> dict[str, Json]:
        """Return the part for programs."""
        return self._asdict()


def not_examined(run: ExportedRun) -> Iterator[NotExamined]:
    """Yield what was not examined: of the run, of each source, of each processor."""
    yield from _of_run(run)
    coverage = run.coverage
    for source in coverage.sources:
        yield from _of_source(run, source)
    for gap in coverage.gaps:
        if gap.amount is None:
            yield NotExamined(gap.artifact, "", f"it {gap.status.clause} and examined nothing")
            continue
        named = [*_items(run, gap.artifact, None)]
        examined = f"examined {gap.amount.examined:,} of {gap.amount.known:,} {gap.unit}"
        yield from named or [NotExamined(gap.artifact, "", examined)]
    for artifact, reason in run.findings.unread.items():
        yield NotExamined(artifact, "", f"its findings are not here: {reason}")
    yield from (NotExamined("", "", text) for text in coverage.warnings)


def complete(coverage: RunCoverage) -> bool:
    """Return whether everything that the runbook asks for was examined."""
    return coverage.share == 1 and not coverage.gaps


def _of_run(run: ExportedRun) -> Iterator[NotExamined]:
    status = run.metadata.status
    if run.running:
        yield NotExamined("", "", "the run is still running: this is not its result")
    elif status is not RunStatus.COMPLETED:
        reason = f": {run.metadata.error}" if run.metadata.error else ""
        yield NotExamined(
            "", "", f"the run has the status {status}, so its result is incomplete{reason}"
        )
    if run.journal is None:
        yield NotExamined("", "", "the run has no journal: nothing proves its content")
    if not run.coverage.sources:
        yield NotExamined("", "", "the run has no source: nothing was examined")


def _of_source(run: ExportedRun, source: SourceCoverage) -> Iterator[NotExamined]:
    name, outcome, found = source.artifact, source.outcome, source.measure
    if outcome is SourceOutcome.LEFT_OUT:
        yield NotExamined(name, "", source.why or "a condition excludes it", on_purpose=True)
    elif isinstance(outcome, ArtifactStatus):
        yield NotExamined(name, "", f"it {outcome.clause}{f': {source.why}' if source.why else ''}")
    elif outcome is SourceOutcome.UNKNOWN:
        yield NotExamined(name, "", "it did not report how much there is")
    if found.behind is not None and not found.behind.complete:
        part = percent(found.behind.share)
        yield NotExamined(name, "", f"it comes from a run that examined {part} % of its sources")
    for each in found.partial:
        total = "an unknown number of" if each.total is None else f"{each.total:,}"
        yield NotExamined(name, each.item, f"{each.read:,} of {total} rows were examined")
    if (more := found.partials - len(found.partial)) > 0:
        yield NotExamined(name, "", "only a part of the rows was examined", more)
    yield from _items(run, name, found)


def _items(run: ExportedRun, artifact: str, found: Measure | None) -> Iterator[NotExamined]:
    """Yield the items that an artifact names, then the numbers of the others by reason."""
    named, purpose, counts = _recorded(run, artifact)
    if named is None:  # the file is gone: the journal has the numbers
        reasons = found.reasons if found else {}
        yield from (NotExamined(artifact, "", why, n) for why, n in reasons.items())
        return
    excluded = Counter(purpose)
    for item, reason, count in named[:NAMED]:
        on_purpose = excluded[reason] >= count
        excluded[reason] -= count if on_purpose else 0
        counts[reason] -= count
        yield NotExamined(artifact, item, reason, count, on_purpose)
    for reason, count in counts.items():
        if count > 0:
            on_purpose = excluded[reason] >= count
            yield NotExamined(artifact, "", reason, count, on_purpose)


def _recorded(
    run: ExportedRun, artifact: str
) -> tuple[list[tuple[str, str, int]] | None, dict[str, int], Counter[str]]:
    """Return the items that an artifact's file names, and the numbers of all by reason."""
    try:
        message = fetched(run.store, run.record, run.record.steps[artifact])
    except WaivernError:
        message = None
    recorded = (message.extensions.get("coverage") if message else None) or {}
    items = recorded.get("items")
    if message is None or not isinstance(items, list):
        return None, {}, Counter()
    named = [
        (str(each.get("item", "")), str(each.get("reason", "")), _whole(each.get("count", 1)))
        for each in items
        if isinstance(each, dict)
    ]
    return (
        named,
        _counts(recorded.get("left_out_reasons")),
        Counter(_counts(recorded.get("reasons"))),
    )


def _counts(value: Json) -> dict[str, int]:
    return {k: _whole(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _whole(value: Json) -> int:
    return value if type(value) is int and value > 0 else 1
