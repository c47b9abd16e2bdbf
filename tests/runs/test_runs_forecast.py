"""What a plan says, a run does: over random edits of a small project, and case by case."""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs_kit import Book, gate, join, make, reuse

from waivern.errors import ArtifactNotFoundError, RefusedError
from waivern.runs.forecast import Forecast, forecast
from waivern.runs.run_options import RunOptions
from waivern.runs.run_params import RequestedParams
from waivern.store.local import LocalFilesystemStore


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setattr(sys, "path", list(sys.path))  # steps add their folder
    return Book(tmp_path / "place")


def everything(book: Book) -> dict[str, object]:
    """Return all that lies in the store: bytes, kinds and times."""
    root = book.folder / ".waivern"
    return {
        str(path): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.readlink() if path.is_symlink() else path.is_file() and path.read_bytes(),
        )
        for path in [root, *root.rglob("*")]
        if path.exists()
    }


def foreseen(book: Book, options: RunOptions | None = None, **more: Any) -> dict[str, Forecast]:
    """Return what is foreseen; nothing may be written for it."""
    before = everything(book)
    found = forecast(str(book.path), book.store, options or book.options(), **more)
    assert everything(book) == before
    return {each.artifact: each for each in found}


def said(book: Book, *more: Any, **named: Any) -> dict[str, tuple[str, str]]:
    return {n: (str(f.action), f.reason) for n, f in foreseen(book, *more, **named).items()}


def rules(book: Book, version: str, text: str = "LO") -> None:
    (book.folder / "own.yaml").write_text(
        f"name: own\nversion: {version}\ntypes:\n  STAFF:\n    category: employment\n"
        f"    patterns: ['{text}-\\d{{3}}']\n    confidence: 0.6\n"
    )


def data(book: Book, **texts: str) -> None:
    (book.folder / "data").mkdir(exist_ok=True)
    for name, text in texts.items():
        (book.folder / "data" / f"{name}.txt").write_text(text)


def files(**properties: Any) -> dict[str, Any]:
    properties = {"path": "data", **properties}
    return {"files": {"source": {"type": "filesystem", "properties": properties}}}


def search(name: str, *inputs: str, **properties: Any) -> dict[str, Any]:
    process = {"type": "personal_data", "properties": {"ruleset": "own.yaml", **properties}}
    return {name: {"inputs": list(inputs), "process": process}}


# what is said


async def test_the_reasons(book: Book) -> None:
    data(book, a="LO-123", b="nothing")
    rules(book, "1.0.0")
    base = [files(), search("found", "files"), make("m", 1, cache=True)]
    base.append(join("j", "m", cache=True))
    book.write(*base)
    first = await book.start()
    assert first.status == "completed"
    cached = ("cached", f"from run {first.run_id}")
    assert said(book) == dict.fromkeys(["files", "found", "m", "j"], cached)

    rules(book, "1.1.0")
    assert said(book)["found"] == ("produce", "ruleset own 1.0.0 → 1.1.0")
    assert said(book)["files"] == cached
    data(book, a="LO-124")
    told = said(book)
    assert told["files"] == ("produce", "source: 1 changed (a.txt)")
    assert told["found"] == ("produce", "ruleset own 1.0.0 → 1.1.0; input files changed")
    rules(book, "1.0.0", "LX")
    assert said(book)["found"] == ("produce", "ruleset own changed; input files changed")
    rules(book, "1.0.0")
    assert said(book)["found"] == ("produce", "1 of 2 items changed; input files changed")
    data(book, c="x")
    assert said(book)["files"][1] == "source: 1 changed (a.txt); source: 1 new (c.txt)"
    (book.folder / "data/b.txt").unlink()
    assert said(book)["files"][1].endswith("source: 1 gone (b.txt)")

    book.write(*base[:2], make("m", 2, cache=True), base[3])
    assert said(book)["m"] == ("produce", "property args.value 1 → 2")
    assert said(book)["j"] == ("decided at run time", "m may come out as before, or not")
    book.write(*base[:2], make("m", 2, cache=True), join("j", "m", value=3, cache=True))
    assert said(book)["j"] == ("produce", "property args.value (none) → 3")
    book.write(*base[:3], make("n", 1, cache=True), join("j", "m", "n", cache=True))
    assert said(book)["n"] == ("produce", "never produced")
    assert said(book)["j"] == ("decided at run time", "n may come out as before, or not")
    await book.start()
    book.write(*base[:3], join("j", "m", cache=True))
    assert said(book)["j"][0] == "cached"

    book.write(*base)
    steps = book.folder / "steps.py"
    steps.write_text(steps.read_text() + "# changed\n")
    assert said(book)["m"] == ("produce", "code changed")
    assert said(book)["j"] == ("produce", "code changed")


