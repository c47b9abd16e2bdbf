"""`wct runs` and `wct inspect`: looking at runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from wct_process import Place, Wct

ONE = '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
BAD = ONE + '  b: {source: {type: python, properties: {call: "steps.py:fail"}}}\n'
STATUSES = ["completed", "failed", "interrupted", "running", "suspended", "cancelled", "corrupt"]


@pytest.fixture
def two(place: Place) -> Place:
    """A completed run and, newer, a failed one."""
    place.wct("run", place.runbook("one.yaml", ONE), "--run-id", "good", "-q")
    place.wct("run", place.runbook("bad.yaml", BAD), "--run-id", "bad", "-q")
    return place


def test_rows_for_a_pipe(two: Place) -> None:
    done = two.wct("runs")
    assert [row[:3] for row in done.rows] == [
        ["bad", "failed", "bad.yaml"],
        ["good", "completed", "one.yaml"],
    ]
    for row in done.rows:
        assert len(row) == 14
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row[3])
    assert done.rows[0][5:9] == ["1", "1", "0", "0"]
    assert done.err == ""
    assert two.wct("runs", "list").out == done.out


def test_table_for_a_terminal(two: Place) -> None:
    lines = two.on_a_terminal("runs", NO_COLOR="1").out.splitlines()
    assert " ".join(lines[0].split()) == "RUN STATUS RUNBOOK STARTED TOOK DONE FAIL SKIP HOLDS"
    assert lines[1].startswith("bad   failed     bad.yaml")
    assert all(len(line) <= 100 for line in lines)


def test_document(two: Place) -> None:
    rows = two.wct("runs", "--json").data("runs")
    assert [(row["run_id"], row["status"]) for row in rows] == [
        ("bad", "failed"),
        ("good", "completed"),
    ]
    head = json.loads((two.path / ".waivern/runs/good/_system/run.json").read_text())
    assert head.items() <= rows[1].items()


def test_status_filter(two: Place) -> None:
    assert [row[0] for row in two.wct("runs", "--status", "failed").rows] == ["bad"]
    none = two.wct("runs", "--status", "suspended")
    assert (none.code, none.out) == (0, "")
    assert "no suspended runs; 2 runs exist" in none.err
    typo = two.wct("runs", "--status", "faild")
    assert (typo.code, typo.out) == (2, "")
    assert all(word in typo.err for word in STATUSES)


def test_limit_says_what_it_left_out(two: Place) -> None:
    done = two.wct("runs", "--limit", "1")
    assert [row[0] for row in done.rows] == ["bad"]
    assert "1 more; --limit 2 shows all" in done.err


def test_unreadable_runs_are_listed_as_corrupt(two: Place) -> None:
    runs = two.path / ".waivern" / "runs"
    (runs / "good" / "_system" / "run.json").write_text("{")
    (runs / "empty").mkdir()
    done = two.wct("runs")
    assert done.code == 0
    corrupt = {row[0]: row[9] for row in done.rows if row[1] == "corrupt"}
    assert set(corrupt) == {"good", "empty"}
    assert all(corrupt.values())
    assert two.wct("runs", "--status", "corrupt", "--json").data("runs")[0]["fault"]


def test_no_runs_yet(place: Place, wct: Wct) -> None:
    done = wct("runs")
    assert (done.code, done.out) == (0, "")
    assert "`wct run RUNBOOK` starts one" in done.err


def test_inspect_steps(two: Place) -> None:
    done = two.wct("inspect", "bad")
    assert [row[:4] for row in sorted(done.rows, key=lambda row: row[1])] == [
        ["1", "a", "connector:python", "completed"],
        ["2", "b", "connector:python", "failed"],
    ]
    assert any("ValueError: it broke" in row[7] for row in done.rows)
    assert two.wct("runs", "inspect", "bad").out == done.out


def test_inspect_document(two: Place) -> None:
    plain = two.wct("inspect", "bad", "--json").data("inspect")
    assert {step["artifact"]: step["status"] for step in plain["steps"]} == {
        "a": "completed",
        "b": "failed",
    }
    assert "record" not in plain
    full = two.wct("inspect", "bad", "--json", "--full").data("inspect")
    assert full["contents"] == {"a": {"value": 1}}
    assert full["record"]["runbook_hash"].startswith("sha256:")
    assert full["params"] == {}


def test_inspect_artifact(two: Place) -> None:
    facts = dict(two.wct("inspect", "good/a").rows)
    file = two.path / ".waivern/runs/good/a.json"
    assert facts["status"] == "completed, produced"
    assert facts["schema"] == "json/1.0.0"
    assert subprocess.run(
        ["sha256sum", str(file)], capture_output=True, text=True, check=True
    ).stdout.startswith(facts["sha256"])
    assert json.loads(two.wct("inspect", "good/a", "--full").out) == {"value": 1}
    assert two.wct("inspect", "good/a", "--full", "--json").data("inspect")["content"]
    failed = two.wct("inspect", "bad/b")
    assert failed.code == 0
    assert dict(failed.rows)["error"] == "ValueError: it broke"


def test_terminal_shows_folded_content(place: Place, wct: Wct) -> None:
    many = '  a: {source: {type: python, properties: {call: "long.py:rows"}}}\n'
    (place.path / "long.py").write_text("def rows():\n    return {'rows': list(range(500))}\n")
    wct("run", place.runbook("long.yaml", many), "-q")
    run = place.on_a_terminal("inspect", "@last", NO_COLOR="1").out
    assert "rows: 500 items" in run
    folded = place.on_a_terminal("inspect", "@last/a", NO_COLOR="1").out
    assert "more lines; --full shows them" in folded
    assert len(folded.splitlines()) < 40
    assert len(place.on_a_terminal("inspect", "@last/a", "--full").out.splitlines()) > 500


def test_wrong_references(two: Place) -> None:
    missing = two.wct("inspect", "nope", "--json")
    assert missing.code == 4
    assert missing.data("error")["exit_code"] == 4
    assert "`wct runs`" in missing.err
    typo = two.wct("inspect", "bad/bb")
    assert typo.code == 4
    assert "did you mean 'b'?" in typo.err
    two.wct("run", "one.yaml", "--run-id", "good2", "-q")
    ambiguous = two.wct("inspect", "goo")
    assert ambiguous.code == 4
    assert "good" in ambiguous.err
    assert "good2" in ambiguous.err


def test_listing_imports_nothing_heavy(two: Place) -> None:
    code = (
        "import sys; sys.argv = ['wct', 'runs']\n"
        "from waivern.cli.main import main\n"
        "assert main() == 0\n"
        "heavy = {'pydantic', 'asyncio', 'rich', 'importlib.metadata', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=two.path, check=False)
    assert done.returncode == 0
