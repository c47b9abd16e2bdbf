"""Going through a plan as a run would, and deciding as it decides, with nothing written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from waivern.engine import rebuilder
from waivern.engine.artifact_identity import Identity, UnknownIdentity
from waivern.engine.cache import Cache
from waivern.engine.differences import differences
from waivern.engine.producer import Producer
from waivern.engine.scheduler import MAX_NAMED
from waivern.errors import WaivernError
from waivern.ids import ArtifactId
from waivern.message import Json, content_digest
from waivern.planning.plan import (
    AskPeople,
    Copy,
    DefaultValue,
    Extract,
    Node,
    NoValue,
    OutputPart,
    Transform,
)
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.record.status import ArtifactStatus
from waivern.runs.attempt import RunOptions, cache_wanted, hidden
from waivern.runs.duration_history import DurationHistory
from waivern.runs.prepare import PreparedRun
from waivern.runs.resume_attempt import REFRESHED
from waivern.store.base import ArtifactRef, RunStore


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
    work: bool
    """Whether somebody has something to do for it, as far as that is known."""

    def document(self) -> dict[str, Json]:
        """Return it for programs."""
        return {
            "artifact": self.artifact,
            "action": str(self.action),
            "reason": self.reason,
            "component": self.component,
            "expected_ms": self.expected_ms,
            "work": self.work,
        }


class Prediction(NamedTuple):
    action: Action
    reason: str
    work: bool = True


class Forecaster:
    """Goes through a plan in the order of its inputs."""

    def __init__(
        self,
        prepared: PreparedRun,
        store: RunStore,
        options: RunOptions,
        evidence: Mapping[str, ArtifactCompletedRecord],
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
        self._past = DurationHistory(store, plan)
        folder, environ = plan.runbook.document.folder, prepared.environ
        self._secrets = hidden(plan, environ)
        self._producer = Producer(
            store, folder, environ, self._secrets, options.clock, catalogue=prepared.catalogue
        )
        self._refresh = options.refresh
        kept = Cache(store, environ, options.refresh, make=False)
        self._cache = kept if cache_wanted(options) else None
        self._known: dict[ArtifactId, tuple[str, ArtifactRef]] = {}
        """Artifacts whose content is known: the run that has it, and where."""
        self._digests: dict[ArtifactId, str] = {}
        self._standing: dict[str, ArtifactStatus] = {}
        """Artifacts that will stand as they stood."""
        self._gone: set[ArtifactId] = set()
        """Artifacts that will not be made, as sure as can be."""
        self._open: dict[ArtifactId, ArtifactId] = {}
        """Artifacts that may not be made, or not yet, each with the one that decides about it."""

    def all(self) -> dict[ArtifactId, Forecast]:
        found = {}
        for node in self._plan.nodes.values():
            action, reason, work = self._one(node)
            idle = action in (Action.KEEP, Action.GATE)
            expected = None if idle else self._past.took_ms(node.id)
            label = node.work.label.partition(":")[2] or node.work.label
            reason = self._secrets.hide(reason)
            found[node.id] = Forecast(node.id, action, reason, label, expected, work)
        return found

    def _one(self, node: Node) -> Prediction:
        if lost := self._lost(node):
            names = " and ".join(f"'{name}'" for name in lost[:MAX_NAMED])
            names += " and others" if lost[MAX_NAMED:] else ""
            return self._nothing(node, f"it needs {names}, which there will not be")
        unsure = [name for name in self._inputs(node) if name not in self._digests]
        if not unsure:
            runbook = self._plan.runbook.document.digest
            refs = self._refs(node)
            decision = rebuilder.decide(node, refs, self._standing, self._evidence, runbook)
            if isinstance(decision, rebuilder.Keep):
                self._digests[node.id] = decision.ref.content_digest
                self._standing[node.id] = ArtifactStatus.COMPLETED
                return Prediction(Action.KEEP, decision.reason, work=False)
        if (root := self._root(node)) is not None:
            self._open[node.id] = root
            work = bool(unsure) or node.id not in self._skipped
            needs = {*node.inputs, *node.after, *rebuilder.asked(node, self._standing)}
            if not work and self._standing.keys() >= needs:
                self._standing[node.id] = ArtifactStatus.SKIPPED
            return Prediction(Action.OPEN, self._decides(node, root), work)
        if unsure and not isinstance(node.work, AskPeople):
            return self._unsure(node, unsure)
        return self._sure(node)

    def _lost(self, node: Node) -> list[ArtifactId]:
        """Return what is needed and will not be there, if that is sure."""
        lost = [
            name
            for name in dict.fromkeys((*node.inputs, *node.after))
            if name in self._gone and not (self._plan.nodes[name].optional or node.spares(name))
        ]
        if not lost and node.inputs and self._gone.issuperset(node.inputs):
            return list(node.inputs)
        return lost

    def _nothing(self, node: Node, reason: str) -> Prediction:
        self._gone.add(node.id)
        self._open[node.id] = node.id
        self._standing[node.id] = ArtifactStatus.SKIPPED
        return Prediction(Action.OPEN, reason, work=False)

    def _root(self, node: Node) -> ArtifactId | None:
        """Return the artifact that decides, at run time, whether this one is made at all."""
        if node.tests:
            return node.id
        for name in dict.fromkeys((*node.inputs, *node.after)):
            root, before = self._open.get(name), self._plan.nodes[name]
            missed = before.optional or node.spares(name)
            if root and (not missed or isinstance(self._plan.nodes[root].work, AskPeople)):
                return root
        if node.inputs and all(name in self._open for name in node.inputs):
            return self._open[node.inputs[0]]
        return None

    def _decides(self, node: Node, root: ArtifactId) -> str:
        if root == node.id:
            return "its condition: " + node.tests[0].condition.text
        if isinstance(self._plan.nodes[root].work, AskPeople):
            return f"after the decision on '{root}'"
        return f"'{root}' may not be made"

    def _unsure(self, node: Node, unsure: list[ArtifactId]) -> Prediction:
        """Decide on an artifact whose inputs are going to be made."""
        what = ", ".join(unsure[:3]) + (", …" if len(unsure) > 3 else "")
        made, perhaps = f"its input {what} is made", f"{what} may come out as before, or not"
        if not isinstance(node.work, Transform):
            return Prediction(Action.PRODUCE, made, work=False)
        if node.id in self._evidence:
            return Prediction(Action.OPEN, perhaps)
        made_of, then = self._identity(node, node.work, ()), self._past.identity(node.id)
        if isinstance(made_of, UnknownIdentity):
            never = not self._past.made(node.id)
            return Prediction(Action.PRODUCE, self._because(node, "never made" if never else made))
        same_inputs = {**made_of, "inputs": (then or {}).get("inputs")}
        changed = "; ".join(differences(then, same_inputs)) if then else ""
        if self._cache and self._cache.knows(made_of) and node.id not in self._refresh:
            return Prediction(Action.OPEN, changed or perhaps)
        reason = changed or made if then else "never made"
        return Prediction(Action.PRODUCE, self._because(node, reason))

    def _sure(self, node: Node) -> Prediction:
        """Decide on an artifact whose inputs are known."""
        match node.work:
            case Copy() as copy:
                self._digests[node.id] = copy.content_digest
                return Prediction(Action.REUSE, f"'{copy.artifact}' of run {copy.run}", work=False)
            case AskPeople(question):
                self._open[node.id] = node.id
                return Prediction(Action.GATE, question)
            case DefaultValue(content):
                self._digests[node.id] = content_digest(content)
                return Prediction(Action.PRODUCE, "the default of an input", work=False)
            case NoValue(reason):
                return self._nothing(node, reason)
            case Extract() | Transform() as work:
                return self._made(node, work)
            case OutputPart() as part:
                return self._part(node, part)
        return Prediction(Action.PRODUCE, "taken from its inputs", work=False)

    def _made(self, node: Node, work: Extract | Transform) -> Prediction:
        made_of = self._identity(node, work, self._refs(node))
        if isinstance(made_of, UnknownIdentity):
            never = not self._past.made(node.id)
            return Prediction(
                Action.PRODUCE, self._because(node, "never made" if never else made_of.reason)
            )
        if self._cache and (hit := self._cache.find(node.id, made_of)):
            self._digests[node.id] = hit.ref.content_digest
            self._known[node.id] = (hit.origin["run"], hit.ref)
            return Prediction(Action.CACHED, f"from run {hit.origin['run']}", work=False)
        return Prediction(Action.PRODUCE, self._because(node, self._difference(node, made_of)))

    def _identity(
        self, node: Node, work: Extract | Transform, inputs: tuple[ArtifactRef, ...]
    ) -> Identity | UnknownIdentity:
        if self._cache is None:
            return UnknownIdentity("the cache is off")
        try:
            tool, ctx = self._producer.tool(work), self._producer.context(node)
        except WaivernError as error:
            return UnknownIdentity(error.message)
        return self._cache.identify(node, tool, inputs, ctx)

    def _because(self, node: Node, otherwise: str) -> str:
        asked = REFRESHED if node.id in self._refresh else None
        return self._notes.get(node.id) or asked or otherwise

    def _difference(self, node: Node, made_of: Identity) -> str:
        then = self._past.identity(node.id)
        if then is None:
            return "never made"
        return "; ".join(differences(then, made_of)) or "what was made of it is gone"

    def _refs(self, node: Node) -> tuple[ArtifactRef, ...]:
        nodes = self._plan.nodes
        return tuple(
            ArtifactRef(name, "", self._digests[name], schema=str(nodes[name].schema))
            for name in self._inputs(node)
        )

    def _inputs(self, node: Node) -> list[ArtifactId]:
        lost = self._skipped | self._gone
        return [name for name in node.inputs if name not in lost]

    def _part(self, node: Node, part: OutputPart) -> Prediction:
        (whole,) = node.inputs
        if whole in self._known:
            try:
                content = self._store.fetch(*self._known[whole]).content
            except WaivernError:
                content = None
            if isinstance(content, dict) and content.get(part.output) is not None:
                self._digests[node.id] = content_digest(content[part.output])
            elif isinstance(content, dict):
                return self._nothing(node, f"'{whole}' yielded nothing for it")
        return Prediction(Action.PRODUCE, f"an output of '{whole}'", work=False)
