"""The questions and decisions of a gate."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.journal_events import ArtifactSuspendedRecord
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import clean, clip, short, size
from waivern.runs.next_command import NextCommands


def gate_facts(record: RunRecord, step: StepRecord) -> Iterator[tuple[str, str]]:
    """Yield what a gate asks, what it shows, and the commands that decide, as (word, text)."""
    events = record.decisions[step.artifact]
    asked = next((e for e in reversed(events) if isinstance(e, ArtifactSuspendedRecord)), None)
    run = short(record.metadata.run_id)
    if asked is not None:
        yield "asks", asked.reason
        yield "since", asked.at
        for name, digest in asked.shown.items():
            yield "shows", f"{name}  {_described(record, name, digest)}  `wct inspect {run}/{name}`"
    if step.artifact in record.notified:
        yield "notified", "yes"
    for line in gate_lines(record, step.artifact):
        yield "decision", line
    if step.status is not ArtifactStatus.SUSPENDED:
        return
    command = decide_command(record, step)
    if record.metadata.status is RunStatus.RUNNING:
        yield "decide", f"{command}, once the rest of the run has ended"
    elif command is not None:
        yield "decide", command
        yield "reject", f"{command} --reject"


def decide_command(record: RunRecord, step: StepRecord) -> str | None:
    """Return the command that decides at a gate that waits."""
    resume = ["wct", "runs", "resume", short(record.metadata.run_id)]
    return NextCommands(record, resume).decisions.get(step.artifact)


def gate_state(record: RunRecord, step: StepRecord) -> dict[str, Json]:
    """Return what a gate asks and shows, and the command that decides, for programs."""
    events = record.decisions[step.artifact]
    asked = next((e for e in reversed(events) if isinstance(e, ArtifactSuspendedRecord)), None)
    waits = step.status is ArtifactStatus.SUSPENDED
    return {
        "question": asked.reason if asked else None,
        "since": asked.at if asked else None,
        "shown": [{"artifact": n, "digest": d} for n, d in asked.shown.items()] if asked else [],
        "waits": waits,
        "notified": step.artifact in record.notified,
        "next": decide_command(record, step) if waits else None,
    }


def _described(record: RunRecord, name: str, digest: str) -> str:
    """Return the schema and size of an artifact that a gate shows, and whether it has changed."""
    step = record.steps.get(name)
    done = step.completed if step else None
    if done is None:
        return "no longer completed"
    changed = "" if done.digest == digest else ", changed since it was asked"
    return f"{done.schema}, {size(done.size)}{changed}"


def gate_lines(record: RunRecord, gate: str) -> Iterator[str]:
    """Yield a line for each decision, the oldest first."""
    decided = False
    events = record.decisions[gate]
    last = next(
        (each for each in reversed(events) if isinstance(each, ArtifactSuspendedRecord)), None
    )
    for event in events:
        if not isinstance(event, ArtifactSuspendedRecord):
            decided = True
            word = "approved" if event.approved else "rejected"
            note = f": {event.note}" if event.note else ""
            other = last is not None and (event.shown, event.asked) != (last.shown, last.asked)
            void = " (invalid: the question or the artifacts have changed)" if other else ""
            yield clip(clean(f"{word} by {event.by} at {event.at}{void}{note}"), 1000)
    if not decided:
        yield "not decided yet"
