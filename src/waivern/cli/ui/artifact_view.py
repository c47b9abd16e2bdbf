"""The view of one artifact of a run."""

from __future__ import annotations

import sys
from itertools import chain

from waivern.cli.ui.artifact_list import (
    HEAD,
    head_lines,
    print_head,
    stream_facts,
)
from waivern.cli.ui.content_outline import HIDDEN, beginning, shape
from waivern.cli.ui.failure_lines import log_path
from waivern.cli.ui.finding_columns import ListedFinding
from waivern.cli.ui.findings_table import FEW, print_table
from waivern.cli.ui.gate_view import gate_facts, gate_state
from waivern.cli.ui.json_output import json_text, print_content, print_document, print_json
from waivern.cli.ui.screen import Screen, stdout
from waivern.cli.ui.source_view import note_access
from waivern.errors import (
    Exit,
    RefusedError,
)
from waivern.message import Json, Message
from waivern.record.fold import RunRecord
from waivern.record.gates import gate_document
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.record.measure import measure
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import clean, clean_lines, duration, short, size
from waivern.record.wording import examined, redacted
from waivern.runs.recorded_artifacts import ArtifactList, fetched, meant, storage_text
from waivern.runs.recorded_findings import FindingReader, is_findings_schema
from waivern.runs.recorded_texts import of_artifact
from waivern.store.base import RunStore

LOG_LINES = 20


def show_artifact(
    store: RunStore,
    record: RunRecord,
    name: str,
    *,
    full: bool,
    reveal: bool,
    as_json: bool,
    head: int | None = None,
) -> int:
    """Show an artifact, or why it is missing. Raises IntegrityError if it was altered."""
    name = meant(record, name)
    step = record.steps[name]
    out = stdout()
    message = fetched(store, record, step)
    hidden = name in record.sensitive and not reveal
    shows_content = full or head is not None or (out.tty and not as_json)
    note_access(store, record, step, when=shows_content and not hidden)
    if as_json:
        log = log_path(store, record.metadata.run_id, name)
        about = {"log": log, "texts": of_artifact(store, record, name)}
        document = _document(record, step, message, head, hidden) | about
        if message and full and not hidden:
            print_content(message, "inspect", document)
        else:
            print_document("inspect", document)
        return Exit.OK
    if message and (full or head is not None) and not out.tty:
        refuse_hidden(hidden)
        print_content(message) if full else print_head(ArtifactList.of(message), head or 0)
        return Exit.OK
    log = log_path(store, record.metadata.run_id, name)
    facts = _facts(record, step, message)
    facts += [[key, clean(text)] for key, text in of_artifact(store, record, name).items()]
    facts += [["log", clean(log)]] if log else []
    if not out.tty:
        for fact in facts:
            out.print("\t".join(fact))
        return Exit.OK
    for key, value in facts:
        out.print(f"{out.paint(f'{key:10}', 'dim')}  {value}")
    if message:
        _show_content(out, message, full, hidden, head)
    if not hidden and (text := store.read_log(record.metadata.run_id, name)):
        out.print(f"\n{out.paint('log', 'bold')}")
        lines = text.rstrip().split("\n")
        if (more := len(lines) - LOG_LINES) > 0:
            out.print(out.paint(f"(of {len(lines):,} lines, {more:,} precede these)", "dim"))
        out.print(clean_lines("\n".join(lines[-LOG_LINES:])))
    return Exit.OK


def _show_content(
    out: Screen, message: Message, full: bool, hidden: bool, head: int | None
) -> None:
    about = HIDDEN if hidden else shape(message.complete_content)
    out.print(f"\n{out.paint('content', 'bold')}  {about}")
    if hidden:
        return
    if full:
        print_content(message)
        return
    if is_findings_schema(message.schema.name):
        findings = FindingReader(message.id, message.schema.name, message.content)
        listed, few = ArtifactList.of(message), FEW if head is None else head
        elements = (each for each in (listed.elements if listed else ()) if isinstance(each, dict))
        print_table(out, (ListedFinding(findings.finding(each)) for each in elements), few)
        return
    long = message.records is not None or "catalogue" in message.extensions or head is not None
    if long and (found := ArtifactList.of(message)) is not None:
        lines = head_lines(out, found, HEAD if head is None else head)
        if message.records is not None and message.content:
            lines = chain(beginning(json_text(message.content), out.width), lines)
    else:
        lines = iter(beginning(json_text(message.content), out.width))
    for line in lines:
        out.print(line)


def show_part(store: RunStore, record: RunRecord, name: str, pointer: str) -> int:
    """Write the part of an artifact's content that a JSON pointer refers to."""
    from waivern.runs.json_pointer import resolve_pointer

    message = _present(store, record, name)
    part = resolve_pointer(message, pointer)
    note_access(store, record, record.steps[name], when=True)
    print_json(part)
    return Exit.OK


def show_raw(store: RunStore, record: RunRecord, name: str) -> int:
    """Write the file of an artifact as it is stored, once it was checked; escaped on a terminal."""
    _present(store, record, name)
    data = store.read_artifact(record.metadata.run_id, name) or b""
    note_access(store, record, record.steps[name], when=True)
    out = stdout()
    if out.tty:
        out.print(clean_lines(data.decode(errors="replace")).rstrip())
        return Exit.OK
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    return Exit.OK


