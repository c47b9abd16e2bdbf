from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import waivern
from waivern.builtin.merge import Merge
from waivern.builtin.sqlite import Sqlite
from waivern.message import sha256
from waivern.plugins.component import Processor
from waivern.plugins.identity import code_digest

SOURCE = "from waivern.builtin.merge import Merge\nclass Own(Merge):\n    version = '{}'\n"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that makes a component in a module of its own."""
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def make(name: str, source: str) -> Processor:
        (tmp_path / f"{name}.py").write_text(source)
        importlib.invalidate_caches()
        names.append(name)
        component: Processor = importlib.import_module(name).Own()
        return component

    yield make
    for name in names:
        sys.modules.pop(name, None)


def test_it_is_the_digest_of_the_file(made: Any) -> None:
    source = SOURCE.format(1)
    assert code_digest(made("identity_one", source)) == sha256(source.encode())
    assert code_digest(made("identity_two", source)) == sha256(source.encode())
    assert code_digest(made("identity_three", source + "#")) != sha256(source.encode())


def test_it_is_read_once_in_a_process(made: Any, tmp_path: Path) -> None:
    component = made("identity_four", SOURCE.format(1))
    before = code_digest(component)
    (tmp_path / "identity_four.py").write_text("changed, and not what runs")
    assert code_digest(component) == before
    assert code_digest(type(component)()) == before


def test_of_a_built_in_one_the_version_of_the_package_is_part() -> None:
    one, other = code_digest(Merge()), code_digest(Sqlite())
    assert one.startswith(f"waivern {waivern.__version__} sha256:")
    assert one != other


def test_without_a_file_it_is_the_distribution_or_unlike_all_others(made: Any) -> None:
    class Owned(Merge):
        __module__ = "hypothesis.no_such_module"

    class Nowhere(Merge):
        __module__ = "made_at_a_prompt"

    class Elsewhere(Merge):
        __module__ = "made_at_a_prompt"

    assert code_digest(Owned()) == f"hypothesis {version('hypothesis')}"
    assert code_digest(Nowhere()) == code_digest(Nowhere()) != code_digest(Elsewhere())
