"""Which store and project file are meant, and who said what holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from waivern.data_directory import project_file
from waivern.diagnostics import InvalidError
from waivern.errors import UsageError
from waivern.language.loader import parse
from waivern.language.models import Runbook
from waivern.runs.locate import find_project, locate
from waivern.runs.settings import Settings, SettingSource, everything, resolve
from waivern.yamldoc.document import YamlDocument

ARTIFACTS = "artifacts: {a: {source: {type: x}}}\n"


def runbook(text: str) -> Runbook:
    return parse((text + ARTIFACTS).encode(), path="x.yaml", folder=Path("/"), environ={})


def write(folder: Path, text: str) -> Path:
    path = folder / "waivern.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders below `tmp_path`, to be in."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


# the store


def test_the_store_is_what_was_typed_set_said_or_found(tmp_path: Path, below: Path) -> None:
    """Each in turn is taken away, and the next one holds."""
    (tmp_path / "a" / ".waivern").mkdir()
    path = write(tmp_path, "persistence: {path: said}\n")
    environ = {"WAIVERN_STORE": "set"}
    assert locate("typed", environ) == "typed"
    assert locate(None, environ) == "set"
    assert locate(None, {"WAIVERN_STORE": ""}) == str(tmp_path / "said")
    path.write_text("cache: true\n")
    assert locate(None, {}) == str(tmp_path / "a" / ".waivern")
    (tmp_path / "a" / ".waivern").rmdir()
    path.unlink()
    assert locate(None, {}) == str(below / ".waivern")


def test_a_wrong_project_file_is_no_matter_where_the_store_is_given(
    tmp_path: Path, below: Path
) -> None:
    write(tmp_path, "persistence: 3\n")
    assert locate("typed", {}) == "typed"
    assert locate(None, {"WAIVERN_STORE": "set"}) == "set"
    with pytest.raises(InvalidError, match=r"\.\./\.\./waivern\.yaml:1:14"):
        locate(None, {})


def test_a_store_that_is_a_file_names_the_line(tmp_path: Path) -> None:
    write(tmp_path, "\npersistence:\n  path: waivern.yaml\n")
    with pytest.raises(UsageError, match=r"waivern\.yaml:3:3.*not a folder"):
        locate(None, {}, str(tmp_path))


# the project file


def test_the_nearest_project_file_counts(tmp_path: Path, below: Path) -> None:
    assert find_project() is None
    write(tmp_path, "max_concurrency: 1\n")
    far = find_project()
    assert far is not None
    assert far.max_concurrency == 1
    write(below, "max_concurrency: 2\n")
    near = find_project()
    assert near is not None
    assert (near.max_concurrency, near.document.path) == (2, "waivern.yaml")
    assert near.document.folder == below


def test_what_belongs_to_somebody_else_is_passed_over(
    tmp_path: Path, below: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what lies in a folder of theirs where one stands: they are trusted then."""
    mine = write(tmp_path, "cache: true\n")
    theirs = write(below.parent, "cache: false\n")
    owner = os.geteuid() + 1
    seen = os.lstat

    def lstat(path: str) -> os.stat_result:
        found = list(seen(path))
        if path in foreign:
            found[4] = owner
        return os.stat_result(found)

    monkeypatch.setattr(os, "lstat", lstat)
    foreign = [str(theirs)]
    assert project_file(str(below)) == str(mine)
    foreign = [str(theirs), str(below)]
    assert project_file(str(below)) == str(theirs)


# who said it


def sources(settings: Settings) -> dict[str, tuple[Any, str]]:
    return {one.name: (one.value, str(one.source)) for one in everything(settings, None, None)}


def test_every_setting_has_a_default(tmp_path: Path) -> None:
    assert sources(resolve(None, environ={}, folder=str(tmp_path))) == {
        "store": (str(tmp_path / ".waivern"), "default"),
        "persistence.enabled": (True, "default"),
        "persistence.backend": ("filesystem", "default"),
        "max_concurrency": (8, "default"),
        "timeout": (None, "default"),
        "cache": (None, "default"),
        "on_error": ("skip", "default"),
        "keep": (None, "default"),
        "on_change": ("skip", "default"),
        "retention.keep_last": (None, "default"),
        "retention.older_than": (None, "default"),
        "retention.status": ((), "default"),
        "retention.keep_failed": (False, "default"),
        "retention.content": (None, "default"),
    }


def test_the_nearer_word_counts(tmp_path: Path) -> None:
    write(tmp_path, "max_concurrency: 2\npersistence: {path: said}\n")
    project = find_project(str(tmp_path))
    assert project is not None
    file = os.path.relpath(tmp_path / "waivern.yaml")
    own = runbook("config: {max_concurrency: 3}\n")
    width = [
        resolve(None, environ={}),
        resolve(project, environ={}),
        resolve(project, own, environ={}),
        resolve(project, own, environ={}, max_concurrency=4),
    ]
    assert [each.max_concurrency.value for each in width] == [8, 2, 3, 4]
    assert [each.max_concurrency.source for each in width] == [
        SettingSource("default"),
        SettingSource("project", file, 1),
        SettingSource("runbook", "x.yaml", 1),
        SettingSource("option", "--max-concurrency"),
    ]
    environ = {"WAIVERN_STORE": "set"}
    store = [
        resolve(project, environ={}).store,
        resolve(project, environ=environ).store,
        resolve(project, environ=environ, store="typed").store,
    ]
    assert [each.value for each in store] == [str(tmp_path / "said"), "set", "typed"]
    assert [each.source for each in store] == [
        SettingSource("project", file, 2),
        SettingSource("environment", "WAIVERN_STORE"),
        SettingSource("option", "--store"),
    ]


def test_a_store_that_was_found_says_so(tmp_path: Path) -> None:
    (tmp_path / ".waivern").mkdir()
    found = resolve(None, environ={}, folder=str(tmp_path)).store
    assert (found.value, found.source) == (str(tmp_path / ".waivern"), SettingSource("nearest"))


def test_a_value_that_equals_the_default_still_has_its_source(tmp_path: Path) -> None:
    write(tmp_path, "cache: false\npersistence: {enabled: true}\nretention: {status: []}\n")
    settings = resolve(find_project(str(tmp_path)), environ={}, folder=str(tmp_path))
    assert settings.cache.source.line == 1
    assert settings.persistence_enabled.source.line == 2
    assert settings.retention_status.source.line == 3
    assert settings.on_error.source == SettingSource("default")


def test_components_are_shown_as_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "s3cret-canary")
    write(tmp_path, 'components:\n  x: {key: "${CANARY}"}\ncomponent_paths: [c]\n')
    project = find_project(str(tmp_path))
    shown = list(everything(resolve(project, environ=os.environ), project, None))[-2:]
    assert [(one.name, one.value, one.source.line) for one in shown] == [
        ("component_paths", ["c"], 3),
        ("components.x", {"key": "${CANARY}"}, 2),
    ]
    assert "s3cret" not in repr(shown)


def test_what_else_a_runbook_says_is_shown_too(tmp_path: Path) -> None:
    text = b"config:\n  cache:\n  pools: {db: 2}\n"
    own = Runbook.unread("x", YamlDocument("x.yaml", tmp_path, text))
    shown = list(everything(resolve(None, own, environ={}), None, own))
    assert (shown[-1].name, shown[-1].value) == ("config.pools", {"db": 2})
    assert shown[-1].source == SettingSource("runbook", "x.yaml", 3)
    assert [one.name for one in shown].count("cache") == 1