async def test_an_input_that_changed(book: Book) -> None:
    """Its own run came to another content: what is made of it says so."""
    book.write(make("m", 1, cache=True), join("j", "m", cache=True))
    await book.start()
    book.fail("j")
    book.write(make("m", 2, cache=True), join("j", "m", cache=True))
    await book.start()
    told = said(book)
    assert told["m"][0] == "cached"
    assert told["j"] == ("produce", "input m changed")


async def test_asked_for_again_or_gone(book: Book) -> None:
    book.write(make("m", 1, cache=True), make("n", 1))
    first = await book.start()
    again = said(book, book.options(refresh=frozenset({"m"})))["m"]
    (book.run(first.run_id) / "m.json").unlink()
    gone = said(book)["m"]
    shutil.rmtree(book.folder / ".waivern/cache")
    empty = said(book)["m"]
    off = said(book, book.options(cache=False))["m"]
    told = [again, gone, empty, off]
    assert [action for action, _ in told] == ["produce"] * 4
    assert len({reason for _, reason in told}) == 4
    assert said(book)["n"] == ("produce", "not known to be repeatable")
    with pytest.raises(ArtifactNotFoundError, match="no artifact 'x'"):
        foreseen(book, book.options(refresh=frozenset({"x"})))


async def test_nothing_was_ever_made(book: Book) -> None:
    data(book, a="x")
    rules(book, "1.0.0")
    book.write(files(), search("found", "files"), make("m"), join("j", "m", cache=True))
    assert set(said(book).values()) == {("produce", "never produced")}
    assert not (book.folder / ".waivern").exists()


async def test_another_runbook_with_the_same_in_it(book: Book) -> None:
    """What no run of this runbook has made may still be there."""
    book.write(make("m", 1), join("j", "m", cache=True))
    await book.start()
    other = Book(book.folder, "other", book.store)
    other.write(make("m", 1), join("j", "m", cache=True))
    assert said(other)["j"][0] == "decided at run time"
    result = await other.start()
    assert result.record.steps["j"].completed
    assert result.record.steps["j"].completed.how == "cached"


async def test_what_hangs_on_a_condition_or_a_gate(book: Book) -> None:
    book.write(
        make("m", 1, cache=True),
        join("maybe", "m", when="inputs.m.value > 1", cache=True),
        join("below", "maybe"),
        join("beside", "m", "gone"),
        join("gone", "m", when="inputs.m.value > 1", optional=True),
        gate("ok", "m"),
        join("after", "m", after=["ok"]),
        join("behind", "after"),
    )
    told = {name: action for name, (action, _) in said(book).items()}
    later = "decided at run time"
    assert told == {
        "m": "produce",
        "maybe": later,
        "below": later,
        "beside": "produce",
        "gone": later,
        "ok": "gate",
        "after": later,
        "behind": later,
    }
    assert said(book)["behind"][1] == "after the decision on 'ok'"
    result = await book.start()
    status = {n: str(s.status) for n, s in result.record.steps.items()}
    assert status == {
        "m": "completed",
        "maybe": "skipped",
        "below": "skipped",
        "beside": "completed",
        "gone": "skipped",
        "ok": "suspended",
        "after": "not_started",
        "behind": "not_started",
    }


