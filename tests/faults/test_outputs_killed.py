"""SIGKILL before every operation of a run with `-o`: what is delivered is the last run's, whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from harness import Bench, Count, Job, Plan, Shelf, carry_out
from oracle import Recoveries

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

RECORD = ".waivern-output.json"
BOOK = """
artifacts:
  one: {{source: {{type: command, properties: {{argv: [echo, "{text}"]}}}}, output: true}}
  {last}: {{source: {{type: command, properties: {{argv: [echo, "{text}"]}}}}, output: true}}
"""


@pytest.fixture(scope="module")
def template(bench: Bench) -> Shelf:
    """A folder with what an earlier run has delivered, and a runbook that has changed since."""
    shelf = bench.shelf()
    book = shelf.path / "out.yaml"
    book.write_text(BOOK.format(text="1", last="old"))
    assert carry_out(bench.zygote, delivery(shelf)).code == 0
    assert delivered(shelf.path / "answers") == {"one": 1, "old": 1}
    book.write_text(BOOK.format(text="2", last="new"))
    return shelf


def delivery(shelf: Shelf, *more: str, plan: Plan | None = None) -> Job:
    book, answers = shelf.path / "out.yaml", shelf.path / "answers"
    return shelf.wct("run", str(book), "-o", str(answers), *more, plan=plan)


def delivered(folder: Path) -> dict[str, int]:
    return {path.stem: json.loads(path.read_text())["content"] for path in folder.glob("[!.]*")}


def test_a_delivery_killed_before_every_operation(
    bench: Bench, template: Shelf, tried: Count
) -> None:
    recoveries = Recoveries(beside=True)

    def point(number: int) -> bool:
        shelf = template.copy()
        answers = shelf.path / "answers"
        job = delivery(shelf, "--run-id", "second", plan=Plan("kill", number))
        done = carry_out(bench.zygote, job)
        for name, content in delivered(answers).items():
            assert name in {"one", "old", "new"}
            assert content in (1, 2), "each file is one run's, and whole"
        if recoveries.is_new(shelf):
            again = ("--resume", "second") if "second" in shelf.rows() else ()
            assert carry_out(bench.zygote, delivery(shelf, *again)).code == 0
            assert delivered(answers) == {"one": 2, "new": 2}
            assert {path.name for path in answers.glob(".*")} == {RECORD}, "no staged file is left"
        shelf.clear()
        return done.broke is not None

    tried("kill: a delivery of outputs, before every operation", bench.sweep(point))
