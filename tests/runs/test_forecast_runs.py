"""Doing nothing twice, from one run to the next; and what was foreseen of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from runs_kit import Book, gate, join, make

from waivern.errors import ArtifactNotFoundError
from waivern.message import Json
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.runs.forecast import Forecast, forecast
from waivern.runs.locate import find_project
from waivern.runs.replay import replay
from waivern.runs.request import RunRequest
from waivern.runs.result import RunResult
from waivern.runs.retention import remove
from waivern.runs.run_params import RequestedParams
from waivern.runs.start import start
from waivern.store.memory import AsyncInMemoryStore

CACHE: dict[str, Any] = {"cache": True}


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "work")


def how(result: RunResult) -> dict[str, str]:
    return {n: s.completed.how for n, s in result.record.steps.items() if s.completed}


def done(result: RunResult, name: str) -> ArtifactCompletedRecord:
    completed = result.record.steps[name].completed
    assert completed is not None
    return completed


def foreseen(book: Book, **more: Any) -> dict[str, Forecast]:
    options = more.pop("options", None) or book.options()
    before = snapshot(book)
    found = forecast(str(book.path), book.store, options, **more)
    assert snapshot(book) == before, "something was written"
    return {each.artifact: each for each in found}


def snapshot(book: Book) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
        for path in book.folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def actions(book: Book, **more: Any) -> dict[str, str]:
    return {name: str(each.action) for name, each in foreseen(book, **more).items()}


def data(book: Book, **files: str) -> None:
    folder = book.folder / "data"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)


def files(name: str, **more: Any) -> dict[str, Any]:
    properties = {"path": "data", **more.pop("properties", {})}
    return {name: {"source": {"type": "filesystem", "properties": properties}, **more}}


def merge(name: str, *inputs: str, **more: Any) -> dict[str, Any]:
    return {name: {"inputs": list(inputs), "merge": None, **more}}


async def test_a_second_run_takes_everything(book: Book) -> None:
    data(book, a="one", b="two")
    book.write(files("f"), make("m", 1, **CACHE), merge("g", "f"), join("j", "m", **CACHE))
    assert actions(book) == dict.fromkeys("fmgj", "produce")
    assert {each.reason for each in foreseen(book).values()} == {"never produced"}
    first = await book.start()
    assert how(first) == dict.fromkeys("fmgj", "produced")
    assert book.calls() == {"m": 1, "j": 1}
    planned = foreseen(book)
    assert {str(each.action) for each in planned.values()} == {"cached"}
    assert not any(each.work for each in planned.values())
    assert {each.reason for each in planned.values()} == {f"from run {first.run_id}"}
    second = await book.start()
    assert how(second) == dict.fromkeys("fmgj", "cached")
    assert book.calls() == {}
    for name in "fmgj":
        was, now = book.document(first.run_id, name), book.document(second.run_id, name)
        for key in ("content", "schema", "id", "source"):
            assert now[key] == was[key]
        assert now["extensions"]["coverage"] == was["extensions"]["coverage"]
        assert (was["run_id"], now["run_id"]) == (first.run_id, second.run_id)
        event, step = done(second, name), first.record.steps[name]
        assert event.origin == {
            "run": first.run_id,
            "artifact": name,
            "seq": step.seq,
            "digest": done(first, name).digest,
        }
        assert event.content_digest == done(first, name).content_digest
        assert event.coverage == done(first, name).coverage
        assert book.run(second.run_id).joinpath(f"{name}.json").stat().st_nlink == 1
    third = await book.start()
    assert (done(third, "m").origin or {})["run"] == second.run_id


async def test_nothing_is_kept_for_what_may_not_be_taken(book: Book) -> None:
    data(book, a="one")
    book.write(make("m"), join("j", "m"), files("f", cache=False))
    await book.start()
    result = await book.start()
    assert how(result) == dict.fromkeys("mjf", "produced")
    assert not (book.folder / ".waivern/cache").exists()
    assert done(result, "f").identity is None
    planned = foreseen(book)
    assert {name: each.reason for name, each in planned.items()} == {
        "m": "not known to be repeatable",
        "j": "its input m is produced",
        "f": "its cache is off",
    }


async def test_switched_off(book: Book, tmp_path: Path) -> None:
    data(book, a="one")
    (book.folder / "waivern.yaml").write_text("cache: false\n")
    project = find_project(str(book.folder))
    off = [book.options(cache=False), book.options(project=project)]
    book.write(files("f"))
    for options in off:
        assert how(await book.start(options)) == {"f": "produced"}
        assert not (book.folder / ".waivern/cache").exists()
    await book.start()
    for options in off:
        assert foreseen(book, options=options)["f"].reason == "the cache is off"
        assert how(await book.start(options)) == {"f": "produced"}
    assert how(await book.start(book.options(project=project, cache=True))) == {"f": "cached"}
    book.write(files("f"), config={"cache": False})
    assert foreseen(book)["f"].reason == "its cache is off"
    assert how(await book.start()) == {"f": "produced"}
    book.write(make("m"), config={"cache": True})
    await book.start()
    assert how(await book.start()) == {"m": "cached"}


async def test_refreshed(book: Book) -> None:
    book.write(make("m", 1, **CACHE), join("j", "m", **CACHE))
    await book.start()
    options = book.options(refresh=frozenset({"m"}))
    planned = foreseen(book, options=options)
    assert (planned["m"].action, planned["m"].reason) == ("produce", "it is to be refreshed")
    assert planned["j"].action == "decided at run time"
    result = await book.start(options)
    assert how(result) == {"m": "produced", "j": "cached"}
    newest = await book.start()
    assert (done(newest, "m").origin or {})["run"] == result.run_id
    unknown = book.options(refresh=frozenset({"n"}))
    request = RunRequest(source=str(book.path))
    for ask in (
        lambda: foreseen(book, options=unknown),
        lambda: start(request, book.store, unknown),
    ):
        with pytest.raises(ArtifactNotFoundError, match="--refresh"):
            ask()


Edit = Callable[[Book], None]
BASE = (
    files("f"),
    make("m", 1, **CACHE),
    join("j", "m", value=2, **CACHE),
    merge("g", "f"),
)


def _steps(book: Book) -> None:
    steps = book.folder / "steps.py"
    steps.write_text(steps.read_text() + "\n# another\n")


EDITS: dict[str, tuple[Edit, dict[str, str]]] = {
    "a file is edited": (
        lambda book: data(book, a="another"),
        {"f": "source: 1 changed (a.txt)", "g": "input f changed"},
    ),
    "a file is new": (
        lambda book: data(book, c="c"),
        {"f": "source: 1 new (c.txt)", "g": "input f changed"},
    ),
    "a file is gone": (
        lambda book: (book.folder / "data/b.txt").unlink(),
        {"f": "source: 1 gone (b.txt)", "g": "input f changed"},
    ),
    "a property": (
        lambda book: book.write(files("f", properties={"max_file_size": "1MB"}), *BASE[1:]),
        {"f": "property max_file_size (none) → '1MB'"},
    ),
    "an argument": (
        lambda book: book.write(BASE[0], make("m", 7, **CACHE), *BASE[2:]),
        {"m": "property args.value 1 → 7"},
    ),
    "the end of it": (
        lambda book: book.write(*BASE[:2], join("j", "m", value=3, **CACHE), BASE[3]),
        {"j": "property args.value 2 → 3"},
    ),
    "code": (_steps, {"m": "code changed", "j": "code changed"}),
    "an input": (
        lambda book: book.write(
            *BASE[:3], merge("g", "f", "f2"), files("f2", properties={"include": ["a*"]})
        ),
        {"f2": "never produced", "g": "input f2 is new"},
    ),
}


@pytest.mark.parametrize("name", EDITS)
async def test_what_is_edited_is_made_again(book: Book, name: str) -> None:
    """What was foreseen is what is done, and the reason is the part that was changed."""
    data(book, a="one", b="two")
    book.write(*BASE)
    await book.start()
    edit, reasons = EDITS[name]
    edit(book)
    planned = foreseen(book)
    assert {n: planned[n].reason for n in reasons} == reasons
    assert {n for n, each in planned.items() if each.action == "produce"} == set(reasons)
    result = how(await book.start())
    for artifact, each in planned.items():
        if each.action != "decided at run time":
            assert result[artifact] == {"produce": "produced", "cached": "cached"}[each.action]
            assert each.work == (each.action == "produce")
    assert set(how(await book.start()).values()) == {"cached"}


async def test_what_comes_out_the_same_stops_it(book: Book) -> None:
    book.write(make("m", 1, **CACHE), join("j", "m", **CACHE), join("k", "j", **CACHE))
    await book.start()
    _steps(book)  # `j` and `k` are of the same file
    book.write(
        make("m", 1, **CACHE),
        {"s": {"inputs": ["m"], "merge": None}},
        {"t": {"inputs": ["s"], "merge": None}},
    )
    await book.start()
    _steps(book)
    planned = foreseen(book)
    assert planned["m"].reason == "code changed"
    assert planned["s"].reason == "m may come out as before, or not"
    assert {n: str(p.action) for n, p in planned.items()} == {
        "m": "produce",
        "s": "decided at run time",
        "t": "decided at run time",
    }
    assert how(await book.start()) == {"m": "produced", "s": "cached", "t": "cached"}


async def test_a_run_that_is_gone_is_missed_by_nobody(book: Book) -> None:
    book.write(make("m", 1, **CACHE))
    runs = [(await book.start()).run_id for _ in range(2)]

    def forget(run_id: str) -> None:
        assert remove(book.store, [run_id], force=True).removed == (run_id,)

    forget(runs[1])  # what it was copied from is still there
    assert foreseen(book)["m"].reason == f"from run {runs[0]}"
    runs[1] = (await book.start()).run_id
    forget(runs[0])
    assert foreseen(book)["m"].reason == f"from run {runs[1]}"
    forget(runs[1])
    assert foreseen(book)["m"].reason == "never produced"
    assert how(await book.start()) == {"m": "produced"}


async def test_an_artifact_that_was_altered_is_not_taken(book: Book) -> None:
    book.write(make("m", 1, **CACHE))
    first = await book.start()
    path = book.run(first.run_id) / "m.json"
    path.write_text(path.read_text().replace('"value": 1', '"value": 2'))
    assert foreseen(book)["m"].reason == "its earlier result is gone"
    second = await book.start()
    assert how(second) == {"m": "produced"}
    assert book.content(second.run_id, "m")["value"] == 1


async def test_a_cache_that_is_broken_is_a_warning(book: Book) -> None:
    book.write(make("m", 1, **CACHE))
    cache = book.folder / ".waivern/cache"
    await book.start()
    (cache / "key").write_bytes(b"?")
    assert "is damaged" in foreseen(book)["m"].reason
    result = await book.start()
    assert result.status == "completed"
    assert how(result) == {"m": "produced"}
    assert any("is damaged" in warning for warning in result.warnings)


# resuming


async def test_a_resume_keeps_first_and_takes_then(book: Book) -> None:
    book.write(make("m", 1, **CACHE), make("n", 2, **CACHE), join("j", "m", "n", **CACHE))
    await book.start()
    book.fail("j")
    book.write(make("m", 1, **CACHE), make("n", 2, **CACHE), join("j", "m", "n", value=1, **CACHE))
    failed = await book.start()
    assert failed.status == "failed"
    assert how(failed) == {"m": "cached", "n": "cached"}
    path = book.run(failed.run_id) / "n.json"
    path.write_text("{}")
    planned = foreseen(book, resume=failed.run_id)
    assert {n: (str(p.action), p.reason) for n, p in planned.items()} == {
        "m": ("keep", "produced by an earlier attempt"),
        "n": ("cached", planned["n"].reason),
        "j": ("produce", planned["j"].reason),
    }
    book.fail("j", False)
    book.calls()
    result = await book.resume(failed.run_id)
    assert book.calls() == {"j": 1}
    assert how(result) == {"m": "cached", "n": "cached", "j": "produced"}
    planned = foreseen(book, resume=failed.run_id)
    assert {str(each.action) for each in planned.values()} == {"keep"}
    assert not any(each.work for each in planned.values())


async def test_a_resume_of_what_was_edited(book: Book) -> None:
    book.write(make("m", 1), join("j", "m"), make("n"))
    first = await book.start()
    book.write(make("m", 2), join("j", "m"), make("n"))
    planned = foreseen(book, resume=first.run_id)
    assert {n: str(p.action) for n, p in planned.items()} == {
        "m": "produce",
        "j": "produce",
        "n": "keep",
    }
    assert planned["m"].reason.startswith("runbook changed: ")
    book.calls()
    await book.resume(first.run_id, allow_changed=True)
    assert book.calls() == {"m": 1, "j": 1}


async def test_what_was_left_out_is_no_work(book: Book) -> None:
    book.write(make("m", 1), join("j", "m", when="inputs.m.value > 1"))
    first = await book.start()
    assert foreseen(book)["j"].action == "decided at run time"
    planned = foreseen(book, resume=first.run_id)
    assert not any(each.work for each in planned.values())
    assert (await book.resume(first.run_id)).nothing_to_do


async def test_a_gate(book: Book) -> None:
    book.write(make("m", 1, **CACHE), gate("g", "m"), join("j", "m", after=["g"]))
    first = await book.start()
    planned = foreseen(book)
    assert (planned["g"].action, planned["g"].reason) == ("gate", "Is g well?")
    assert planned["g"].work
    assert foreseen(book, resume=first.run_id)["m"].action == "keep"
    book.approve(first.run_id)
    assert foreseen(book, resume=first.run_id)["g"].action == "keep"
    assert foreseen(book)["g"].action == "gate"


async def test_how_long_it_took_is_what_it_took_to_make(book: Book) -> None:
    book.write(make("m", 1, **CACHE))
    assert foreseen(book)["m"].expected_ms is None
    first = await book.start()
    await book.start()
    assert foreseen(book)["m"].expected_ms == done(first, "m").duration_ms


async def test_a_runbook_with_another_name_is_the_same_file(book: Book) -> None:
    book.write(make("m", 1, **CACHE))
    await book.start()
    book.write(make("m", 2, **CACHE), name="Another")
    assert foreseen(book)["m"].reason == "property args.value 1 → 2"


async def test_a_replay_uses_nothing(book: Book) -> None:
    book.write(make("m", 1, **CACHE))
    first = await book.start()
    again = replay(RunRequest(run=first.run_id), book.store, book.options())
    assert how(again) == {"m": "produced"}
    assert (done(await book.start(), "m").origin or {})["run"] == first.run_id


async def test_in_memory(tmp_path: Path) -> None:
    book = Book(tmp_path / "work", store=AsyncInMemoryStore())
    book.write(make("m", 1, **CACHE))
    await book.start()
    assert actions(book) == {"m": "cached"}
    assert how(await book.start()) == {"m": "cached"}


async def test_another_runbook_takes_it_too(book: Book, tmp_path: Path) -> None:
    book.write(make("m", 1, **CACHE))
    first = await book.start()
    other = Book(book.folder, "other", book.store)
    other.write({"x": make("m", 1, **CACHE)["m"]})
    assert actions(other) == {"x": "cached"}
    result = await other.start()
    assert done(result, "x").origin == {
        "run": first.run_id, "artifact": "m", "seq": 4, "digest": done(first, "m").digest
    }  # fmt: skip
    assert other.document(result.run_id, "x")["id"] == "x"


# secrets


async def test_no_secret_is_told_or_kept(book: Book) -> None:
    secret = "canary-" + "7" * 20
    book.environ = {"TOKEN": secret}
    args = {"name": "m", "value": "${TOKEN}"}
    source = {"type": "python", "properties": {"call": "steps.py:make", "args": args}}
    path = {"type": "filesystem", "properties": {"path": "${TOKEN}"}}
    typed = {"type": "filesystem", "properties": {"path": "data", "max_file_size": "${TOKEN}"}}
    data(book, a="one")
    book.write(make("n", **CACHE), {"f": {"source": path, "optional": True}})
    await book.start()
    assert foreseen(book)["f"].action == "produce"
    book.write({"f": {"source": path, "optional": True}})
    book.write({"m": {"source": source, "cache": True}}, {"f": {"source": path, "optional": True}})
    first = await book.start()
    assert how(first) == {"m": "produced"}
    told = [each.document() for each in foreseen(book).values()]
    book.environ = {"TOKEN": secret[::-1]}
    later = foreseen(book)
    assert later["m"].reason == "variable TOKEN changed"
    assert secret not in json.dumps([told, [each.document() for each in later.values()]])
    assert secret[::-1] not in json.dumps([each.document() for each in later.values()])
    book.write({"f": {"source": typed, "optional": True}})
    kept = [p for p in (book.folder / ".waivern").rglob("*") if p.is_file() and p.name != "m.json"]
    assert kept
    for each in kept:
        assert secret.encode() not in each.read_bytes(), each


PARAMS: dict[str, Any] = {
    "who": {"type": "string", "default": "x"},
    "token": {"type": "string", "secret": True, "default": ""},
}


async def test_parameters_are_part_of_it(book: Book) -> None:
    book.write(
        make("m", "${params.who}", **CACHE), make("n", "${params.token}", **CACHE), params=PARAMS
    )
    await book.start()
    assert set(how(await book.start()).values()) == {"cached"}
    given = RequestedParams({"who": "y", "token": "canary-1"})
    planned = foreseen(book, params=given)
    assert planned["m"].reason == "property args.value 'x' → 'y'"
    assert planned["n"].reason == "parameter params.token changed"
    assert how(await book.start(params=given)) == {"m": "produced", "n": "produced"}
    assert set(how(await book.start(params=given)).values()) == {"cached"}
    assert set(how(await book.start()).values()) == {"cached"}


# components of one's own

_numbers = count()
OWN = """
from pathlib import Path
from pydantic import BaseModel
from waivern.message import ANY_JSON
from waivern.plugins.component import Suspend