def _present(store: RunStore, record: RunRecord, name: str) -> Message:
    step = record.steps[name]
    message = fetched(store, record, step)
    if message is None:
        why = redacted(step.redacted) if step.redacted else f"it {step.status.clause}"
        raise RefusedError(
            f"artifact '{name}' of run {record.metadata.run_id} has no content: {why}",
            hint=f"`wct why {short(record.metadata.run_id)}/{name}` explains it",
        )
    return message


def refuse_hidden(hidden: bool) -> None:
    if hidden:
        raise RefusedError("the content is sensitive", hint="--reveal shows it")


def _facts(record: RunRecord, step: StepRecord, message: Message | None) -> list[list[str]]:
    """Return the facts about the artifact, as (word, text)."""
    done, error = step.completed, step.error or {}
    asks = step.gate and step.status is ArtifactStatus.SUSPENDED  # `gate_facts` says it
    ended = record.metadata.status is RunStatus.SUSPENDED
    facts: list[tuple[str, object]] = [
        ("run", record.metadata.run_id),
        ("artifact", step.artifact),
        ("status", f"{step.status}, {done.how}" if done else step.status),
        ("redacted", redacted(step.redacted) if step.redacted else None),
        ("attempts", step.attempts or None),
        ("component", step.component),
        ("origin", _origin(done)),
        ("took", duration(step.duration_ms)),
        ("error", f"{error['kind']}: {error['message']}" if error and not asks else None),
        ("help", error.get("hint") or (None if ended else _next(record, step))),
        ("inputs", ", ".join(step.inputs)),
        ("selected", "no" if _passed_over(record, step.artifact) else None),
    ]
    if step.artifact in record.decisions:
        facts += gate_facts(record, step)
    if done and message:
        facts += [
            ("version", done.version),
            ("schema", message.schema),
            ("produced", message.timestamp),
            ("keep", storage_text(message, done.keep)),
            ("size", f"{size(done.size)}"),
            ("sha256", done.digest.removeprefix("sha256:")),
            *stream_facts(message),
            ("items", _items(done)),
            ("coverage", _coverage(done)),
            ("planted", _planted(done)),
        ]
    return [[key, clean(str(value))] for key, value in facts if value not in (None, "")]


def _next(record: RunRecord, step: StepRecord) -> str | None:
    """Return the command for a gate that waits for a decision."""
    if step.status is not ArtifactStatus.SUSPENDED or not step.gate:
        return None
    if record.metadata.status is not RunStatus.SUSPENDED:
        return f"`wct runs resume {short(record.metadata.run_id)}` asks again"
    return f"`wct runs approve {short(record.metadata.run_id)}/{step.artifact}` decides"


def _origin(done: ArtifactCompletedRecord | None) -> str | None:
    """Return the run that an artifact was copied from."""
    origin = (done.origin if done else None) or {}
    if "run" not in origin:
        return None
    return f"{origin['run']}/{origin['artifact']}, line {origin['seq']} of its journal"


def _passed_over(record: RunRecord, name: str) -> bool:
    attempts = record.metadata.attempts  # a run without a journal has none
    chosen = attempts[-1].get("selected") if attempts else None
    return chosen is not None and name not in chosen


def _coverage(done: ArtifactCompletedRecord) -> str | None:
    """Return the recorded coverage of the artifact."""
    return None if done.examined is None else examined(done.artifact, measure(done.examined))


def _planted(done: ArtifactCompletedRecord) -> str | None:
    """Return what the scan found of its planted values, and when."""
    values = None if done.examined is None else measure(done.examined).planted
    return None if values is None else f"{values.sentence}  (scan of {values.at})"


def _items(done: ArtifactCompletedRecord) -> str | None:
    """Return how many items were examined one by one, and how many results were known."""
    if not (items := done.items):
        return None
    origin = items.get("origin")
    known = f", the results of {items['taken']:,} from run {origin['run']}" if origin else ""
    return f"{items['total']:,} one by one{known}"


def _document(
    record: RunRecord, step: StepRecord, message: Message | None, head: int | None, hidden: bool
) -> dict[str, Json]:
    document: dict[str, Json] = {
        "run_id": record.metadata.run_id,
        "artifact": step.artifact,
        "step": step.document(),
        "sensitive": step.artifact in record.sensitive,
    }
    if step.artifact in record.decisions:
        document["decisions"] = gate_document(record.decisions[step.artifact])
        document["gate"] = gate_state(record, step)
    done = step.completed
    if done and message:
        document |= {
            "source": message.source,
            "version": done.version,
            "schema": {"name": message.schema.name, "version": message.schema.version},
            "timestamp": message.timestamp,
            "size": done.size,
            "digest": done.digest,
            "content_digest": done.content_digest,
            "inputs": done.inputs,
            "origin": done.origin,
            "extensions": message.extensions,
            "keep": done.keep,
            "items": done.items,
            "records": message.records.document() if message.records else None,
            "shape": None if hidden else shape(message.complete_content, texts=not step.held_bytes),
        }
        if head is not None and not hidden:
            found = ArtifactList.of(message)
            document["head"] = found.head(head) if found else []
    return document
