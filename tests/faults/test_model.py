"""Any story of a store, told by hypothesis, against a small model of what must come of it.

Runs are started, killed, resumed, reused from, cancelled, deleted and held by somebody else; their
runbook is edited and their files are damaged. The model knows which artifacts are completed, what
is in them, which of them are damaged, and so what the next attempt has to make: exactly that.
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

from waivern.clock import Clock
from waivern.diagnostics import InvalidError
from waivern.errors import IntegrityError, NotFoundError, RefusedError, RunLockedError
from waivern.runs import queries, retention
from waivern.runs.cancel import cancel
from waivern.runs.request import RunRequest
from waivern.runs.result import RunResult
from waivern.runs.resume import resume
from waivern.runs.run_options import RunOptions
from waivern.runs.start import start
from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore
from waivern.store.store_values import Owner
from waivern.store.writers import Lease

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

INPUTS = {"one": [], "two": [], "sum": ["one", "two"], "last": ["sum"], "copy": []}
GONE = 7
RUNS = st.integers(0, GONE)
"""Counted from the newest."""
OFTEN = st.sampled_from([True, True, False])
KILLS = st.none() | st.integers(1, 110)
"""Before which operation of the store the process is killed, if at all."""
SOMEBODY = Owner("elsewhere", 1, "2026-01-01T00:00:00.000Z")


@dataclass(frozen=True)
class Book:
    """What the runbook says; `copy` is there if it reuses `one` of a run."""

    one: int = 1
    two: int = 2
    comment: int = 0
    source: str | None = None

    @property
    def artifacts(self) -> list[str]:
        return [name for name in INPUTS if name != "copy" or self.source]

    def text(self, step: Callable[..., dict[str, Any]]) -> str:
        artifacts: dict[str, Any] = {
            "one": {"source": step("value", name="one", x=self.one)},
            "two": {"source": step("value", name="two", x=self.two)},
            "sum": {"inputs": ["one", "two"], "process": step("total", name="sum")},
            "last": {"inputs": ["sum"], "process": step("total", name="last")},
        }
        if self.source:
            artifacts["copy"] = {"reuse": {"from_run": self.source, "artifact": "one"}}
        return f"# {self.comment}\n{json.dumps({'artifacts': artifacts}, indent=1)}\n"

    def differs(self, other: Book) -> set[str]:
        """Return the artifacts of this one whose definitions are not those of the other."""
        same = {
            "one": self.one == other.one,
            "two": self.two == other.two,
            "copy": self.source == other.source,
        }
        return {name for name in same if not same[name]}


@dataclass(frozen=True)
class Made:
    """A completed artifact: its value, and which making it was."""

    value: int
    number: int


@dataclass(frozen=True)
class Run:
    """What the model knows of a run, as of its last attempt that began."""

    book: Book
    made: dict[str, Made]
    status: str = "interrupted"
    damaged: frozenset[str] = frozenset()
    pinned: bool = False
    copied: Made | None = None
    """What was pinned for `copy`."""
    attempts: int = 0

    @property
    def intact(self) -> set[str]:
        return self.made.keys() - self.damaged


def following(names: set[str]) -> set[str]:
    """Return artifacts and all that is made from them."""
    found = set(names)
    for name, inputs in INPUTS.items():  # in an order in which inputs come first
        if found & set(inputs):
            found.add(name)
    return found


class Store(StoreMachine):
    """The store and the engine, and the model beside them."""

    @initialize()
    def begin(self) -> None:
        self.set_up()
        self.model: dict[str, Run] = {}
        self.held: dict[str, Lease] = {}
        self.write(Book())
        self.started(None)

    def nth(self, at: int) -> str:
        """Return the id of one of the newest runs, seldom of one that may be gone."""
        ids = list(self.model) if self.model and at < GONE else self.ids
        return ids[-1 - at % len(ids)]

    def write(self, book: Book) -> None:
        self.book = book
        (self.folder / "book.yaml").write_text(book.text(self.step))

    # what is done

    @rule(kill=KILLS)
    def start(self, kill: int | None) -> None:
        self.started(kill)

    def started(self, kill: int | None) -> None:
        self.stories["start" if kill is None else "start, killed"] += 1
        run_id = self.new_id()
        call = partial(self.in_process, start, run_id=run_id)
        if self.book.source and not self.reusable(self.book.source):
            with pytest.raises(self.reuse_refusal(self.book.source)):
                call()
            return
        copied = self.model[self.book.source].made["one"] if self.book.source else None
        words = ("run", "book.yaml", "--run-id", run_id)
        self.attempt(run_id, Run(self.book, {}, copied=copied), call, words, kill)

    @rule(at=RUNS, kill=KILLS, changed=OFTEN, force=st.booleans())
    def resume(self, at: int, kill: int | None, changed: bool, force: bool) -> None:
        self.resumed(self.nth(at), kill, changed, force)

    @rule(kill=KILLS)
    def resume_the_newest(self, kill: int | None) -> None:
        self.resumed(self.nth(0), kill, True, True)

    @rule(at=RUNS, name=st.sampled_from(list(INPUTS)), kill=KILLS)
    def damage_and_resume(self, at: int, name: str, kill: int | None) -> None:
        self.damage(at, name, "flip")
        self.resumed(self.nth(at), kill, True, True)

    @rule(at=RUNS | st.none(), kill=KILLS)
    def reuse_and_resume(self, at: int | None, kill: int | None) -> None:
        self.reuse(at)
        self.resumed(self.nth(0), kill, True, True)

    @rule(one=st.integers(0, 2), two=st.integers(0, 2), kill=KILLS)
    def edit_and_resume(self, one: int, two: int, kill: int | None) -> None:
        self.edit(one, two, 0, False)
        self.resumed(self.nth(0), kill, True, True)

    def resumed(self, run_id: str, kill: int | None, changed: bool, force: bool) -> None:
        call = partial(self.in_process, resume, run=run_id, allow_changed=changed, force=force)
        run = self.model.get(run_id)
        refusal = self.refusal(run_id, run, changed, force)
        if refusal or run is None:
            self.stories["resume, refused"] += 1
            with pytest.raises(refusal or NotFoundError):
                call()
            return
        edited, copied = self.book.differs(run.book), run.copied
        if "copy" in edited and self.book.source:
            if not self.reusable(self.book.source, by=run_id):
                with pytest.raises(self.reuse_refusal(self.book.source, run_id)):
                    call()
                return
            copied = self.model[self.book.source].made["one"]
        self.stories["resume" if kill is None else "resume, killed"] += 1
        fallen = following(edited | run.damaged)
        kept = {n: made for n, made in run.made.items() if n in self.book.artifacts}
        kept = {n: made for n, made in kept.items() if n not in fallen}
        after = replace(run, book=self.book, made=kept, damaged=frozenset(), copied=copied)
        more = ("--allow-changed",) * changed + ("--force",) * force
        words = ("run", "book.yaml", "--resume", run_id, *more)
        self.attempt(run_id, after, call, words, kill)

    def refusal(
        self, run_id: str, run: Run | None, changed: bool, force: bool
    ) -> type[Exception] | None:
        if run is None:
            return NotFoundError
        if run_id in self.held:
            return RunLockedError
        if run.status == "cancelled" and not force:
            return RefusedError
        return RefusedError if self.book != run.book and not changed else None

    def reuse_refusal(self, source: str, by: str = "") -> type[Exception]:
        """Return what a reuse raises: what is there and damaged is not what is not there."""
        run = self.model.get(source)
        there = run is not None and source != by and "one" in run.made
        return IntegrityError if there else InvalidError

    def reusable(self, source: str, by: str = "") -> bool:
        """Say whether `one` of a run can be reused when a plan is made."""
        return source in self.model and source != by and "one" in self.model[source].intact

    @rule(comment=st.integers(0, 2))
    def comment(self, comment: int) -> None:
        self.edit(0, 0, comment, True)

    def edit(self, one: int, two: int, comment: int, only: bool) -> None:
        self.stories["edit"] += 1
        book = replace(self.book, comment=comment)
        self.write(book if only else replace(book, one=one, two=two))

    def reuse(self, at: int | None) -> None:
        self.stories["edit what is reused"] += 1
        source = None if at is None else self.nth(at)
        self.write(replace(self.book, source=source))

    @rule(at=RUNS, name=st.sampled_from(list(INPUTS)))
    def remove_a_file(self, at: int, name: str) -> None:
        self.damage(at, name, "remove")

    def damage(self, at: int, name: str, how: str) -> None:
        run_id = self.nth(at)
        run = self.model.get(run_id)
        if run is None or name not in run.intact or run_id in self.held:
            return
        self.stories["damage"] += 1
        self.spoil(run_id, name, remove=how == "remove")
        damaged = run.damaged | {name}
        self.model[run_id] = replace(run, damaged=damaged)
        found = {fault.path for fault in verify(self.store, run_id).faults}
        assert found == {f"{each}.json" for each in damaged}

    @rule(
        at=RUNS,
        what=st.sampled_from(["delete", "delete", "cancel", "pin", "hold", "let_go"]),
        flag=OFTEN,
    )
    def administer(self, at: int, what: str, flag: bool) -> None:
        run_id = self.nth(at)
        match what:
            case "delete":
                self.delete(run_id, force=flag)
            case "cancel":
                self.cancel(run_id)
            case "pin":
                self.pin(run_id, flag)
            case "hold":
                self.hold(run_id)
            case "let_go":
                self.let_go(run_id)

    def delete(self, run_id: str, force: bool) -> None:
        self.stories["delete"] += 1
        run = self.model.get(run_id)
        reused = any(
            other.book.source == run_id for name, other in self.model.items() if name != run_id
        )
        stays = run and (run_id in self.held or (not force and (run.pinned or reused)))
        removal = retention.remove(self.store, [run_id], force=force)
        assert removal.removed == ((run_id,) if run and not stays else ())
        if not stays:
            self.model.pop(run_id, None)

    def pin(self, run_id: str, pinned: bool) -> None:
        if run := self.model.get(run_id):
            self.stories["pin"] += 1
            self.store.pin(run_id, {"by": "me"} if pinned else None)
            self.model[run_id] = replace(run, pinned=pinned)

    def cancel(self, run_id: str) -> None:
        self.stories["cancel"] += 1
        run = self.model.get(run_id)
        call = partial(cancel, self.store, run_id, "me", None, Clock())
        if run is None:
            with pytest.raises(NotFoundError):
                call()
        elif run_id in self.held:
            assert not call()  # it is asked of whoever holds it
            assert set(self.store.requests(run_id)) == {"cancel"}
        elif run.status == "interrupted":
            assert call()
            self.model[run_id] = replace(run, status="cancelled")
        else:
            with pytest.raises(RefusedError):
                call()

    def hold(self, run_id: str) -> None:
        """Somebody else takes the run, as another process does."""
        if run_id in self.model and run_id not in self.held:
            self.stories["second process"] += 1
            other = LocalFilesystemStore(self.folder / ".waivern")
            self.held[run_id] = other.lock(run_id, SOMEBODY)

    def let_go(self, run_id: str) -> None:
        if lease := self.held.pop(run_id, None):
            lease.release()

    # how it is done, and what has to come of it

    def attempt(
        self,
        run_id: str,
        run: Run,
        call: Callable[..., Any],
        words: tuple[str, ...],
        kill: int | None,
    ) -> None:
        """Carry an attempt out, and check what came of it; `run` is what it begins with."""
        before = self.model.get(run_id)
        ended = True
        if kill is None:
            call()
        else:
            ended = self.ends(words, kill, {0, 1})
        called = self.called()
        if run_id not in self.store.runs():
            assert before is None
            assert not ended
            assert not called
            return
        record = queries.load(self.store, run_id)
        attempts = len(record.metadata.attempts)
        if before and attempts == before.attempts:  # nothing to do, or killed before it began
            assert not called
            assert not ended or before.status == "completed"
            return
        assert attempts == run.attempts + 1
        values = self.values(run)
        made = {name for name, step in record.steps.items() if step.completed}
        possible = {name for name, value in values.items() if value is not None}
        assert run.made.keys() <= made, "what was acknowledged is gone"
        assert made <= possible
        assert not called & run.made.keys(), "what was there was made again"
        if ended:
            assert made == possible
            assert called == {
                name
                for name, inputs in INPUTS.items()
                if name in values and name != "copy" and name not in run.made
                and set(inputs) <= possible
            }  # fmt: skip
        new = {name: Made(values[name] or 0, next(self.numbers)) for name in sorted(made)}
        status = str(record.metadata.status)
        if ended or status != "interrupted":
            assert status == ("completed" if made == values.keys() else "failed")
        self.model[run_id] = replace(run, made=new | run.made, status=status, attempts=attempts)

    def values(self, run: Run) -> dict[str, int | None]:
        """Return what each artifact of the runbook comes to; None: it fails, or is skipped."""
        book = run.book
        one, two = book.one or None, book.two or None
        total = one + two if one and two else None
        values = {"one": one, "two": two, "sum": total, "last": total}
        if book.source:
            there = "copy" in run.made
            origin = self.model.get(book.source)
            same = origin and "one" in origin.intact and origin.made["one"] == run.copied
            values["copy"] = run.copied.value if run.copied and (there or same) else None
        return values

    def in_process(self, call: Callable[..., RunResult], **more: Any) -> RunResult:
        request = RunRequest(source=str(self.folder / "book.yaml"), **more)
        return call(request, self.store, RunOptions(environ={}))

    @invariant()
    def the_store_is_what_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = self.rows()
        assert rows.keys() == self.model.keys()
        for run_id, run in self.model.items():
            row = rows[run_id]
            at_work = run_id in self.held and run.status == "interrupted"
            assert row.status == ("running" if at_work else run.status), row.fault
            assert row.pinned == run.pinned
            if at_work:  # counted from the projection that the holder writes: it may lag
                assert row.counts["completed"] <= len(run.made)
            else:
                assert row.counts["completed"] == len(run.made)
            record = queries.load(self.store, run_id)
            for name, made in run.made.items():
                if name in run.damaged:
                    with pytest.raises((IntegrityError, NotFoundError)):
                        queries.content(self.store, record, name)
                else:
                    assert queries.content(self.store, record, name) == {"value": made.value}

    def teardown(self) -> None:
        for lease in self.held.values():
            lease.release()
        super().teardown()


def test_any_story(bench: Bench, tried: Count) -> None:
    words = ("start, killed", "resume, killed", "damage", "cancel")
    tried("model: steps of stories", run_stories(Store, bench, 30, words))
