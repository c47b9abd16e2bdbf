"""Fingerprints of code on `sys.path` and in folders: of what runs, or none."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest

import waivern
from waivern.builtin.merge import Merge
from waivern.builtin.sqlite import Sqlite
from waivern.message import sha256
from waivern.plugins.fingerprint import Fingerprints, UncertainError
from waivern.plugins.installed_code import importing
from waivern.plugins.module_folders import ModuleFolders


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder on `sys.path`; what is imported from it is forgotten."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [each for each in sys.modules if each.startswith("fp_")]:
        del sys.modules[name]


def imported(name: str) -> None:
    importing(name, lambda: importlib.import_module(name))


def of_module(name: str) -> str:
    return Fingerprints().of_module(name)


def of_file(path: Path) -> str:
    return Fingerprints().of_file(ModuleFolders().folder(path.parent), path.resolve())


def test_a_built_in_component_has_the_version_of_the_package() -> None:
    one, other = Fingerprints().of_class(Merge), Fingerprints().of_class(Sqlite)
    assert one.startswith(f"waivern {waivern.__version__} sha256:")
    assert one != other


def test_a_distribution_is_its_version_and_the_file(site: Path) -> None:
    assert of_module("hypothesis") == of_module("hypothesis")
    (site / "uses.py").write_text("import hypothesis\n")
    (site / "plain.py").write_text("import json\n")
    assert of_file(site / "plain.py") == sha256(b"import json\n")
    with_version = of_file(site / "uses.py")
    assert with_version != sha256(b"import hypothesis\n")
    assert version("hypothesis")


def test_a_module_is_the_same_before_and_after_its_import(site: Path) -> None:
    (site / "fp_one.py").write_text("import fp_two\n")
    (site / "fp_two.py").write_text("X = 1\n")
    before = of_module("fp_one")
    imported("fp_one")
    assert of_module("fp_one") == before


@pytest.mark.parametrize("name", ["fp_one", "fp_two"])
def test_a_module_that_was_edited_after_its_import_has_none(site: Path, name: str) -> None:
    (site / "fp_one.py").write_text("import fp_two\n")
    (site / "fp_two.py").write_text("X = 1\n")
    imported("fp_one")
    with (site / f"{name}.py").open("a") as file:
        file.write("Y = 2\n")
    with pytest.raises(UncertainError, match=f"file of module '{name}' has changed"):
        of_module("fp_one")


def test_a_reloaded_module_has_none(site: Path) -> None:
    (site / "fp_one.py").write_text("X = 1\n")
    imported("fp_one")
    (site / "fp_one.py").write_text("X = 2345\n")
    importlib.reload(sys.modules["fp_one"])
    with pytest.raises(UncertainError, match="'fp_one' was imported or reloaded"):
        of_module("fp_one")


def test_a_module_whose_function_was_replaced_has_none(site: Path) -> None:
    (site / "fp_one.py").write_text("def f(): ...\n")
    imported("fp_one")
    vars(sys.modules["fp_one"])["f"] = lambda: 1
    with pytest.raises(UncertainError, match="'f' of module 'fp_one' was replaced"):
        of_module("fp_one")


def test_a_module_that_others_imported_has_none(site: Path) -> None:
    (site / "fp_one.py").write_text("X = 1\n")
    importlib.import_module("fp_one")
    with pytest.raises(UncertainError, match="by other code"):
        of_module("fp_one")


def test_bytecode_of_an_earlier_text_is_noticed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = site / "fp_one.py"
    file.write_text("X = 1\n")
    os.utime(file, (1, 1))
    imported("fp_one")
    del sys.modules["fp_one"]
    file.write_text("X = 2\n")  # the same size, and the time that the bytecode has
    os.utime(file, (1, 1))
    imported("fp_one")
    assert sys.modules["fp_one"].X == 1
    with pytest.raises(UncertainError):
        of_module("fp_one")


def test_bytecode_of_the_same_text_is_no_trouble(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (site / "fp_one.py").write_text("def f(x: int) -> int:\n    return x\n")
    for _ in range(2):
        before = of_module("fp_one")
        imported("fp_one")
        assert of_module("fp_one") == before
        assert list((site / "__pycache__").glob("fp_one.*"))
        del sys.modules["fp_one"]


def test_what_was_made_at_a_prompt_has_none() -> None:
    class Nowhere(Merge):
        __module__ = "made_at_a_prompt"

    with pytest.raises(UncertainError):
        Fingerprints().of_class(Nowhere)
    with pytest.raises(UncertainError):
        of_module("__main__")


HELPERS = {
    "import helper": "helper.py",
    "from helper import x": "helper.py",
    "def f():\n    import helper": "helper.py",
    "import pkg.deep": "pkg/deep.py",
    "import pkg": "pkg/__init__.py",
    "from pkg import deep": "pkg/deep.py",
    "from . import helper": "helper.py",
    "import second": "helper.py",
    "import json": "json.py",
    "import name.space": "name/space.py",
}


@pytest.mark.parametrize("text", HELPERS)
def test_a_file_is_also_what_it_imports(tmp_path: Path, text: str) -> None:
    for path, code in {
        "s.py": text,
        "helper.py": "x = 1",
        "second.py": "from helper import x",
        "json.py": "x = 1",
        "pkg/__init__.py": "",
        "pkg/deep.py": "",
        "name/space.py": "",
        "unused.py": "",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(code)
    before = of_file(tmp_path / "s.py")
    (tmp_path / "unused.py").write_text("# changed")
    assert of_file(tmp_path / "s.py") == before
    (tmp_path / HELPERS[text]).write_text("x = 2")
    assert of_file(tmp_path / "s.py") != before


def test_a_file_that_imports_by_other_means_has_none_once_it_did(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "from importlib import import_module\nimport_module('hel' + 'per')"
    )
    (tmp_path / "helper.py").write_text("")
    imports, file = ModuleFolders(), (tmp_path / "s.py").resolve()
    folder = imports.folder(tmp_path)
    Fingerprints().of_file(folder, file)
    folder.load(file)
    with pytest.raises(UncertainError, match=r"'s.py' imports 'helper'"):
        Fingerprints().of_file(folder, file)


def test_equal_folders_have_equal_fingerprints(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "s.py").write_text("import helper")
        (tmp_path / folder / "helper.py").write_text("")
    assert of_file(tmp_path / "one" / "s.py") == of_file(tmp_path / "two" / "s.py")


class _Yielding:
    """Garbage whose end lets another thread run, wherever the collection happens to be."""

    def __init__(self) -> None:
        self.circle = self

    def __del__(self) -> None:
        time.sleep(0)


@pytest.fixture
def often_collected() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(50)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("often_collected")
def test_a_fingerprint_is_the_same_while_other_threads_read_code(tmp_path: Path) -> None:
    """Artifacts that begin at the same time have identities, and are cached."""
    file = tmp_path / "steps.py"
    file.write_text("def make(name):\n    return {'name': [name, [name, [name]]]}\n\n" * 50)

    def again(_number: int) -> str:
        _Yielding()
        return of_file(file)

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(again, range(60))) == {sha256(file.read_bytes())}
