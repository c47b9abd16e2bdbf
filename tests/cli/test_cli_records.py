"""Components that yield records: written while they are produced, and what may go wrong then."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from wct_process import Place, Wct

MARK = "qzxv"
COMPONENT = """
import asyncio, time
from pydantic import BaseModel
from waivern.errors import ComponentError
from waivern.message import ANY_JSON

def record(n):
    return {{"number": n, "mail": f"qzxv.{{n}}@example.org", "text": "x" * 100}}

class Source:
    name, version, produces = "stream", "1.0.0", ANY_JSON
    class Config(BaseModel):
        pass
    {how} extract(self, config, ctx):
        for n in range(5_000):
            yield record(n)
        {then}

connector = Source
"""
READER = """
from pydantic import BaseModel
from waivern.message import ANY_JSON

class Reader:
    name, version, accepts, produces = "reader", "1.0.0", None, ANY_JSON
    reads_streams = True
    streams = "even"
    class Config(BaseModel):
        pass
    def process(self, inputs, config, ctx):
        for each in inputs[0].each("records"):
            if each["number"] % 2 == 0:
                yield each["number"]

processor = Reader
"""
STREAM = "  records: {source: {type: stream}%s}\n"
READ = "  read: {inputs: records, process: {type: reader}}\n"


def project(
    place: Place, then: str = "pass", how: str = "def", more: str = "", book: str = ""
) -> None:
    """Write a connector that yields 5,000 records, then executes `then`, and a runbook of it."""
    folder = place.path / "components"
    folder.mkdir()
    (folder / "stream.py").write_text(COMPONENT.format(then=then, how=how))
    (folder / "reader.py").write_text(READER)
    (place.path / "waivern.yaml").write_text("component_paths: [components]\n")
    place.runbook("book.yaml", STREAM % more + book)


def run_folder(place: Place) -> Path:
    return place.path / ".waivern" / "runs" / "one"


def lines(place: Place, name: str) -> list[Any]:
    text = (run_folder(place) / f"{name}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def left(place: Place) -> list[str]:
    """Return the files of the store that hold anything of a record."""
    store = place.path / ".waivern"
    paths = [path for path in store.rglob("*") if path.is_file() and not path.is_symlink()]
    return [str(path.relative_to(store)) for path in paths if MARK.encode() in path.read_bytes()]


@pytest.mark.parametrize("how", ["def", "async def"])
def test_records_are_lines_beside_their_artifact(place: Place, wct: Wct, how: str) -> None:
    project(place, how=how, book=READ)
    done = wct("run", "book.yaml", "--run-id", "one")
    assert done.code == 0, done.out
    assert [each["number"] for each in lines(place, "records")] == list(range(5_000))
    assert lines(place, "read") == list(range(0, 5_000, 2))
    envelope = json.loads((run_folder(place) / "records.json").read_text())
    data = (run_folder(place) / "records.jsonl").read_bytes()
    assert envelope["content"] == {}
    assert envelope["records"] == {
        "list": "records",
        "count": 5_000,
        "size": len(data),
        "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
    }
    assert wct("runs", "verify", "one").code == 0


def test_few_records_stay_in_the_artifact(place: Place, wct: Wct) -> None:
    project(place)
    component = place.path / "components" / "stream.py"
    component.write_text(component.read_text().replace("5_000", "100"))
    assert wct("run", "book.yaml", "--run-id", "one").code == 0
    content = json.loads((run_folder(place) / "records.json").read_text())["content"]
    assert [each["number"] for each in content["records"]] == list(range(100))
    assert not (run_folder(place) / "records.jsonl").exists()


@pytest.mark.parametrize(
    ("then", "words"),
    [
        pytest.param(
            "raise ComponentError('the source hung up')", ["the source hung up"], id="raises"
        ),
        pytest.param("yield {1, 2}", ["record 5,001", "not JSON"], id="no JSON"),
        pytest.param("yield float('nan')", ["record 5,001", "nan"], id="not finite"),
        pytest.param("yield {1: 2}", ["record 5,001", "key"], id="a key that is a number"),
        pytest.param("yield '\\ud800'", ["record 5,001"], id="half a character"),
        pytest.param("yield 'x' * 100_000_000", ["record 5,001", "limit: 67,108,864"], id="100 MB"),
        pytest.param("yield eval('[' * 90 + ']' * 90)", None, id="nested, but not too deeply"),
    ],
)
@pytest.mark.parametrize("how", ["def", "async def"])
def test_a_bad_record_fails_the_artifact_and_leaves_nothing(
    place: Place, wct: Wct, then: str, words: list[str] | None, how: str
) -> None:
    project(place, then, how)
    done = wct("run", "book.yaml", "--run-id", "one")
    if words is None:
        assert done.code == 0, done.out
        return
    assert done.code == 1
    said = " ".join(done.out.split())
    assert [word for word in words if word not in said] == []
    assert "Traceback" not in done.err
    assert left(place) == []
    assert [path.name for path in run_folder(place).iterdir()] == ["_system"]


@pytest.mark.parametrize("how", ["def", "async def"])
def test_a_generator_that_never_ends_ends_with_the_run(place: Place, how: str) -> None:
    project(place, "while True: yield record(1)", how)
    (place.path / "book.yaml").write_text("config: {timeout: 2s}\nartifacts:\n" + STREAM % "")
    began = time.monotonic()
    done = place.wct("run", "book.yaml", "--run-id", "one")
    assert time.monotonic() - began < 15
    assert done.code == 8, done.out
    assert left(place) == []


@pytest.mark.parametrize("how", ["def", "async def"])
def test_records_of_an_abandoned_artifact_are_dropped(place: Place, how: str) -> None:
    """The generator yields on, on a thread that cannot be stopped, while the run goes on."""
    slow = "for n in range(400): time.sleep(0.01); yield record(n)"
    other = "import time\ndef wait():\n    time.sleep(2)\n    return {}\n"
    book = '  other: {source: {type: python, properties: {call: "other.py:wait"}}}\n'
    project(place, slow, how, ", timeout: 1s, on_error: continue", book)
    (place.path / "other.py").write_text(other)
    done = place.wct("run", "book.yaml", "--run-id", "one")
    assert "timeout" in done.err
    assert left(place) == []
    assert (run_folder(place) / "other.json").exists()


def test_a_resume_after_a_failure_in_mid_stream_produces_all_records(
    place: Place, wct: Wct
) -> None:
    project(place, "raise ValueError('no')", book=READ)
    assert wct("run", "book.yaml", "--run-id", "one").code == 1
    component = place.path / "components" / "stream.py"
    component.write_text(component.read_text().replace("raise ValueError('no')", "pass"))
    done = wct("run", "book.yaml", "--resume", "one")
    assert done.code == 0, done.out + done.err
    assert [each["number"] for each in lines(place, "records")] == list(range(5_000))
    assert len(lines(place, "read")) == 2_500


def test_altered_records_are_noticed_by_every_reader(place: Place, wct: Wct) -> None:
    project(place, book=READ)
    assert wct("run", "book.yaml", "--run-id", "one").code == 0
    path = run_folder(place) / "records.jsonl"
    path.write_text(path.read_text().replace("qzxv.7@", "qzxv.8@"))
    assert wct("runs", "verify", "one").code == 9
    place.runbook("reuse.yaml", "  got: {reuse: {from_run: one, artifact: records}}\n")
    assert wct("run", "reuse.yaml").code == 9
    (run_folder(place) / "records.jsonl").unlink()
    assert wct("runs", "verify", "one").code == 9


def test_a_function_is_handed_a_list_of_the_records(place: Place, wct: Wct) -> None:
    count = (
        '  count: {inputs: records, process: {type: python, properties: {call: "f.py:count"}}}\n'
    )
    project(place, book=count)
    (place.path / "f.py").write_text(
        "def count(inputs):\n    return {'count': len(inputs[0]['records'])}\n"
    )
    assert wct("run", "book.yaml", "--run-id", "one").code == 0
    content = json.loads((run_folder(place) / "count.json").read_text())["content"]
    assert content == {"count": 5_000}
