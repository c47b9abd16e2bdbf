"""The page that shows two runs side by side: what differs in what ran, and in what was found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from waivern.errors import WaivernError
from waivern.message import Json
from waivern.record.coverage import coverage
from waivern.record.fold import RunRecord
from waivern.record.text_forms import duration
from waivern.runs.compare import Pair, compare
from waivern.runs.record_cache import RecordCache
from waivern.runs.recorded_artifacts import ArtifactList, fetched
from waivern.server.pages.page_templates import utc
from waivern.server.pages.run_page import FINDINGS
from waivern.store.base import RunStore

LISTED = 25
"""The findings that are listed of those that are new, and of those that are resolved."""
ROWS = 200
"""The artifacts that are listed; those that differ come first."""


class ComparedFact(NamedTuple):
    """A fact of both runs."""

    name: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        """Whether the runs differ in it; that they began at other times is no difference."""
        return self.before != self.after and self.name not in ("started", "took")


class ComparedFindings(NamedTuple):
    """The findings of one artifact that only one of the runs has; ids are the same in both."""

    artifact: str
    new: list[dict[str, Json]]
    new_count: int
    resolved: list[dict[str, Json]]
    resolved_count: int
    same: int


class ComparisonView(NamedTuple):
    """Two runs, the earlier one first."""

    before: RunRecord
    after: RunRecord
    facts: list[ComparedFact]
    pairs: list[Pair]
    equal: int
    more: int
    findings: list[ComparedFindings]


def comparison_view(records: RecordCache, one: str, other: str) -> ComparisonView:
    """Return the comparison of two runs. Raises what `queries.load` raises."""
    store = records.store
    found = [records.load(one), records.load(other)]
    before, after = sorted(found, key=lambda record: record.metadata.started_at)
    pairs = compare(before, after, store)
    different = [pair for pair in pairs if pair.outcome != "equal"]
    shown = [*different, *(pair for pair in pairs if pair.outcome == "equal")]
    return ComparisonView(
        before,
        after,
        [*_facts(before, after)],
        shown[:ROWS],
        len(pairs) - len(different),
        max(0, len(shown) - ROWS),
        [*_findings(store, before, after)],
    )


def _facts(before: RunRecord, after: RunRecord) -> Iterator[ComparedFact]:
    both = before.metadata, after.metadata
    yield ComparedFact("status", *(str(run.status) for run in both))
    yield ComparedFact("started", *(utc(run.started_at) for run in both))
    yield ComparedFact("took", *(duration(run.duration_ms) for run in both))
    yield ComparedFact("runbook", *(run.called for run in both))
    yield ComparedFact("runbook hash", *(run.runbook_hash for run in both))
    yield ComparedFact("coverage", *(f"{coverage(each).percent} %" for each in (before, after)))
    names = dict.fromkeys([*both[0].params, *both[1].params])
    for name in names:
        yield ComparedFact(f"parameter {name}", *(_value(run.params, name) for run in both))
    for name in ("waivern", "python"):
        yield ComparedFact(name, *(str(run.attempts[-1].get(name)) for run in both if run.attempts))


def _value(params: dict[str, Json], name: str) -> str:
    if name not in params:
        return "not set"
    return "secret" if params[name] is None else json.dumps(params[name], ensure_ascii=False)


def _findings(store: RunStore, before: RunRecord, after: RunRecord) -> Iterator[ComparedFindings]:
    """Yield the differences of the artifacts with findings that no other one collects."""
    steps = [
        s for s in after.steps.values() if s.completed and s.completed.schema.startswith(FINDINGS)
    ]
    collected = {name for step in steps for name in step.inputs}
    hidden = before.sensitive | after.sensitive
    for step in steps:
        name = step.artifact
        if name in collected | hidden or name not in before.steps:
            continue
        old, new = _by_id(store, before, name), _by_id(store, after, name)
        if old is None or new is None:
            continue
        added = [each for key, each in new.items() if key not in old]
        gone = [each for key, each in old.items() if key not in new]
        same = len(new) - len(added)
        yield ComparedFindings(name, added[:LISTED], len(added), gone[:LISTED], len(gone), same)


def _by_id(store: RunStore, record: RunRecord, name: str) -> dict[str, dict[str, Json]] | None:
    """Return an artifact's findings by their identity; None if it cannot be read."""
    step = record.steps[name]
    try:
        message = fetched(store, record, step)
        found = ArtifactList.of(message) if message else None
        if found is None or step.held_bytes:
            return None
        return {
            str(each.get("id")): _short(each) for each in found.elements if isinstance(each, dict)
        }
    except WaivernError:
        return None


def _short(found: dict[str, Json]) -> dict[str, Json]:
    listed = found.get("locations")
    first = listed[0] if isinstance(listed, list) and listed else {}
    place = first if isinstance(first, dict) else {}
    where = place.get("file") or place.get("table") or place.get("path") or ""
    names = ("type", "severity", "evidence", "field", "total")
    return {name: found.get(name, "") for name in names} | {"where": where}
