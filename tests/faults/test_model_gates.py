"""Any story of runs that ask people, told by hypothesis, against a small model.

A child's value and the runbook are edited, people approve and reject at once or without going on,
are asked again, files are damaged, runs deleted, processes killed; the cache is used or not. The
model knows what is completed, on which making of it people were asked, and what they said.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from harness import Bench, Count
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from model_kit import StoreMachine, run_stories

from waivern.errors import IntegrityError, NotFoundError, RefusedError
from waivern.record.journal_events import GateDecidedRecord
from waivern.runs import queries, retention
from waivern.runs.decisions import Decision
from waivern.runs.request import RunRequest
from waivern.runs.resume import approve, resume
from waivern.runs.run_options import RunOptions
from waivern.runs.start import start

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

RAW, MADE, GATE, END = "child/raw", "child/made", "sign", "end"
NAMES = (RAW, MADE, GATE, END)
"""Each is made from the one before it."""
RUNS = st.integers(0, 5)
KILLS = st.none() | st.none() | st.integers(1, 130)
OFTEN = st.sampled_from([True, True, False])


@dataclass(frozen=True)
class Book:
    """What the files say."""

    x: int = 1
    comment: int = 0


@dataclass(frozen=True)
class Said:
    """A decision: on which making of what was shown, under which runbook."""

    approved: bool
    on: int
    comment: int


@dataclass(frozen=True)
class Run:
    """What the model knows of a run."""

    book: Book
    made: dict[str, int]
    """Each completed artifact, and which making it was."""
    status: str = "interrupted"
    damaged: frozenset[str] = frozenset()
    said: tuple[Said, ...] = ()
    asked: Said | None = None
    """The question, while it is open; its answer means nothing."""
    attempts: int = 0

    def answer(self, on: int | None, comment: int) -> bool | None:
        """Return what people said about a making: no counts more than yes; None: nothing."""
        answers = {s.approved for s in self.said if (s.on, s.comment) == (on, comment)}
        return None if not answers else False not in answers

    @property
    def settled(self) -> bool:
        return self.asked is not None and (
            self.answer(self.asked.on, self.asked.comment) is not None
        )


def following(names: set[str]) -> set[str]:
    first = min((NAMES.index(name) for name in names), default=len(NAMES))
    return set(NAMES[first:])


class Store(StoreMachine):
    """The store and the engine, and the model beside them."""

    @initialize()
    def begin(self) -> None:
        self.set_up()
        self.model: dict[str, Run] = {}
        self.known: set[int] = set()
        """The values that an attempt with the cache, which came to its end, has made."""
        self.write(Book())
        self.started(None, True)

    def nth(self, at: int) -> str:
        ids = list(self.model) or self.ids
        return ids[-1 - at % len(ids)]

    def write(self, book: Book) -> None:
        self.book = book
        child = {
            "outputs": {"made": {"artifact": "made"}},
            "artifacts": {
                "raw": {"source": self.step("value", name=RAW, x=book.x)},
                "made": {"inputs": ["raw"], "process": self.step("total", name=MADE)},
            },
        }
        root = {
            "config": {"cache": True},
            "artifacts": {
                "child": {"child_runbook": {"path": "child.yaml", "output": "made"}},
                GATE: {"gate": {"question": "Is it well?", "show": "child"}},
                END: {"inputs": ["child", GATE], "process": self.step("total", name=END)},
            },
        }
        (self.folder / "child.yaml").write_text(json.dumps(child))
        (self.folder / "book.yaml").write_text(f"# {book.comment}\n{json.dumps(root)}\n")

    # what is done

    @rule(kill=KILLS, cache=OFTEN)
    def start(self, kill: int | None, cache: bool) -> None:
        self.started(kill, cache)

    def started(self, kill: int | None, cache: bool) -> None:
        self.stories["start"] += 1
        run_id = self.new_id()
        book = str(self.folder / "book.yaml")
        call = partial(start, RunRequest(source=book, run_id=run_id), self.store)
        self.attempt(
            run_id, Run(self.book, {}), call, ("run", book, "--run-id", run_id), kill, cache
        )

    @rule(at=RUNS, kill=KILLS, changed=OFTEN, kept=OFTEN, again=st.booleans(), cache=OFTEN)
    def resume(
        self, at: int, kill: int | None, changed: bool, kept: bool, again: bool, cache: bool
    ) -> None:
        self.resumed(self.nth(at), kill, changed=changed, kept=kept, again=again, cache=cache)

    def resumed(
        self, run_id: str, kill: int | None, *, changed: bool, kept: bool, again: bool, cache: bool
    ) -> None:
        run = self.model.get(run_id)
        book = None if kept else str(self.folder / "book.yaml")
        request = RunRequest(source=book, run=run_id, allow_changed=changed, ask_again=again)
        call = partial(resume, request, self.store)
        if run is None:
            with pytest.raises(NotFoundError):
                call(RunOptions(environ={}))
            return
        what = run.book if kept else self.book
        if what != run.book and not changed:
            self.stories["resume, refused"] += 1
            with pytest.raises(RefusedError):
                call(RunOptions(environ={}))
            return
        self.stories["resume"] += 1
        words: tuple[str, ...] = ("runs", "resume", run_id)
        words = words if kept else ("run", str(book), "--resume", run_id)
        words += ("--allow-changed",) * changed + ("--ask-again",) * again
        said = () if again else run.said
        self.attempt(run_id, self.renewed(replace(run, said=said), what), call, words, kill, cache)

    @rule(at=RUNS, yes=OFTEN, kill=KILLS, onward=OFTEN, cache=OFTEN)
    def decide(self, at: int, yes: bool, kill: int | None, onward: bool, cache: bool) -> None:
        self.decided(self.nth(at), yes, kill, onward=onward, cache=cache)

    def decided(
        self, run_id: str, yes: bool, kill: int | None, *, onward: bool, cache: bool
    ) -> None:
        run = self.model.get(run_id)
        decision = Decision(yes, "ann")
        request = RunRequest(run=run_id)
        call = partial(approve, request, decision, self.store, resume=onward)
        refusal = self.refusal(run)
        if refusal or run is None:
            self.stories["decide, refused"] += 1
            with pytest.raises(refusal or NotFoundError):
                call(options=RunOptions(environ={}))
            return
        assert run.asked
        self.stories["approve" if yes else "reject"] += 1
        words: tuple[str, ...] = ("runs", "approve", run_id, "--by", "ann")
        words += ("--reject",) * (not yes) + ("--no-resume",) * (not onward)
        after = replace(run, said=(*run.said, replace(run.asked, approved=yes)))
        after = self.renewed(after, run.book) if onward else after
        self.attempt(run_id, after, call, words, kill, cache, decides=True, onward=onward)

    def refusal(self, run: Run | None) -> type[Exception] | None:
        if run is None:
            return NotFoundError
        if run.status != "suspended" or run.settled:
            return RefusedError
        return IntegrityError if MADE in run.damaged else None

    def renewed(self, run: Run, book: Book) -> Run:
        """Return what an attempt begins with."""
        roots = set(run.damaged)
        if book.x != run.book.x:  # the run has no longer what the cache would take from it
            roots.add(RAW)
            self.known.discard(run.book.x)
        roots |= {GATE} if book.comment != run.book.comment and GATE in run.made else set()
        fallen = following(roots)
        made = {name: number for name, number in run.made.items() if name not in fallen}
        return replace(run, book=book, made=made, damaged=frozenset(), asked=None)

    @rule(x=st.integers(0, 2), comment=st.integers(0, 1))
    def edit(self, x: int, comment: int) -> None:
        self.stories["edit"] += 1
        self.write(Book(x, comment))

    @rule(x=st.integers(0, 2), comment=st.integers(0, 1), kill=KILLS)
    def edit_and_resume(self, x: int, comment: int, kill: int | None) -> None:
        self.write(Book(x, comment))
        self.resumed(self.nth(0), kill, changed=True, kept=False, again=False, cache=True)

    @rule(kill=KILLS, yes=OFTEN)
    def start_and_decide(self, kill: int | None, yes: bool) -> None:
        self.started(None, True)
        self.decided(self.nth(0), yes, kill, onward=True, cache=True)

    @rule(at=RUNS, name=st.sampled_from(NAMES))
    def damage(self, at: int, name: str) -> None:
        run_id = self.nth(at)
        run = self.model.get(run_id)
        if run is None or name not in run.made or name in run.damaged:
            return
        self.stories["damage"] += 1
        self.spoil(run_id, name)
        self.known.discard(run.book.x)
        self.model[run_id] = replace(run, damaged=run.damaged | {name})

    @rule(at=RUNS)
    def delete(self, at: int) -> None:
        run_id = self.nth(at)
        if run_id in self.model and len(self.model) > 3:
            self.stories["delete"] += 1
            self.known.discard(self.model[run_id].book.x)
            assert retention.remove(self.store, [run_id], force=True).removed == (run_id,)
            del self.model[run_id]

    # how it is done, and what has to come of it

    def attempt(
        self,
        run_id: str,
        run: Run,
        call: Callable[..., Any],
        words: tuple[str, ...],
        kill: int | None,
        cache: bool,
        *,
        decides: bool = False,
        onward: bool = True,
    ) -> None:
        """Carry something out, and check what came of it; `run` is what an attempt begins with."""
        before, ended = self.model.get(run_id), True
        if kill is None:
            call(options=RunOptions(environ={}, cache=cache))
        else:
            words = (*words, *("--no-cache",) * (not cache))
            ended = self.ends(words, kill, {0, 1, 7})
            self.stories["killed"] += not ended
        called = self.called()
        if run_id not in self.store.runs():
            assert before is None
            assert not ended
            return
        record = queries.load(self.store, run_id)
        attempts, status = len(record.metadata.attempts), str(record.metadata.status)
        if before and decides:
            events = record.decisions.get(GATE, ())
            kept = sum(isinstance(event, GateDecidedRecord) for event in events)
            assert kept in (len(before.said), len(before.said) + 1)
            assert kept > len(before.said) or not ended, "the decision is not there"
            if attempts == before.attempts:
                said = run.said if kept > len(before.said) else before.said
                assert not called
                assert not ended or not onward
                self.model[run_id] = replace(before, said=said)
                return
        if before and attempts == before.attempts:  # nothing to do, or killed before it began
            assert not called
            assert not ended or before.status == "completed"
            return
        assert attempts == run.attempts + 1
        made = {name for name, step in record.steps.items() if step.completed}
        assert run.made.keys() <= made, "what was acknowledged is gone"
        assert not called & run.made.keys(), "what was there was made again"
        numbers = {name: next(self.numbers) for name in NAMES if name in made} | run.made
        possible, end = self.outcome(run, numbers)
        assert made <= possible
        if ended:
            assert (made, status) == (possible, end)
            self.check_calls(run, called, made, cache)
        asked = None
        if status == "suspended":
            asked = Said(True, numbers[MADE], run.book.comment)
        self.model[run_id] = replace(
            run, made=numbers, status=status, attempts=attempts, asked=asked
        )

    def outcome(self, run: Run, numbers: dict[str, int]) -> tuple[set[str], str]:
        """Return what can be completed at most in an attempt, and how it ends."""
        if run.book.x == 0:
            return set(), "failed"
        answer = run.answer(numbers.get(MADE), run.book.comment)
        if GATE in run.made or answer:
            return set(NAMES), "completed"
        return {RAW, MADE}, "suspended" if answer is None else "failed"

    def check_calls(self, run: Run, called: set[str], made: set[str], cache: bool) -> None:
        """Check that what was to be made was made or taken from the cache."""
        new = made - run.made.keys() - {GATE}
        new |= {RAW} if run.book.x == 0 else set()
        assert called <= new
        if not cache:
            assert called == new
        elif run.book.x in self.known:
            assert not called & {RAW, MADE}, "made, although it was made before"
        if cache and {RAW, MADE} <= new & made:  # what an attempt without it made is not known
            self.known.add(run.book.x)

    @invariant()
    def the_store_is_what_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = self.rows()
        assert rows.keys() == self.model.keys()
        for run_id, run in self.model.items():
            assert rows[run_id].status == run.status, rows[run_id].fault
            record = queries.load(self.store, run_id)
            assert {n for n, step in record.steps.items() if step.completed} == run.made.keys()
            for name in run.made.keys() - run.damaged - {GATE}:
                assert queries.content(self.store, record, name) == {"value": run.book.x}


def test_any_story_with_decisions(bench: Bench, tried: Count) -> None:
    words = ("approve", "reject", "killed", "damage", "edit")
    steps = run_stories(Store, bench, 25, words)
    tried("model: steps of stories with decisions, a child and the cache", steps)
