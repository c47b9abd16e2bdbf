"""Random verbs, among them prune and delete, with damage between them: nothing protected is lost.

A small model knows what protects each run: a pin, a gate that waits or was decided, another run
that reused it, damage that keeps it from being read. A policy removes none of these, whatever it
says; by name only with --force.
"""

from __future__ import annotations

import json
import random
import shutil
from functools import partial
from pathlib import Path

import pytest
from harness import ALL, Bench, Count, Done, Shelf, carry_out

from waivern.runs.queries import DAMAGED, look
from waivern.store.local import LocalFilesystemStore

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

ROUNDS = 120 if ALL else 10
STEPS = 14
PLAIN = 'a: {source: {type: python, properties: {call: "steps.py:value", args: {name: a, x: 1}}}}'
GATE = f"""
artifacts:
  {PLAIN}
  ok: {{gate: {{question: "Is it well?", show: [a]}}}}
"""
POLICIES = [
    "--keep-last 0",
    "--keep-last 1",
    "--older-than 0s",
    "--status completed",
    "--status suspended",
    "--status corrupt",
    "--status failed --status interrupted",
    "--keep-last 0 --runbook plain",
    "--keep-last 0 --older-than 0s --no-keep-failed",
]


class Story:
    """A store, and what protects each of its runs."""

    def __init__(self, bench: Bench, shelf: Shelf, chance: random.Random) -> None:
        self.bench, self.shelf, self.chance = bench, shelf, chance
        self.pinned: set[str] = set()
        self.waiting: set[str] = set()
        self.reused: dict[str, str] = {}
        """The run that reused, and the run that it reused."""
        self.count = 0

    @property
    def runs(self) -> Path:
        return self.shelf.path / ".waivern/runs"

    @property
    def there(self) -> set[str]:
        return {path.name for path in self.runs.iterdir() if not path.name.startswith(".")}

    @property
    def unreadable(self) -> set[str]:
        store = LocalFilesystemStore(self.shelf.path / ".waivern")
        return {run for run in self.there if look(store, run).status in DAMAGED}

    @property
    def protected(self) -> set[str]:
        """Return the runs that no policy may remove, whatever it says."""
        return self.there & (self.pinned | self.waiting | self.unreadable)

    def carry_out(self, *words: str) -> Done:
        done = carry_out(self.bench.zygote, self.shelf.wct(*words))
        assert "internal error" not in done.err, done.err
        return done

    def chosen(self) -> str | None:
        runs = sorted(self.there)
        return self.chance.choice(runs) if runs else None

    def name(self) -> str:
        self.count += 1
        return f"run{self.count:03}"

    def start(self) -> None:
        self.carry_out("run", "plain.yaml", "--run-id", self.name())

    def ask(self) -> None:
        name = self.name()
        assert self.carry_out("run", "gate.yaml", "--run-id", name).code == 7
        self.waiting.add(name)

    def decide(self) -> None:
        if waiting := sorted(self.waiting & self.there - self.unreadable):
            words = ("runs", "approve", self.chance.choice(waiting), "--by", "ann")
            self.carry_out(*words, "--no-resume")  # it holds a decision now

    def reuse(self) -> None:
        if source := self.chosen():
            name = self.name()
            book = f"artifacts: {{a: {{reuse: {{from_run: {source}, artifact: a}}}}}}"
            (self.bench.folder / f"{self.shelf.path.name}.yaml").write_text(book)
            done = self.carry_out("run", f"{self.shelf.path.name}.yaml", "--run-id", name)
            if done.code == 0:
                self.reused[name] = source

    def pin(self) -> None:
        if (name := self.chosen()) and self.carry_out("runs", "pin", name).code == 0:
            self.pinned.add(name)

    def damage(self) -> None:
        if name := self.chosen():
            path = self.runs / name / "_system" / self.chance.choice(["run.json", "state.json"])
            match self.chance.choice(["byte", "cut", "version", "gone", "folder"]):
                case _ if not path.is_file():
                    return
                case "byte":
                    data = bytearray(path.read_bytes())
                    data[self.chance.randrange(len(data))] ^= 1
                    path.write_bytes(data)
                case "cut":
                    path.write_bytes(path.read_bytes()[:-20])
                case "version" if path.name == "run.json":
                    try:
                        document = json.loads(path.read_text())
                    except ValueError:
                        return
                    path.write_text(json.dumps(document | {"schema_version": 2}))
                case "folder":
                    path.unlink()
                    path.mkdir()
                case _:
                    path.unlink()

    def lose_the_index(self) -> None:
        shutil.rmtree(self.shelf.path / ".waivern/cache", ignore_errors=True)
        (self.shelf.path / ".waivern/index.jsonl").unlink(missing_ok=True)

    def prune(self) -> None:
        before, protected = self.there, self.protected
        done = self.carry_out("runs", "prune", *self.chance.choice(POLICIES).split(), "--yes")
        assert done.code == 0, done.err
        self.check(before, protected, done)

    def delete(self) -> None:
        if name := self.chosen():
            before, protected = self.there, self.protected
            self.check(before, protected, self.carry_out("runs", "delete", name, "--yes"))

    def forced(self) -> None:
        if name := self.chosen():
            before = self.there
            done = self.carry_out("runs", "delete", name, "--yes", "--force")
            assert (done.code, self.there) == (0, before - {name}), done.err

    def check(self, before: set[str], protected: set[str], done: Done) -> None:
        """Check what a removal without --force left, and that it reported exactly what it took."""
        after = self.there
        assert protected <= after, f"lost {protected - after}: {done.out}{done.err}"
        kept = {source for run, source in self.reused.items() if run in after}
        assert kept & before <= after, f"lost what was reused: {kept & before - after}"
        told = {line.split("\t")[0].removeprefix("removed ") for line in done.out.splitlines()}
        assert told == before - after


def test_random_verbs_lose_nothing_that_is_protected(bench: Bench, tried: Count) -> None:
    (bench.folder / "plain.yaml").write_text(f"artifacts:\n  {PLAIN}\n")
    (bench.folder / "gate.yaml").write_text(GATE)
    taken: list[int] = []

    def point(number: int) -> None:
        chance = random.Random(number)
        story = Story(bench, bench.bare_shelf(), chance)
        story.start()
        verbs = [story.start, story.ask, story.decide, story.reuse, story.pin, story.damage]
        verbs += [story.damage, story.lose_the_index, story.prune, story.prune, story.delete]
        for _ in range(STEPS):
            chance.choice([*verbs, story.forced] if chance.random() < 0.3 else verbs)()
        story.prune()
        taken.append(story.count - len(story.there))
        story.shelf.clear()

    points = bench.each([partial(point, number) for number in range(ROUNDS)])
    assert sum(taken) > 0, "nothing was ever removed"
    tried("random verbs and damage: prune and delete take nothing protected", points * STEPS)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_and_every_protection(bench: Bench, policy: str) -> None:
    (bench.folder / "plain.yaml").write_text(f"artifacts:\n  {PLAIN}\n")
    (bench.folder / "gate.yaml").write_text(GATE)
    story = Story(bench, bench.bare_shelf(), random.Random(0))
    story.start()
    story.ask()
    story.pinned.add("run001")
    assert story.carry_out("runs", "pin", "run001").code == 0
    for name in ("run001", "run002"):
        (story.runs / name / "_system/state.json").write_text("{")
    done = story.carry_out("runs", "prune", *policy.split(), "--yes")
    assert (done.code, done.out) == (0, "")
    assert story.there == {"run001", "run002"}
