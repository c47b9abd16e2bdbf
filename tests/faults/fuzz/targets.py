"""What is fuzzed: bytes in; a value, or a WaivernError with a position or a name, and nothing else.

Each target raises whatever else comes out. `python targets.py FILE...` carries a seed out again:
the name of a file's folder is that of its target.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import get_args

from waivern.diagnostics import InvalidError
from waivern.engine.cache import Cache
from waivern.errors import IntegrityError, WaivernError
from waivern.ids import parse_artifact_id
from waivern.language.conditions import Condition, ConditionError, EvaluationError
from waivern.language.loader import parse
from waivern.language.params import Param, Type
from waivern.language.project import parse as read_project
from waivern.language.supplied_params import bind, read_file
from waivern.message import decode, encode
from waivern.planning.child_runbooks import ChildFile
from waivern.planning.planner import plan_at_once
from waivern.planning.resolver import LocalResolver
from waivern.record.fold import RunRecord
from waivern.record.journal_events import from_record
from waivern.record.run_metadata import RunMetadata
from waivern.runs.reuse_resolver import StoreResolver
from waivern.store import journal
from waivern.store.local import LocalFilesystemStore
from waivern.store.memory import AsyncInMemoryStore

FOLDER = Path("/nowhere")
ENVIRON = {"A": "1", "LONG": "x" * 100}


def runbook(data: bytes) -> None:
    """Bytes to plan: every problem has a position in the file, or names an artifact."""
    try:
        book = parse(data, path="x.yaml", folder=FOLDER, environ=ENVIRON)
        plan = plan_at_once(book, LocalResolver(StoreResolver(AsyncInMemoryStore())), ENVIRON)
    except InvalidError as error:
        _placed(error)
    else:
        assert set(plan.nodes) == set(book.artifacts)


PART = b"\n---\n"
"""Stands between a runbook and its child, between a condition and its scope."""
ROOTS = frozenset({"params", "inputs", "status", "result", "round", "each"})
STATUSES = ("completed", "failed", "suspended", "interrupted", "cancelled")


class _Kids(StoreResolver):
    """Finds the same child under any path, as deep as anybody looks."""

    def __init__(self, data: bytes) -> None:
        super().__init__(AsyncInMemoryStore())
        self._data = data

    def child(self, path: str, parent: str, templates: tuple[str, ...]) -> ChildFile:
        return ChildFile(f"{parent}/{path}"[:200], FOLDER, self._data)


def composed(data: bytes) -> None:
    """A runbook and, after a line `---`, its child, to plan: bounded, and all ids are paths."""
    root, _, child = data.partition(PART)
    try:
        book = parse(root, path="x.yaml", folder=FOLDER, environ=ENVIRON)
        plan = plan_at_once(book, LocalResolver(_Kids(child)), ENVIRON)
    except InvalidError as error:
        assert error.problems  # noqa: PT017 - a fuzz target
        str(error).encode()
        return
    for name, node in plan.nodes.items():
        assert parse_artifact_id(name) == name
        assert set(node.inputs) <= plan.nodes.keys()


def condition(data: bytes) -> None:
    """A condition and, after a line `---`, the JSON it is asked of: an answer, or why not."""
    import json

    text, _, scope = data.partition(PART)
    try:
        asked = Condition.parse(text.decode(errors="replace"), ROOTS)
    except ConditionError as error:
        assert error.message  # noqa: PT017 - a fuzz target
        return
    try:
        values = json.loads(scope or b"{}", parse_constant=str)
    except (ValueError, RecursionError):
        values = {}
    found = dict.fromkeys(ROOTS) | (values if isinstance(values, dict) else {})
    with suppress(EvaluationError):
        assert asked.evaluate(found) in (True, False)
        asked.explain(found, lambda word: word).encode(errors="surrogatepass")


DECLARED: tuple[Type, ...] = get_args(Type)
PARAMS = {
    name: Param(name=name, type=type_) for name, type_ in zip("abcdefg", DECLARED, strict=True)
}


def params(data: bytes) -> None:
    """The bytes of a file of parameters: values of the types that are declared, or why not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_bytes(data)
        try:
            given = read_file(str(path))
        except WaivernError as error:
            str(error).encode()
            return
    try:
        values = bind(PARAMS, {}, given, "params.yaml")
    except InvalidError as error:
        assert error.problems  # noqa: PT017 - a fuzz target
        str(error).encode()
        return
    assert values.keys() == PARAMS.keys()


def project(data: bytes) -> None:
    """The bytes of a project file: a project, or every problem with its position."""
    try:
        read_project(data, path="waivern.yaml", folder=FOLDER, statuses=STATUSES)
    except InvalidError as error:
        _placed(error)


KEY = "sha256:" + "aa" * 32


def shard(data: bytes) -> None:
    """A file of the cache: an entry or none; what it names is looked for in the store only."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        cache.mkdir()
        (cache / "aa.jsonl").write_bytes(data)
        store = LocalFilesystemStore(folder)
        entry = store.recall(KEY)
        assert entry is None or isinstance(entry, dict)
        assert Cache(store, {}).find("a", {"key": KEY}) is None
        store.remember({KEY: {"run": "r", "artifact": "a"}})
        assert store.recall(KEY) == {"run": "r", "artifact": "a"}


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
    lines = journal.JournalChain().extend([record for record in records if _is_text(record)])
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
    settled = state.completed, state.failed, state.skipped, state.suspended, state.not_started
    assert sum(map(len, settled)) == len(record.steps)
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
    "composed": composed,
    "condition": condition,
    "params": params,
    "project": project,
    "shard": shard,
}


def main() -> None:
    for name in sys.argv[1:]:
        path = Path(name)
        TARGETS[path.resolve().parent.name](path.read_bytes())


if __name__ == "__main__":
    main()
