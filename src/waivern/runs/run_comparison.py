"""The comparison of two runs: what was run, what was produced, what was examined and found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from waivern.message import Json
from waivern.record.coverage import RunCoverage, coverage, number
from waivern.runs.compare import Pair, compare
from waivern.runs.examined_places import ExaminedPlaces, ItemDigests, RenamedItems
from waivern.runs.findings_comparison import (
    ComparableFinding,
    FindingsComparison,
    compare_findings,
)
from waivern.runs.recorded_findings import RunFindings

if TYPE_CHECKING:
    from waivern.record.fold import RunRecord
    from waivern.record.step_record import StepRecord
    from waivern.store.base import RunStore


class ComparedFact(NamedTuple):
    """A fact of both runs."""

    name: str
    before: str
    after: str
    expected: bool = False
    """Whether each run has another one, such as its start."""

    @property
    def differs(self) -> bool:
        """Whether the runs differ in it."""
        return self.before != self.after and not self.expected

    def document(self) -> dict[str, Json]:
        """Return the fact for programs."""
        return {"name": self.name, "before": self.before, "after": self.after}


class RunComparison(NamedTuple):
    """Two runs, the earlier one first."""

    before: RunRecord
    after: RunRecord
    facts: tuple[ComparedFact, ...]
    """What defines the runs: runbook, parameters, versions."""
    pairs: tuple[Pair, ...]
    changes: dict[str, list[str]]
    """By artifact: the parts of its definition and its inputs that differ."""
    coverages: tuple[RunCoverage, RunCoverage]
    findings: FindingsComparison
    unread: tuple[dict[str, str], dict[str, str]]
    """By artifact: why findings of each run are not compared."""

    @property
    def notes(self) -> list[str]:
        """The differences that a reader must know to judge the findings."""
        one, two = self.before.metadata, self.after.metadata
        found = []
        if one.runbook_name != two.runbook_name:
            found.append(f"the runs are of two runbooks: {one.runbook_name}, {two.runbook_name}")
        rules = sorted(
            {change for each in self.changes.values() for change in each if _of_rules(change)}
        )
        found += [f"{each}: findings of other rules are new or resolved with it" for each in rules]
        for run, unread in zip((one, two), self.unread, strict=True):
            found += [
                f"findings of '{name}' in run {run.run_id} are not compared: {why}"
                for name, why in unread.items()
            ]
        return found

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        differing = any(pair.outcome != "equal" for pair in self.pairs)
        facts = any(each.differs for each in self.facts)
        counts = self.findings.counts
        return not (
            differing or facts or any(n for each, n in counts.items() if each != "unchanged")
        )

    def document(self, most: int | None = None) -> dict[str, Json]:
        """Return the comparison for programs."""
        covered = [
            {
                "percent": number(each.share),
                "sources": {s.artifact: number(s.share) for s in each.counted},
            }
            for each in self.coverages
        ]
        return {
            "before": self.before.metadata.run_id,
            "after": self.after.metadata.run_id,
            "notes": self.notes,
            "definition": [each.document() for each in self.facts if each.differs],
            "artifacts": [
                pair.document() | {"changes": self.changes.get(pair.artifact, [])}
                for pair in self.pairs
                if pair.outcome != "equal" or pair.artifact in self.changes
            ],
            "equal_artifacts": sum(pair.outcome == "equal" for pair in self.pairs),
            "coverage": {"before": covered[0], "after": covered[1]},
            "findings": self.findings.document(most),
            "unread": {"before": self.unread[0], "after": self.unread[1]},
        }


def _of_rules(change: str) -> bool:
    return change.startswith(("ruleset ", "component "))


def compare_runs(
    store: RunStore,
    before: RunRecord,
    after: RunRecord,
    *,
    reveal: bool = False,
) -> RunComparison:
    """Compare two runs of a store.

    Raises IntegrityError if findings prove to be damaged while they are read.
    """
    old = RunFindings(store, before, reveal=reveal)
    new = RunFindings(store, after, reveal=reveal)
    places = ExaminedPlaces(store, new, before.steps)
    found = compare_findings(
        map(ComparableFinding.of, old),
        new,
        places.unexamined,
        RenamedItems(ItemDigests(store, before), ItemDigests(store, after)).names,
    )
    return RunComparison(
        before,
        after,
        tuple(facts(before, after)),
        tuple(compare(before, after, store)),
        dict(_changes(before, after)),
        (coverage(before), coverage(after)),
        found,
        (old.unread, new.unread),
    )


def facts(before: RunRecord, after: RunRecord) -> Iterator[ComparedFact]:
    """Yield what defines two runs: runbook, children, parameters and versions."""
    one, two = before.metadata, after.metadata
    yield ComparedFact("runbook", one.called, two.called)
    yield ComparedFact("runbook hash", one.runbook_hash, two.runbook_hash)
    then, now = ({each["path"]: each["sha256"] for each in run.children} for run in (one, two))
    for path in dict.fromkeys([*then, *now]):
        yield ComparedFact(f"child {path}", then.get(path, "none"), now.get(path, "none"))
    for name in dict.fromkeys([*one.params, *two.params]):
        yield ComparedFact(f"parameter {name}", _value(one.params, name), _value(two.params, name))
    for name in ("waivern", "python"):
        yield ComparedFact(name, _last(before, name), _last(after, name))


def _last(record: RunRecord, name: str) -> str:
    attempts = record.metadata.attempts  # a run without a journal has none
    return str(attempts[-1].get(name) or "") if attempts else ""


def _value(params: Mapping[str, Json], name: str) -> str:
    if name not in params:
        return "not set"
    return "secret" if params[name] is None else json.dumps(params[name], ensure_ascii=False)


def _changes(before: RunRecord, after: RunRecord) -> Iterator[tuple[str, list[str]]]:
    """Yield the parts that differ of each artifact that both runs completed."""
    for name, step in after.steps.items():
        found = artifact_changes(before.steps.get(name), step)
        if found:
            yield name, found


_PARTS = {
    *("component", "version", "code", "runtime", "properties", "environment", "inputs", "source"),
    *("rulesets", "schema", "folder"),
}


def artifact_changes(then: StepRecord | None, now: StepRecord | None) -> list[str]:
    """Return the recorded parts in which an artifact differs between two runs, in words."""
    from waivern.engine.differences import differences  # lists of runs need no engine

    both = [step.completed.identity if step and step.completed else None for step in (then, now)]
    old, new = both
    if old is None or new is None or not new.keys() >= _PARTS or old.get("key") == new.get("key"):
        return []
    return list(differences(old, new))