class Own:
    name, version, produces, repeatable = "{name}", "1.0.0", ANY_JSON, True
    class Config(BaseModel):
        mode: str = ""
    def fingerprint(self, config, ctx):
        if config.mode == "broken":
            raise ZeroDivisionError
        return {{"x": (ctx.base / "x").read_text()}}
    def extract(self, config, ctx):
        text = (ctx.base / "x").read_text()
        if config.mode == "restless":
            (ctx.base / "x").write_text(text + "!")
        if config.mode == "waits":
            if not ctx.resume_data:
                raise Suspend("for data")
            return dict(ctx.resume_data)
        return text

connector = Own()
"""


@pytest.fixture
def own(book: Book) -> Callable[..., dict[str, Json]]:
    name = f"own-forecast-{next(_numbers)}"
    (book.folder / "components").mkdir()
    (book.folder / "components" / f"{name}.py").write_text(OWN.format(name=name))
    (book.folder / "waivern.yaml").write_text("component_paths: [components]\n")
    (book.folder / "x").write_text("x")
    return lambda mode: {"o": {"source": {"type": name, "properties": {"mode": mode}}}}


@pytest.mark.parametrize(
    ("mode", "second"), [("", "cached"), ("broken", "produced"), ("restless", "produced")]
)
async def test_a_component_of_ones_own(
    book: Book, own: Callable[[str], dict[str, Any]], mode: str, second: str
) -> None:
    options = book.options(project=find_project(str(book.folder)))
    book.write(own(mode))
    assert how(await book.start(options)) == {"o": "produced"}
    planned = foreseen(book, options=options)["o"]
    assert planned.action == ("cached" if second == "cached" else "produce")
    if mode == "broken":
        assert re.fullmatch("not cached: ZeroDivisionError", planned.reason)
    assert how(await book.start(options)) == {"o": second}


# what there will not be


async def test_below_an_input_that_nothing_is_mapped_to(book: Book) -> None:
    """What goes on without it, or with its default, is taken from the cache, and foreseen so."""
    optional = {"input_schema": "json", "optional": True}
    needs = {"m": {"input_schema": "json"}, "o": optional, "p": optional | {"default": {"name": 1}}}
    child = {
        "config": {"cache": True},
        "inputs": needs,
        "outputs": {"out": {"artifact": "x"}},
        "artifacts": join("x", "m", "o", "p") | join("only", "o") | join("below", "only"),
    }
    (book.folder / "child.yaml").write_text(json.dumps(child))
    directive = {"path": "child.yaml", "input_mapping": {"m": "s"}, "output": "out"}
    below = {"d": {"child_runbook": directive}}
    book.write(make("s"), below, join("end", "d"), config={"cache": True})
    first = await book.start()
    assert str(first.record.steps["d/below"].status) == "skipped"
    planned = foreseen(book)
    assert not [name for name, each in planned.items() if each.work]
    assert {planned[name].action for name in ("s", "d/x", "end")} == {"cached"}
    assert planned["d/below"].reason == "it needs 'd/o', which was skipped"
    cached = {"s": "cached", "d/x": "cached", "end": "cached"}
    assert how(await book.start()) == cached | {"d/p": "produced"}


ROUTE = """
from pydantic import BaseModel
from waivern.message import ANY_JSON