async def test_copies(book: Book) -> None:
    book.write(make("m", 1))
    await book.start(run_id="source")
    book.write(reuse("copy", "source", "m"), join("j", "copy", cache=True))
    assert said(book)["copy"] == ("reuse", "'m' of run source")
    await book.start()
    assert said(book)["j"][0] == "cached"
    assert not any(each.work for each in foreseen(book).values())


async def test_the_work_that_a_condition_may_call_for(book: Book) -> None:
    """A condition that was false calls for work again only if what it reads may be other data."""
    book.write(make("m", 1))
    await book.start(run_id="source")
    for source in (reuse("m", "source", "m"), make("m", 1)):
        book.write(source, join("maybe", "m", when="inputs.m.value > 1"))
        assert foreseen(book)["maybe"].work, "nothing is known of it"
        run = await book.start()
        (book.run(run.run_id) / "m.json").unlink()
        again = foreseen(book, resume=run.run_id)
        assert again["maybe"].action == "decided at run time"
        copied = again["m"].action == "reuse"
        assert (again["m"].work, again["maybe"].work) == (not copied, not copied)


async def test_resume(book: Book) -> None:
    book.write(make("a", 1), join("b", "a"), join("c", "b", cache=True), make("d", 1, cache=True))
    book.fail("b")
    await book.start(run_id="r")
    told = {name: action for name, (action, _) in said(book, resume="r").items()}
    assert told == {"a": "keep", "b": "produce", "c": "produce", "d": "keep"}
    book.fail("b", False)
    await book.resume("r")
    assert {action for action, _ in said(book, resume="r").values()} == {"keep"}
    assert not any(each.work for each in foreseen(book, resume="r").values())
    (book.run("r") / "b.json").write_text("{}")
    assert said(book, resume="r")["b"] == ("produce", "its file is altered")
    again = said(book, book.options(refresh=frozenset({"d"})), resume="r")
    assert again["d"][0] == "produce"
    assert again["a"][0] == "keep"


async def test_resume_of_what_may_not_be(book: Book) -> None:
    book.write(make("a", 1))
    await book.start(run_id="r")
    other = Book(book.folder, "other", book.store)
    other.write(make("a", 2))
    with pytest.raises(RefusedError, match=r"run r is a run of .*book\.yaml, not of .*other\.yaml"):
        foreseen(other, resume="r")
    with pytest.raises(Exception, match="no run"):
        foreseen(book, resume="nobody")


async def test_a_running_run_is_in_nobodys_way(book: Book) -> None:
    """No lock is taken: another process may hold every run there is."""
    book.write(make("m", 1, cache=True))
    await book.start(run_id="r")
    from waivern.store.lock import this_process

    lease = LocalFilesystemStore(book.folder / ".waivern").lock("r", this_process())
    try:
        assert forecast(str(book.path), book.store, book.options())[0].action == "cached"
        with pytest.raises(RefusedError):
            await book.resume("r")
    finally:
        lease.release()


async def test_no_secret_is_said(book: Book) -> None:
    canary, other = "s3cret-canary-77", "s3cret-canary-88"
    book.write(
        make("a", "${params.token}", cache=True),
        make("v", "${WORD}", cache=True),
        params={"token": {"type": "string", "secret": True}},
    )
    book.environ["WORD"] = canary
    await book.start(params=RequestedParams(values={"token": canary}))
    book.environ["WORD"] = other
    told = said(book, params=RequestedParams(values={"token": other}))
    assert told["a"] == ("produce", "parameter params.token changed")
    assert told["v"] == ("produce", "variable WORD changed")


async def test_children_and_groups(book: Book) -> None:
    child = {
        "name": "child",
        "inputs": {"data": {"input_schema": "json/1.0.0"}},
        "outputs": {"result": {"artifact": "joined"}},
        "artifacts": join("joined", "data", cache=True),
    }
    (book.folder / "child.yaml").write_text(json.dumps(child))
    directive = {"path": "child.yaml", "input_mapping": {"data": "a"}, "output": "result"}
    each = join("each", "a", value="${each}", for_each=["x", "y"], cache=True)
    book.write(make("a", 1, cache=True), {"sub": {"child_runbook": directive}}, each)
    assert {f.action for f in foreseen(book).values()} == {"produce"}
    await book.start()
    assert {f.action for f in foreseen(book).values()} == {"cached"}
    assert set(foreseen(book)) == {"a", "sub/joined", "each/x", "each/y"}


