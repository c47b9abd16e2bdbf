"""Evidence of what ran: the code, its versions and the order of what it was given."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import waivern
from waivern.message import Json, sha256

CODE = "def a():\n    return {}\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder on `sys.path`; what is imported from it is forgotten."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in [each for each in sys.modules if each.startswith("ev_")]:
        del sys.modules[name]


class Book:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = str(folder / "store")

    def run(self, **artifacts: Json) -> waivern.RunResult:
        result = waivern.run(self._write(artifacts), store=self.store)
        assert result.status == "completed", result
        return result

    def reason(self, **artifacts: Json) -> str:
        found = waivern.forecast(self._write(artifacts), store=self.store)
        return found[-1].reason

    def _write(self, artifacts: dict[str, Json]) -> str:
        path = self.folder / "book.yaml"
        path.write_text(json.dumps({"artifacts": artifacts}))
        return str(path)


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def source(call: str, **args: Json) -> dict[str, Json]:
    work = {"type": "python", "properties": {"call": call, "args": args}}
    return {"source": work, "cache": True}


def process(call: str, *inputs: str) -> dict[str, Json]:
    work = {"type": "python", "properties": {"call": call}}
    return {"inputs": list(inputs), "process": work, "cache": True}


def got(result: waivern.RunResult, name: str = "x") -> tuple[Json, str]:
    artifact = result.artifacts[name]
    return artifact.message().content, str(artifact.how)


# code that is edited


def test_a_module_that_was_edited_is_not_cached(book: Book, site: Path) -> None:
    (site / "ev_mod.py").write_text(CODE.format(1))
    assert got(book.run(x=source("ev_mod:a"))) == (1, "produced")
    assert got(book.run(x=source("ev_mod:a"))) == (1, "cached")
    (site / "ev_mod.py").write_text(CODE.format(2))
    assert got(book.run(x=source("ev_mod:a"))) == (1, "produced")  # what Python has imported
    assert "has changed since it was imported" in book.reason(x=source("ev_mod:a"))
    importlib.reload(sys.modules["ev_mod"])
    assert got(book.run(x=source("ev_mod:a"))) == (2, "produced")
    del sys.modules["ev_mod"]
    assert got(book.run(x=source("ev_mod:a"))) == (2, "produced")
    assert got(book.run(x=source("ev_mod:a"))) == (2, "cached")


def test_a_module_that_was_imported_before_is_not_cached(book: Book, site: Path) -> None:
    (site / "ev_mod.py").write_text(CODE.format(1))
    importlib.import_module("ev_mod")
    (site / "ev_mod.py").write_text(CODE.format(2))
    for _ in range(2):
        assert got(book.run(x=source("ev_mod:a"))) == (1, "produced")
    assert "imported or reloaded by other code" in book.reason(x=source("ev_mod:a"))


def test_the_main_module_is_not_cached(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (1, 2):
        monkeypatch.setattr(sys.modules["__main__"], "ev_a", lambda v=value: v, raising=False)
        assert got(book.run(x=source("__main__:ev_a"))) == (value, "produced")
    assert "'__main__'" in book.reason(x=source("__main__:ev_a"))


def test_a_function_that_was_replaced_is_not_cached(book: Book, site: Path) -> None:
    (site / "ev_mod.py").write_text(CODE.format(1))
    assert got(book.run(x=source("ev_mod:a"))) == (1, "produced")
    vars(sys.modules["ev_mod"])["a"] = lambda: 2
    assert got(book.run(x=source("ev_mod:a"))) == (2, "produced")
    del sys.modules["ev_mod"]
    assert got(book.run(x=source("ev_mod:a"))) == (1, "cached")


@pytest.mark.parametrize(
    "text",
    [
        "from helper import a",
        "from functools import partial\nimport helper\na = partial(helper.a)",
        "import helper\na = lambda: helper.a()",
        "def a():\n    import helper\n    return helper.a()",
        "from decorators import same\nimport helper\n@same\ndef a():\n    return helper.a()",
    ],
)
def test_the_helpers_of_a_file_count(book: Book, text: str) -> None:
    (book.folder / "s.py").write_text(text)
    (book.folder / "decorators.py").write_text("def same(f):\n    return f\n")
    for value in (1, 2):
        (book.folder / "helper.py").write_text(CODE.format(value))
        assert got(book.run(x=source("s.py:a"))) == (value, "produced")
        assert got(book.run(x=source("s.py:a"))) == (value, "cached")


def test_a_module_on_the_path_that_a_file_imports_counts(book: Book, site: Path) -> None:
    (book.folder / "s.py").write_text("from ev_lib import a\n")
    for value in (1, 2):
        (site / "ev_lib.py").write_text(CODE.format(value))
        assert got(book.run(x=source("s.py:a"))) == (value, "produced")
        assert got(book.run(x=source("s.py:a"))) == (value, "cached")
        del sys.modules["ev_lib"]


def test_an_import_that_the_text_does_not_show_is_not_cached(book: Book) -> None:
    (book.folder / "s.py").write_text(
        "import importlib\ndef a():\n    return importlib.import_module('hel' + 'per').a()\n"
    )
    for value in (1, 2):
        (book.folder / "helper.py").write_text(CODE.format(value))
        for _ in range(2):
            assert got(book.run(x=source("s.py:a"))) == (value, "produced")


# the order of keys, and values that are equal and not the same


STEPS = """
import json
def given(**args):
    return args
