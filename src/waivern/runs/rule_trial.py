"""A trial of a ruleset: what it would find in the sources of a recorded run; nothing is written.

    recorded inputs ─▶ the detector of the run, with the ruleset ─▶ findings ┐
    recorded findings ──────────────────────────────────────────────────────┴▶ new, gone, unchanged

A listed source is read again, each item checked against its recorded digest: findings of items that
have changed or cannot be read are compared with nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from waivern.engine.catalogue_origin import CatalogueOrigin
from waivern.engine.source_reading import source_of
from waivern.errors import RefusedError, UsageError
from waivern.message import Json, Message
from waivern.planning.component_properties import configure
from waivern.planning.plan import Node, Plan, Transform
from waivern.plugins.catalogue import Catalogue
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input
from waivern.record.fold import RunRecord
from waivern.record.planted import PlantedValues
from waivern.record.wording import redacted
from waivern.runs.base_folder import base_of
from waivern.runs.foreign_sources import refuse_showing
from waivern.runs.prepare import catalogue_of
from waivern.runs.recorded_artifacts import ArtifactList, fetched
from waivern.runs.recorded_plan import plan_for_reading
from waivern.runs.run_options import RunOptions
from waivern.runs.trust import is_foreign
from waivern.store.base import RunStore

HIDDEN = "***"
EXAMPLES = 3
"""The findings of a rule that are shown of each kind."""
KINDS = ("new", "gone", "unchanged")


class TriedFinding(NamedTuple):
    """A finding, masked, by which a person recognises what changes."""

    id: str
    type: str
    evidence: str
    place: Mapping[str, Json]
    total: int


@dataclass(slots=True)
class TriedRule:
    """The findings of one rule: how many, and the first of each kind."""

    rule: str
    type: str
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    before: int = 0
    """Occurrences in the recorded findings."""
    after: int = 0
    """Occurrences that the ruleset would report."""
    examples: dict[str, list[TriedFinding]] = field(default_factory=lambda: {"new": [], "gone": []})

    def document(self) -> dict[str, Json]:
        """Return the rule for programs."""
        examples: dict[str, Json] = {
            kind: [dict(each._asdict()) for each in found] for kind, found in self.examples.items()
        }
        occurrences: dict[str, Json] = {"before": self.before, "after": self.after}
        about: dict[str, Json] = {"rule": self.rule, "type": self.type, **self.counts}
        return {**about, "occurrences": occurrences, "examples": examples}


@dataclass(slots=True)
class RuleTrial:
    """The result for one artifact."""

    artifact: str
    rules: dict[tuple[str, str], TriedRule] = field(default_factory=dict)
    unread: list[tuple[str, str]] = field(default_factory=list)
    """(item, reason) of what could not be read as it was."""
    not_compared: int = 0
    """Recorded findings in such items."""
    other_version: str | None = None
    """The version of the component that the run used, if this is another one."""
    planted: PlantedValues | None = None

    def rule(self, finding: Mapping[str, Json]) -> TriedRule:
        """Return the rule of a finding."""
        key = (str(finding["rule"]["id"]), str(finding["type"]))
        return self.rules.setdefault(key, TriedRule(*key))

    def add(self, kind: str, finding: Mapping[str, Json]) -> None:
        """Count a finding as new, gone or unchanged."""
        rule = self.rule(finding)
        rule.counts[kind] += 1
        examples = rule.examples.get(kind)
        if examples is not None and len(examples) < EXAMPLES:
            examples.append(_shown(finding))

    def document(self) -> dict[str, Json]:
        """Return the result for programs."""
        totals = {kind: sum(r.counts[kind] for r in self.rules.values()) for kind in KINDS}
        return {
            "artifact": self.artifact,
            **totals,
            "rules": [each.document() for _, each in sorted(self.rules.items())],
            "unread": [{"item": item, "reason": reason} for item, reason in self.unread],
            "not_compared": self.not_compared,
            "other_version": self.other_version,
            "planted": self.planted.document() if self.planted else None,
        }


def try_rules(
    store: RunStore, record: RunRecord, artifact: str | None, ruleset: str, options: RunOptions
) -> list[RuleTrial]:
    """Compare what a ruleset would find with the findings of a run, or of one artifact of it.

    `ruleset` is the absolute path of a file, or the name of an installed ruleset. Raises
    InvalidError with the positions of all that is wrong in it, UsageError if nothing in the run was
    searched with a ruleset, and RefusedError if what was searched is not there any more.
    """
    catalogue = catalogue_of(options.project)
    plan = plan_for_reading(record, store, options, catalogue)
    names = [artifact] if artifact else [n for n in record.steps if _searches(plan, n, catalogue)]
    if not names or not all(_searches(plan, name, catalogue) for name in names):
        what = f"artifact '{artifact}'" if artifact else "no artifact"
        said = "was not searched" if artifact else "was searched"
        raise UsageError(
            f"{what} of run {record.metadata.run_id} {said} with a ruleset",
            hint="name a run with an artifact of `personal_data`",
        )
    return [_Trial(store, record, plan, options, catalogue).of(name, ruleset) for name in names]


def _searches(plan: Plan, name: str, catalogue: Catalogue) -> bool:
    """Return whether an artifact is produced by a processor that has a ruleset."""
    node = plan.nodes.get(name)  # type: ignore[call-overload]
    if node is None or not isinstance(node.work, Transform):
        return False
    component = catalogue.load("processors", node.work.type)
    return "ruleset" in component.Config.model_fields and hasattr(component, "rulesets")


class _Trial:
    """The parts of a recorded run that all its artifacts need."""

    def __init__(
        self,
        store: RunStore,
        record: RunRecord,
        plan: Plan,
        options: RunOptions,
        catalogue: Catalogue,
    ) -> None:
        self._store, self._record, self._plan = store, record, plan
        self._options, self._catalogue = options, catalogue
        self._foreign = is_foreign(record, store)
        self._base = base_of(record, store, options, foreign=self._foreign).folder

    def of(self, name: str, ruleset: str) -> RuleTrial:
        node: Node = self._plan.nodes[name]  # type: ignore[index]
        assert isinstance(node.work, Transform)
        component: Any = self._catalogue.load("processors", node.work.type)
        mask = {"mask": "partial"} if "mask" in component.Config.model_fields else {}
        properties = {**node.work.properties, "ruleset": ruleset, **mask}
        config = configure(component.Config, properties, self._options.environ)
        ctx = Context(name, Path(node.base) if node.base else self._base)
        component.rulesets(config, ctx)  # a faulty one is reported before anything is read
        message = self._message(name)
        recorded = _by_id(message)
        inputs = [
            self._input(key, str(id_), ctx)
            for id_, key in zip(node.inputs, node.called or node.inputs, strict=True)
        ]
        trial = RuleTrial(name)
        step = self._record.steps[name]
        if step.completed and step.completed.version != component.version:
            trial.other_version = step.completed.version
        for finding in _yielded(component.process(inputs, config, ctx)):
            trial.rule(finding).after += int(finding.get("total", 1))
            known = recorded.get(finding["id"])
            if known:
                known.pop()
                trial.add("unchanged", finding)
            else:
                trial.add("new", finding)
        trial.unread = [(item, why) for item, why, _ in ctx.coverage.skipped]
        self._rest(trial, recorded)
        for finding in _elements(message):
            trial.rule(finding).before += int(finding.get("total", 1))
        if (document := ctx.coverage.document()) and "planted" in document:
            trial.planted = PlantedValues.read(document["planted"])
        return trial

    def _rest(self, trial: RuleTrial, recorded: Mapping[str, list[Mapping[str, Json]]]) -> None:
        """Count the recorded findings that were not found again."""
        unread = {item for item, _ in trial.unread}
        for finding in chain.from_iterable(recorded.values()):
            if unread & _items(finding):
                trial.not_compared += 1
            else:
                trial.add("gone", finding)

    def _message(self, name: str) -> Message:
        step = self._record.steps[name]
        message = fetched(self._store, self._record, step)
        gone = step.redacted is not None and step.redacted.destroyed == "content"
        if message is None or gone:
            why = redacted(step.redacted) if step.redacted else f"it is {step.status}"
            raise RefusedError(
                f"'{name}' of run {self._record.metadata.run_id} cannot be compared: {why}",
                hint="name a run in which it is there",
            )
        return message

    def _input(self, key: str, name: str, ctx: Context) -> Input:
        message = self._message(name)
        source = None
        if "catalogue" in message.extensions:
            if self._foreign:
                for origin in CatalogueOrigin.all_of(message):
                    run_id = self._record.metadata.run_id
                    refuse_showing(origin, name, run_id, self._base, self._options)
            source = source_of(
                message, key, ctx, self._base, self._catalogue, self._options.environ
            )
        return Input(key, message.content, message.schema, message.records, source)


def _yielded(result: Any) -> Iterator[Mapping[str, Json]]:
    """Yield the findings of a processor, which is a generator or returns them in its content."""
    if isinstance(result, dict):
        yield from result.get("findings", ())
    else:
        yield from result


def _elements(message: Message) -> Iterator[Mapping[str, Json]]:
    found = ArtifactList.of(message)
    for each in found.elements if found else ():
        if isinstance(each, dict) and isinstance(each.get("rule"), dict) and "id" in each:
            yield each


def _by_id(message: Message) -> dict[str, list[Mapping[str, Json]]]:
    """Return the recorded findings by id; items whose names look alike share ids.

    Whole values, which `mask: none` has stored, are left out.
    """
    content = message.content
    whole = isinstance(content, dict) and content.get("mask") == "none"
    found: dict[str, list[Mapping[str, Json]]] = {}
    for each in _elements(message):
        kept = {**each, "evidence": HIDDEN} if whole else each
        found.setdefault(str(each["id"]), []).append(kept)
    return found


def _items(finding: Mapping[str, Json]) -> set[str]:
    """Return the names of the items that a finding is in."""
    places = finding.get("locations", ())
    return {str(place[key]) for place in places for key in ("file", "table") if key in place}


def _shown(finding: Mapping[str, Json]) -> TriedFinding:
    place: Mapping[str, Json] = next(iter(finding.get("locations", ())), {})
    kept = {key: part for key, part in place.items() if key not in ("evidence", "start", "end")}
    evidence = str(finding.get("evidence", ""))
    return TriedFinding(
        finding["id"], finding["type"], evidence, kept, int(finding.get("total", 1))
    )
