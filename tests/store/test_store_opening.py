"""Stores by path and URL: the shipped ones, and those of other distributions."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import waivern
import waivern.store
from waivern.errors import UsageError
from waivern.store import opening
from waivern.store.local import LocalFilesystemStore
from waivern.store.memory import AsyncInMemoryStore
from waivern.store.opening import open_store
from waivern.testing.store_helpers import begin

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}"])
def test_opening(form: str, tmp_path: Path) -> None:
    begin(open_store(form.format(tmp_path / "store"))).release()
    assert open_store(open_store(tmp_path / "store").url).runs() == ["r"]


@pytest.mark.parametrize("text", ["", "\0", "a\0b"])
def test_text_that_names_no_store(text: str) -> None:
    with pytest.raises(UsageError, match="does not name a store") as raised:
        open_store(text)
    assert raised.value.hint


@pytest.mark.parametrize("url", ["gopher:x", "gopher://host/x", "my+odd://x", "memory:x"])
def test_schemes_that_no_store_serves(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        open_store(url)
    assert raised.value.hint
    assert "memory:" in raised.value.hint


def test_the_entry_points_are_those_that_bypass_the_lookup() -> None:
    declared = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"]["waivern.stores"]
    found = {
        scheme: f"{opener.__module__}:{opener.__name__}"
        for scheme, opener in vars(opening)["_SHIPPED"].items()
    }
    assert declared == found


def test_a_store_of_another_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "acme_store-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-store\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[waivern.stores]\nacme+x = acme_store:opened\n")
    (tmp_path / "acme_store.py").write_text(
        "from waivern.store import AsyncInMemoryStore\n"
        "def opened(url, *, trust, working_folder):\n"
        "    store = AsyncInMemoryStore()\n"
        "    store.url = url\n"
        "    return store\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert open_store("acme+x://place/1").url == "acme+x://place/1"


@pytest.mark.parametrize("package", [waivern, waivern.store])
def test_both_stores_are_imported_when_they_are_used(package: ModuleType) -> None:
    assert package.LocalFilesystemStore is LocalFilesystemStore
    assert package.AsyncInMemoryStore is AsyncInMemoryStore
    with pytest.raises(AttributeError):
        package.NoSuchStore  # noqa: B018
    code = f"import sys, {package.__name__}; print('waivern.store.disk' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout == "False\n"


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("def opened(url):\n    raise AssertionError", "TypeError in its entry point"),
        ("def opened(url, **_):\n    return {}[url]", "KeyError in its entry point"),
        ("import no_such_module", "cannot be imported: ModuleNotFoundError: No module named"),
    ],
)
def test_a_store_that_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, said: str
) -> None:
    info = tmp_path / "faulty_store-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-store\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[waivern.stores]\nfaulty = faulty_store:opened\n")
    (tmp_path / "faulty_store.py").write_text(f"{module}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "faulty_store", raising=False)
    with pytest.raises(UsageError, match=said) as raised:
        open_store("faulty://user:secret@host")
    assert "faulty" in raised.value.message
    assert "secret" not in raised.value.message
