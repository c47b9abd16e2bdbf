"""programme.yaml as a person uses it: it waits for a decision, and does nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WCT = str(Path(sys.executable).with_name("wct"))
ENVIRON = {name: value for name, value in os.environ.items() if name != "WAIVERN_STORE"}
PROGRAMME = "runbooks/programme.yaml"
DECIDED = {"approval", "record", "report"}
"""What there is only after the decision."""


def wct(folder: Path, *args: str, code: int = 0) -> Any:
    """Run `wct ARGS --json` in a folder; return the data of its answer."""
    done = subprocess.run(
        [WCT, *args, "--json"], cwd=folder, env=ENVIRON, capture_output=True, check=False
    )
    assert done.returncode == code, done.stderr.decode()
    return json.loads(done.stdout)["data"] if done.stdout else None


def content(folder: Path, artifact: str) -> Any:
    """Return an artifact's content in the latest run."""
    return json.loads((folder / ".waivern" / "latest" / f"{artifact}.json").read_bytes())["content"]


def events(folder: Path) -> list[dict[str, Any]]:
    """Return the journal of the latest run."""
    lines = (folder / ".waivern" / "latest" / "_system" / "events.jsonl").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines]


def state(folder: Path) -> dict[str, Any]:
    path = folder / ".waivern" / "latest" / "_system" / "state.json"
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a copy of the runbooks, which can be edited."""
    ignored = shutil.ignore_patterns("material", "__pycache__")
    shutil.copytree(ROOT / "runbooks", tmp_path / "runbooks", ignore=ignored)
    return tmp_path


def test_it_waits_for_a_decision_and_goes_on_where_it_stopped(project: Path) -> None:
    run = wct(project, "run", PROGRAMME, code=7)
    question = "May the record of the quarter up to 2025-06-30 be filed?"
    assert run["status"] == "suspended"
    assert question in run["suspension_reason"]
    assert state(project)["suspended"] == ["approval"]
    assert state(project)["skipped"] == ["transfer"]  # nothing leaves the EEA
    assert state(project)["not_started"] == ["record", "report"]
    before = len(events(project))

    done = wct(project, "runs", "approve", "@last", "--by", "ann", "--note", "seen", "-o", "out")
    assert done["status"] == "completed"
    assert done["run_id"] == run["run_id"]
    after = events(project)[before:]
    assert {e["artifact"] for e in after if e["type"] == "artifact_completed"} == DECIDED
    decision = content(project, "approval")
    assert decision["shown"].keys() == {"overview", "assessment"}
    report = content(project, "report")
    assert report["overview"] == content(project, "overview")
    assert report["question"] == question
    assert [(one["by"], one["note"]) for one in report["signed"]] == [("ann", "seen")]
    assert {path.name for path in (project / "out").iterdir()} == {
        "overview.json", "record.json", "report.json"
    }  # fmt: skip


def test_what_it_finds_is_what_is_there(project: Path) -> None:
    wct(project, "run", PROGRAMME, code=7)
    found = {
        source: content(project, f"sources/{source}/scan/findings")
        for source in ("files", "database")
    }
    for each in found.values():
        assert each["ruleset"]["name"] == "larkfield"
    staff = [
        (finding["rule"]["id"], finding["locations"][0]["file"])
        for finding in found["files"]["findings"]
        if finding["type"] == "STAFF_NUMBER"
    ]
    assert staff == [("larkfield/STAFF_NUMBER", "hr/employees.csv")] * 8
    overview = content(project, "overview")
    assert overview["sources"] == 2
    assert overview["findings"] == sum(len(each["findings"]) for each in found.values())
    assert overview["special_category"] == sum(
        finding["special_category"] for each in found.values() for finding in each["findings"]
    )
    assert overview["accounts"] == 60


def test_parameters_decide_what_is_done(project: Path) -> None:
    wct(project, "run", PROGRAMME, code=7)
    usual = content(project, "overview")
    values = ["-p", "region=us", "-p", "threshold=0.9", "-p", "as_of=2015-06-30"]
    wct(project, "run", PROGRAMME, *values, code=7)
    assert content(project, "transfer")["to"] == "us"
    strict = content(project, "overview")
    assert 0 < strict["findings"] < usual["findings"]
    assert strict["children"] > usual["children"] == 0
    wct(project, "run", PROGRAMME, "-p", "threshold=much", code=2)


def test_no_is_an_answer(project: Path) -> None:
    wct(project, "run", PROGRAMME, code=7)
    run = wct(project, "runs", "approve", "@last", "--reject", "--note", "ask HR first", code=1)
    assert run["status"] == "failed"
    assert "ask HR first" in run["error"]
    assert state(project)["failed"] == ["approval"]
    assert state(project)["skipped"] == ["record", "report", "transfer"]


def test_a_locked_database_is_asked_again(project: Path) -> None:
    """The lock is taken away when it is told, and so journaled, that a try failed because of it."""
    shop = sqlite3.connect(project / "runbooks" / "data" / "shop.db", isolation_level=None)
    with closing(shop):
        shop.execute("BEGIN EXCLUSIVE")
        run = subprocess.Popen(
            [WCT, "run", PROGRAMME], cwd=project, env=ENVIRON, stderr=subprocess.PIPE, text=True
        )
        with run:
            assert run.stderr is not None
            told = next(line for line in run.stderr if line.startswith("retried"))
            shop.execute("ROLLBACK")
            run.stderr.read()
    assert "database is locked" in told
    assert run.returncode == 7
    retried = [event for event in events(project) if event["type"] == "artifact_retried"]
    assert {event["artifact"] for event in retried} == {"children"}
    assert retried[0]["error"]["kind"] == "OperationalError"
    assert 0 <= retried[0]["delay_ms"] <= 200
    assert content(project, "children") == {"accounts": 60, "children": 0}


@pytest.mark.parametrize("module", ["files", "database"])
def test_modules_run_by_themselves(project: Path, module: str) -> None:
    run = wct(project, "run", f"runbooks/modules/{module}.yaml", "-p", "threshold=0.9")
    assert run["artifacts"]["completed"] == 3
    assert content(project, "scan/summary")["findings"] > 0


def test_what_has_to_be_given_something_does_not(project: Path) -> None:
    wct(project, "run", "runbooks/modules/scan.yaml", code=3)


def test_it_runs_from_any_folder(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    wct(elsewhere, "run", str(project / PROGRAMME), code=7)
    assert content(elsewhere, "overview")["accounts"] == 60
    assert not (project / ".waivern").exists()
