"""Decisions: what happens to each artifact of a plan, and why. Pure.

    DecisionWalk.take       scheduler: which artifact is next
     └─ decide              rebuilder: is what an earlier attempt completed still valid?
         ├─ Loop            carries the decision out, and settles it with the outcome
         ├─ Forecaster      asks the cache, and settles it with the expected outcome
         └─ work_left       looks for a decision that needs work: else a resume does nothing

A run settles every artifact before the next one depends on it, so that all inputs are known. A
forecast does not: the content of an artifact that is going to be produced is not known yet, and one
with a condition may not be produced at all. A decision that depends on either is left open.
"""

from collections.abc import Container
from enum import StrEnum
from typing import NamedTuple

from waivern.engine import rebuilder
from waivern.engine.scheduler import Scheduler, Skip
from waivern.ids import ArtifactId
from waivern.message import content_digest
from waivern.planning.plan import AskPeople, Copy, DefaultValue, Node, NoValue, Plan, Transform
from waivern.record.status import ArtifactStatus
from waivern.store.store_values import ArtifactRef

NAMED_INPUTS = 3
"""Inputs that a reason names."""


class Action(StrEnum):
    """A possible fate of an artifact in a run."""

    PRODUCE = "produce"
    KEEP = "keep"
    REUSE = "reuse"
    CACHED = "cached"
    GATE = "gate"
    SKIP = "skip"
    OPEN = "decided at run time"


class ItemCount(NamedTuple):
    """The items that a component goes through one by one."""

    changed: int
    """Those whose results are not known."""
    total: int

    def __str__(self) -> str:
        return f"{self.changed:,} of {self.total:,} items changed"


class ArtifactDecision(NamedTuple):
    """The decision on one artifact, with its reason."""

    action: Action
    reason: str
    work: bool = True
    """Whether a component or a person has something to do for it, as far as that is known."""
    ref: ArtifactRef | None = None
    """Its content, if that is known before the run."""
    root: ArtifactId | None = None
    """The artifact whose condition or gate decides whether this one is produced at all."""
    items: ItemCount | None = None
    """The items of its inputs, if the results of some of them are known."""


