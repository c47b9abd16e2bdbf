"""Runs that failed, were killed or redacted, are live, or have no journal, in every format here."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bundle_kit import Bench, members, verified

FORMATS = ("bundle", "openlineage", "rocrate", "waivern")
RUNBOOK = """\
artifacts:
  files: {source: {type: filesystem, properties: {path: data}}, keep: content}
  found: {inputs: files, process: {type: personal_data}}
  broken: {inputs: found, process: {type: command, properties: {argv: [python3, wait.py]}}}
"""
WAIT = """
import pathlib, sys, time
sys.stdin.read()
pathlib.Path("begun").touch()
while pathlib.Path("hold").exists():
    time.sleep(0.01)
sys.exit("it broke \\x1b[2J </script>")
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.write("scan.yaml", RUNBOOK)
    made.write("wait.py", WAIT)
    made.write("data/=1+1 \x1b[31m<b>.txt", "mail anna.berg@firma.de\n")
    return made


def exported(bench: Bench, run: str, *, code: int | None = 0) -> dict[str, bytes]:
    """Export a run in all formats; return what was written."""
    words = [word for each in FORMATS for word in ("--export", f"{each}=out/{each}")]
    bench.wct("export", run, *words, code=code)
    return {
        each: path.read_bytes()
        for each in FORMATS
        if (path := bench.folder / "out" / each).exists()
    }


def last_event(data: bytes) -> str:
    kind: str = json.loads(data.splitlines()[-1])["eventType"]
    return kind


def test_a_run_that_failed(bench: Bench) -> None:
    bench.wct("run", "scan.yaml", "--run-id", "r1", code=1)
    found = exported(bench, "r1")
    assert verified(bench.folder / "out/bundle").out.startswith("intact     run 'r1': 'failed'")
    assert last_event(found["openlineage"]) == "FAIL"
    crate = members(bench.folder / "out/rocrate")
    assert b"FailedActionStatus" in crate["ro-crate-metadata.json"]
    bundle = members(bench.folder / "out/bundle")
    for data in (*bundle.values(), *crate.values(), found["openlineage"], found["waivern"]):
        assert b"\x1b" not in data


def test_a_run_whose_artifacts_were_redacted(bench: Bench) -> None:
    bench.wct("run", "scan.yaml", "--run-id", "r1", code=1)
    bench.wct("runs", "redact", "r1", "--yes", "--reason", "retention")
    found = exported(bench, "r1")
    done = verified(bench.folder / "out/bundle")
    assert (done.code, "redacted   files, found" in done.out) == (0, True), done
    assert not any(b"firma.de" in data for data in found.values())


def test_a_run_that_is_live_and_is_killed(bench: Bench) -> None:
    bench.write("hold", "")
    command = [str(Path(sys.executable).with_name("wct")), "run", "scan.yaml", "--run-id", "r1"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=bench.folder, start_new_session=True, stdout=quiet, stderr=quiet
    ) as process:
        try:
            while not (bench.folder / "begun").exists():
                assert process.poll() is None
                time.sleep(0.01)
            done = bench.wct("export", "r1", "--export", "bundle=live.zip", code=5)
            assert "run r1 is running" in done.err
            assert not (bench.folder / "live.zip").exists()
            live = exported(bench, "r1", code=None)
            assert last_event(live["openlineage"]) != "COMPLETE"
        finally:
            process.send_signal(signal.SIGKILL)
            (bench.folder / "hold").unlink()
    journal = bench.folder / ".waivern/runs/r1/_system/events.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"seq":9,"syn')  # the tail that a kill can leave
    found = exported(bench, "r1")
    assert "'interrupted'" in verified(bench.folder / "out/bundle").out
    events = [json.loads(line) for line in found["openlineage"].splitlines()]
    kinds: dict[str, list[str]] = {}
    for event in events:
        kinds.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert [each[-1] for each in kinds.values()] == ["ABORT", "COMPLETE", "COMPLETE", "ABORT"]
    assert all(each[0] == "START" for each in kinds.values())


def test_a_run_that_was_altered(bench: Bench) -> None:
    bench.wct("run", "scan.yaml", "--run-id", "r1", code=1)
    path = bench.folder / ".waivern/runs/r1/found.json"
    path.write_text(path.read_text().replace("EMAIL", "EMAUL"))
    done = bench.wct("export", "r1", "--export", "bundle=bad.zip", code=9)
    assert "is not as its journal recorded it" in done.err
    assert not (bench.folder / "bad.zip").exists()


def test_a_run_without_a_journal(bench: Bench) -> None:
    bench.wct("run", "scan.yaml", "--run-id", "r1", code=1)
    runs = bench.folder / ".waivern/runs"
    folder = runs / "r2"
    shutil.copytree(runs / "r1", folder)
    for name in ("events.jsonl", "lock"):
        path = folder / "_system" / name
        path.unlink(missing_ok=True)
    kept = ("run_id", "runbook_path", "runbook_hash", "started_at", "completed_at", "status")
    run = json.loads((folder / "_system/run.json").read_text())
    document = {key: run[key] for key in kept} | {"run_id": "r2"}
    (folder / "_system/run.json").write_text(json.dumps(document))
    done = bench.wct("export", "r2", "--export", "bundle=none.zip", code=5)
    assert "run r2 has no journal: a bundle of it would prove nothing" in done.err
    found = exported(bench, "r2", code=None)
    assert "bundle" not in found
    assert [json.loads(line)["eventType"] for line in found["openlineage"].splitlines()] == [
        "START",
        "FAIL",
    ]


def test_runs_that_earlier_versions_recorded(tmp_path: Path) -> None:
    recorded = Path(__file__).parents[1] / "runs/earlier"
    bench = Bench(tmp_path)
    shutil.copytree(recorded, tmp_path / ".waivern/runs")
    names = sorted(path.name for path in recorded.iterdir() if (path / "_system").is_dir())
    assert "first" in names
    for name in names:
        assert verified(bench.bundle("run.zip", run=name)).code == 0, name
