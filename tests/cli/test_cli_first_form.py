"""Run folders in the first form, which had no journal: read with a warning, never resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wct_process import Place, Wct

import waivern

RUN = {
    "run_id": "old",
    "runbook_path": "q.yaml",
    "runbook_hash": "sha256:" + "0" * 64,
    "started_at": "2026-01-05T09:00:00Z",
    "completed_at": "2026-01-05T09:01:00Z",
    "status": "completed",
}
STATE = {
    "completed": ["findings", "source"],
    "not_started": [],
    "failed": ["report"],
    "skipped": ["mail"],
    "last_checkpoint": "2026-01-05T09:01:00Z",
}


def artifact(name: str, content: Any) -> dict[str, Any]:
    return {
        "id": name,
        "content": content,
        "schema": {"name": "json", "version": "1.0.0"},
        "context": {},
        "run_id": "old",
        "source": "connector:filesystem",
        "timestamp": "2026-01-05T09:00:30Z",
        "extensions": {},
    }


def lay(place: Place, run: dict[str, Any] = RUN, state: dict[str, Any] = STATE) -> Path:
    folder = place.path / ".waivern/runs" / str(run["run_id"])
    (folder / "_system").mkdir(parents=True)
    (folder / "_system/run.json").write_text(json.dumps(run, indent=2))
    (folder / "_system/state.json").write_text(json.dumps(state, indent=2))
    for name in state["completed"]:
        (folder / f"{name}.json").write_text(json.dumps(artifact(name, {"of": name})))
    return folder


def test_it_is_listed(place: Place, wct: Wct) -> None:
    lay(place)
    (row,) = wct("runs", "--json").data("runs")
    assert (row["run_id"], row["status"], row["runbook_path"]) == ("old", "completed", "q.yaml")
    assert row["artifacts"]["completed"] == 2
    assert row["fault"] == "no journal vouches for it"
    assert wct("runs").rows[0][:2] == ["old", "completed"]
    assert wct("runs", "--status", "corrupt", "--json").data("runs") == []
    assert [run.run_id for run in waivern.list_runs(store=place.path / ".waivern")] == ["old"]


def test_it_is_inspected_with_a_warning(place: Place, wct: Wct) -> None:
    lay(place)
    for reference in ("old", "@last", "q@last"):
        done = wct("inspect", reference, "--json")
        assert done.data("inspect")["status"] == "completed"
        assert "warning: run old has no journal: nothing proves its content" in done.err
    assert wct("inspect", "old", "--full").code == 0
    done = wct("inspect", "old/findings", "--full")
    assert json.loads(done.out) == {"of": "findings"}
    assert "nothing proves" in done.err


@pytest.mark.parametrize(("name", "status"), [("findings", "completed"), ("report", "failed")])
def test_an_artifact_of_it_is_inspected(place: Place, wct: Wct, name: str, status: str) -> None:
    lay(place)
    done = wct("inspect", f"old/{name}")
    assert done.code == 0
    assert any(row[:1] == ["status"] and row[1].startswith(status) for row in done.rows)
    assert wct("inspect", f"old/{name}", "--json").data("inspect")["artifact"] == name


@pytest.mark.parametrize("content", [None, '{"k": 1}', "{"])
def test_what_is_no_artifact_is_not_reused(place: Place, wct: Wct, content: str | None) -> None:
    file = lay(place) / "findings.json"
    file.write_text(content) if content else file.unlink()
    book = place.runbook("use.yaml", "  a: {reuse: {from_run: old, artifact: findings}}\n")
    done = wct("run", book, "-q")
    assert done.code == 9
    assert "artifact 'findings' of run old is" in done.err
    assert "wct runs resume" not in done.err  # it cannot be resumed


@pytest.mark.parametrize("reference", ["old", "@last", "q@last"])
def test_it_is_reused_from_with_a_warning(place: Place, wct: Wct, reference: str) -> None:
    lay(place)
    reuse = f"{{reuse: {{from_run: '{reference}', artifact: findings}}}}"
    book = place.runbook("use.yaml", f"  copy: {reuse}\n")
    done = wct("run", book, "-q", "--run-id", "new")
    assert done.code == 0, done.err
    assert "'copy' is reused from run old: no journal vouches for that run" in done.err
    assert json.loads(wct("inspect", "new/copy", "--full").out) == {"of": "findings"}
    assert wct("runs", "verify", "new").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["runs", "resume", "old"],
        ["runs", "approve", "old", "--by", "ann"],
        ["runs", "replay", "old"],
        ["runs", "cancel", "old"],
        ["run", "q.yaml", "--resume", "old"],
    ],
)
def test_it_is_not_resumed(place: Place, wct: Wct, words: list[str]) -> None:
    folder = lay(place)
    place.runbook(
        "q.yaml", "  findings: {source: {type: command, properties: {argv: [echo, 1]}}}\n"
    )
    before = sorted(str(each) for each in folder.rglob("*"))
    done = wct(*words)
    assert done.code == 5
    assert "run old has no journal: it can be read, and not be" in done.err
    assert "reuse: {from_run: old" in done.err
    assert sorted(str(each) for each in folder.rglob("*")) == before


def test_verify_says_what_it_can_and_cannot(place: Place, wct: Wct) -> None:
    folder = lay(place)
    done = wct("runs", "verify", "old")
    assert done.code == 9
    assert "old  NOT VERIFIABLE  it has no journal" in done.out
    assert "ALTERED" not in done.out
    assert "2 of 2 completed artifacts are artifact files" in done.out
    assert "nothing shows whether they are what the run produced" in done.out
    (folder / "findings.json").unlink()
    (folder / "source.json").write_text("{")
    done = wct("runs", "verify", "old", "--json")
    (found,) = done.data("verify")
    assert [fault["path"] for fault in found["faults"]] == ["findings.json", "source.json"]
    assert found["ok"] is False
    done = wct("inspect", "old/findings")
    assert done.code in (4, 9)


def test_it_can_be_removed(place: Place, wct: Wct) -> None:
    lay(place)
    wct("runs", "delete", "old", "--yes", "--force")
    assert "old" not in place.run_ids()


def test_what_was_running_is_interrupted(place: Place, wct: Wct) -> None:
    lay(place, RUN | {"status": "running", "completed_at": None})
    (row,) = wct("runs", "--json").data("runs")
    assert row["status"] == "interrupted"


@pytest.mark.parametrize(
    ("run", "state"),
    [
        (RUN | {"status": "wonderful"}, STATE),
        ({key: value for key, value in RUN.items() if key != "runbook_hash"}, STATE),
        (RUN | {"started_at": 3}, STATE),
        (RUN, STATE | {"completed": ["../../etc/passwd"]}),
        (RUN, STATE | {"failed": "x"}),
        (RUN | {"journal": {"count": 3, "head": "0"}}, STATE),
        (RUN | {"schema_version": 1}, STATE),
    ],
)
def test_what_is_not_that_form_is_corrupt(
    place: Place, wct: Wct, run: dict[str, Any], state: dict[str, Any]
) -> None:
    lay(place, run, STATE)
    (place.path / ".waivern/runs/old/_system/state.json").write_text(json.dumps(state))
    (row,) = wct("runs", "--json").data("runs")
    assert row["status"] == "corrupt"
    assert wct("inspect", "old").code == 9


@pytest.mark.parametrize("run", [RUN | {"status": "wonderful"}, RUN | {"run_id": "other"}])
def test_a_list_names_the_fault_that_inspect_names(
    place: Place, wct: Wct, run: dict[str, Any]
) -> None:
    lay(place).joinpath("_system/run.json").write_text(json.dumps(run))
    (row,) = wct("runs", "--json").data("runs")
    done = wct("inspect", "old")
    assert done.code == 9
    assert row["fault"] in done.err