async def test_how_long_it_took(book: Book) -> None:
    book.write(make("m", 1, cache=True))
    assert foreseen(book)["m"].expected_ms is None
    result = await book.start()
    step = result.record.steps["m"].completed
    assert step
    for _ in range(3):
        await book.start()
    assert foreseen(book)["m"].expected_ms == step.duration_ms


async def test_a_history_of_another_version(book: Book) -> None:
    """What the journal of an older program says of parts is no trouble, and no hit."""
    book.write(make("m", 1, cache=True))
    await book.start(run_id="r")
    shutil.rmtree(book.folder / ".waivern/cache")
    for what in ("code", "properties", "inputs", "rulesets", "environment", "source", "key"):
        _rewritten(book, what)
        assert said(book)["m"][0] == "produce"
        result = await book.start()
        assert result.status == "completed"
        shutil.rmtree(book.run(result.run_id))
        shutil.rmtree(book.folder / ".waivern/cache")


def _rewritten(book: Book, what: str) -> None:
    """Write the journal of run `r` as a program would that knows no part of that name."""
    from waivern.store.journal import JournalChain

    records = [line.record for line in book.store.read_journal("r").lines]
    for record in records:
        if record.get("identity"):
            record["identity"].pop(what, None)
            record["identity"]["odd"] = [None]
    journal = book.run("r") / "_system/events.jsonl"
    journal.write_bytes(JournalChain().extend(records))
    run = book.document("r")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    run["journal"] = {"count": 0, "head": ""}
    assert lines
    (book.run("r") / "_system/run.json").write_text(json.dumps(run))


async def test_a_condition_that_asks_how_another_stands(book: Book) -> None:
    """What was made because another failed is not said to be kept when that one is tried again."""
    spare = make("spare", when="status.first == 'failed'", optional=True)
    asks = make("asks", when="status.spare != 'skipped'")
    book.write(make("first", optional=True), spare, asks, make("x", when="status.asks != 'failed'"))
    book.fail("first")
    run_id = (await book.start()).run_id
    assert said(book, resume=run_id)["spare"][0] == "decided at run time"
    assert said(book, resume=run_id)["asks"][0] == "decided at run time"
    book.fail("first", False)
    again = await book.resume(run_id)
    assert again.state.skipped == ("asks", "spare")
    assert again.state.completed == ("first", "x")
    told = foreseen(book, resume=run_id)
    assert [str(told[name].action) for name in ("first", "x")] == ["keep", "keep"]
    assert not any(each.work for each in told.values())
    assert (await book.resume(run_id)).nothing_to_do
    refresh = book.options(refresh=frozenset({"first"}))
    told = foreseen(book, refresh, resume=run_id)
    assert str(told["x"].action) == "decided at run time"


# what is said, is done

TAKEN = {"cached": "cached", "keep": "produced"}


