"""A world without a network, and one whose clock jumps."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from harness import RUN, WCT, Bench, Count, Job, carry_out
from oracle import contents

LIBRARY = os.environ.get("FAKETIME_LIBRARY", "")
YEARS = ("+365d", "-365d", "+730d", "-730d")

JUMPING = """
import os

def jump(name, to):
    with open(os.environ["FAKETIME_TIMESTAMP_FILE"], "w") as clock:
        clock.write(to)
    return {"name": name}

def after(inputs, name, to):
    return jump(name, to)

def fail(name, to):
    jump(name, to)
    raise ValueError("it fails in another year")
"""


def run_in(job: Job, *before: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, WCT, *job.argv],
        cwd=job.cwd,
        env=os.environ | job.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_run_without_a_network(bench: Bench, tried: Count) -> None:
    usual, alone = bench.shelf(), bench.shelf()
    assert carry_out(bench.zygote, usual.start()).code == 1
    assert run_in(alone.start(), "unshare", "-n").returncode == 1
    assert contents(alone.run) == contents(usual.run)
    for words in (["runs"], ["runs", "verify", RUN], ["inspect", RUN]):
        assert run_in(alone.wct(*words), "unshare", "-n").returncode == 0
    tried("no network: a run and three readers in an empty name space, commands", 4)


def test_a_clock_that_jumps_a_year(bench: Bench, tmp_path: Path, tried: Count) -> None:
    assert LIBRARY, "FAKETIME_LIBRARY must name libfaketimeMT.so.1"
    (tmp_path / "jumping.py").write_text(JUMPING)
    (tmp_path / "jump.yaml").write_text(json.dumps({"artifacts": artifacts()}))
    clock = tmp_path / "clock"
    clock.write_text("+0d")
    fake = {
        "LD_PRELOAD": LIBRARY,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    shelf = bench.shelf()
    words = ["run", str(tmp_path / "jump.yaml")]
    first = run_in(shelf.wct(*words, "--run-id", RUN, "--max-concurrency", "1"), **fake)
    assert first.returncode == 1, first.stderr
    clock.write_text("-365d")
    again = run_in(shelf.wct(*words, "--resume", RUN), **fake)
    assert again.returncode == 1, again.stderr
    verified = run_in(shelf.wct("runs", "verify", RUN), **fake)
    assert verified.returncode == 0, verified.stdout
    document: dict[str, Any] = json.loads((shelf.run / "_system/run.json").read_text())
    lines = (shelf.run / "_system/events.jsonl").read_text().splitlines()
    events = [json.loads(raw) for raw in lines]
    times = [event["event"]["at"] for event in events]
    assert times != sorted(times), "the clock never jumped back"
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    durations = [event["event"].get("duration_ms", 0) for event in events]
    durations += [document["duration_ms"]]
    assert all(0 <= each < 60_000 for each in durations), durations
    steps = [e["event"]["step"] for e in events if e["event"]["type"] == "artifact_started"]
    assert steps[: len(YEARS) + 1] == sorted(steps[: len(YEARS) + 1])
    assert document["status"] == "failed"
    rows = run_in(shelf.wct("runs"), **fake)
    assert f"{RUN}\tfailed" in rows.stdout
    tried("clock: steps of one and two years in both directions, in a run and between", 6)


def artifacts() -> dict[str, Any]:
    """Return a chain of artifacts, each of which sets the clock."""
    found: dict[str, Any] = {}
    before = None
    for number, to in enumerate(YEARS):
        name = f"jump{number}"
        call = "after" if before else "jump"
        made = {
            "type": "python",
            "properties": {"call": f"jumping.py:{call}", "args": {"name": name, "to": to}},
        }
        found[name] = {"inputs": [before], "process": made} if before else {"source": made}
        before = name
    args = {"call": "jumping.py:fail", "args": {"name": "bad", "to": "+1d"}}
    found["bad"] = {"source": {"type": "python", "properties": args}}
    return found