class DecisionWalk:
    """A walk over a plan in the order of a run, with what is known at each step.

    Every artifact that is taken is settled once: by `completed` or `lost` with what happened, or by
    `expect` with what will happen. One that is suspended is not settled: what depends on it waits.
    `skipped` names what the last attempt skipped because of a condition, `only` what may be
    produced (None: everything).
    """

    def __init__(
        self,
        plan: Plan,
        evidence: rebuilder.Evidence,
        only: Container[ArtifactId] | None = None,
        skipped: Container[str] = (),
    ) -> None:
        self._plan = plan
        self._scheduler = Scheduler(plan)
        self._evidence = evidence
        self._only = only
        self._skipped = skipped
        self._runbook_hash = plan.runbook.document.digest
        self.refs: dict[str, ArtifactRef] = {}
        """The artifacts whose content is known."""
        self.statuses: dict[str, ArtifactStatus] = {}
        """The artifacts whose status is known."""
        self._kept: set[ArtifactId] = set()
        self._open: dict[ArtifactId, ArtifactId] = {}
        """The artifacts that may not be produced, each with the one on which that depends."""

    # which

    @property
    def ready(self) -> bool:
        """Whether there is an artifact to decide on."""
        return self._scheduler.ready

    def take(self) -> Node:
        """Return the next artifact: all that it waits for is settled."""
        return self._scheduler.take()

    def inputs(self, node: Node) -> tuple[ArtifactRef, ...]:
        """Return the inputs whose content is known, in declared order."""
        if not node.inputs:
            return ()
        refs = self.refs
        return tuple(refs[name] for name in self._scheduler.inputs(node) if name in refs)

    def unknown(self, node: Node) -> list[ArtifactId]:
        """Return the inputs that are going to be produced: their content is not known yet."""
        if not node.inputs:
            return []
        return [name for name in self._scheduler.inputs(node) if name not in self.refs]

    def asked(self, node: Node) -> dict[str, str]:
        """Return the statuses that the conditions of an artifact ask for."""
        return rebuilder.asked(node, self.statuses) if node.tests else {}

    # what

    def decide(self, node: Node) -> ArtifactDecision | None:
        """Decide on an artifact that was taken; None if it is not selected, and stays as it is."""
        unknown = self.unknown(node)
        if node.id in self._evidence and not unknown and self._uncertain(node) is None:
            valid = rebuilder.decide(
                node, self.inputs(node), self.statuses, self._evidence, self._runbook_hash
            )
            if isinstance(valid, rebuilder.Keep):
                return ArtifactDecision(Action.KEEP, valid.reason, work=False, ref=valid.ref)
        if self._only is not None and node.id not in self._only:
            return None
        if node.id in self._skipped and self._as_before(node):
            return ArtifactDecision(Action.SKIP, self._why_skipped(node), work=False)
        if (root := node.id if node.tests else self._uncertain(node)) is not None:
            work = bool(unknown) or node.id not in self._skipped
            return ArtifactDecision(Action.OPEN, self._why_open(node, root), work, root=root)
        if unknown and not isinstance(node.work, AskPeople):
            return self._on_unknown(node)
        return self._on_known(node)

    def perhaps(self, node: Node) -> str:
        """Return why the outcome of an artifact is open although it will be there."""
        return f"{_listed(self.unknown(node))} may come out as before, or not"

    def _on_known(self, node: Node) -> ArtifactDecision:
        """Decide on an artifact that is going to be there, with known inputs."""
        match node.work:
            case Copy() as copy:
                reason = f"'{copy.artifact}' of run {copy.run}"
                ref = self._ref(node, copy.content_digest)
                ref = ref._replace(lists_source=copy.keep == "reference")
                return ArtifactDecision(Action.REUSE, reason, work=False, ref=ref)
            case AskPeople(question):
                return ArtifactDecision(Action.GATE, question, root=node.id)
            case NoValue(reason):
                return ArtifactDecision(Action.SKIP, reason, work=False)
            case DefaultValue(content):
                ref = self._ref(node, content_digest(content))
                return ArtifactDecision(
                    Action.PRODUCE, "the default of an input", work=False, ref=ref
                )
        return ArtifactDecision(Action.PRODUCE, "it was not produced yet")

    def _on_unknown(self, node: Node) -> ArtifactDecision:
        """Decide on an artifact that is going to be there, whose inputs are produced before it."""
        work = isinstance(node.work, Transform)
        if node.id in self._evidence:  # it is kept if they come out as before
            return ArtifactDecision(Action.OPEN, self.perhaps(node), work)
        reason = f"its input {_listed(self.unknown(node))} is produced"
        return ArtifactDecision(Action.PRODUCE, reason, work)

    def _ref(self, node: Node, digest: str) -> ArtifactRef:
        return ArtifactRef(node.id, "", digest, schema=str(node.schema))

    def _as_before(self, node: Node) -> bool:
        """Return whether all that a skip depended on is as it was in the last attempt."""
        needs = (*node.inputs, *node.after, *rebuilder.asked(node, self.statuses))
        return all(name in self._kept or self._skipped_again(name) for name in needs)

    def _skipped_again(self, name: str) -> bool:
        return name in self._skipped and self.statuses.get(name) is ArtifactStatus.SKIPPED

    def _uncertain(self, node: Node) -> ArtifactId | None:
        """Return what decides, at run time, whether there is everything that a node needs."""
        if not self._open:
            return None
        for name in (*node.inputs, *node.after):
            root, before = self._open.get(name), self._plan.nodes[name]
            missed = before.optional or node.spares(name)
            # behind a gate nothing continues, whether it is missed or not
            if root and (not missed or isinstance(self._plan.nodes[root].work, AskPeople)):
                return root
        inputs = self._scheduler.inputs(node)
        if inputs and all(name in self._open for name in inputs):
            return self._open[inputs[0]]
        return None

    def _why_open(self, node: Node, root: ArtifactId) -> str:
        if root == node.id:
            return "its condition: " + node.tests[0].condition.text
        if isinstance(self._plan.nodes[root].work, AskPeople):
            return f"after the decision on '{root}'"
        return f"'{root}' may not be produced"

    def _why_skipped(self, node: Node) -> str:
        if not node.tests:
            return "it was skipped, and nothing has changed"
        return "as before; its condition: " + node.tests[0].condition.text

    # what happened

    def completed(self, name: ArtifactId, ref: ArtifactRef) -> list[Skip]:
        """Settle an artifact that is there; return what has to be skipped."""
        self.refs[name] = ref
        self.statuses[name] = ArtifactStatus.COMPLETED
        return self._skips(self._scheduler.completed(name))

    def lost(self, name: ArtifactId, *, left_out: bool = False) -> list[Skip]:
        """Settle an artifact that failed or was left out; return what has to be skipped."""
        self.statuses[name] = ArtifactStatus.SKIPPED if left_out else ArtifactStatus.FAILED
        return self._skips(self._scheduler.lost(name, left_out=left_out))

    def rest(self) -> list[Skip]:
        """Return what has to be skipped although some of what it waits for is never settled."""
        return self._skips(self._scheduler.rest())

    def _skips(self, skips: list[Skip]) -> list[Skip]:
        for skip in skips:
            self.statuses[skip.artifact] = ArtifactStatus.SKIPPED
        return skips

    # what will happen

    def expect(self, node: Node, decision: ArtifactDecision) -> list[Skip]:
        """Settle an artifact as decided, provided that no component fails; return the skips."""
        if decision.action is Action.SKIP:
            return self.lost(node.id, left_out=True)
        if decision.action is Action.KEEP:
            self._kept.add(node.id)
        elif decision.root is not None:
            self._open[node.id] = decision.root
        if decision.ref is not None:
            return self.completed(node.id, decision.ref)
        return self._skips(self._scheduler.completed(node.id))


def _listed(names: list[ArtifactId]) -> str:
    return ", ".join(names[:NAMED_INPUTS]) + (", …" if names[NAMED_INPUTS:] else "")


def work_left(
    plan: Plan,
    evidence: rebuilder.Evidence,
    skipped: Container[str] = (),
    only: Container[ArtifactId] | None = None,
) -> bool:
    """Say whether another attempt would do anything but keep and skip what was before."""
    decisions = DecisionWalk(plan, evidence, only, skipped)
    while decisions.ready:
        node = decisions.take()
        decision = decisions.decide(node)
        if decision is None:
            continue  # what depends on it waits
        if decision.action not in (Action.KEEP, Action.SKIP):
            return True
        decisions.expect(node, decision)
    return False