class Project:
    """A small project that is edited at random."""

    def __init__(self, book: Book, seed: int) -> None:
        self.book = book
        self.chance = random.Random(seed)
        self.values = dict.fromkeys("mnjkl", 0)
        self.texts = {"a": 0, "b": 0, "c": 0}
        self.rules = [0, 0]
        self.code = 0
        self.limit = 0
        self.confidence = 0
        self.names = ["x", "y"]
        self.write()

    def write(self) -> None:
        book, value = self.book, self.values
        data(book, **{name: f"LO-10{n} and more" for name, n in self.texts.items()})
        for n, version in enumerate(self.rules):
            (book.folder / f"own{n}.yaml").write_text(
                f"name: own{n}\nversion: 1.{version}.0\ntypes:\n  STAFF:\n"
                f"    category: employment\n    patterns: ['LO-1{version}\\d']\n"
                "    confidence: 0.6\n"
            )
        steps = STEPS + f"\n# {self.code}\n"
        if (book.folder / "steps.py").read_text() != steps:
            (book.folder / "steps.py").write_text(steps)
        confidence = {"min_confidence": 0.5 + self.confidence / 10}
        book.write(
            files(include=["a.txt", "b.txt"]),
            {"more": {"source": {"type": "filesystem", "properties": {"path": "data/c.txt"}}}},
            search("found", "files", ruleset="own0.yaml"),
            search("both", "files", "more", ruleset="own1.yaml", **confidence),
            join("small", "found", cache=True),
            make("m", value["m"], cache=True),
            make("n", value["n"]),
            join("j", "m", "n", value=value["j"], cache=True),
            join("k", "j", "small", value=value["k"], cache=True),
            join("l", "m", value=value["l"]),
            join("w", "m", when=f"inputs.m.value >= {self.limit}", cache=True),
            join("v", "w", "m", cache=True),
            join("each", "m", value="${each}", for_each=self.names, cache=True),
        )

    def edit(self) -> None:
        often: list[Callable[[], object]] = [self._text, self._rule, self._value, self._value]
        seldom = [self._code, self._limit, self._names, self._confidence, self._forget]
        self.chance.choice([*often, *seldom, self._nothing])()
        self.write()

    def _text(self) -> None:
        self.texts[self.chance.choice("abc")] = self.chance.randrange(3)

    def _rule(self) -> None:
        self.rules[self.chance.randrange(2)] = self.chance.randrange(3)

    def _code(self) -> None:
        self.code = self.chance.randrange(2)

    def _value(self) -> None:
        self.values[self.chance.choice("mnjkl")] = self.chance.randrange(3)

    def _limit(self) -> None:
        self.limit = self.chance.randrange(3)

    def _names(self) -> None:
        self.names = self.chance.sample(["x", "y", "z"], 2)

    def _confidence(self) -> None:
        self.confidence = self.chance.randrange(2)

    def _nothing(self) -> None:
        pass

    def _forget(self) -> None:
        """Remove a run, one file of a run, or the whole cache."""
        runs = self.book.store.runs()
        root = self.book.folder / ".waivern"
        what = self.chance.randrange(4)
        if what == 0 and runs:
            shutil.rmtree(self.book.run(self.chance.choice(runs)))
        elif what == 1 and runs:
            made = sorted(self.book.run(self.chance.choice(runs)).glob("*.json"))
            if made:
                self.chance.choice(made).unlink()
        elif what == 2 and runs:
            made = sorted(self.book.run(self.chance.choice(runs)).glob("*.json"))
            if made:
                self.chance.choice(made).write_text("{}")
        elif (root / "cache").exists():
            shutil.rmtree(root / "cache")


STEPS = """
def make(name, value=None):
    return {"value": value}

def join(inputs, name, value=None):
    return {"value": value, "of": sum(len(str(each)) > 80 for each in inputs)}
"""


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in range(1, 6))]
)
async def test_what_is_said_is_done(book: Book, seed: int) -> None:
    project = Project(book, seed)
    counts = {"cached": 0, "produce": 0, "decided at run time": 0, "keep": 0, "skip": 0}
    run = None
    for turn in range(14):
        if turn:
            project.edit()
        if run and project.chance.random() < 0.3:
            planned = foreseen(book, resume=run)
            result = await book.resume(run, allow_changed=True)
        else:
            planned = foreseen(book)
            result = await book.start()
        assert result.status == "completed"
        for name, each in planned.items():
            step = result.record.steps[name]
            how = step.completed.how if step.completed else str(step.status)
            counts[str(each.action)] += 1
            where = f"seed {seed}, turn {turn}: {name} is {how}, said {each.action}: {each.reason}"
            match str(each.action):
                case "cached":
                    assert how == "cached", where
                case "produce":
                    assert how == "produced", where
                case "keep":
                    assert step.completed, where
                case "skip":
                    assert how == "skipped", where
        run = result.run_id if book.run(result.run_id).exists() else None
    assert all(count for action, count in counts.items() if action != "skip"), counts
