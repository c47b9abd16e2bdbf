"""Workers that are killed by the hundred: each result is published once, and is that of threads."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter

import pytest
from harness import Count
from wct_process import WCT, Place
from worker_kit import below, contents, gone, kill, staged, template, workers

pytestmark = [
    pytest.mark.sweep,
    pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc"),
]

STORM = """
import os, random, time

def makes(number):
    time.sleep(random.random() / 20)
    return {"number": number, "text": "x" * (number % 3) * 20_000}

def streams(number):
    for each in range(300):
        yield {"number": number + each, "text": "y" * 200}
        if each % 100 == 0:
            time.sleep(random.random() / 50)

def total(inputs):
    return {"total": sum(each["number"] for each in inputs)}
"""
WIDTH = 120
KILLS = 300
LIMIT_S = 100


def book() -> str:
    again = "retry: {max: 100, on: died, delay: 0.01, max_delay: 0.05}"
    text = ""
    for number in range(WIDTH):
        call = "streams" if number % 4 == 0 else "makes"
        work = (
            f'{{type: python, properties: {{call: "storm.py:{call}", args: {{number: {number}}}}}}}'
        )
        text += f"  a{number}: {{source: {work}, {again}}}\n"
    inputs = ", ".join(f"a{number}" for number in range(WIDTH) if number % 4)
    work = '{type: python, properties: {call: "storm.py:total"}}'
    return text + f"  all: {{inputs: [{inputs}], process: {work}, {again}}}\n"


def test_workers_that_are_killed_by_the_hundred(place: Place, tried: Count) -> None:
    (place.path / "storm.py").write_text(STORM)
    name = place.runbook("storm.yaml", book())
    chance, seen = random.Random(5), set()
    words = ("--executor", "processes", "--max-concurrency", "8", "--run-id", "storm", "--json")
    with (place.path / "out").open("w") as out:
        wct = subprocess.Popen(
            [WCT, "run", name, *words], cwd=place.path, env=place.environ(), stdout=out, stderr=out
        )
        kills, deadline = 0, time.monotonic() + LIMIT_S
        while wct.poll() is None and kills < KILLS and time.monotonic() < deadline:
            seen |= below(wct.pid)
            if found := workers(wct.pid):
                kill([chance.choice(found)])
                kills += 1
                if kills in (KILLS // 3, KILLS // 3 * 2) and (parent := template(wct.pid)):
                    kill([parent])
            time.sleep(chance.random() / 50)
        code = wct.wait(LIMIT_S)
    assert code == 0, (place.path / "out").read_text()
    gone(seen)
    assert staged(place) == []
    journal = place.path / ".waivern/runs/storm/_system/events.jsonl"
    events = [json.loads(line)["event"] for line in journal.read_text().splitlines()]
    completed = Counter(
        event["artifact"] for event in events if event["type"] == "artifact_completed"
    )
    assert len(completed) == WIDTH + 1
    assert set(completed.values()) == {1}
    assert place.wct("runs", "verify", "storm").code == 0
    assert place.wct("run", name, "--executor", "threads", "--run-id", "threads").code == 0
    assert contents(place, "storm") == contents(place, "threads")
    tried("workers killed in a wide run, which is that of threads then", kills)
