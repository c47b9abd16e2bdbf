"""Imports and components of one project, unseen by every other in the process."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import waivern
from waivern.message import Json

HELPER = """
import late
NAME = {name!r}
"""
STEP = """
import dataclasses, importlib, pickle, typing
import helper
import colorsys
import pkg
import spaced.inner

@dataclasses.dataclass
class Item:
    next: "Item | None" = None

def f():
    import late
    from helper import NAME
    assert typing.get_type_hints(Item)["next"] == Item | None
    assert pickle.loads(pickle.dumps(Item())) == Item()
    return [NAME, late.NAME, colorsys.NAME, pkg.NAME, spaced.inner.NAME,
            importlib.import_module("late").NAME, importlib.import_module(".deep", "pkg").NAME]

def g(inputs):
    return f()
"""


def fill(folder: Path, name: str) -> Path:
    own = f"NAME = {name!r}\n"
    for path, text in {
        "s.py": STEP,
        "helper.py": HELPER.format(name=name),
        "late.py": own,
        "colorsys.py": own,
        "pkg/__init__.py": "from .deep import NAME\n",
        "pkg/deep.py": "from helper import NAME\nfrom . import other\nassert other.NAME == NAME\n",
        "pkg/other.py": own,
        "spaced/inner.py": own,
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def book(folder: Path, artifacts: Mapping[str, Json], **more: Json) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / "book.yaml"
    path.write_text(json.dumps({"artifacts": artifacts, **more}))
    return str(path)


def source(call: str) -> dict[str, Json]:
    return {"source": {"type": "python", "properties": {"call": call}}, "output": True}


def content(result: waivern.RunResult, name: str) -> Json:
    assert result.status == "completed", result
    return result.artifacts[name].message().content


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store")


def test_two_folders_of_one_runbook(tmp_path: Path, store: str) -> None:
    for name in "ab":
        fill(tmp_path / name, name)
    path = book(tmp_path, {name: source(f"{name}/s.py:f") for name in "ab"})
    result = waivern.run(path, store=store)
    assert [content(result, name) for name in "ab"] == [["a"] * 7, ["b"] * 7]


def test_a_parent_and_its_child(tmp_path: Path, store: str) -> None:
    fill(tmp_path, "parent")
    fill(tmp_path / "child", "child")
    book(tmp_path / "child", {"a": source("s.py:f")}, outputs={"a": {"artifact": "a"}})
    child = {"child_runbook": {"path": "child/book.yaml", "output": "a"}}
    path = book(tmp_path, {"p": source("s.py:f"), "c": child})
    result = waivern.run(path, store=store)
    assert content(result, "p") == ["parent"] * 7
    assert content(result, "c/a") == ["child"] * 7


def test_projects_one_after_the_other_and_at_once(tmp_path: Path) -> None:
    paths = []
    for name in "abcd":
        fill(tmp_path / name, name)
        paths.append(book(tmp_path / name, {f"x{n}": source("s.py:f") for n in range(3)}))
    gate = threading.Barrier(len(paths))

    def one(path: str) -> list[Json]:
        gate.wait()
        result = waivern.run(path, store="memory:")
        return [content(result, f"x{n}") for n in range(3)]

    for _ in range(2):
        with ThreadPoolExecutor(len(paths)) as pool:
            found = list(pool.map(one, paths))
        assert found == [[[name] * 7] * 3 for name in "abcd"]


def test_a_helper_edited_between_two_runs(tmp_path: Path, store: str) -> None:
    fill(tmp_path, "a")
    path = book(tmp_path, {"x": source("s.py:f")})
    assert content(waivern.run(path, store=store), "x") == ["a"] * 7
    fill(tmp_path, "b")
    assert content(waivern.run(path, store=store), "x") == ["b"] * 7


COMPONENT = """
import s
from pydantic import BaseModel
from waivern.message import ANY_JSON

class connector:
    "Finds what its helper says."
    name, version, produces = "mine", "1.0.0", ANY_JSON
    class Config(BaseModel): ...
    def extract(self, config, ctx):
        return s.f()
"""


def project(folder: Path, name: str) -> str:
    fill(folder / "parts", name)
    (folder / "parts" / "mine.py").write_text(COMPONENT)
    (folder / "waivern.yaml").write_text("component_paths: [parts]\n")
    return book(folder, {"x": {"source": {"type": "mine"}}})


def test_components_of_one_name_in_two_projects(tmp_path: Path, store: str) -> None:
    paths = {name: project(tmp_path / name, name) for name in "ab"}
    for _ in range(2):
        for name, path in paths.items():
            result = waivern.run(path, store=store, project_root=tmp_path / name)
            assert content(result, "x") == [name] * 7
    with pytest.raises(waivern.WaivernError, match="no connector 'mine'"):
        waivern.plan(book(tmp_path / "c", {"x": {"source": {"type": "mine"}}}), store=store)


def test_nothing_stays_behind(tmp_path: Path, store: str) -> None:
    fill(tmp_path, "a")
    path = project(tmp_path, "a")
    waivern.run(path, store=store, project_root=tmp_path)
    places, modules = list(sys.path), set(sys.modules)
    book(tmp_path, {"x": {"source": {"type": "mine"}}, "y": source("s.py:f")})
    result = waivern.run(path, store=store, project_root=tmp_path)
    assert content(result, "y") == content(result, "x") == ["a"] * 7
    assert sys.path == places
    shipped = {name for name in sys.modules if name.startswith("waivern.builtin")}
    assert set(sys.modules) - shipped == modules - shipped
    waivern.plan(path, store=store, project_root=tmp_path)
    waivern.forecast(path, store=store, project_root=tmp_path)
    gc.collect()
    assert not [name for name in sys.modules if str(tmp_path) in name]


SPAWNS = """
import multiprocessing
import helper

def work(n):
    import late
    return [n, helper.NAME, late.NAME]

def f(method):
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.map(work, [1])
"""
MAIN = """
import sys, waivern
if __name__ == "__main__":
    result = waivern.run("book.yaml", store="memory:")
    print(result.artifacts["x"].message().content)
"""


def test_functions_of_a_folder_reach_a_spawned_child(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    (tmp_path / "spawns.py").write_text(SPAWNS)
    (tmp_path / "main.py").write_text(MAIN)
    step = source("spawns.py:f")
    step["source"]["properties"]["args"] = {"method": "spawn"}
    book(tmp_path, {"x": step})
    main = [sys.executable, "main.py"]
    done = subprocess.run(
        main, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "[[1, 'a', 'a']]\n", done.stderr


@pytest.mark.parametrize(
    "line", ["sys.path.insert(0, LIB)", "sys.path.append(LIB)", "sys.path += [LIB]"]
)
def test_what_a_file_adds_to_the_path_is_its_own(tmp_path: Path, store: str, line: str) -> None:
    for name in "ab":
        lib = tmp_path / name / "lib"
        lib.mkdir(parents=True)
        (lib / "util.py").write_text("import deeper\nNAME = deeper.NAME\n")
        (lib / "deeper.py").write_text(f"NAME = {name!r}\n")
        (tmp_path / name / "s.py").write_text(
            f"import sys\nLIB = {str(lib)!r}\n{line}\nimport util\n"
            "def f():\n    import deeper\n    return [util.NAME, deeper.NAME]\n"
        )
    places = list(sys.path)
    path = book(tmp_path, {name: source(f"{name}/s.py:f") for name in "ab"})
    result = waivern.run(path, store=store)
    assert [content(result, name) for name in "ab"] == [["a"] * 2, ["b"] * 2]
    assert sys.path == places
    assert "util" not in sys.modules
