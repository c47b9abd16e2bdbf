"""Artifacts with records in a file of their own: inspected, delivered and compared."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from wct_process import WCT, Place, Wct

ROWS = """
from pydantic import BaseModel
from waivern import SchemaRef

class Rows:
    name, version, produces, streams = "rows", "1.0.0", SchemaRef("json"), "rows"
    class Config(BaseModel):
        count: int
        text: str = "x"
    def extract(self, config, ctx):
        ctx.read(config.count)
        for n in range(config.count):
            yield {"n": n, "text": config.text * 20}
        return {"kind": "rows"}

connector = Rows()
"""
BOOK = "  rows: {source: {type: rows, properties: {count: COUNT}}, output: true}\n"


@pytest.fixture
def rows(place: Place) -> Place:
    (place.path / "parts").mkdir()
    (place.path / "parts" / "rows.py").write_text(ROWS)
    (place.path / "waivern.yaml").write_text("component_paths: [parts]\n")
    return place


@pytest.fixture
def run(rows: Place, wct: Wct) -> Path:
    """Return the folder of a run with a stream of 3,000 rows."""
    rows.runbook("book.yaml", BOOK.replace("COUNT", "3000"))
    assert wct("run", "book.yaml", "-q", "--run-id", "first").code == 0
    folder = rows.run_folder()
    assert (folder / "rows.jsonl").exists()
    return folder


def row(n: int) -> dict[str, Any]:
    return {"n": n, "text": "x" * 20}


def test_the_facts_of_a_stream(run: Path, wct: Wct) -> None:
    facts = {fact[0]: fact[1] for fact in wct("inspect", "@last/rows").rows}
    data = (run / "rows.jsonl").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert facts["records"].startswith("3,000 of 'rows' in a file of ")
    assert facts["records"].endswith(f"sha256 {digest}")
    document = wct("inspect", "@last/rows", "--json").data("inspect")
    assert document["records"] == {
        "list": "rows",
        "count": 3000,
        "size": len(data),
        "digest": f"sha256:{digest}",
    }
    assert document["shape"] == "kind: 4 characters, rows: 3,000 items"
    assert "head" not in document


def test_the_first_records(run: Path, wct: Wct, rows: Place) -> None:
    lines = wct("inspect", "@last/rows", "--head", "3").out.splitlines()
    assert [json.loads(line) for line in lines] == [row(0), row(1), row(2)]
    document = wct("inspect", "@last/rows", "--head", "2", "--json").data("inspect")
    assert document["head"] == [row(0), row(1)]
    assert wct("inspect", "@last/rows", "--head", "0").out == ""
    shown = rows.on_a_terminal("inspect", "@last/rows").out
    assert '{"n": 9, ' in shown
    assert '{"n": 10, ' not in shown
    assert "2,990 more" in shown
    assert '"kind": "rows"' in shown
    assert wct("inspect", "@last/rows", "--head", "x").code == 2
    assert wct("inspect", "@last", "--head", "3").code == 2


def test_the_whole_content(run: Path, wct: Wct) -> None:
    whole = {"kind": "rows", "rows": [row(n) for n in range(3000)]}
    assert json.loads(wct("inspect", "@last/rows", "--full").out) == whole
    document = wct("inspect", "@last/rows", "--full", "--json").data("inspect")
    assert document["content"] == whole
    assert document["artifact"] == "rows"


def test_the_run_names_the_records(run: Path, wct: Wct, rows: Place) -> None:
    document = wct("inspect", "@last", "--full", "--json").data("inspect")
    assert document["contents"] == {"rows": {"kind": "rows"}}
    assert document["records"]["rows"]["count"] == 3000
    shown = rows.on_a_terminal("inspect", "@last", "--full").out
    assert "and 3,000 records: `wct inspect first/rows --full`" in shown
    assert "rows: 3,000 items" in rows.on_a_terminal("inspect", "@last").out


def test_foreign_characters_are_escaped(rows: Place, wct: Wct) -> None:
    text = 'count: 2000, text: "\\u202e\\u00e9"'
    rows.runbook("book.yaml", BOOK.replace("count: COUNT", text))
    assert wct("run", "book.yaml", "-q").code == 0
    for words in (["--full"], ["--head", "1"]):
        out = wct("inspect", "@last/rows", *words).out
        assert "\u202e" not in out
        assert "\\u202eé" in out
    assert json.loads(out)["text"] == "\u202eé" * 20


def test_an_altered_stream_is_reported(run: Path, wct: Wct) -> None:
    path = run / "rows.jsonl"
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"n":2999', b'"n":2998'))
    assert wct("inspect", "@last/rows", "--full").code == 9
    verified = wct("runs", "verify", "@last")
    assert verified.code == 9
    assert "altered" in verified.out + verified.err
    path.write_bytes(data[:-1])
    assert wct("inspect", "@last/rows").code == 9
    path.unlink()
    assert wct("inspect", "@last/rows", "--head", "1").code == 9


def test_a_run_without_a_journal_has_streams(run: Path, wct: Wct) -> None:
    (run / "_system" / "events.jsonl").unlink()
    head = run / "_system" / "run.json"
    known = json.loads(head.read_text())
    names = ("run_id", "runbook_path", "runbook_hash", "started_at", "completed_at", "status")
    head.write_text(json.dumps({name: known[name] for name in names}))
    assert "its records" not in wct("runs", "verify", "first").out
    lines = wct("inspect", "first/rows", "--head", "1").out.splitlines()
    assert json.loads(lines[0]) == row(0)
    path = run / "rows.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"n":2999', b'"n":2998'))
    assert "its records are altered" in wct("runs", "verify", "first").out
    path.unlink()
    assert "its records are missing" in wct("runs", "verify", "first").out


def test_a_delivered_stream_is_one_file(run: Path, wct: Wct, rows: Place) -> None:
    out = rows.path / "out"
    assert wct("run", "book.yaml", "-q", "-o", "out").code == 0
    assert sorted(each.name for each in out.glob("[!.]*")) == ["rows.json"]
    delivered = json.loads((out / "rows.json").read_bytes())
    assert delivered["content"] == {"kind": "rows", "rows": [row(n) for n in range(3000)]}
    assert not {"records", "items"} & delivered.keys()
    lines = (out / "rows.json").read_text().splitlines()
    assert '      {"n":5,"text":"xxxxxxxxxxxxxxxxxxxx"},' in lines
    # the next run replaces the file, and removes it if it is no output any more
    rows.runbook("book.yaml", BOOK.replace("COUNT", "4").replace("true", "false"))
    assert wct("run", "book.yaml", "-q", "-o", "out").code == 0
    assert not (out / "rows.json").exists()


def test_a_small_list_is_delivered_as_it_was_stored(rows: Place, wct: Wct) -> None:
    rows.runbook("book.yaml", BOOK.replace("COUNT", "3"))
    assert wct("run", "book.yaml", "-q", "-o", "out").code == 0
    assert (rows.path / "out" / "rows.json").read_bytes() == (
        rows.run_folder() / "rows.json"
    ).read_bytes()
    shown = rows.on_a_terminal("inspect", "@last/rows", "--head", "1").out
    assert "2 more" in shown


def test_the_first_elements_of_other_content(rows: Place, wct: Wct) -> None:
    """Of content that is a list itself, and of content without any."""
    (rows.path / "more.py").write_text("def numbers():\n    return [5, 6, 7]\n")
    call = "source: {type: python, properties: {call: 'FILE'}}"
    listed, plain = call.replace("FILE", "more.py:numbers"), call.replace("FILE", "steps.py:value")
    rows.runbook("book.yaml", f"  list: {{{listed}}}\n  none: {{{plain}}}\n")
    assert wct("run", "book.yaml", "-q").code == 0
    assert wct("inspect", "@last/list", "--head", "2").out == "5\n6\n"
    assert wct("inspect", "@last/none", "--head", "2").out == ""


def test_policies_read_streams(run: Path, wct: Wct) -> None:
    for condition, code in (
        ("count(artifacts.rows.rows) > 2999", 6),
        ("2999 in artifacts.rows.rows[*].n", 6),
        ("artifacts.rows.rows[-1].n != 2999", 0),
    ):
        assert wct("run", "book.yaml", "-q", "--fail-on", condition).code == code


def test_runs_with_equal_streams_are_equal(run: Path, wct: Wct, rows: Place) -> None:
    replayed = wct("runs", "replay", "first", "--json")
    assert replayed.code == 0
    assert "different" not in replayed.out
    rows.runbook("book.yaml", BOOK.replace("COUNT", "2999"))
    assert wct("run", "book.yaml", "-q", "--run-id", "second").code == 0


def peak(place: Place, *args: str) -> int:
    """Return the largest size in memory of a command, in bytes."""
    with Path(os.devnull).open("wb") as nothing:
        process = subprocess.Popen(
            [WCT, *args], cwd=place.path, env=place.environ(), stdout=nothing
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


def test_a_large_stream_is_not_held(rows: Place, wct: Wct) -> None:
    rows.runbook("book.yaml", BOOK.replace("count: COUNT", f"count: 20000, text: {'y' * 100}"))
    assert wct("run", "book.yaml", "-q", "-o", "out").code == 0
    assert (rows.run_folder() / "rows.jsonl").stat().st_size > 40_000_000
    assert len((rows.path / "out" / "rows.json").read_bytes()) > 40_000_000
    least = peak(rows, "inspect", "@last/rows", "--head", "1")
    for words in (
        ["inspect", "@last/rows", "--full"],
        ["inspect", "@last/rows", "--full", "--json"],
        ["runs", "verify", "@last"],
    ):
        assert peak(rows, *words) < least + 25_000_000
