"""What a run would do, artifact by artifact, and why: decided as the run decides, nothing written.

What is not known before the run is said to be decided at run time: the artifacts with conditions,
and those whose inputs are going to be made and may come out as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from statistics import median_low

from waivern.engine import identity, rebuilder
from waivern.engine.cache import Cache
from waivern.engine.producer import Producer
from waivern.errors import WaivernError
from waivern.ids import ArtifactId
from waivern.message import Json, content_digest
from waivern.planning.plan import Absent, Ask, Copy, Extract, Given, Node, Part, Plan, Transform
from waivern.record.events import ArtifactCompleted
from waivern.record.fold import RunRecord
from waivern.record.status import How
from waivern.service import read
from waivern.service.attempt import Options, hidden
from waivern.service.check import Prepared, drafted, prepare
from waivern.service.children import ChildFiles
from waivern.service.continuing import left_out
from waivern.service.parameters import NOTHING
from waivern.service.parameters import Given as Params
from waivern.service.references import StoreResolver, find
from waivern.service.resuming import Again, faults, ready
from waivern.store.base import ArtifactRef, RunStore

LOOKED_AT = 5
"""Earlier runs of the same runbook that are asked how long things took."""


class Action(StrEnum):
    """What becomes of an artifact."""

    PRODUCE = "produce"
    KEEP = "keep"
    REUSE = "reuse"
    CACHED = "cached"
    GATE = "gate"
    OPEN = "decided at run time"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would become of one artifact."""

    artifact: ArtifactId
    action: Action
    reason: str
    component: str
    expected_ms: int | None
    """As it took before; None if it never was made."""

    def document(self) -> dict[str, Json]:
        """Return it for programs."""
        return {
            "artifact": self.artifact,
            "action": str(self.action),
            "reason": self.reason,
            "component": self.component,
            "expected_ms": self.expected_ms,
        }


def forecast(
    path: str,
    store: RunStore,
    options: Options,
    *,
    params: Params = NOTHING,
    resume: str | None = None,
) -> list[Forecast]:
    """Return what `wct run` would do with each artifact, in declared order.

    Raises what starting, or resuming, that run would raise before anything is written.
    """
    evidence: Mapping[str, ArtifactCompleted] = {}
    skipped: frozenset[str] = frozenset()
    if resume is None:
        draft = drafted(path, options.environ, params.bound)
        resolver = StoreResolver(store, ChildFiles(draft.runbook.document.folder))
        prepared = prepare(draft, resolver, options.environ, options.project)
        notes: Mapping[str, str] = {}
    else:
        record = read.load(store, find(store, resume))
        known = ready(path, record, store, options, Again(allow_changed=True, params=params))
        prepared = Prepared(known.plan, known.environ)
        completed = {n: s.completed for n, s in record.steps.items() if s.completed}
        skipped = left_out(record)
        damaged = faults(store, record.metadata.run_id, completed)
        reasons: dict[str, str] = {e.artifact: f"runbook changed: {e.what}" for e in known.edits}
        fallen = rebuilder.invalid(known.plan, completed, damaged, reasons)
        notes = {str(name): why for name, why in fallen.items()}
        evidence = {
            n: done for n, done in completed.items() if n in known.plan.nodes and n not in notes
        }
    found = _Foreseer(prepared, store, options, evidence, notes, skipped).all()
    return [found[name] for name in prepared.plan.declared]


