"""The set-up of model tests: a store on the bench, steps that log their calls, stories of rules.

A story is a sequence of rules that hypothesis chooses. A machine carries each rule out on a real
store and on a small model beside it, and compares the two.
"""

from __future__ import annotations

import time
from collections import Counter
from itertools import count
from typing import Any, ClassVar

from harness import ALL, Bench, Job, Plan, carry_out
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from waivern.runs import listing
from waivern.runs.queries import RunRow
from waivern.store.local import LocalFilesystemStore

STEPS = """
def note(name, log):
    with open(log, "a") as calls:
        calls.write(name + "\\n")

def value(name, x, log):
    note(name, log)
    if x == 0:
        raise ValueError("nought is no number")
    return {"value": x}

def total(inputs, name, log):
    note(name, log)
    return {"value": sum(each.get("value", 0) for each in inputs)}
"""


class StoreMachine(RuleBasedStateMachine):
    """A store in a folder of its own, its runs by id, and the log of the calls of its steps."""

    bench: ClassVar[Bench]
    stories: ClassVar[Counter[str]]
    """What was done, over all stories."""

    def set_up(self) -> None:
        self.shelf = self.bench.bare_shelf()
        self.folder = self.shelf.path
        self.log = self.folder / "calls"
        (self.folder / "steps.py").write_text(STEPS)
        self.store = LocalFilesystemStore(self.folder / ".waivern")
        self.ids: list[str] = []
        self.numbers = count(1)

    def step(self, function: str, **args: object) -> dict[str, Any]:
        """Return the component of a function of STEPS."""
        properties = {"call": f"steps.py:{function}", "args": args | {"log": str(self.log)}}
        return {"type": "python", "properties": properties}

    def new_id(self) -> str:
        self.ids.append(f"r{len(self.ids):03}")
        return self.ids[-1]

    def called(self) -> set[str]:
        """Return the steps that were called since the last look, each at most once."""
        found = Counter(self.log.read_text().split() if self.log.exists() else [])
        self.log.unlink(missing_ok=True)
        assert set(found.values()) <= {1}, f"called twice: {found}"
        return set(found)

    def spoil(self, run_id: str, name: str, *, remove: bool = False) -> None:
        """Change one bit in the file of an artifact, or remove it."""
        path = self.folder / ".waivern/runs" / run_id / f"{name}.json"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.unlink() if remove else path.write_bytes(data)

    def ends(self, words: tuple[str, ...], kill: int, codes: set[int]) -> bool:
        """Run `wct` and kill it before an operation; return whether it ended before that."""
        words = (*words, "--store", str(self.folder / ".waivern"))
        job = Job(words, self.folder, {}, Plan("kill", kill, serial=False))
        done = carry_out(self.bench.zygote, job)
        assert done.code in codes | {-9}, done.err
        return done.code != -9

    def rows(self) -> dict[str, RunRow]:
        return {row.run_id: row for row in listing.every(self.store)}

    def teardown(self) -> None:
        self.shelf.clear()


def run_stories(
    machine: type[StoreMachine], bench: Bench, examples: int, words: tuple[str, ...]
) -> int:
    """Run a machine; each of the words must occur in its stories. Return the number of rules."""
    machine.bench, machine.stories = bench, Counter()
    began = time.monotonic()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=1000 if ALL else examples,
            stateful_step_count=30,
            deadline=None,
            derandomize=not ALL,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    total = machine.stories.total()
    print(f"{total:,} steps in {time.monotonic() - began:.0f} s: {dict(machine.stories)}")
    assert min(machine.stories[word] for word in words)
    return total
