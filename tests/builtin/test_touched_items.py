"""Items that were certainly not touched since a time, so that nothing of them has to be read."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from waivern.builtin import sqlite_again, text_files
from waivern.builtin.filesystem import Filesystem
from waivern.builtin.sqlite import Sqlite
from waivern.errors import ComponentError
from waivern.plugins.context import Context

HOUR = timedelta(hours=1)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with three files, of the same size and modification time, in two folders."""
    for name in ("a.txt", "inner/b.txt", "inner/c.txt"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name[-5])
        os.utime(path, (0, 0))
    return tmp_path / "data"


def touched(source: Path, since: datetime) -> list[str]:
    ctx, config = Context("a", source.parent), Filesystem.Config(path="data")
    return [entry["path"] for entry in Filesystem().touched(config, ctx, ENTRIES, since)]


ENTRIES = [
    {"path": path, "size": 1, "encoding": "utf-8", "digest": "sha256:0"}
    for path in ("a.txt", "inner/b.txt", "inner/c.txt")
]


def settled(monkeypatch: pytest.MonkeyPatch, module: object) -> datetime:
    """Return a time after all that was written so far."""
    monkeypatch.setattr(module, "CLOCKS_DIFFER_S", 0)
    time.sleep(0.05)
    now = datetime.now(UTC)
    time.sleep(0.05)
    return now


def overwrite(source: Path) -> None:
    path = source / "inner/b.txt"
    path.write_text("x")
    os.utime(path, (0, 0))


def replace(source: Path) -> None:
    """Put an older file in the place of one: its modification time says nothing."""
    (source.parent / "old").rename(source / "inner/b.txt")


def replace_folder(source: Path) -> None:
    """Put an older folder in the place of one: the files in it have not changed at all."""
    (source / "inner").rename(source.parent / "was")
    (source.parent / "other").rename(source / "inner")


def remove(source: Path) -> None:
    (source / "inner/b.txt").unlink()


@pytest.mark.parametrize("change", [overwrite, replace, replace_folder, remove])
def test_a_file_that_was_written_or_replaced(
    source: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (source.parent / "old").write_text("x")
    (source.parent / "other").mkdir()
    for name in ("b.txt", "c.txt"):
        (source.parent / "other" / name).write_text("x")
    since = settled(monkeypatch, text_files)
    assert touched(source, since) == []
    change(source)
    assert "inner/b.txt" in touched(source, since)
    # the folder above it has other names in it now: each file below may be another
    assert ("a.txt" in touched(source, since)) == (change is replace_folder)


def test_what_was_written_a_moment_before_may_have_been_written_after(source: Path) -> None:
    """The clock of a file server may be behind."""
    every = [entry["path"] for entry in ENTRIES]
    assert touched(source, datetime.now(UTC)) == every
    assert touched(source, datetime.now(UTC) - HOUR) == every
    assert touched(source, datetime.now(UTC) + HOUR) == []


def test_a_folder_that_is_gone_is_an_error(source: Path) -> None:
    source.rename(source.parent / "was")
    with pytest.raises(ComponentError, match="cannot be read"):
        touched(source, datetime.now(UTC) + HOUR)


@pytest.mark.parametrize("change", ["written", "replaced", "in use"])
def test_a_database(tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("shop.db", "other.db"):
        with closing(sqlite3.connect(tmp_path / name)) as db:
            db.execute("CREATE TABLE a (id INTEGER PRIMARY KEY)")
            db.commit()
    ctx, config = Context("a", tmp_path), Sqlite.Config(path="shop.db")
    since = settled(monkeypatch, sqlite_again)

    def found() -> int:
        return len([*Sqlite().touched(config, ctx, [{"name": "a"}], since)])

    assert found() == 0
    if change == "replaced":
        (tmp_path / "other.db").rename(tmp_path / "shop.db")
    elif change == "in use":
        (tmp_path / "shop.db-wal").touch()
    else:
        with closing(sqlite3.connect(tmp_path / "shop.db")) as db:
            db.execute("INSERT INTO a VALUES (1)")
            db.commit()
    assert found() == 1
