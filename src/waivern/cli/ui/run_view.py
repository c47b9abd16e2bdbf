"""The view of a run: its head, its steps, and the outline of its artifacts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from waivern.cli.ui.content_outline import HIDDEN, shape
from waivern.cli.ui.coverage_lines import coverage_lines
from waivern.cli.ui.failure_lines import log_path
from waivern.cli.ui.gate_view import gate_lines
from waivern.cli.ui.json_output import json_text, print_document
from waivern.cli.ui.screen import Screen, stdout
from waivern.cli.ui.source_view import note_accesses
from waivern.cli.ui.step_columns import STEPS
from waivern.errors import Exit, WaivernError
from waivern.message import Json, Message
from waivern.record.annotations import Annotations
from waivern.record.coverage import coverage
from waivern.record.fold import RunRecord
from waivern.record.gates import gate_document
from waivern.record.status import RunStatus
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import clean, clip, counted, duration, listed, short, size
from waivern.record.wording import redacted
from waivern.runs import queries
from waivern.runs.recorded_artifacts import fetched, storage_text
from waivern.runs.recorded_texts import of_run
from waivern.runs.retention import pinned
from waivern.store.base import RunStore

SHAPED = 30
"""The number of artifacts up to which the view outlines their contents."""
SHAPED_BYTES = 4 << 20


def show_run(
    store: RunStore,
    record: RunRecord,
    *,
    full: bool,
    reveal: bool,
    as_json: bool,
    statuses: Collection[str] = (),
) -> int:
    """Show a run and return the exit code, which is that of altered artifacts if there are any.

    With `statuses`, the document has only the steps that have one of them.
    """
    hidden = frozenset() if reveal else record.sensitive
    if full:
        note_accesses(store, record, hidden)
    messages, faults = _messages(store, record, hidden) if full else ({}, {})
    out = stdout()
    if as_json:
        document = _document(record, statuses) | {
            "log": log_path(store, record.metadata.run_id, None)
        }
        document |= {"texts": of_run(store, record)}
        if full:
            document |= {"record": _run_json(store, record), "params": record.metadata.params}
            document |= {"contents": {n: each.content for n, each in messages.items()}}
            document |= {"records": _records(messages), "faults": faults}
        print_document("inspect", document)
    elif out.tty or full:
        for line in _head(out, record, pinned(store, record.metadata.run_id)):
            out.print(line)
        for key, text in of_run(store, record).items():
            out.print(f"  {key:<8} {clip(clean(text), 1000)}")
        for line in coverage_lines(coverage(record)):
            out.print(line)
        if log := log_path(store, record.metadata.run_id, None):
            out.print(f"  log        {clean(log)}")
        out.print()
        _table(out, record)
        if full:
            _whole(out, _run_json(store, record), messages, faults)
        else:
            faults = _folded(out, store, record, hidden)
    else:
        STEPS.lines(out, _in_order(record))
    return Exit.INTEGRITY if faults else Exit.OK


def show_steps(record: RunRecord, statuses: Collection[str]) -> int:
    """Show the steps that have one of some statuses, and why each of them has no result."""
    out, steps = stdout(), _in_order(record, statuses)
    STEPS.show(out, steps)
    for step in steps if out.tty else ():
        if step.error:
            out.print(f"\n{out.mark(str(step.status))} {clean(step.artifact)}")
            out.print(f"    {clip(clean(str(step.error.get('message'))), 1000)}")
            if hint := step.error.get("hint"):
                out.print(f"    = help: {clip(clean(str(hint)), 1000)}")
    return Exit.OK


def _in_order(record: RunRecord, statuses: Collection[str] = ()) -> list[StepRecord]:
    """Return the steps in order of starting; then, as declared, those that did not start.

    With `statuses`, only those that have one of them.
    """
    steps = [each for each in record.steps.values() if not statuses or each.status in statuses]
    return sorted(steps, key=lambda step: (step.step_index is None, step.step_index or 0))


def _messages(
    store: RunStore, record: RunRecord, hidden: frozenset[str]
) -> tuple[dict[str, Message], dict[str, str]]:
    """Return the completed artifacts, and the faults of those that are altered."""
    messages: dict[str, Message] = {}
    faults: dict[str, str] = {}
    for name, step in record.steps.items():
        if name in hidden:
            continue
        try:
            if message := fetched(store, record, step):
                messages[name] = message
        except WaivernError as error:
            faults[name] = error.message
    return messages, faults


def _records(messages: Mapping[str, Message]) -> dict[str, Json]:
    """Return what is known of the lists that are too large to be part of a content."""
    return {name: each.records.document() for name, each in messages.items() if each.records}


def _run_json(store: RunStore, record: RunRecord) -> dict[str, Json]:
    """Return the content of `run.json`, up to date for a live run."""
    if not record.vouched:
        return record.metadata.document()
    last = store.read_journal(record.metadata.run_id).lines[-1]
    return record.metadata.document() | {"journal": {"count": last.seq, "head": last.hash}}


def _document(record: RunRecord, statuses: Collection[str]) -> dict[str, Json]:
    run = record.metadata
    state = record.state.document()
    return {
        "run_id": run.run_id,
        "status": str(run.status),
        "runbook_path": run.runbook_path,
        "runbook_name": run.runbook_name,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "duration_ms": run.duration_ms,
        "error": run.error,
        "metadata": run.metadata,
        "coverage": coverage(record).document(),
        "artifacts": {name: len(state[name]) for name in queries.COUNTED},
        "steps": STEPS.documents(_in_order(record, statuses)),
        "decisions": {gate: gate_document(record.decisions[gate]) for gate in record.decisions},
        "sensitive": sorted(record.sensitive),
        "holds": record.held,
        "redacted": record.redacted,
    }


def _head(out: Screen, record: RunRecord, pin: dict[str, Json] | None) -> Iterator[str]:
    run = record.metadata
    status = out.paint(str(run.status).upper(), str(run.status))
    path = clean(run.runbook_path or run.runbook_name)
    yield f"{status}  {path}  run {short(run.run_id)}"
    yield f"  id         {run.run_id}"
    took = duration(run.duration_ms or None)
    word = "running for" if run.status == RunStatus.RUNNING else "took"
    yield f"  started    {clean(run.started_at)}{f'   {word} {took}' if took else ''}"
    last = run.attempts[-1] if run.attempts else {}
    owner = f"process {last.get('pid')} on {last.get('host')}"
    yield f"  attempt    {len(run.attempts)}, {clean(owner)}"
    yield from _annotations(run.metadata)
    if pin is not None:
        note = f": {pin['note']}" if pin.get("note") else ""
        who = f"by {pin.get('by')} at {pin.get('at')}{note}"
        yield f"  pinned     {clip(clean(who), 1000)}"
    if record.held:
        held = [f"{name} {size(count)}" for name, count in record.held.items()]
        yield f"  holds      source content: {clean(listed(held))}"
    if record.redacted:
        yield f"  redacted   {clean(listed(record.redacted))}"
    if run.replay_of:
        yield f"  replay     of {short(run.replay_of)}"
    if run.suspension_reason:
        yield f"  waits      {clean(run.suspension_reason)}"
    if (chosen := last.get("selected")) is not None:
        yield f"  selected   {counted(len(chosen), 'artifact')}"
    if run.error:
        yield f"  error      {clean(run.error)}"


def _annotations(metadata: dict[str, Json]) -> Iterator[str]:
    """Yield a line for each annotation of a run."""
    found = Annotations.recorded(metadata)
    texts = [("name", found.name), ("note", found.note), ("tags", ", ".join(found.tags))]
    texts += [("meta", f"{key}={value}") for key, value in found.meta.items()]
    for key, text in texts:
        if text:
            yield f"  {key:<10} {clip(clean(text), 1000)}"


def _table(out: Screen, record: RunRecord) -> None:
    STEPS.show(out, _in_order(record))
    for step in _in_order(record):
        if step.tries > 1:
            again = out.mark("retried")
            out.print(f"{again} {step.artifact}  tried {step.tries:,} times in the last attempt")
        if step.error:
            kind, message = step.error.get("kind"), step.error.get("message")
            out.print(
                f"{out.mark(str(step.status))} {step.artifact}  {clean(f'{kind}: {message}')}"
            )
        if step.artifact in record.decisions:
            for line in gate_lines(record, step.artifact):
                out.print(f"{out.mark(str(step.status))} {step.artifact}  {line}")


def _folded(
    out: Screen, store: RunStore, record: RunRecord, hidden: frozenset[str]
) -> dict[str, str]:
    """Show the outline of each artifact; return the faults of those that are altered."""
    faults: dict[str, str] = {}
    completed = [step for step in _in_order(record) if step.completed]
    if not completed or len(completed) > SHAPED:
        return faults
    out.print()
    for step in completed:
        done = step.completed
        assert done is not None
        text = ""
        if step.redacted:
            text = redacted(step.redacted)
        elif step.artifact in hidden:
            text = HIDDEN
        elif done.size <= SHAPED_BYTES:
            try:
                message = fetched(store, record, step)
                assert message is not None
                outline = shape(message.complete_content, texts=not step.held_bytes)
                text = storage_text(message, None) or outline
            except WaivernError as error:
                text = faults[step.artifact] = clean(error.message)
        out.print(f"{out.paint(step.artifact, 'bold')}  {clean(done.schema)}  {size(done.size)}")
        out.print(f"    {text}")
    return faults


def _whole(
    out: Screen, head: dict[str, Json], messages: Mapping[str, Message], faults: dict[str, str]
) -> None:
    contents = {name: each.content for name, each in messages.items()}
    records = _records(messages)
    out.print()
    for title, value in (("run.json", head), *contents.items()):
        out.print(out.paint(title, "bold"))
        out.print(json_text(value))
        if about := records.get(title):
            place = f"{head['run_id']}/{title}"
            out.print(f"and {about['count']:,} records: `wct inspect {clean(place)} --full`")
    for name, fault in faults.items():
        out.print(f"{out.paint(name, 'bold')}\n{out.mark('failed')} {clean(fault)}")
