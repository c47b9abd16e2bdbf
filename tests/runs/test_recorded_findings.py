"""The findings of recorded runs: which artifacts are read, and what is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from runs_kit import Book

from waivern.clock import Clock
from waivern.errors import IntegrityError
from waivern.runs import queries
from waivern.runs.findings_overview import RunFindingsOverview, overview
from waivern.runs.recorded_findings import RunFindings
from waivern.runs.redact import redact

STEPS = """
def foreign():
    return {"findings": [
        {"id": "0b0e5f3e-3c1c-4a8e-9a55-0123456789ab", "category": "contact", "type": "EMAIL",
         "evidence": [{"content": "ann@corp.test"}], "metadata": {"source": "a.php"}},
        {"category": 7, "locations": "none", "total": -3, "secret": "ann@corp.test"},
        "no finding",
    ]}

def many():
    for n in range(3000):
        place = {"input": "rows", "table": f"t{n % 7}", "column": "mail"}
        yield {"id": f"{n:032x}", "type": "EMAIL_ADDRESS", "category": "contact",
               "severity": "medium", "test_data": n == 0, "total": 2, "locations": [place],
               "special_category": False}
    return {"ruleset": {"name": "own", "version": "1.0.0"}}

def size(inputs):
    return len(inputs[0]["findings"])

def broken():
    raise ValueError("it broke")
"""


def step(call: str, schema: str) -> dict[str, Any]:
    """Return an artifact that a function of `found.py` produces."""
    work = {"type": "python", "properties": {"call": f"found.py:{call}"}}
    return {"source": work, "output_schema": schema}


@pytest.fixture
def book(tmp_path: Path) -> Book:
    book = Book(tmp_path / "book")
    (book.folder / "found.py").write_text(STEPS)
    for name, text in {
        "crm/a.txt": "write to ann.keller@corp.de or bob@corp.de\n",
        "crm/b.csv": "email,religion\nann@corp.de,none\n",
        "hr/c.txt": "test@example.com\n",
    }.items():
        (book.folder / name).parent.mkdir(exist_ok=True)
        (book.folder / name).write_text(text)
    return book


def files(folder: str) -> dict[str, Any]:
    return {"source": {"type": "filesystem", "properties": {"path": folder}}}


def scan(inputs: str, **properties: Any) -> dict[str, Any]:
    return {"inputs": inputs, "process": {"type": "personal_data", "properties": properties}}


async def counted(book: Book, *artifacts: dict[str, Any], **more: Any) -> RunFindingsOverview:
    book.write(*artifacts, **more)
    result = await book.start(run_id="r")
    return overview(book.store, queries.load(book.store, result.run_id))


BOTH = [
    {"crm": files("crm"), "hr": files("hr")},
    {"one": scan("crm"), "two": scan("hr"), "all": {"inputs": ["one", "two"]}},
]


async def test_merged_findings_count_once(book: Book) -> None:
    found = await counted(book, *BOTH)
    assert found.artifacts == ("all",)
    assert found.included == {"one": "all", "two": "all"}
    names = [(each.name, each.special) for each in found.categories]
    assert names[0] == ("religion", True) or names[0][1]
    assert found.special >= 1
    assert found.test_data == 1  # only of hr, which is in no other count
    assert [each.name for each in found.systems] == ["crm"]
    assert {each.name for each in found.items} == {"a.txt", "b.csv"}
    assert all(each.category for each in found.types)
    assert found.coverage.percent == "100"


async def test_findings_without_evidence_are_the_same_findings(book: Book) -> None:
    found = await counted(book, *BOTH)
    before = {each.id for each in RunFindings(book.store, queries.load(book.store, "r"))}
    redact(book.store, "r", None, "ann", "a test", Clock())
    record = queries.load(book.store, "r")
    again = overview(book.store, record)
    assert (again.findings, again.types) == (found.findings, found.types)
    after = [*RunFindings(book.store, record)]
    assert {each.id for each in after} == before
    assert {each.document["evidence"] for each in after if each.kind == "value"} == {"[redacted]"}


async def test_findings_of_other_components(book: Book) -> None:
    book.write({"ours": step("foreign", "their_indicator/2.0.0")})
    await book.start(run_id="r")
    one, two = RunFindings(book.store, queries.load(book.store, "r"))
    assert (one.type, one.item, one.system, one.occurrences) == ("EMAIL", "a.php", "ours", 1)
    assert "0b0e5f3e" not in one.id  # another one in each run
    assert (two.type, two.category, two.occurrences) == ("unknown", "unknown", 1)
    assert "corp.test" not in json.dumps([one.document, two.document])


async def test_a_stream_is_counted_and_its_damage_named(book: Book) -> None:
    found = await counted(book, {"many": step("many", "own_findings")})
    assert (found.findings, found.occurrences, found.test_data) == (2999, 5998, 1)
    assert len(found.items) == 7
    assert found.rulesets == ("own 1.0.0",)
    stream = book.run("r") / "many.jsonl"
    stream.write_bytes(stream.read_bytes().replace(b'"total":2', b'"total":3'))
    record = queries.load(book.store, "r")
    damaged = overview(book.store, record)
    assert (damaged.findings, damaged.artifacts) == (0, ())
    assert "many" in damaged.unread
    with pytest.raises(IntegrityError, match="findings of 'many'"):
        list(RunFindings(book.store, record))


async def test_a_missing_and_a_sensitive_artifact_are_named(book: Book) -> None:
    (book.folder / "child.yaml").write_text(
        "inputs: {them: {input_schema: own_findings, sensitive: true}}\n"
        "outputs: {seen: {artifact: copy}}\nartifacts:\n"
        "  copy: {inputs: them, process: {type: python, properties: {call: 'found.py:size'}}}\n"
    )
    child = {"path": "child.yaml", "input_mapping": {"them": "many"}, "output": "seen"}
    await counted(
        book,
        {"crm": files("crm"), "one": scan("crm"), "many": step("many", "own_findings")},
        {"child": {"inputs": "many", "child_runbook": child}},
    )
    (book.run("r") / "one.json").unlink()
    record = queries.load(book.store, "r")
    found = overview(book.store, record)
    assert "missing" in found.unread["one"]
    (hidden,) = record.sensitive
    assert found.unread[hidden] == "the artifact is sensitive"
    assert overview(book.store, record, reveal=True).test_data == 1


async def test_a_run_without_findings(book: Book) -> None:
    found = await counted(book, {"crm": files("crm"), "bad": step("broken", "own_findings")})
    assert (found.searched, found.findings) == (False, 0)


async def test_whole_values_are_hidden(book: Book) -> None:
    book.write({"crm": files("crm"), "one": scan("crm", mask="none")})
    await book.start(run_id="r")
    findings = [*RunFindings(book.store, queries.load(book.store, "r"))]
    assert findings
    assert "ann" not in json.dumps([each.document for each in findings])
