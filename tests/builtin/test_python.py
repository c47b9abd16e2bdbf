from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from waivern.builtin.python_function import PythonConnector, PythonProcessor, PythonProperties
from waivern.errors import ComponentError
from waivern.message import ANY_JSON, Json
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input


@pytest.fixture(autouse=True)
def _path_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def extract(base: Path, call: str, **args: Json) -> Any:
    config = PythonProperties(call=call, args=args)
    return PythonConnector().extract(config, Context("a", base))


def process(base: Path, call: str, *contents: Json, **args: Json) -> Any:
    config = PythonProperties(call=call, args=args)
    inputs = [Input(f"i{n}", content, ANY_JSON) for n, content in enumerate(contents)]
    return PythonProcessor().process(inputs, config, Context("a", base))


def test_function_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "f.py").write_text("def rows(n, of='x'):\n    return [of] * n\n")
    assert extract(tmp_path, "mine/f.py:rows", n=2) == ["x", "x"]
    assert extract(tmp_path, f"{tmp_path}/mine/f.py:rows", n=1, of="y") == ["y"]
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["f.py"]  # no cache beside it


def test_function_of_a_module(tmp_path: Path) -> None:
    assert extract(tmp_path, "textwrap:shorten", text="a b", width=10) == "a b"
    assert process(tmp_path, "json:dumps", 1, 2) == "[1, 2]"


def test_inputs_come_in_order(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text(
        "def both(inputs, scale):\n    return [i * scale for i in inputs]"
    )
    assert process(tmp_path, "f.py:both", 1, 2, scale=10) == [10, 20]


async def test_async_functions_are_handed_over_unawaited(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("async def later(inputs):\n    return len(inputs)\n")
    result = process(tmp_path, "f.py:later", 1, 2)
    assert inspect.isawaitable(result)
    assert await result == 2


def test_an_edited_file_is_run_as_it_is_now(tmp_path: Path) -> None:
    for value in (1, 2):  # same size, same second
        (tmp_path / "f.py").write_text(f"def f():\n    return {value}\n")
        assert extract(tmp_path, "f.py:f") == value


def test_neighbours_can_be_imported_and_dataclasses_work(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_f.py").write_text("WORD = 'near'\n")
    (tmp_path / "f.py").write_text(
        "from __future__ import annotations\n"
        "import dataclasses, pickle, neighbour_of_f\n"
        "@dataclasses.dataclass\nclass P:\n    x: str\n"
        "def f():\n    import neighbour_of_f as again\n"
        "    return pickle.loads(pickle.dumps(P(again.WORD))).x\n"
    )
    assert extract(tmp_path, "f.py:f") == "near"


def test_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.py").write_text(f"def f():\n    return {name!r}\n")
    assert extract(tmp_path, "one/same.py:f") == "one"
    assert extract(tmp_path, "two/same.py:f") == "two"


def test_a_neighbour_of_a_standard_name_is_seen_by_its_folder_only(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text("def name():\n    return 'own'\n")
    (tmp_path / "f.py").write_text("import colorsys\ndef f():\n    return colorsys.name()\n")
    assert extract(tmp_path, "f.py:f") == "own"
    assert importlib.import_module("colorsys").rgb_to_hls


def test_a_file_does_not_import_itself(tmp_path: Path) -> None:
    (tmp_path / "csv.py").write_text("import csv\ndef f():\n    return csv.QUOTE_ALL\n")
    assert extract(tmp_path, "csv.py:f") == 1


@pytest.mark.parametrize(
    ("call", "fact", "hint"),
    [
        ("no_such_module_here:f", "cannot be imported", "must be installed"),
        ("json.nothing:f", "cannot be imported", "must be installed"),
        ("json:dump_s", "'dump_s' in 'json' does not exist", "did you mean 'dumps'"),
        ("sys:path", "is not a function", "def path"),
        ("gone.py:f", "'gone.py' cannot be read", "runbook's folder"),
        ("bad.py:f", "cannot be imported: SyntaxError", "its own code"),
        ("exits.py:f", "cannot be imported: SystemExit", "its own code"),
        ("fine.py:ff", "'ff' in 'fine.py' does not exist", "did you mean 'f'"),
    ],
)
def test_what_cannot_be_found_says_what_to_do(
    tmp_path: Path, call: str, fact: str, hint: str
) -> None:
    (tmp_path / "bad.py").write_text("def f(:\n")
    (tmp_path / "exits.py").write_text("import sys\nsys.exit(1)\n")
    (tmp_path / "fine.py").write_text("def f():\n    return 1\n")
    with pytest.raises(ComponentError) as caught:
        extract(tmp_path, call)
    assert fact in caught.value.message
    assert hint in (caught.value.hint or "")


def test_arguments_are_checked_before_the_call(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("def f(inputs, limit):\n    raise AssertionError('called')\n")
    with pytest.raises(ComponentError, match="missing a required argument: 'limit'") as caught:
        process(tmp_path, "f.py:f", 1, limits="canary")
    assert caught.value.hint == "it takes (inputs, limit), it would get (inputs, limits)"


def test_what_the_function_raises_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("def f():\n    raise TypeError('mine')\n")
    with pytest.raises(TypeError, match="mine"):
        extract(tmp_path, "f.py:f")


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"call": "json"},
        {"call": "json:"},
        {"call": ":f"},
        {"call": "json:a.b"},
        {"call": "js on:f"},
        {"call": "__import__('os'):f"},
        {"call": "json:dumps", "args": [1]},
        {"call": "json:dumps", "kwargs": {}},
    ],
)
def test_wrong_properties_are_refused_when_planned(properties: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PythonProperties.model_validate(properties)
