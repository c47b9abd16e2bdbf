"""What is fuzzed: bytes in; a value, or a WaivernError with a position or a name, and nothing else.

Each target raises whatever else comes out. `python targets.py FILE...` carries a seed out again:
the name of a file's folder is that of its target.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from waivern.errors import IntegrityError, WaivernError
from waivern.message import decode, encode
from waivern.planning.planner import make_plan
from waivern.problems import InvalidError
from waivern.record.events import from_record
from waivern.record.fold import RunRecord
from waivern.record.run import RunMetadata
from waivern.runbook.loader import parse
from waivern.service.references import StoreResolver
from waivern.store import journal
from waivern.store.memory import AsyncInMemoryStore

FOLDER = Path("/nowhere")
ENVIRON = {"A": "1", "LONG": "x" * 100}


def runbook(data: bytes) -> None:
    """Bytes to plan: every problem has a position in the file, or names an artifact."""
    try:
        book = parse(data, path="x.yaml", folder=FOLDER, environ=ENVIRON)
        plan = make_plan(book, StoreResolver(AsyncInMemoryStore()), ENVIRON)
    except InvalidError as error:
        _placed(error)
    else:
        assert set(plan.nodes) == set(book.artifacts)


def _placed(error: InvalidError) -> None:
    assert error.problems
    for problem in error.problems:
        at = problem.position
        assert at, f"no position: {problem}"
        assert at.line >= 1, problem
        assert at.column >= 1, problem
        assert problem.message
    str(error).encode()


def chain(data: bytes) -> None:
    """Bytes to journal lines, as they lie on a disk, and to state."""
    try:
        reading = journal.read(data)
    except IntegrityError as error:
        assert "journal line " in error.message  # noqa: PT017 - a fuzz target
        return
    assert 0 <= reading.valid_bytes <= len(data)
    assert (reading.fault is None) == (reading.valid_bytes == len(data))
    journal.last(data)
    _fold([line.record for line in reading.lines])


def events(data: bytes) -> None:
    """One JSON event a line, to state: as if whoever wrote them could also chain them."""
    import json

    records = []
    for raw in data.split(b"\n"):
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            records.append(document)
    lines = journal.Chain().extend([record for record in records if _is_text(record)])
    chain(lines)


def _is_text(record: dict[str, object]) -> bool:
    import json

    try:
        json.dumps(record, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _fold(records: list[dict[str, object]]) -> None:
    try:
        record = RunRecord.of(map(from_record, records))
    except IntegrityError as error:
        assert "journal" in error.message  # noqa: PT017 - a fuzz target
        return
    state = record.state
    assert sum(map(len, (state.completed, state.failed, state.skipped, state.not_started))) == len(
        record.steps
    )
    document = record.metadata.document()
    assert RunMetadata.from_document(document).document() == document
    for step in record.steps.values():
        step.document()


def artifact(data: bytes) -> None:
    """Bytes to message, and back."""
    try:
        message = decode(data)
    except IntegrityError as error:
        assert "artifact" in error.message  # noqa: PT017 - a fuzz target
        return
    try:
        encoded = encode(message)
    except WaivernError:
        return  # it could be read, and has what JSON cannot say
    again = decode(encoded.data)
    assert encode(again) == encoded


Target = Callable[[bytes], None]
TARGETS: dict[str, Target] = {
    "runbook": runbook,
    "journal": chain,
    "events": events,
    "artifact": artifact,
}


def main() -> None:
    for name in sys.argv[1:]:
        path = Path(name)
        TARGETS[path.resolve().parent.name](path.read_bytes())


if __name__ == "__main__":
    main()
