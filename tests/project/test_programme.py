"""programme.yaml as a person uses it: it waits for a decision and uses the cache."""

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
from quick_wct import quick_wct

ROOT = Path(__file__).parents[2]
WCT = str(Path(sys.executable).with_name("wct"))
ENVIRON = {name: value for name, value in os.environ.items() if name != "WAIVERN_STORE"}
PROGRAMME = "runbooks/programme.yaml"
DECIDED = {"approval", "record", "report"}
"""What there is only after the decision."""


def wct(folder: Path, *args: str, code: int = 0) -> Any:
    """Run `wct ARGS --json` in a folder; return the data of its answer."""
    done = subprocess.run(
        [quick_wct(), *args, "--json"], cwd=folder, env=ENVIRON, capture_output=True, check=False
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
    assert {path.name for path in (project / "out").glob("[!.]*")} == {
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
    (staff,) = (each for each in found["files"]["findings"] if each["type"] == "STAFF_NUMBER")
    assert (staff["rule"]["id"], staff["total"]) == ("larkfield/STAFF_NUMBER", 8)
    assert {place["file"] for place in staff["locations"]} == {"hr/employees.csv"}
    overview = content(project, "overview")
    assert overview["sources"] == 2
    assert overview["findings"] == sum(len(each["findings"]) for each in found.values())
    assert overview["special_category"] == sum(
        finding["special_category"] for each in found.values() for finding in each["findings"]
    )
    assert overview["accounts"] == 60


@pytest.mark.sweep
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


@pytest.mark.sweep
def test_no_is_an_answer(project: Path) -> None:
    wct(project, "run", PROGRAMME, code=7)
    run = wct(project, "runs", "approve", "@last", "--reject", "--note", "ask HR first", code=1)
    assert run["status"] == "failed"
    assert "ask HR first" in run["error"]
    assert state(project)["failed"] == ["approval"]
    assert state(project)["skipped"] == ["record", "report", "transfer"]


@pytest.mark.sweep
def test_a_locked_database_is_asked_again(project: Path) -> None:
    """The lock is released when a failed call was reported, and so journaled."""
    shop = sqlite3.connect(project / "runbooks" / "data" / "shop.db", isolation_level=None)
    with closing(shop):
        shop.execute("BEGIN EXCLUSIVE")
        run = subprocess.Popen(
            [WCT, "run", PROGRAMME], cwd=project, env=ENVIRON, stderr=subprocess.PIPE, text=True
        )
        with run:
            assert run.stderr is not None
            reported = next(line for line in run.stderr if line.startswith("retried"))
            shop.execute("ROLLBACK")
            run.stderr.read()
    assert "database is locked" in reported
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


@pytest.mark.sweep
def test_it_runs_from_any_folder(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    wct(elsewhere, "run", str(project / PROGRAMME), code=7)
    assert content(elsewhere, "overview")["accounts"] == 60
    assert not (project / ".waivern").exists()


# doing nothing twice

SEARCHES = {f"sources/{source}/scan/findings" for source in ("files", "database")}
SUMMARIES = {f"sources/{source}/scan/summary" for source in ("files", "database")}
MATERIAL = {f"sources/{source}/material" for source in ("files", "database")}
ASKED = {"children"}
"""What no fingerprint can be taken of."""


def how(folder: Path) -> dict[str, set[str]]:
    """Return the artifacts of the latest run by how they came to be."""
    found: dict[str, set[str]] = {"produced": set(), "cached": set()}
    for event in events(folder):
        if event["type"] == "artifact_completed":
            found[event["how"]].add(event["artifact"])
    return found


def plan(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what `wct plan` says of each artifact."""
    return {each["artifact"]: each for each in wct(folder, "plan", PROGRAMME)["artifacts"]}


def by_action(planned: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, each in planned.items():
        found.setdefault(each["action"], set()).add(name)
    return found


def twice(project: Path) -> None:
    """Run it to its end."""
    wct(project, "run", PROGRAMME, code=7)
    wct(project, "runs", "approve", "@last")


def test_second_run_only_checks_and_asks(project: Path) -> None:
    twice(project)
    assert how(project)["cached"] == set()
    wct(project, "run", PROGRAMME, code=7)
    found = how(project)
    assert found["produced"] == ASKED
    assert found["cached"] == MATERIAL | SEARCHES | SUMMARIES | {"overview", "assessment"}
    wct(project, "runs", "approve", "@last")
    found = how(project)
    assert found["produced"] == ASKED | {"approval", "report"}  # the decision is another
    assert "record" in found["cached"]


@pytest.mark.sweep
def test_rule_that_is_edited_is_all_that_is_searched_for_again(project: Path) -> None:
    """`wct plan` predicts it, and the run does what was predicted."""
    twice(project)
    rules = project / "runbooks" / "rulesets" / "larkfield.yaml"
    text = rules.read_text()
    rules.write_text(text.replace("1.0.0", "1.1.0").replace("[loyalty points]", "[loyalty card]"))
    planned = plan(project)
    predicted = by_action(planned)
    assert predicted["produce"] == SEARCHES | ASKED
    assert predicted["cached"] == MATERIAL
    assert {planned[name]["reason"] for name in SEARCHES} == {"ruleset larkfield 1.0.0 → 1.1.0"}
    wct(project, "run", PROGRAMME, code=7)
    found = how(project)
    assert found["produced"] >= predicted["produce"]
    assert found["cached"] >= predicted["cached"]
    # one finding less, in the files: its dependants are rebuilt
    assert found["produced"] - predicted["produce"] == SUMMARIES | {"overview", "assessment"}
    assert "shopping" not in content(project, "overview")["by_category"]


@pytest.mark.sweep
def test_rule_that_changes_nothing_stops_at_the_summary(project: Path) -> None:
    """What is searched again and comes to the same, leaves what follows alone."""
    twice(project)
    rules = project / "runbooks" / "rulesets" / "larkfield.yaml"
    rules.write_text(rules.read_text() + "unrelated: [garden gnome]\n")
    wct(project, "run", PROGRAMME, code=7)
    found = how(project)
    assert found["produced"] == SEARCHES | SUMMARIES | ASKED
    assert found["cached"] == MATERIAL | {"overview", "assessment"}


@pytest.mark.sweep
def test_file_that_is_added_is_named(project: Path) -> None:
    twice(project)
    (project / "runbooks" / "data" / "files" / "hr" / "note.txt").write_text("LO-061 is away\n")
    planned = plan(project)
    changed = {"sources/files/material", "sources/files/scan/findings"}
    assert by_action(planned)["produce"] == changed | ASKED
    assert planned["sources/files/material"]["reason"] == "source: 1 new (hr/note.txt)"
    wct(project, "run", PROGRAMME, code=7)
    assert {name for name in how(project)["produced"] if "database" in name} == set()


@pytest.mark.sweep
def test_answer_that_is_another_is_seen_below(project: Path) -> None:
    """The shop's accounts are counted every time, and decide whether the rest is rebuilt."""
    twice(project)
    with closing(sqlite3.connect(project / "runbooks" / "data" / "shop.db")) as shop, shop:
        shop.execute("UPDATE customers SET date_of_birth = '2015-01-01' WHERE id = 7")
    wct(project, "run", PROGRAMME, code=7)
    assert content(project, "overview")["children"] == 1
    assert "sources/files/scan/findings" in how(project)["cached"]