def text(value):
    return json.loads(value)
def seen(inputs):
    return json.dumps(inputs)
def names(inputs):
    return ",".join(inputs[0])
"""
PAIRS = [
    ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}'),
    ('[{"q": {"a": 1, "b": 2}}]', '[{"q": {"b": 2, "a": 1}}]'),
    ("1", "1.0"),
    ("1", "true"),
    ("[0]", "[false]"),
    ("0.0", "-0.0"),
    ('"\\u00e9"', '"e\\u0301"'),
    ("9007199254740992", "9007199254740993"),
    ("1e16", "10000000000000000"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_an_input_that_looks_otherwise_is_another(book: Book, one: str, other: str) -> None:
    (book.folder / "s.py").write_text(STEPS)
    for value in (one, other):
        result = book.run(a=source("s.py:text", value=value), x=process("s.py:seen", "a"))
        assert got(result) == (json.dumps([json.loads(value)]), "produced")
        again = book.run(a=source("s.py:text", value=value), x=process("s.py:seen", "a"))
        assert got(again) == (json.dumps([json.loads(value)]), "cached")


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_properties_that_look_otherwise_are_others(book: Book, one: str, other: str) -> None:
    (book.folder / "s.py").write_text(STEPS)
    for value in (one, other):
        known = json.loads(value)
        args = known if isinstance(known, dict) else {"v": known}
        content, how = got(book.run(x=source("s.py:given", **args)))
        assert (json.dumps(content), how) == (json.dumps(args), "produced")


def test_a_consumer_is_made_again_if_only_the_order_of_its_input_is_another(book: Book) -> None:
    (book.folder / "s.py").write_text(STEPS)
    (book.folder / "order").write_text('{"a": 1, "b": 2}')
    command = {"argv": ["cat", "order"]}
    parts = {
        "a": {"source": {"type": "command", "properties": command}, "cache": False},
        "x": process("s.py:names", "a") | {"cache": False},
    }
    first = book.run(**parts)
    assert got(first)[0] == "a,b"
    (book.folder / "order").write_text('{"b": 2, "a": 1}')
    again = waivern.resume(first.run_id, store=book.store, refresh="a")
    assert got(again)[0] == "b,a"


# what is recorded


def events(book: Book, result: waivern.RunResult) -> list[dict[str, Json]]:
    journal = Path(book.store) / "runs" / result.run_id / "_system" / "events.jsonl"
    return [json.loads(line)["event"] for line in journal.read_text().splitlines()]


def test_each_attempt_and_artifact_says_what_ran_it(book: Book) -> None:
    (book.folder / "s.py").write_text(CODE.format(1))
    command = {"source": {"type": "command", "properties": {"argv": ["echo", "1"]}}}
    result = book.run(x=source("s.py:a"), y=source("s.py:a") | {"cache": False}, c=command)
    python = ".".join(map(str, sys.version_info[:3]))
    (attempt,) = result.metadata.attempts
    assert (attempt["waivern"], attempt["python"]) == (waivern.__version__, python)
    run = json.loads((Path(book.store) / "runs" / result.run_id / "_system/run.json").read_text())
    assert run["attempts"] == result.metadata.attempts
    made = {e["artifact"]: e for e in events(book, result) if e["type"] == "artifact_completed"}
    assert made["x"]["code"]["called"] == sha256(CODE.format(1).encode())
    assert made["y"]["code"] == made["x"]["code"]
    for each in made.values():
        assert each["code"]["component"].startswith(f"waivern {waivern.__version__} sha256:")
        assert each["version"] == "1.0.0"
    assert made["x"]["identity"]["runtime"] == {"waivern": waivern.__version__, "python": python}


def test_code_without_a_fingerprint_says_why(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "ev_a", lambda: 1, raising=False)
    result = book.run(x=source("__main__:ev_a"))
    (made,) = [e for e in events(book, result) if e["type"] == "artifact_completed"]
    assert "'__main__'" in made["code"]["unknown"]


@pytest.mark.parametrize("what", ["waivern", "python"])
def test_another_version_of_what_runs_the_code_is_another_key(
    book: Book, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    (book.folder / "s.py").write_text(CODE.format(1))
    book.run(x=source("s.py:a"))
    if what == "waivern":
        monkeypatch.setattr(waivern, "__version__", "99.1.0")
    else:
        monkeypatch.setattr(sys, "version_info", (3, 99, 1, "final", 0))
    assert "99.1" in book.reason(x=source("s.py:a"))
    assert got(book.run(x=source("s.py:a"))) == (1, "produced")


def test_the_origin_of_an_artifact_is_its_runbook(book: Book) -> None:
    (book.folder / "s.py").write_text(CODE.format(1))
    child = {"artifacts": {"a": source("s.py:a")}, "outputs": {"a": {"artifact": "a"}}}
    (book.folder / "child.yaml").write_text(json.dumps(child))
    inside = {"child_runbook": {"path": "child.yaml", "output": "a"}}
    each = source("s.py:a") | {"for_each": ["one"]}
    result = book.run(p=source("s.py:a"), c=inside, e=each)
    origins = {
        name: made.message().extensions["execution"]["origin"]
        for name, made in result.artifacts.items()
    }
    assert origins == {
        "p": "parent",
        **dict.fromkeys(("c", "c/a"), "child"),
        **dict.fromkeys(("e", "e/one"), "parent"),
    }
