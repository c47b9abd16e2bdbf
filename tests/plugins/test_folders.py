"""Components in folders of a project, and what may not pass for one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from waivern.errors import NotFoundError, RefusedError, WaivernError
from waivern.plugins.catalogue import Catalogue

CLASS = """
from pydantic import BaseModel
from waivern.message import ANY_JSON

class Thing:
    name = "thing"
    version = "1.0.0"
    produces = ANY_JSON
    accepts = None
    class Config(BaseModel):
        pass
    def extract(self, config, ctx):
        return 1
    def process(self, inputs, config, ctx):
        return 1
"""


@pytest.fixture
def name() -> str:
    return "own"


def declare(tmp_path: Path, name: str, code: str, folder: str = "components") -> Path:
    path = tmp_path / folder / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(code)
    return path


def found_in(tmp_path: Path, *folders: str) -> Catalogue:
    return Catalogue([tmp_path / each for each in folders or ("components",)], within=tmp_path)


@pytest.mark.parametrize(
    "end",
    [
        "connector = Thing",
        "connector = Thing()",
        "connector: object = Thing()",
        "from copy import copy as connector; connector = Thing",
        "class connector(Thing): ...",
        "a = connector = Thing",
    ],
)
def test_a_module_declares_a_connector(tmp_path: Path, name: str, end: str) -> None:
    declare(tmp_path, name, CLASS + end)
    catalogue = found_in(tmp_path)
    assert name in catalogue.names("connectors")
    assert name not in catalogue.names("processors")
    found = catalogue.load("connectors", name)
    assert found.version == "1.0.0"
    assert catalogue.load("connectors", name) is found
    assert [entry.name for entry in (tmp_path / "components").iterdir()] == [f"{name}.py"]


def test_a_module_may_declare_both_and_runs_once(tmp_path: Path, name: str) -> None:
    ran = tmp_path / "ran"
    code = f"with open({str(ran)!r}, 'a') as out: out.write('x')\n{CLASS}"
    code += "connector = Thing\nprocessor = Thing()\n"
    declare(tmp_path, name, code)
    catalogue = found_in(tmp_path, "components", "components")
    assert not ran.exists()
    catalogue.load("connectors", name)
    catalogue.load("processors", name)
    assert ran.read_text() == "x"


def test_nothing_is_run_until_it_is_named(tmp_path: Path, name: str) -> None:
    ran = tmp_path / "ran"
    declare(tmp_path, name, f"open({str(ran)!r}, 'w')\nconnector = 1\n")
    catalogue = found_in(tmp_path)
    assert name in catalogue.names("connectors")
    assert catalogue.load("processors", "merge").name == "merge"
    assert not ran.exists()


def test_the_other_kind_is_told(tmp_path: Path, name: str) -> None:
    declare(tmp_path, name, CLASS + "processor = Thing")
    with pytest.raises(NotFoundError) as caught:
        found_in(tmp_path).load("connectors", name)
    assert f"'{name}' is a processor" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("connector = no_such_name", "NameError"),
        ("def broken(:", "SyntaxError"),
        ("x = 1", "no variable 'connector'"),
        ("", "no variable 'connector'"),
        ("import sys; sys.exit(3)\nconnector = 1", "SystemExit"),
        ("connector = 1\n" + "#" * 5_000_000, "larger than 4 MiB"),
        ("connector = " + "(" * 10_000, "SyntaxError"),
        ("connector = 3", "is not a connector"),
    ],
)
def test_a_broken_module_fails_who_names_it(
    tmp_path: Path, name: str, code: str, words: str
) -> None:
    path = declare(tmp_path, name, code)
    with pytest.raises(WaivernError, match=words) as caught:
        found_in(tmp_path).load("connectors", name)
    assert str(path) in caught.value.message
    assert caught.value.hint


def _link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def _fifo(path: Path, _outside: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path, _outside: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_link, _fifo, _folder])
def test_a_module_is_a_regular_file(
    tmp_path: Path, name: str, make: Callable[[Path, Path], None]
) -> None:
    outside, folder = tmp_path / "outside.py", tmp_path / "project" / "components"
    outside.write_text(CLASS + "connector = Thing")
    folder.mkdir(parents=True)
    make(folder / f"{name}.py", outside)
    catalogue = Catalogue([folder], within=tmp_path / "project")
    with pytest.raises(WaivernError, match=r"a link|not a regular file|a folder"):
        catalogue.load("connectors", name)


@pytest.mark.parametrize("folder", ["../outside", "link", "/"])
def test_a_folder_is_inside_the_project(tmp_path: Path, folder: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "outside").mkdir()
    (project / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(RefusedError, match="is outside"):
        Catalogue([project / folder], within=project)


def test_a_folder_may_be_reached_by_a_link_within(tmp_path: Path, name: str) -> None:
    declare(tmp_path, name, CLASS + "connector = Thing", "real")
    (tmp_path / "linked").symlink_to("real")
    assert found_in(tmp_path, "linked").load("connectors", name).version == "1.0.0"


def test_a_folder_that_is_not_there_has_no_components(tmp_path: Path) -> None:
    assert found_in(tmp_path, "nowhere").names("connectors") == Catalogue().names("connectors")


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match="cannot be read"):
        found_in(tmp_path, "file")


@pytest.mark.parametrize("file", ["_helper.py", ".hidden.py", "notes.txt"])
def test_other_files_are_left_alone(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "components"
    folder.mkdir()
    (folder / file).write_text(CLASS + "connector = Thing")
    assert found_in(tmp_path).names("connectors") == Catalogue().names("connectors")


def test_two_folders_with_one_name_are_refused(tmp_path: Path, name: str) -> None:
    one = declare(tmp_path, name, CLASS + "connector = Thing", "one")
    two = declare(tmp_path, name, CLASS + "connector = Thing", "two")
    catalogue = found_in(tmp_path, "one", "two")
    assert catalogue.names("connectors").count(name) == 1
    with pytest.raises(RefusedError) as caught:
        catalogue.load("connectors", name)
    assert str(one) in caught.value.message
    assert str(two) in caught.value.message


def test_a_name_of_a_distribution_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site" / "dist_of_it-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dist_of_it\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[waivern.connectors]\n{name} = nowhere:Thing\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    path = declare(tmp_path, name, CLASS + "connector = Thing")
    with pytest.raises(RefusedError) as caught:
        found_in(tmp_path).load("connectors", name)
    assert "dist_of_it 1.2" in caught.value.message
    assert str(path) in caught.value.message
