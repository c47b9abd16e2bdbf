"""The summary of a run that has ended: what it found, what went wrong, and the next command."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from waivern.cli.ui.coverage_lines import coverage_lines
from waivern.cli.ui.failure_lines import FAILURES, failure_lines
from waivern.cli.ui.found_lines import findings_document, findings_steps, found_lines
from waivern.cli.ui.screen import Screen
from waivern.message import Json
from waivern.planning.plan import Plan
from waivern.record.fold import RunRecord
from waivern.record.gates import GateOpen
from waivern.record.journal_events import ArtifactSuspendedRecord
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import clean, clip, duration, listed, short, taken
from waivern.runs.next_command import NextCommands
from waivern.runs.queries import COUNTED
from waivern.runs.recorded_result import RecordedResult
from waivern.runs.result import RunResult
from waivern.store.base import RunStore

FAILED = ArtifactStatus.FAILED
LISTED = 10
"""Artifacts; those of a larger run are counted, and only what went wrong is listed."""


class EndedAttempt(NamedTuple):
    """The result of an attempt, with the facts that only the command knows."""

    result: RunResult | RecordedResult
    store: RunStore
    restored: frozenset[str]
    """The artifacts that were completed before the attempt."""
    command: list[str]
    """The words that continue the run, with --store if it was typed."""

    @property
    def record(self) -> RunRecord:
        return self.result.record

    @property
    def plan(self) -> Plan | None:
        return self.result.plan

    @property
    def commands(self) -> NextCommands:
        """The commands that are useful next."""
        return NextCommands(self.record, self.command, self.store.url != "memory:")

    def steps(self, status: ArtifactStatus) -> list[StepRecord]:
        """Return the steps with a status, in the order of the runbook."""
        return [step for step in self.record.steps.values() if step.status == status]


def document(ended: EndedAttempt) -> dict[str, Json]:
    """Return the summary for programs."""
    from waivern.cli.ui.output_lines import output_document

    result, record = ended.result, ended.record
    return {
        **record.metadata.document(),
        "run_id": result.run_id,
        "status": str(result.status),
        "reason": result.reason,
        "error": result.error,
        "exit_code": int(result.exit_code),
        "nothing_to_do": result.nothing_to_do,
        "policies": list(result.policies),
        "waiting": [
            {
                "artifact": step.artifact,
                "gate": step.gate,
                "reason": (step.error or {}).get("message"),
                "next": ended.commands.decisions.get(step.artifact),
            }
            for step in ended.steps(ArtifactStatus.SUSPENDED)
        ],
        "journal": result.journal,
        "warnings": list(result.warnings),
        "coverage": result.coverage.document(),
        "found": findings_document(ended.store, record),
        "artifacts": _counts(ended),
        "steps": [step.document() for step in record.steps.values()],
        **output_document(result.outputs),
        "next": _next(ended),
    }


def show(out: Screen, ended: EndedAttempt) -> None:
    """Write the summary for people."""
    for line in _lines(out, ended):
        out.print(line)


def _lines(out: Screen, ended: EndedAttempt) -> Iterator[str]:
    result, run = ended.result, ended.record.metadata
    word = "TIMED OUT" if result.reason == "timeout" else str(result.status).upper()
    if result.nothing_to_do:
        word = "NOTHING TO DO"
    look = str(result.status)
    if result.policies and look == RunStatus.COMPLETED:  # green would hide why the exit code is 6
        word, look = f"{word}, POLICY TRIPPED", "failed"
    head = [out.paint(out.paint(word, look), "bold"), clean(run.runbook_name)]
    head += [f"run {short(result.run_id)}", duration(run.duration_ms)]
    yield "  ".join([*head, f"attempt {len(run.attempts)}"])
    if short(result.run_id) != result.run_id:
        yield f"  id         {result.run_id}"
    yield f"  artifacts  {_counted(ended)}"
    yield f"  journal    {result.journal['count']:,} lines, head {result.journal['head']}"
    yield from found_lines(out, ended.store, ended.record)
    yield from coverage_lines(ended.result.coverage)
    yield from _why(result)
    for held in result.policies:
        yield f"  {out.paint('policy', 'failed')}     {clip(clean(held), 1000)}"
    yield from _steps(out, ended)
    if result.outputs:
        from waivern.cli.ui.output_lines import output_lines

        yield from output_lines(out, result.outputs)
    commands = ended.commands
    if commands.stored and not commands.decisions:
        yield f"  next:  {clean(_next(ended))}"
        yield from _gain(ended)


def _counts(ended: EndedAttempt) -> dict[str, int]:
    return {name: len(ended.steps(ArtifactStatus(name))) for name in COUNTED}


def _counted(ended: EndedAttempt) -> str:
    counts = {k: n for k, n in _counts(ended).items() if n}
    parts = [f"{n:,} {ArtifactStatus(name).label}" for name, n in counts.items()]
    if "completed" in counts and (earlier := _earlier(ended)):
        parts[0] += f" ({earlier})"
    return f"{len(ended.record.steps):,}:  " + ", ".join(parts)


def _earlier(ended: EndedAttempt) -> str:
    """Return how many completed artifacts this attempt did not produce itself."""
    restored = len(ended.restored)
    hows = Counter(
        step.completed.how
        for step in ended.steps(ArtifactStatus.COMPLETED)
        if step.completed and step.artifact not in ended.restored
    )
    del hows["produced"]
    counts = [*([("restored", restored)] if restored else []), *sorted(hows.items())]
    return ", ".join(f"{n:,} {how}" for how, n in counts)


def _why(result: RunResult | RecordedResult) -> Iterator[str]:
    """Yield the reason of the end of the attempt, if no artifact shows it."""
    if result.status == RunStatus.INTERRUPTED or result.reason == "timeout":
        why = ": ".join(filter(None, (result.reason, result.error)))
        yield f"  {'ended by' if not result.error else 'because':9}  {clean(why)}"
    elif result.reason == "fail_fast":
        yield "  note       no more artifacts were started after the failure"
    elif result.status == RunStatus.CANCELLED and result.error:
        yield f"  because    {clean(result.error)}"
    if result.stuck:
        yield "  note       work that did not stop was abandoned; its result is discarded"


def _steps(out: Screen, ended: EndedAttempt) -> Iterator[str]:
    """Yield the artifacts by status; those that did not start come last."""
    if len(ended.record.steps) <= LISTED:
        yield from _completed(out, ended)
    yield from _failed(out, ended)
    yield from _skipped(out, ended)
    yield from _waiting(out, ended)
    described = (
        ArtifactStatus.COMPLETED,
        ArtifactStatus.FAILED,
        ArtifactStatus.SKIPPED,
        ArtifactStatus.SUSPENDED,
    )
    for status in ArtifactStatus:
        if status not in described and (steps := ended.steps(status)):
            names = listed([step.artifact for step in steps])
            yield f"  {out.mark(status)} {names}  {_label(ended, status)}"


def _label(ended: EndedAttempt, status: ArtifactStatus) -> str:
    """Return a status in words; an artifact that a selection leaves out is not selected."""
    chosen = ended.record.metadata.attempts[-1].get("selected") is not None
    if status is ArtifactStatus.NOT_STARTED and chosen and ended.result.status == "completed":
        return "not selected"
    return status.label


def _completed(out: Screen, ended: EndedAttempt) -> Iterator[str]:
    width = _width(ended)
    kinds = max(map(len, map(_type, ended.steps(ArtifactStatus.COMPLETED))), default=0)
    for step in ended.steps(ArtifactStatus.COMPLETED):
        done = step.completed
        assert done is not None
        how = "restored" if step.artifact in ended.restored else done.how
        look = "completed" if how == "produced" else how
        text = f"{step.artifact:{width}}  {_type(step):{kinds}}"
        took = duration(done.duration_ms) if how == "produced" else how
        if how == "cached":
            took = f"cached {taken(done)}"
        yield f"  {out.mark(look)} {text}  {took}{_tries(step)}"


def _width(ended: EndedAttempt) -> int:
    """Return the width of the column of artifact names."""
    return max((len(name) for name in ended.record.steps), default=0)


def _tries(step: StepRecord) -> str:
    return f"  after {step.tries:,} tries" if step.tries > 1 else ""


def _type(step: StepRecord) -> str:
    kind, _, name = (step.component or "").partition(":")
    return clean(f"from {short(name[:36])}{name[36:]}" if kind == "reuse" else name or kind)


def _failed(out: Screen, ended: EndedAttempt) -> Iterator[str]:
    failed, width = ended.steps(ArtifactStatus.FAILED), _width(ended)
    nodes = ended.plan.nodes if ended.plan else {}
    optional = {str(name) for name, node in nodes.items() if node.optional}
    yield from failure_lines(out, ended.store, ended.record, failed, width, optional)


def _skipped(out: Screen, ended: EndedAttempt) -> Iterator[str]:
    groups: dict[str, list[str]] = defaultdict(list)
    for step in ended.steps(ArtifactStatus.SKIPPED):
        error = step.error or {}
        cause = str(error.get("cause"))
        alone = cause != step.artifact and not error.get("more_causes")
        groups[f"needs {cause}" if alone else str(error.get("message"))].append(step.artifact)
    for why, names in list(groups.items())[:FAILURES]:
        text = clip(clean(why), 1000)
        yield f"  {out.mark('skipped')} {listed(names)}  skipped: {text}"
    if (more := len(groups) - FAILURES) > 0:
        yield f"    more artifacts were skipped, for {more:,} other reasons"


def _waiting(out: Screen, ended: EndedAttempt) -> Iterator[str]:
    waiting = list(ended.steps(ArtifactStatus.SUSPENDED))
    gates, commands = _gates(ended) if waiting else {}, ended.commands.decisions
    for step in waiting:
        reason = clip(clean(str((step.error or {}).get("message"))), 1000)
        is_gate = step.gate
        what = "asks" if is_gate else "waits"
        yield f"  {out.mark('suspended')} {step.artifact}  {what}: {reason}"
        yield from gates.get(step.artifact, ())
        if command := commands.get(step.artifact):
            yield f"      {'decide' if is_gate else 'provide'}:  {clean(command)}"
        else:
            yield "      it cannot be answered: this run was not stored"


def _gates(ended: EndedAttempt) -> dict[str, list[str]]:
    """Return the lines that describe each open gate."""
    found = {}
    for gate, events in ended.record.decisions.items():
        asked = [each for each in events if isinstance(each, ArtifactSuspendedRecord)]
        if asked:
            found[gate] = [f"      shows:  {clean(listed(list(asked[-1].shown)))}"]
    if ended.plan is None:
        return found
    from waivern.runs.decisions import open_gates

    for waiting, verdict in open_gates(ended.record, ended.plan, ended.record.metadata.updated_at):
        approvers = waiting.question.approvers
        if isinstance(verdict, GateOpen) and approvers > 1:
            text = f"      approved by {approvers - verdict.missing} of {approvers} people"
            found[str(waiting.gate)].append(text)
    return found


def _next(ended: EndedAttempt) -> str:
    """Return the next command: of a completed run with findings, the one that shows them."""
    command = ended.commands.next
    if ended.result.status == RunStatus.COMPLETED and (steps := findings_steps(ended.record)):
        run = short(ended.result.run_id)
        return command.replace(f"inspect {run}", f"inspect {run}/{steps[-1].artifact}", 1)
    return command


def _gain(ended: EndedAttempt) -> Iterator[str]:
    """Yield the effect of the next command, on its own line: the line above is for pasting."""
    if ended.commands.resumable and ended.result.status != RunStatus.SUSPENDED:
        done = _counts(ended)["completed"]
        rest = len(ended.record.steps) - done
        yield f"         restores {done:,}, produces {rest:,}"
