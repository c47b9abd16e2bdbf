"""Components that are generators: their records are written while they yield."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from waivern import RunResult, load, run
from waivern.store.local import LocalFilesystemStore

STEPS = """
import asyncio

def rows(n):
    for i in range(n):
        yield {"i": i}
    return {"note": "all"}

async def later(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield {"i": i}

def doubled(inputs):
    for row in inputs[0].each("records"):
        yield {"i": 2 * row["i"]}
    return {"read": "one by one"}
doubled.reads_streams = True

def listed(inputs):
    return {"sum": sum(row["i"] for row in inputs[0]["records"])}

def no_object():
    yield 1
    return [2]

def twice():
    yield 1
    return {"records": []}

def fails():
    yield {"i": 1}
    raise ValueError("half way")

def closed(path):
    try:
        yield {"i": 1}
        raise ValueError
    finally:
        open(path, "w").close()
"""


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = LocalFilesystemStore(folder / ".waivern")
        (folder / "steps.py").write_text(STEPS)

    def run(self, text: str) -> RunResult:
        artifacts = textwrap.indent(textwrap.dedent(text), "  ")
        book = load(text="name: g\nartifacts:\n" + artifacts, folder=self.folder)
        return run(book, store=self.store)

    def files(self, result: RunResult) -> set[str]:
        place = self.folder / ".waivern" / "runs" / result.run_id
        return {path.name for path in place.iterdir()}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def python(name: str, inputs: str = "", **args: Any) -> str:
    properties = json.dumps({"call": f"steps.py:{name}", "args": args})
    if inputs:
        return f"{{inputs: {inputs}, process: {{type: python, properties: {properties}}}}}"
    return f"{{source: {{type: python, properties: {properties}}}}}"


@pytest.mark.parametrize("name", ["rows", "later"])
@pytest.mark.parametrize(("count", "file"), [(0, False), (1_000, False), (1_001, True)])
def test_a_few_records_stay_inline(project: Project, name: str, count: int, file: bool) -> None:
    result = project.run(f"a: {python(name, n=count)}")
    message = result.artifacts["a"].message()
    records: Any = message.records if file else message.content["records"]
    assert [row["i"] for row in records] == list(range(count))
    assert ("a.jsonl" in project.files(result)) is file
    rest = {key: value for key, value in message.content.items() if key != "records"}
    assert rest == ({"note": "all"} if name == "rows" else {})


def test_a_stream_is_read_one_by_one_or_as_a_list(project: Project) -> None:
    result = project.run(
        f"""
        a: {python("rows", n=5000)}
        b: {python("doubled", "a")}
        c: {python("listed", "b")}
        """
    )
    assert result.artifacts["b"].message().content == {"read": "one by one"}
    assert result.artifacts["c"].message().content == {"sum": 5000 * 4999}


def test_equal_records_have_equal_digests(project: Project) -> None:
    text = f"a: {python('rows', n=3000)}\nb: {python('rows', n=3000)}\nc: {python('rows', n=3001)}"
    result = project.run(text)
    digests = {name: each.content_digest for name, each in result.artifacts.items()}
    assert digests["a"] == digests["b"] != digests["c"]


def test_a_cached_stream_is_copied(project: Project) -> None:
    text = f"a: {python('rows', n=3000)[:-1]}, cache: true}}"
    first, second = project.run(text), project.run(text)
    assert str(second.artifacts["a"].how) == "cached"
    records = second.artifacts["a"].message().records
    assert records is not None
    assert [*records] == [*(first.artifacts["a"].message().records or ())]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_object", "a generator returned no object beside its records"),
        ("twice", "a generator returned an object with the key 'records' beside its records"),
        ("fails", "half way"),
    ],
)
def test_a_generator_that_fails_leaves_nothing(project: Project, name: str, message: str) -> None:
    result = project.run(f"a: {python(name)}")
    error = result.record.steps["a"].error
    assert error is not None
    assert error["message"] == message
    assert project.files(result) == {"_system"}


def test_a_generator_is_closed_before_its_artifact_ends(project: Project) -> None:
    mark = project.folder / "closed"
    project.run(f"a: {python('closed', path=str(mark))}")
    assert mark.exists()


def test_conditions_count_records_without_a_list(project: Project) -> None:
    result = project.run(
        f"""
        a: {python("rows", n=5000)}
        b: {python("listed", "a")[:-1]}, when: "count(inputs.a.records) > 4999"}}
        c: {python("listed", "a")[:-1]}, when: "count(inputs.a.records) > 5000"}}
        """
    )
    assert {name: str(step.status) for name, step in result.record.steps.items()} == {
        "a": "completed",
        "b": "completed",
        "c": "skipped",
    }


def test_a_round_and_a_reuse_take_streams_along(project: Project) -> None:
    first = project.run(f"a: {python('rows', n=2000)}")
    result = project.run(f"b: {{reuse: {{from_run: '{first.run_id}', artifact: a}}}}")
    records = result.artifacts["b"].message().records
    assert records is not None
    assert len(records) == 2000
    assert sum(row["i"] for row in records) == 1999 * 1000
