"""Workers that are killed by the hundred: each result is published once, and is that of threads."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from typing import Any

import pytest
from harness import Count
from wct_process import WCT, Place
from worker_kit import below, contents, gone, keeper, kill, staged, template, workers

pytestmark = [
    pytest.mark.sweep,
    pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc"),
]

STORM = """
import os, random, time

def makes(number):
    time.sleep(random.random() / 10)
    return {"number": number, "text": "x" * (number % 3) * 20_000}

def streams(number):
    for each in range(300):
        yield {"number": number + each, "text": "y" * 200}
        if each % 100 == 0:
            time.sleep(random.random() / 50)

def waits():
    while not os.path.exists("over"):
        time.sleep(0.01)
    return {}

def total(inputs):
    return {"total": sum(each["number"] for each in inputs)}
"""
MODULES = 3
"""Copies of the functions: a worker serves one only, so that some are idle while others work."""
WIDTH = 300
KILLS = 500
STEPS = 5
"""The coordinator is killed after each of the first four fifths of the kills."""
LIMIT_S = 150
WORDS = ("--executor", "processes", "--max-concurrency", "8", "--json")


def book() -> str:
    again = "retry: {max: 300, on: died, delay: 0.01, max_delay: 0.05}"
    text = ""
    for number in range(WIDTH):
        call = f"storm{number % MODULES}.py:{'streams' if number % 4 == 0 else 'makes'}"
        work = f'{{type: python, properties: {{call: "{call}", args: {{number: {number}}}}}}}'
        text += f"  a{number}: {{source: {work}, {again}}}\n"
    # without it a slow machine completes the run before all kills are done
    last = '{source: {type: python, properties: {call: "storm0.py:waits"}}, %s}'
    text += f"  last: {last % again.replace('300', str(2 * KILLS))}\n"
    inputs = ", ".join(f"a{number}" for number in range(WIDTH) if number % 4)
    work = '{type: python, properties: {call: "storm0.py:total"}}'
    return text + f"  all: {{inputs: [{inputs}], process: {work}, {again}}}\n"


class Storm:
    """The kills of one run: of its workers at random moments, idle and new ones, too."""

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._name = name
        self._chance = random.Random(5)
        self._deadline = time.monotonic() + LIMIT_S
        self.kills = 0
        self.acknowledged: dict[str, str] = {}
        """The digests of the artifacts that were completed when a coordinator was killed."""

    def step(self, kills: int) -> int | None:
        """Kill so many workers of a command, and then the command if it is still at work."""
        begin = ["--resume", "storm"] if self.kills else [self._name, "--run-id", "storm"]
        words = ["run", *([self._name] if self.kills else []), *begin, *WORDS]
        with (self._place.path / "out").open("w") as out:
            wct = subprocess.Popen(
                [WCT, *words],
                cwd=self._place.path,
                env=self._place.environ(),
                stdout=out,
                stderr=out,
            )
        seen = self._kill_workers(wct, kills)
        if self.kills < KILLS:
            wct.kill()
        else:
            (self._place.path / "over").touch()
        code = wct.wait(LIMIT_S)
        gone(seen)
        for event in completed(self._place):
            assert self.acknowledged.setdefault(event["artifact"], event["digest"])
        return code

    def _kill_workers(self, wct: subprocess.Popen[bytes], kills: int) -> set[int]:
        done, seen = 0, set()
        while done < kills and wct.poll() is None:
            assert time.monotonic() < self._deadline, f"{self.kills} kills in {LIMIT_S} s"
            seen |= below(wct.pid)
            if found := workers(wct.pid):
                kill([self._chance.choice(found)])
                self.kills, done = self.kills + 1, done + 1
                if done == kills // 2:
                    helper = self._chance.choice([template, keeper])
                    kill(filter(None, [helper(wct.pid)]))
            time.sleep(self._chance.random() / 50)
        return seen


def completed(place: Place) -> list[dict[str, Any]]:
    journal = place.path / ".waivern/runs/storm/_system/events.jsonl"
    events = [json.loads(line)["event"] for line in journal.read_text().splitlines()]
    return [event for event in events if event["type"] == "artifact_completed"]


@pytest.mark.timeout(400)
def test_workers_that_are_killed_by_the_hundred(place: Place, tried: Count) -> None:
    for number in range(MODULES):
        (place.path / f"storm{number}.py").write_text(f"{STORM}\n# {number}\n")
    name = place.runbook("storm.yaml", book())
    storm = Storm(place, name)
    for _ in range(STEPS):
        code = storm.step(KILLS // STEPS)
    assert code == 0, (place.path / "out").read_text()
    assert storm.kills == KILLS
    assert staged(place) == []
    found = completed(place)
    assert len(found) == WIDTH + 2
    assert storm.acknowledged == {each["artifact"]: each["digest"] for each in found}
    assert place.wct("runs", "verify", "storm").code == 0
    assert place.wct("run", name, "--executor", "threads", "--run-id", "threads").code == 0
    assert contents(place, "storm") == contents(place, "threads")
    tried("workers killed in a wide run, which is that of threads then", storm.kills)