class Route:
    name, version, accepts, produces = "{name}", "1.0.0", None, ANY_JSON
    outputs, repeatable = ("high", "low"), True
    class Config(BaseModel):
        pass
    def process(self, inputs, config, ctx):
        return {{"high": {{"name": "high"}}}}

processor = Route()
"""


async def test_below_an_output_that_yields_nothing(book: Book) -> None:
    name = f"route-forecast-{next(_numbers)}"
    (book.folder / "components").mkdir()
    (book.folder / "components" / f"{name}.py").write_text(ROUTE.format(name=name))
    (book.folder / "waivern.yaml").write_text("component_paths: [components]\n")
    options = book.options(project=find_project(str(book.folder)))
    route = {"r": {"inputs": "s", "process": {"type": name}}}
    ends = join("hi", "r/high"), join("lo", "r/low"), join("both", "hi", "lo")
    book.write(make("s"), route, *ends, config={"cache": True})
    await book.start(options)
    planned = foreseen(book, options=options)
    assert not [name for name, each in planned.items() if each.work]
    assert planned["hi"].action == "cached"
    assert planned["lo"].reason == "it needs 'r/low', which was skipped"
    assert planned["both"].reason == "it needs 'r/low', which was skipped"
    assert set(how(await book.start(options))) == {"s", "r", "r/high", "hi"}
