"""Decisions at gates: the checks of a decision, and its record in the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from waivern.clock import Clock
from waivern.diagnostics import did_you_mean
from waivern.errors import (
    ArtifactNotFoundError,
    ComponentError,
    IntegrityError,
    RedactedError,
    RefusedError,
    UsageError,
)
from waivern.ids import ArtifactId
from waivern.message import Json, content_digest
from waivern.planning.plan import AskPeople, Plan
from waivern.record import gates
from waivern.record.fold import RunRecord
from waivern.record.journal_events import ArtifactSuspendedRecord, GateDecidedRecord, to_record
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.runs.variable_values import without_values
from waivern.store.base import RunStore
from waivern.store.writers import Lease

APPROVED = "approved"
"""The key that is a decision among the data of a resume."""
MAX_BYTES = 64 << 10
"""What a decision may have, as JSON: it is a line of the journal."""


@dataclass(frozen=True)
class Decision:
    """A decision of a person at a gate."""

    approved: bool
    by: str
    note: str | None = None
    data: Mapping[str, Json] = field(default_factory=dict)
    """For the artifacts behind the gate."""
    shown: Mapping[str, str] | None = None
    """The artifacts that the person was shown, each with its digest; None: those that the gate
    shows now."""

    def __post_init__(self) -> None:
        try:
            content_digest([self.by, self.note, dict(self.data)])
        except ComponentError as error:
            raise UsageError(f"the decision cannot be recorded: {error.message}") from error
        if not gates.person(self.by):
            raise UsageError("a decision requires a name", hint="give it, as in `--by ann`")
        if self.by != self.by.strip():
            raise UsageError(
                f"the name {self.by[:80]!r} begins or ends with a space",
                hint="write it without, as in `--by ann`",
            )
        if len(json.dumps([self.by, self.note, dict(self.data)])) > MAX_BYTES:
            raise UsageError(
                f"the decision has more than {MAX_BYTES >> 10} KiB",
                hint="name in it where more is to be found",
            )


class GateQuestion(NamedTuple):
    """A gate that waits, and its question."""

    gate: ArtifactId
    question: gates.GateQuestionRecord
    put: bool
    """Whether people were asked just that; else the runbook that is to be run asks otherwise."""


def waiting(record: RunRecord) -> tuple[list[ArtifactId], list[ArtifactId]]:
    """Return the gates that a run waits at, and the components that wait for data."""
    gates: list[ArtifactId] = []
    others: list[ArtifactId] = []
    for name, step in record.steps.items():
        if step.status is ArtifactStatus.SUSPENDED:
            (gates if step.gate else others).append(ArtifactId(name))
    return gates, others


def gate_of(record: RunRecord, name: str | None) -> ArtifactId:
    """Return the gate of a decision; None: the only one that waits.

    Raises RefusedError if the run or the gate does not wait, ArtifactNotFoundError for no artifact.
    """
    run = record.metadata
    open_, others = waiting(record)
    if name is not None:
        return _named(record, name, open_)
    if run.status is not RunStatus.SUSPENDED:
        raise _not_suspended(record)
    if len(open_) == 1:
        return open_[0]
    if open_:
        raise RefusedError(
            f"{len(open_)} gates of run {run.run_id} wait: {', '.join(open_)}",
            hint=f"name one: `wct runs approve {run.run_id}/{open_[0]}`",
        )
    raise RefusedError(
        f"no gate of run {run.run_id} waits, but {', '.join(others)}",
        hint=f"`wct runs resume {run.run_id} --data key=value` supplies what it waits for",
    )


def within(
    record: RunRecord, data: Mapping[str, Json], by: str
) -> tuple[ArtifactId | None, Decision | None, Mapping[str, Json]]:
    """Return the decision that is in the data of a resume, if any, and the rest of the data.

    The rest goes with the decision, unless components wait for it. Raises RefusedError if several
    gates wait.
    """
    gates_, components = waiting(record)
    if APPROVED not in data or not gates_:
        return None, None, data
    gate = gate_of(record, None)
    approved, rest = data[APPROVED], {k: v for k, v in data.items() if k != APPROVED}
    if not isinstance(approved, bool):
        raise UsageError(f"'{APPROVED}' is a decision on '{gate}'", hint="give it as true or false")
    if components:
        return gate, Decision(approved, by), rest
    return gate, Decision(approved, by, data=rest), {}


def _named(record: RunRecord, name: str, open_: list[ArtifactId]) -> ArtifactId:
    run = record.metadata
    ids = record.aliases.get(name, ())
    if name not in record.steps and len(ids) == 1:
        name = ids[0]
    step = record.steps.get(name)
    if step is None:
        raise ArtifactNotFoundError(
            f"run {run.run_id} has no artifact {name[:200]!r}",
            hint=did_you_mean(name, record.steps) or _those(open_),
        )
    if run.status is not RunStatus.SUSPENDED:
        raise _not_suspended(record)
    if name in open_:
        return ArtifactId(name)
    if step.status is ArtifactStatus.SUSPENDED:
        raise RefusedError(
            f"'{name}' is not a gate: it waits for data",
            hint=f"`wct runs resume {run.run_id} --data key=value` provides it",
        )
    what = "is not waiting" if step.component == "gate" else "is not a gate"
    raise RefusedError(f"'{name}' {what}: it is {step.status}", hint=_those(open_))


def _those(open_: list[ArtifactId]) -> str:
    return f"waiting gates: {', '.join(open_)}" if open_ else "no gate is waiting"


def _not_suspended(record: RunRecord) -> RefusedError:
    run = record.metadata
    status = RunStatus.INTERRUPTED if run.status is RunStatus.RUNNING else run.status
    hint = f"`wct inspect {run.run_id}` shows its artifacts"
    message = f"run {run.run_id} is {status}; nothing is waiting for approval"
    return RefusedError(message, hint=hint)


def question(record: RunRecord, plan: Plan, gate: ArtifactId) -> GateQuestion:
    """Return what is asked at a gate that waits."""
    node = plan.nodes.get(gate)
    if node is None or not isinstance(node.work, AskPeople):
        raise RefusedError(f"'{gate}' is no gate in the runbook that is to be run")
    asked = [e for e in record.decisions[gate] if isinstance(e, ArtifactSuspendedRecord)][-1]
    ask, digest = node.work, record.metadata.runbook_hash
    now = gates.GateQuestionRecord(ask.question, ask.approvers, ask.expires, asked.shown, digest)
    return GateQuestion(gate, now, now.asked == asked.asked)


def decided(
    asked: GateQuestion, decision: Decision, record: RunRecord, store: RunStore, clock: Clock
) -> GateDecidedRecord:
    """Return the event of a decision.

    Raises RefusedError if the question is not open any more, not to this person, or another one
    now, IntegrityError if what is shown was altered since it was asked.
    """
    if not asked.put:
        raise RefusedError(
            f"'{asked.gate}' has changed since its question was asked: {asked.question.text!r}",
            hint="resume the run without a decision: it asks again",
        )
    _refuse_settled(asked, decision, record, clock.now())
    if decision.shown is not None and dict(decision.shown) != dict(asked.question.shown):
        raise RefusedError(
            f"'{asked.gate}' shows other artifacts than this decision is on",
            hint=f"`wct inspect {record.metadata.run_id}` shows them as they are now",
        )
    for name, digest in asked.question.shown.items():
        if (event := record.steps[name].redacted) and event.digest != digest:
            raise RedactedError(
                f"'{name}', which '{asked.gate}' shows, was redacted since the question was asked",
                hint=f"`wct runs resume {record.metadata.run_id}` asks again",
            )
        done = record.steps[name].completed
        size = done.size if done else 0
        fault = store.verify(record.metadata.run_id, name, size=size, digest=digest)
        if fault:
            raise IntegrityError(
                f"'{name}', which '{asked.gate}' shows, is {fault} since the question was asked",
                hint=f"`wct runs resume {record.metadata.run_id}` rebuilds it and asks again",
            )
    return GateDecidedRecord(
        at=clock.now(),
        artifact=asked.gate,
        approved=decision.approved,
        by=decision.by,
        note=without_values(store, record.metadata.run_id, decision.note),
        data=dict(decision.data),
        shown=dict(asked.question.shown),
        runbook_hash=asked.question.runbook_hash,
        asked=asked.question.asked,
    )


def _refuse_settled(asked: GateQuestion, decision: Decision, record: RunRecord, now: str) -> None:
    run_id = record.metadata.run_id
    verdict = gates.judge(record.decisions[asked.gate], asked.question, now)
    again = f"`wct runs resume {run_id} --ask-again` asks again"
    match verdict:
        case gates.GateRefused(kind, reason):
            word = "the question has expired" if kind == "expired" else "it is decided"
            raise RefusedError(f"'{asked.gate}': {word}: {reason}", hint=again)
        case gates.GateApproved():
            raise RefusedError(
                f"'{asked.gate}' is approved already",
                hint=f"`wct runs resume {run_id}` continues the run; {again}",
            )
        case gates.GateOpen(missing, approvers):
            if decision.approved and gates.person(decision.by) in approvers:
                who = "person has" if missing == 1 else "people have"
                raise RefusedError(
                    f"{decision.by} has approved '{asked.gate}' already: "
                    f"{missing} other {who} to approve it",
                    hint="a person who decides names themselves with --by",
                )


def missing(asked: GateQuestion, record: RunRecord, now: str) -> int:
    """Return how many more people have to approve; 0 if it is decided."""
    verdict = gates.judge(record.decisions[asked.gate], asked.question, now)
    return verdict.missing if isinstance(verdict, gates.GateOpen) else 0


def open_gates(record: RunRecord, plan: Plan, now: str) -> list[tuple[GateQuestion, gates.Verdict]]:
    """Return the gates that a run waits for, each with its state."""
    found = [question(record, plan, gate) for gate in waiting(record)[0] if gate in plan.nodes]
    return [
        (asked, gates.judge(record.decisions[asked.gate], asked.question, now)) for asked in found
    ]


def write(event: GateDecidedRecord, lease: Lease, record: RunRecord) -> None:
    """Journal a decision, durably."""
    lease.append([to_record(event)], sync=True)
    record.apply(event)
    lease.project(record.metadata.document(), record.state.document(), sync=True)
