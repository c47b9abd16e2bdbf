"""Never twice: what earlier runs made of the same is taken, whatever is not the same is made."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs_kit import Book, gate, join, make, reuse

from waivern.errors import ArtifactNotFoundError
from waivern.language.project import Project
from waivern.message import Json, content_digest, sha256
from waivern.record.journal_events import ArtifactCompletedRecord, Event
from waivern.runs.replay import replay
from waivern.runs.request import RunRequest
from waivern.runs.result import RunResult
from waivern.runs.run_options import RunOptions
from waivern.runs.run_params import RequestedParams
from waivern.runs.verify import verify
from waivern.store import disk
from waivern.store.memory import AsyncInMemoryStore


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setattr(sys, "path", list(sys.path))  # steps add their folder
    return Book(tmp_path / "place")


def made(result: RunResult) -> dict[str, str]:
    """Return how each artifact came to be, or how it stands."""
    steps = result.record.steps
    return {n: s.completed.how if s.completed else str(s.status) for n, s in steps.items()}


def done(book: Book, result: RunResult, name: str) -> ArtifactCompletedRecord:
    step = result.record.steps[name].completed
    assert step is not None
    return step


def files(name: str = "files", **more: Any) -> dict[str, Any]:
    properties = {"path": "data", **more.pop("properties", {})}
    return {name: {"source": {"type": "filesystem", "properties": properties}, **more}}


def search(name: str, *inputs: str, ruleset: str | None = None, **more: Any) -> dict[str, Any]:
    properties: dict[str, Any] = {"ruleset": ruleset} if ruleset else {}
    process = {"type": "personal_data", "properties": properties | more.pop("properties", {})}
    return {name: {"inputs": list(inputs), "process": process, **more}}


def data(book: Book, **texts: str) -> None:
    (book.folder / "data").mkdir(exist_ok=True)
    for name, text in texts.items():
        (book.folder / "data" / f"{name}.txt").write_text(text)


def sources(book: Book) -> None:
    """Write a source of each kind."""
    data(book, a="Write to ann@example.org", b="nothing")
    (book.folder / "data/binary.bin").write_bytes(b"\x00\x01")
    with sqlite3.connect(book.folder / "people.db") as connection:
        connection.execute("create table people (name text, mail text)")
        connection.execute("insert into people values ('Bo', 'bo@example.org')")
    connection.close()
    rules(book, "1.0.0")


def rules(book: Book, version: str, text: str = "LO") -> None:
    pattern = f"'{text}-\\d{{3}}'"
    (book.folder / "rules.yaml").write_text(
        f"name: own\nversion: {version}\ntypes:\n  STAFF:\n    category: employment\n"
        f"    patterns: [{pattern}]\n    confidence: 0.6\n"
    )


DATABASE = {"database": {"source": {"type": "sqlite", "properties": {"path": "people.db"}}}}
MERGED = {"merged": {"inputs": ["a", "b"], "process": {"type": "merge"}}}


async def test_a_second_run_makes_nothing(book: Book) -> None:
    sources(book)
    book.write(
        files(),
        DATABASE,
        search("in_files", "files", ruleset="rules.yaml"),
        search("in_tables", "database"),
        make("a", {"x": 1}, cache=True),
        {"b": make("a", {"y": 2}, cache=True)["a"]},
        MERGED,
        join("end", "merged_names", cache=True),
        {"merged_names": make("merged_names")["merged_names"]},
    )
    first = await book.start(run_id="first")
    assert first.status == "completed"
    assert set(made(first).values()) == {"produced"}
    assert book.calls() == {"a": 2, "merged_names": 1, "end": 1}
    second = await book.start(run_id="second")
    how = made(second)
    assert how.pop("merged_names") == "produced"  # nobody said that it may be cached
    assert set(how.values()) == {"cached"}
    assert book.calls() == {"merged_names": 1}
    assert second.warnings == ()
    for name in how:
        then, now = done(book, first, name), done(book, second, name)
        assert now.content_digest == then.content_digest
        assert now.coverage == then.coverage
        assert now.identity == then.identity
        assert now.origin
        seq = now.origin["seq"]
        assert now.origin == {
            "run": "first",
            "artifact": name,
            "seq": seq,
            "digest": then.digest,
        }
        line = book.store.read_journal("first").lines[seq - 1].record
        assert (line["type"], line["artifact"]) == ("artifact_completed", name)
        old, new = book.document("first", name), book.document("second", name)
        assert new["content"] == old["content"]
        assert new["extensions"]["coverage"] == old["extensions"]["coverage"]
        assert (new["run_id"], new["source"]) == ("second", old["source"])
        assert (book.run("second") / f"{name}.json").stat().st_nlink == 1
    coverage = done(book, second, "files").coverage
    assert coverage == {"seen": 3, "read": 2, "skipped": 1, "left_out": 0}
    assert not verify(book.store, "second").faults
    third = await book.start(run_id="third")
    assert (done(book, third, "files").origin or {})["run"] == "second"
    shutil.rmtree(book.run("first"))
    assert not verify(book.store, "third").faults


async def test_what_is_cached_and_what_is_not(book: Book, tmp_path: Path) -> None:
    (book.folder / "waivern.yaml").write_text("cache: false\n")
    off = _project(book)
    cases: list[tuple[bool | None, bool | None, RunOptions | None, str]] = [
        (None, None, None, "produced"),
        (True, None, None, "cached"),
        (False, None, None, "produced"),
        (None, True, None, "cached"),
        (False, True, None, "produced"),
        (True, False, None, "cached"),
        (True, None, book.options(cache=False), "produced"),
        (True, None, book.options(project=off), "produced"),
        (True, None, book.options(project=off, cache=True), "cached"),
    ]
    for own, of_all, options, expected in cases:
        more: dict[str, Any] = {} if own is None else {"cache": own}
        config: dict[str, Any] = {} if of_all is None else {"config": {"cache": of_all}}
        book.write(make("a", 1, **more), **config)
        shutil.rmtree(book.folder / ".waivern", ignore_errors=True)
        for turn in ("produced", expected):
            result = await book.start(options)
            assert made(result) == {"a": turn}, (own, of_all, turn)
    data(book, a="x")
    book.write(files(cache=False))
    for _ in range(2):
        assert made(await book.start()) == {"files": "produced"}


def _project(book: Book) -> Project:
    from waivern.runs.locate import find_project

    project = find_project(str(book.folder))
    assert project is not None
    return project


async def test_without_the_cache_nothing_is_remembered(book: Book) -> None:
    book.write(make("a", 1, cache=True))
    result = await book.start(book.options(cache=False))
    assert done(book, result, "a").identity is None
    assert not (book.folder / ".waivern/cache").exists()
    assert made(await book.start()) == {"a": "produced"}


async def test_what_cannot_be_cached_does_not_touch_the_cache(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[str] = []
    plain = disk.step

    def step(operation: str, name: str) -> None:
        touched.append(name)
        plain(operation, name)

    monkeypatch.setattr(disk, "step", step)
    book.write(make("a", 1), join("b", "a"), gate("g", "b"))
    await book.start()
    assert "runs" in touched
    assert not {"cache", "key"} & {Path(name).name for name in touched}
    assert not (book.folder / ".waivern/cache").exists()


async def test_refresh(book: Book) -> None:
    book.write(make("a", 1, cache=True), join("b", "a", cache=True))
    await book.start(run_id="first")
    book.calls()
    again = await book.start(book.options(refresh=frozenset({"a"})), run_id="again")
    assert made(again) == {"a": "produced", "b": "cached"}
    assert book.calls() == {"a": 1}
    later = await book.start()
    assert (done(book, later, "a").origin or {})["run"] == "again"
    before = book.store.runs()
    with pytest.raises(ArtifactNotFoundError, match="no artifact 'c'"):
        await book.start(book.options(refresh=frozenset({"a", "c"})))
    assert book.store.runs() == before


async def test_refresh_of_a_name_that_stands_for_several(book: Book) -> None:
    each = make("a", 1, cache=True)
    each["a"]["for_each"] = ["x", "y"]
    book.write(each, make("b", 1, cache=True))
    await book.start()
    again = await book.start(book.options(refresh=frozenset({"a"})))
    assert made(again) == {"a/x": "produced", "a/y": "produced", "b": "cached"}
    resumed = await book.resume(again.run_id, book.options(refresh=frozenset({"a"})))
    assert made(resumed) == {"a/x": "produced", "a/y": "produced", "b": "cached"}
    assert len(resumed.record.metadata.attempts) == 2


# what counts as the same

Edit = Callable[[Book], object]
SAME = {"args": {"name": "b", "value": 1}, "call": "steps.py:join"}


def _as(*inputs: str, **more: Any) -> Edit:
    return lambda book: book.write(
        make("x", 1, cache=True), make("y", 2, cache=True), join("b", *inputs, **more)
    )


@pytest.mark.parametrize(
    ("before", "after", "how"),
    [
        (_as("x", "y", cache=True), _as("x", "y", cache=True), "cached"),
        (_as("x", "y", cache=True), _as("y", "x", cache=True), "produced"),
        (_as("x", "y", cache=True), _as("x", cache=True), "produced"),
        (_as("x", cache=True), _as("y", cache=True), "produced"),
        (_as("x", cache=True), _as("x", cache=True, value=1), "produced"),
        (_as("x", cache=True, value=1), _as("x", cache=True, value=True), "produced"),
        (_as("x", cache=True, value=1), _as("x", cache=True, value="1"), "produced"),
        (_as("x", cache=True, value=1), _as("x", cache=True, value=1.0), "produced"),
        (_as("x", cache=True), _as("x", cache=True, output_schema="note/1.0.0"), "produced"),
        (_as("x", cache=True), _as("x", cache=True, optional=True), "cached"),
        (_as("x", cache=True), _as("x", cache=True, output=True, description="B"), "cached"),
    ],
    ids=range(11),
)
async def test_inputs_and_properties(book: Book, before: Edit, after: Edit, how: str) -> None:
    before(book)
    await book.start()
    after(book)
    assert made(await book.start())["b"] == how


async def test_the_schema_of_an_input_counts(book: Book) -> None:
    """The same content is read otherwise if it is said to be something else."""
    content = {"files": [{"path": "a", "size": 3, "encoding": "utf-8", "text": "a@example.org"}]}
    properties = {"call": "steps.py:make", "args": {"name": "x", "value": 1}}
    (book.folder / "steps.py").write_text(f"def make(name, value=None):\n    return {content!r}\n")
    source = {"source": {"type": "python", "properties": properties}}
    book.write({"x": source}, search("found", "x"))
    first = await book.start()
    book.write({"x": {**source, "output_schema": "file_set/1.0.0"}}, search("found", "x"))
    second = await book.start()
    assert made(second) == {"x": "produced", "found": "produced"}
    ids = [book.content(result.run_id, "found")["findings"] for result in (first, second)]
    assert ids[0] != ids[1]


async def test_code(book: Book) -> None:
    book.write(make("a", 1, cache=True))
    await book.start()
    steps = book.folder / "steps.py"
    steps.write_text(steps.read_text() + "\n# changed\n")
    assert made(await book.start()) == {"a": "produced"}
    assert made(await book.start()) == {"a": "cached"}


async def test_code_that_changes_while_it_works(book: Book) -> None:
    """What ran is what was looked at before, and nothing else is made of what came of it."""
    steps = book.folder / "steps.py"
    own = "Path(__file__)"
    steps.write_text(f"{steps.read_text()}\n{own}.write_text({own}.read_text() + '# changed')\n")
    before = steps.read_bytes()
    book.write(make("a", 1, cache=True), make("b", 2, cache=True))
    result = await book.start()
    assert steps.read_bytes() != before
    for name in ("a", "b"):
        identity = done(book, result, name).identity
        assert identity is not None
        assert identity["code"][1] == sha256(before)
    assert made(await book.start()) == {"a": "produced", "b": "produced"}


async def test_params(book: Book) -> None:
    book.write(
        make("a", "${params.x}", cache=True),
        make("b", 1, cache=True),
        params={"x": {"type": "integer"}},
    )
    await book.start(params=RequestedParams(values={"x": 1}))
    assert made(await book.start(params=RequestedParams(values={"x": 1}))) == {
        "a": "cached",
        "b": "cached",
    }
    other = await book.start(params=RequestedParams(values={"x": 2}))
    assert made(other) == {"a": "produced", "b": "cached"}


SECRET, OTHER = "s3cret-canary-7f", "another-canary-2e"


async def test_secrets_count_and_are_written_nowhere(book: Book) -> None:
    (book.folder / "steps.py").write_text("def size(text):\n    return {'size': len(text)}\n")
    properties = {"call": "steps.py:size", "args": {"text": "${params.token}"}}
    variable = {"call": "steps.py:size", "args": {"text": "${TOKEN}"}}
    book.write(
        {"a": {"source": {"type": "python", "properties": properties}, "cache": True}},
        {"v": {"source": {"type": "python", "properties": variable}, "cache": True}},
        params={"token": {"type": "string", "secret": True}},
    )

    async def run(param: str, variable: str) -> dict[str, str]:
        book.environ["TOKEN"] = variable
        return made(await book.start(params=RequestedParams(values={"token": param})))

    assert await run(SECRET, OTHER) == {"a": "produced", "v": "produced"}
    assert await run(SECRET, OTHER) == {"a": "cached", "v": "cached"}
    assert await run(OTHER, OTHER) == {"a": "produced", "v": "cached"}
    assert await run(OTHER, SECRET) == {"a": "cached", "v": "produced"}
    forms = {
        form
        for value in (SECRET, OTHER)
        for digest in (sha256(value.encode()), content_digest(value))
        for form in (value, digest.removeprefix("sha256:"))
    }
    looked = 0
    for path in (book.folder / ".waivern").rglob("*"):
        if path.is_file() and path.name != "key":
            looked += 1
            text = path.read_bytes()
            assert not [form for form in forms if form.encode() in text], path
    assert looked > 10


async def test_a_variable_that_is_not_set_and_its_default(book: Book) -> None:
    book.write(make("a", "${WORD:-hello}", cache=True))
    await book.start()
    assert made(await book.start()) == {"a": "cached"}
    book.environ["WORD"] = "bye"
    result = await book.start()
    assert made(result) == {"a": "produced"}
    assert book.content(result.run_id, "a")["value"] == "bye"


async def test_rulesets(book: Book) -> None:
    sources(book)
    book.write(files(), search("own", "files", ruleset="rules.yaml"), search("plain", "files"))
    await book.start()
    rules(book, "1.1.0", "MO")
    result = await book.start()
    assert made(result) == {"files": "cached", "own": "produced", "plain": "cached"}
    rules(book, "1.0.0")
    assert set(made(await book.start()).values()) == {"cached"}


async def test_a_source_changed_with_the_same_size_and_time(book: Book) -> None:
    data(book, a="one")
    path = book.folder / "data/a.txt"
    before = path.stat()
    book.write(files(), join("b", "files_of", cache=True), join("files_of", "files", cache=True))
    _names(book)
    await book.start()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    result = await book.start()
    assert made(result)["files"] == "produced"
    assert book.content(result.run_id, "files")["files"][0]["digest"] == sha256(b"two")
    path.touch()
    assert made(await book.start())["files"] == "cached"


def _names(book: Book) -> None:
    """Let `join` take anything, and return only how much it was given."""
    (book.folder / "steps.py").write_text(
        "from pathlib import Path\n"
        "def join(inputs, name, value=None):\n"
        "    with (Path(__file__).parent / 'calls.txt').open('a') as file:\n"
        "        file.write(name + '\\n')\n"
        "    return {'name': name, 'inputs': len(inputs)}\n"
    )


async def test_early_cutoff(book: Book) -> None:
    """What comes out as before lets everything below it rest."""
    data(book, a="one", b="two")
    _names(book)
    book.write(files(), join("count", "files", cache=True), join("end", "count", cache=True))
    await book.start()
    assert book.calls() == {"count": 1, "end": 1}
    data(book, a="changed")
    result = await book.start()
    assert made(result) == {"files": "produced", "count": "produced", "end": "cached"}
    assert book.calls() == {"count": 1}


async def test_a_source_that_comes_out_as_before(book: Book) -> None:
    """Its marks have changed, its content has not."""
    with sqlite3.connect(book.folder / "people.db") as connection:
        connection.execute("create table people (name text)")
        connection.execute("insert into people values ('Bo')")
    connection.close()
    properties = {"path": "people.db", "max_rows": 0}
    source = {"database": {"source": {"type": "sqlite", "properties": properties}}}
    book.write(source, search("found", "database"))
    await book.start()
    properties["max_rows"] = -0
    properties["tables"] = ["people"]
    book.write(source, search("found", "database"))
    result = await book.start()
    assert made(result) == {"database": "produced", "found": "cached"}


async def test_a_source_that_changes_while_it_is_read(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    from waivern.builtin.filesystem import Filesystem

    data(book, a="one")
    plain = Filesystem.extract

    def extract(self: Filesystem, config: Any, ctx: Any) -> Json:
        content = plain(self, config, ctx)
        data(book, a="two")
        return content

    monkeypatch.setattr(Filesystem, "extract", extract)
    book.write(files(keep="content"))
    result = await book.start()
    assert result.status == "completed"
    assert done(book, result, "files").identity is None
    monkeypatch.undo()
    data(book, a="one")
    assert made(await book.start()) == {"files": "produced"}


# shapes of runbooks


async def test_async_components(book: Book) -> None:
    (book.folder / "steps.py").write_text(
        "from pathlib import Path\n"
        "async def make(name, value=None):\n"
        "    with (Path(__file__).parent / 'calls.txt').open('a') as file:\n"
        "        file.write(name + '\\n')\n"
        "    return {'value': value}\n"
    )
    book.write(make("a", 1, cache=True))
    await book.start()
    result = await book.start()
    assert made(result) == {"a": "cached"}
    assert book.calls() == {"a": 1}
    assert book.content(result.run_id, "a") == {"value": 1}


async def test_groups(book: Book) -> None:
    """Of a group only the new items are made; a child under two directives finds its own again."""
    book.write(make("each", "${each}", for_each=["eu", "us"], cache=True))
    await book.start()
    book.write(make("each", "${each}", for_each=["us", "uk", "eu"], cache=True))
    result = await book.start()
    assert made(result) == {"each/us": "cached", "each/uk": "produced", "each/eu": "cached"}


CHILD = {
    "name": "child",
    "inputs": {"data": {"input_schema": "json/1.0.0"}},
    "outputs": {"result": {"artifact": "joined"}},
    "artifacts": {
        "extra": make("extra", 1, cache=True)["extra"],
        **join("joined", "data", "extra", cache=True),
    },
}


def _directive(name: str, **more: Any) -> dict[str, Any]:
    child = {"path": "child.yaml", "input_mapping": {"data": "a"}, "output": "result"}
    return {name: {"child_runbook": child, **more}}


async def test_children(book: Book) -> None:
    (book.folder / "child.yaml").write_text(json.dumps(CHILD))
    book.write(make("a", 1), _directive("one"))
    first = await book.start(run_id="first")
    assert first.status == "completed"
    book.calls()
    book.write(make("a", 1), _directive("one"), _directive("two"))
    second = await book.start(run_id="second")
    how = {name: how for name, how in made(second).items() if name != "a"}
    assert how == dict.fromkeys(["one/extra", "one/joined", "two/extra", "two/joined"], "cached")
    assert book.calls() == {"a": 1}
    assert (done(book, second, "two/joined").origin or {})["artifact"] == "one/joined"
    assert not verify(book.store, "second").faults


async def test_conditions_come_before_the_cache(book: Book) -> None:
    def write(limit: int) -> None:
        book.write(
            make("a", 1, cache=True),
            join("b", "a", cache=True, when=f"inputs.a.value > {limit}"),
        )

    write(0)
    assert made(await book.start()) == {"a": "produced", "b": "produced"}
    write(1)
    assert made(await book.start()) == {"a": "cached", "b": "skipped"}
    write(0)
    assert made(await book.start()) == {"a": "cached", "b": "cached"}


async def test_copies_and_gates_are_no_entries(book: Book) -> None:
    book.write(make("a", 1, cache=True))
    await book.start(run_id="source")
    book.write(
        reuse(
            "copy",
            "source",
            "a",
        ),
        gate("ok", "copy"),
    )
    for run in ("one", "two"):
        first = await book.start(run_id=run)
        assert made(first) == {"copy": "reused", "ok": "suspended"}
        assert done(book, first, "copy").identity is None


# what is not there any more


@pytest.mark.parametrize("fault", ["altered", "deleted", "a link", "run deleted", "journal"])
async def test_an_entry_that_leads_nowhere(book: Book, fault: str) -> None:
    book.write(make("a", 1, cache=True), join("b", "a", cache=True))
    await book.start(run_id="first")
    book.calls()
    run = book.run("first")
    match fault:
        case "altered":
            text = (run / "a.json").read_text()
            (run / "a.json").write_text(text.replace("1", "2"))
        case "deleted":
            (run / "a.json").unlink()
        case "a link":
            (run / "a.json").rename(book.folder / "a.json")
            (run / "a.json").symlink_to(book.folder / "a.json")
        case "run deleted":
            shutil.rmtree(run)
        case "journal":
            journal = run / "_system/events.jsonl"
            journal.write_text(journal.read_text().replace('"steps.py:make"', '"steps.py:nope"'))
    second = await book.start(run_id="second")
    both = fault in ("run deleted", "journal")
    assert made(second) == {"a": "produced", "b": "produced" if both else "cached"}
    assert second.warnings == ()
    assert not verify(book.store, "second").faults
    third = await book.start()
    assert made(third) == {"a": "cached", "b": "cached"}


async def test_an_entry_that_lies(book: Book) -> None:
    """Entries are believed nothing that the journal of the run does not say."""
    book.write(make("a", 1, cache=True), make("b", 2, cache=True))
    first = await book.start(run_id="first")
    key = (done(book, first, "a").identity or {})["key"]
    other = done(book, first, "b")
    lies: list[dict[str, Json]] = [
        {"run": "first", "artifact": "b", "digest": other.digest, "seq": 5},
        {"run": "../../first", "artifact": "a"},
        {"run": "first", "artifact": "../first/a"},
        {"run": 3, "artifact": ["a"]},
        {"run": None, "artifact": None},
        {},
    ]
    for lie in lies:
        book.store.remember({key: lie})
        result = await book.start()
        assert made(result) == {"a": "produced", "b": "cached"}, lie
        assert book.content(result.run_id, "a")["value"] == 1


async def test_a_run_that_fails_remembers_what_it_completed(book: Book) -> None:
    book.write(make("a", 1, cache=True), join("b", "a", cache=True))
    book.fail("b")
    assert (await book.start(run_id="bad")).status == "failed"
    book.fail("b", False)
    result = await book.start()
    assert made(result) == {"a": "cached", "b": "produced"}
    assert (done(book, result, "a").origin or {})["run"] == "bad"


async def test_resume_keeps_its_own_first(book: Book) -> None:
    book.write(make("a", 1, cache=True), join("b", "a", cache=True), join("c", "b", cache=True))
    book.fail("c")
    await book.start(run_id="one")
    book.fail("c", False)
    await book.start(run_id="two")
    book.calls()
    (book.run("one") / "b.json").write_text("{}")
    result = await book.resume("one")
    assert result.status == "completed"
    assert book.calls() == {}
    events = [e for e in book.events("one") if _completed_after(e, book, "one")]
    assert [(e.artifact, e.how) for e in events if isinstance(e, ArtifactCompletedRecord)] == [
        ("b", "cached"),
        ("c", "cached"),
    ]
    assert done(book, result, "a").how == "produced"
    assert not verify(book.store, "one").faults


def _completed_after(event: Event, book: Book, run: str) -> bool:
    events = book.events(run)
    last = max(n for n, e in enumerate(events) if type(e).__name__ == "AttemptStartedRecord")
    return isinstance(event, ArtifactCompletedRecord) and events.index(event) > last


async def test_a_replay_takes_nothing(book: Book) -> None:
    book.write(make("a", 1, cache=True))
    await book.start(run_id="first")
    book.calls()
    result = replay(RunRequest(run="first"), book.store, book.options())
    assert made(result) == {"a": "produced"}
    assert book.calls() == {"a": 1}


async def test_what_was_handed_over_is_not_remembered(book: Book) -> None:
    """A component that waited has made it of data that nobody has again."""
    book.write(make("a", 1, cache=True))
    (book.folder / "steps.py").write_text(
        "from waivern.plugins.component import Suspend\n"
        "def make(name, value=None):\n"
        "    raise Suspend('for data')\n"
    )
    first = await book.start(run_id="first")
    assert first.status == "suspended"
    (book.folder / "steps.py").write_text(
        "def make(name, value=None):\n    return {'value': value}\n"
    )
    result = await book.resume("first", data={"x": 1})
    assert made(result) == {"a": "produced"}
    assert done(book, result, "a").identity is None


# trouble


@pytest.mark.parametrize("kind", ["a file", "a damaged key", "a shard"])
async def test_a_cache_that_cannot_be_used(book: Book, kind: str) -> None:
    book.write(make("a", 1, cache=True))
    cache = book.folder / ".waivern/cache"
    if kind != "a shard":
        await book.start()
        shutil.rmtree(cache)
    if kind == "a file":
        cache.write_text("not a folder")
    else:
        cache.mkdir(parents=True)
    if kind == "a damaged key":
        (cache / "key").write_bytes(b"short")
    if kind == "a shard":
        for n in range(256):
            (cache / f"{n:02x}.jsonl").mkdir()
    result = await book.start(run_id="r")
    assert result.status == "completed"
    assert result.exit_code == 0
    assert made(result) == {"a": "produced"}
    (warning,) = result.warnings
    assert "cache" in warning
    assert not verify(book.store, "r").faults


@pytest.mark.parametrize("operation", ["mkdir", "open", "write", "sync", "rename", "unlink"])
async def test_a_disk_that_refuses_the_cache(
    book: Book, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    book.write(make("a", 1, cache=True))
    plain, refused = disk.step, 0

    def step(asked: str, name: str) -> None:
        nonlocal refused
        ours = name in ("cache", "key") or name.startswith(".tmp-key") or name[2:] == ".jsonl"
        if asked == operation and ours:
            refused += 1
            raise PermissionError(13, "Permission denied")
        plain(asked, name)

    monkeypatch.setattr(disk, "step", step)
    result = await book.start(run_id="r")
    assert refused
    assert result.status == "completed"
    assert made(result) == {"a": "produced"}
    (warning,) = result.warnings
    assert "cannot" in warning


class Odd:
    """A connector that says anything about itself."""

    name = "odd"
    version = "1.0.0"

    def __init__(self, **more: Any) -> None:
        for name, value in more.items():
            setattr(self, name, value)


def _raises(error: BaseException) -> Callable[..., Any]:
    def ask(_config: Any, _ctx: Any) -> Any:
        raise error

    return ask


@pytest.mark.parametrize("what", ["fingerprint", "rulesets", "code"])
@pytest.mark.parametrize(
    "answer",
    [
        _raises(ValueError("no")),
        _raises(SystemExit(3)),
        _raises(OSError(5, "no")),
        lambda _config, _ctx: 3,
        lambda _config, _ctx: ["a"],
        lambda _config, _ctx: {"a": object()},
        lambda _config, _ctx: {1: 2, "x": float("nan")},
        lambda _config, _ctx: {"\udcff": "\udcff"},
        dict,
    ],
    ids=range(9),
)
async def test_a_component_that_says_odd_things(
    book: Book, monkeypatch: pytest.MonkeyPatch, what: str, answer: Callable[..., Any]
) -> None:
    """Whatever comes of it, the artifact is made and the run goes on."""
    from waivern.builtin.filesystem import Filesystem

    monkeypatch.setattr(Filesystem, what, staticmethod(answer), raising=False)
    data(book, a="x")
    book.write(files(keep="content"), join("b", "files_named"), make("files_named"))
    for _ in range(2):
        result = await book.start()
        assert result.status == "completed", result.record.steps["files"].error
        assert book.content(result.run_id, "files")["files"][0]["text"] == "x"
        assert not verify(book.store, result.run_id).faults


async def test_in_memory(book: Book) -> None:
    kept = book.store
    book.store = AsyncInMemoryStore()
    book.write(make("a", 1, cache=True))
    await book.start()
    result = await book.start()
    assert made(result) == {"a": "cached"}
    assert book.calls() == {"a": 1}
    assert result.warnings == ()
    book.store = AsyncInMemoryStore()
    assert made(await book.start()) == {"a": "produced"}
    assert kept.runs() == []