class _Foreseer:
    """Goes through a plan in the order of its inputs."""

    def __init__(
        self,
        prepared: Prepared,
        store: RunStore,
        options: Options,
        evidence: Mapping[str, ArtifactCompleted],
        notes: Mapping[str, str],
        skipped: frozenset[str],
    ) -> None:
        self._plan = plan = prepared.plan
        self._store = store
        self._evidence = evidence
        self._notes = notes
        """Why what was completed counts no longer."""
        self._skipped = skipped
        """What conditions left out before, and will again unless something else changes."""
        self._history = list(_history(store, plan))
        folder, environ = plan.runbook.document.folder, prepared.environ
        secrets = hidden(plan, environ)
        self._producer = Producer(store, folder, environ, secrets, options.clock)
        wanted = options.cache
        if wanted is None and options.project is not None:
            wanted = options.project.cache
        kept = Cache(store, environ, options.refresh, make=False)
        self._cache = None if wanted is False else kept
        self._known: dict[ArtifactId, tuple[str, ArtifactRef]] = {}
        """Artifacts whose content is known: the run that has it, and where."""
        self._digests: dict[ArtifactId, str] = {}

    def all(self) -> dict[ArtifactId, Forecast]:
        found = {}
        for node in self._plan.nodes.values():
            action, reason = self._one(node)
            took = [step.duration_ms for step in self._steps(node.id) if step.how == How.PRODUCED]
            expected = median_low(took) if took else None
            if action in (Action.KEEP, Action.GATE):
                expected = None
            label = node.work.label.partition(":")[2] or node.work.label
            found[node.id] = Forecast(node.id, action, reason, label, expected)
        return found

    def _one(self, node: Node) -> tuple[Action, str]:
        unsure = [name for name in self._inputs(node) if name not in self._digests]
        if not unsure:
            runbook = self._plan.runbook.document.digest
            decision = rebuilder.decide(node, self._refs(node), self._evidence, runbook)
            if isinstance(decision, rebuilder.Keep):
                self._digests[node.id] = decision.ref.content_digest
                return Action.KEEP, decision.reason
        if node.tests:
            return Action.OPEN, "its condition: " + node.tests[0].condition.text
        if unsure and not isinstance(node.work, Ask):
            return self._unsure(node, unsure)
        return self._sure(node)

    def _unsure(self, node: Node, unsure: list[ArtifactId]) -> tuple[Action, str]:
        """Decide on an artifact whose inputs are going to be made."""
        what = ", ".join(unsure[:3]) + (", …" if len(unsure) > 3 else "")
        before = next(iter(self._steps(node.id)), None)
        if before is None:
            return Action.PRODUCE, "never made"
        if self._cache is None or before.identity is None:
            return Action.PRODUCE, f"its input {what} is made"
        return Action.OPEN, f"{what} may come out as before, or not"

    def _sure(self, node: Node) -> tuple[Action, str]:
        """Decide on an artifact whose inputs are known."""
        match node.work:
            case Copy() as copy:
                self._digests[node.id] = copy.content_digest
                return Action.REUSE, f"'{copy.artifact}' of run {copy.run}"
            case Ask(question):
                return Action.GATE, question
            case Given(content):
                self._digests[node.id] = content_digest(content)
                return Action.PRODUCE, "the default of an input"
            case Absent():
                return Action.OPEN, "nothing is mapped to this input"
            case Extract() | Transform() as work:
                return self._made(node, work)
            case Part() as part:
                return self._part(node, part)
        return Action.PRODUCE, "taken from its inputs"

    def _made(self, node: Node, work: Extract | Transform) -> tuple[Action, str]:
        because = self._notes.get(node.id)
        if self._cache is None:
            return Action.PRODUCE, because or "the cache is off"
        refs = self._refs(node)
        try:
            tool = self._producer.tool(work)
            made_of = self._cache.identify(node, tool, refs, self._producer.context(node))
        except WaivernError as error:
            return Action.PRODUCE, error.message
        if made_of is None:
            last = next(iter(self._steps(node.id)), None)
            never = "never made" if last is None else "not known to be repeatable"
            never = "its cache is off" if node.cache is False else never
            return Action.PRODUCE, because or never
        if hit := self._cache.find(node.id, made_of):
            self._digests[node.id] = hit.content_digest
            ref = ArtifactRef(hit.origin["artifact"], hit.origin["digest"], hit.content_digest)
            self._known[node.id] = (hit.origin["run"], ref)
            return Action.CACHED, f"from run {hit.origin['run']}"
        return Action.PRODUCE, because or self._difference(node, made_of)

    def _difference(self, node: Node, made_of: Mapping[str, Json]) -> str:
        last = next((step for step in self._steps(node.id) if step.identity), None)
        if last is None or last.identity is None:
            return "never made"
        changed = list(identity.differences(last.identity, made_of))
        return "; ".join(changed) or "asked for again, or no longer there"

    def _refs(self, node: Node) -> tuple[ArtifactRef, ...]:
        return tuple(ArtifactRef(name, "", self._digests[name]) for name in self._inputs(node))

    def _inputs(self, node: Node) -> list[ArtifactId]:
        return [name for name in node.inputs if name not in self._skipped]

    def _part(self, node: Node, part: Part) -> tuple[Action, str]:
        (whole,) = node.inputs
        if whole in self._known:
            try:
                content = self._store.fetch(*self._known[whole]).content
            except WaivernError:
                content = None
            if isinstance(content, dict) and content.get(part.output) is not None:
                self._digests[node.id] = content_digest(content[part.output])
            elif isinstance(content, dict):
                return Action.OPEN, f"'{whole}' yielded nothing for it"
        return Action.PRODUCE, f"an output of '{whole}'"

    def _steps(self, name: ArtifactId) -> Iterator[ArtifactCompleted]:
        """Yield how an artifact was completed in earlier runs of the runbook, the newest first."""
        for record in self._history:
            step = record.steps.get(name)
            if step is not None and step.completed is not None:
                yield step.completed


def _history(store: RunStore, plan: Plan) -> Iterator[RunRecord]:
    """Yield the newest runs of the same runbook that can be read."""
    document, count = plan.runbook.document, 0
    for row in read.list_runs(store):
        run = row.metadata
        if run is None or plan.runbook.name != run.runbook_name:
            continue
        if run.runbook_path is None or document.path is None or count >= LOOKED_AT:
            continue
        try:
            yield read.load(store, row.run_id)
        except WaivernError:
            continue
        count += 1


__all__ = ["Action", "Forecast", "forecast"]
