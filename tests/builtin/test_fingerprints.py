"""Fingerprints: equal where `extract` would return the same, and only there."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_kit import extracted

from waivern.builtin.filesystem import Filesystem
from waivern.builtin.merge import Merge
from waivern.builtin.personal_data import PersonalData
from waivern.builtin.sqlite import Sqlite
from waivern.errors import ComponentError
from waivern.message import content_digest
from waivern.plugins.context import Context

Edit = Callable[[Path], object]


def tree_marks(base: Path, **properties: Any) -> dict[str, str]:
    ctx = Context("a", base)
    config = Filesystem.Config(**({"path": "."} | properties))
    marks = Filesystem().fingerprint(config, ctx)
    again = Context("a", base)
    extracted(Filesystem(), config, again)
    assert ctx.coverage.document() == again.coverage.document()  # what a cached artifact has
    return dict(marks)


def table_marks(base: Path, **properties: Any) -> dict[str, str]:
    ctx = Context("a", base)
    config = Sqlite.Config(path="x.db", **properties)
    marks = Sqlite().fingerprint(config, ctx)
    again = Context("a", base)
    extracted(Sqlite(), config, again)
    assert ctx.coverage.document() == again.coverage.document()
    return dict(marks)


def told(base: Path, **properties: Any) -> str:
    """Return the digest of what `extract` says: the content, and what it could not read."""
    ctx = Context("a", base)
    content = extracted(Filesystem(), Filesystem.Config(path=".", **properties), ctx)
    unread = [each for each in ctx.coverage.skipped if each[1] not in ("excluded", "not included")]
    return content_digest([content, unread])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "base"
    (base / "sub").mkdir(parents=True)
    (base / "a.txt").write_text("one")
    (base / "sub" / "b.txt").write_text("two")
    (base / "c.bin").write_bytes(b"\0\1")
    (base / "d.log").write_text("log")
    return base


def test_the_built_in_components_say_that_they_are_repeatable() -> None:
    assert all(c.repeatable for c in (Filesystem, Sqlite, Merge, PersonalData))


def test_marks_name_each_file_and_why_it_was_not_read(base: Path) -> None:
    assert tree_marks(base, exclude=["*.log"]) == {
        "a.txt": "sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
        "sub/b.txt": "sha256:3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3",
        "c.bin": "binary",
    }


def _same_size_and_time(base: Path) -> None:
    file = base / "a.txt"
    was = file.stat()
    file.write_text("ONE")
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    now = file.stat()
    assert (now.st_size, now.st_mtime_ns) == (was.st_size, was.st_mtime_ns)


def _swap(base: Path) -> None:
    (base / "a.txt").rename(base / "t")
    (base / "sub" / "b.txt").rename(base / "a.txt")
    (base / "t").rename(base / "sub" / "b.txt")


def _symlink(base: Path) -> None:
    (base / "a.txt").unlink()
    (base / "a.txt").symlink_to("sub/b.txt")


def _fifo(base: Path) -> None:
    (base / "a.txt").unlink()
    os.mkfifo(base / "a.txt")


def _below_out(base: Path) -> None:
    (base / "out").mkdir()
    (base / "out" / "f").write_text("")


CHANGES: dict[str, tuple[Edit, set[str]]] = {
    "same size and time": (_same_size_and_time, {"a.txt"}),
    "added": (lambda b: (b / "new.txt").write_text(""), {"new.txt"}),
    "removed": (lambda b: (b / "a.txt").unlink(), {"a.txt"}),
    "renamed": (lambda b: (b / "a.txt").rename(b / "z.txt"), {"a.txt", "z.txt"}),
    "moved": (lambda b: (b / "a.txt").rename(b / "sub" / "a.txt"), {"a.txt", "sub/a.txt"}),
    "swapped": (_swap, {"a.txt", "sub/b.txt"}),
    "became binary": (lambda b: (b / "a.txt").write_bytes(b"\0"), {"a.txt"}),
    "became readable": (lambda b: (b / "c.bin").write_bytes(b"text"), {"c.bin"}),
    "became a symlink": (_symlink, {"a.txt"}),
    "became too large": (lambda b: (b / "a.txt").write_text("x" * 101), {"a.txt"}),
    "became a fifo": (_fifo, {"a.txt"}),
    "added a binary": (lambda b: (b / "e.bin").write_bytes(b"\0"), {"e.bin"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_and_named(base: Path, change: str) -> None:
    edit, names = CHANGES[change]
    before = tree_marks(base, max_file_size=100)
    edit(base)
    after = tree_marks(base, max_file_size=100)
    assert {name for name in before | after if before.get(name) != after.get(name)} == names


NOT_CHANGES: dict[str, Edit] = {
    "touched": lambda b: os.utime(b / "a.txt", (1, 1)),
    "written again": lambda b: (b / "a.txt").write_text("one"),
    "mode": lambda b: (b / "a.txt").chmod(0o600),
    "an empty folder": lambda b: (b / "empty").mkdir(),
    "another binary": lambda b: (b / "c.bin").write_bytes(b"\0\2"),
    "an excluded file": lambda b: (b / "d.log").write_text("more"),
    "a new excluded file": lambda b: (b / "e.log").write_text("more"),
    "below an excluded folder": _below_out,
    "a new file that is not included": lambda b: (b / "x.md").write_text("more"),
}


@pytest.mark.parametrize("change", NOT_CHANGES)
def test_what_makes_no_difference_makes_none(base: Path, change: str) -> None:
    wanted = {"include": ["*.txt", "*.bin", "*.log"], "exclude": ["*.log", "out/"]}
    before, content = tree_marks(base, **wanted), told(base, **wanted)
    assert before
    NOT_CHANGES[change](base)
    assert told(base, **wanted) == content
    assert tree_marks(base, **wanted) == before


def test_a_copy_elsewhere_has_equal_marks(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "deep" / "clone", copy_function=shutil.copyfile)
    assert tree_marks(tmp_path / "deep" / "clone") == tree_marks(base)
    assert tree_marks(tmp_path, path="deep/clone") == tree_marks(base)


def test_the_limit_counts_as_in_extract(base: Path) -> None:
    assert tree_marks(base, max_file_size=3)["a.txt"].startswith("sha256:")
    assert tree_marks(base, max_file_size=2)["a.txt"] == "too large"


def test_a_single_file(base: Path) -> None:
    assert list(tree_marks(base, path="a.txt")) == ["a.txt"]
    with pytest.raises(ComponentError, match="binary"):
        tree_marks(base, path="c.bin")
    with pytest.raises(ComponentError, match="cannot be read"):
        tree_marks(base, path="none")


def test_names_that_are_shown_alike_both_count(base: Path) -> None:
    raw = os.fsdecode(b"\xff.txt")
    try:
        (base / raw).write_text("1")
    except OSError:  # macOS keeps UTF-8 names only: there are no such names to mix up
        return
    (base / "\\xff.txt").write_text("2")
    before = tree_marks(base)
    (base / raw).write_text("3")
    middle = tree_marks(base)
    (base / "\\xff.txt").write_text("4")
    assert len({before["\\xff.txt"], middle["\\xff.txt"], tree_marks(base)["\\xff.txt"]}) == 3


DENIED = """
import hashlib, os, sys, json
from pathlib import Path
from waivern.builtin.filesystem import Filesystem
from waivern.plugins.context import Context
if os.geteuid() == 0:
    os.seteuid(65534)
ctx = Context("a", Path(sys.argv[1]))
print(json.dumps(Filesystem().fingerprint(Filesystem.Config(path="."), ctx)))
"""


def test_a_closed_file_is_marked_as_such() -> None:
    with tempfile.TemporaryDirectory() as folder:  # not below tmp_path, which is closed to others
        Path(folder).chmod(0o755)
        for name in ("open.txt", "closed.txt"):
            Path(folder, name).write_text("x")
        Path(folder, "closed.txt").chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", DENIED, folder], capture_output=True, text=True, check=True
        )
    marks = json.loads(done.stdout)
    assert marks.keys() == {"open.txt", "closed.txt"}
    assert marks["closed.txt"] == "denied"
    assert marks["open.txt"].startswith("sha256:")


NAMES = st.sampled_from(["a.txt", "b.txt", "s/c.txt", "s/t/d.txt", "e.log", "skip/f.txt"])
BOMS = [b"\xef\xbb\xbfone", b"\xff\xfeo\0"]
BYTES = st.sampled_from(
    [*BOMS, b"", b"one", b"two", b"\0", b"\0\0", b"\xff", b"x" * 10, b"x" * 11, b"y" * 11]
)
WRITE = st.tuples(st.just("write"), NAMES, BYTES)
EDITS = WRITE | st.tuples(st.sampled_from(["remove", "link"]), NAMES, st.just(b""))


def apply(base: Path, edit: tuple[str, str, bytes]) -> None:
    action, name, data = edit
    path = base / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if action == "write":
        path.write_bytes(data)
        os.utime(path, (1, 1))
    elif action == "link":
        path.symlink_to("a.txt")


@settings(max_examples=80, deadline=None)
@given(
    st.lists(EDITS, min_size=2, max_size=12), st.sampled_from([None, ["*.txt"], ["s/", "*.log"]])
)
def test_marks_are_equal_exactly_when_extract_says_the_same(
    edits: list[tuple[str, str, bytes]], include: list[str] | None
) -> None:
    wanted = {"include": include, "exclude": ["skip/", "b.*"], "max_file_size": 10}
    states = []
    with tempfile.TemporaryDirectory() as folder:
        for edit in edits:
            apply(Path(folder), edit)
            marks = json.dumps(tree_marks(Path(folder), **wanted), sort_keys=True)
            states.append((marks, told(Path(folder), **wanted)))
    pairs = [(one, other) for one in states for other in states]
    assert all((one[0] == other[0]) == (one[1] == other[1]) for one, other in pairs)


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    change(
        tmp_path / "x.db",
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)",
        "INSERT INTO people VALUES (1, 'Zoë'), (2, 'Bo'), (3, x'00ff')",
        "CREATE TABLE orders (total REAL)",
        "CREATE VIEW v AS SELECT name FROM people",
    )
    return tmp_path


def test_marks_of_a_database(shop: Path) -> None:
    marks = table_marks(shop)
    assert marks.keys() == {
        "columns orders",
        "columns people",
        "rows orders",
        "rows people",
        "skipped v",
    }
    assert marks["rows people"].startswith("3 sha256:")
    assert marks["skipped v"] == "view"


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("UPDATE people SET name = 'Bob' WHERE id = 2", {"rows people"}),
        ("UPDATE people SET name = '2' WHERE id = 2", {"rows people"}),
        ("INSERT INTO orders VALUES (1)", {"rows orders"}),
        ("ALTER TABLE orders RENAME COLUMN total TO sum", {"columns orders"}),
        ("ALTER TABLE orders ADD COLUMN at TEXT", {"columns orders"}),
        ("CREATE TABLE t (x)", {"columns t", "rows t"}),
        ("DROP VIEW v", {"skipped v"}),
        ("VACUUM", set()),
        ("CREATE INDEX i ON people (name)", set()),
        ("UPDATE people SET name = x'ff00' WHERE id = 3", set()),  # only its length is read
    ],
)
def test_a_change_of_a_database_is_seen_and_named(
    shop: Path, statement: str, names: set[str]
) -> None:
    before, content = table_marks(shop), _content(shop)
    change(shop / "x.db", statement)
    after = table_marks(shop)
    assert {name for name in before | after if before.get(name) != after.get(name)} == names
    assert (_content(shop) == content) == (not names or names == {"skipped v"})


def _content(shop: Path, **properties: Any) -> str:
    config = Sqlite.Config(path="x.db", **properties)
    return content_digest(extracted(Sqlite(), config, Context("a", shop)))


def test_only_the_rows_and_tables_that_are_read_count(shop: Path) -> None:
    few, some = table_marks(shop, max_rows=1), table_marks(shop, tables=["orders"])
    content = _content(shop, max_rows=1)
    assert some.keys() == {"columns orders", "rows orders"}
    change(shop / "x.db", "UPDATE people SET name = 'Bob' WHERE id = 2")
    assert _content(shop, max_rows=1) == content
    assert table_marks(shop, max_rows=1) == few
    assert table_marks(shop, tables=["orders"]) == some
    change(shop / "x.db", "DELETE FROM people WHERE id = 2")  # beyond the limit, but counted
    assert table_marks(shop, max_rows=1) != few
    assert table_marks(shop, tables=["orders"]) == some


def test_what_lies_in_the_log_counts(shop: Path) -> None:
    before = table_marks(shop)
    with closing(sqlite3.connect(shop / "x.db", isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        assert table_marks(shop) == before
        writer.execute("INSERT INTO people VALUES (4, 'Al')")
        assert (shop / "x.db-wal").stat().st_size
        within = table_marks(shop)
        assert within["rows people"].startswith("4 ")
    assert table_marks(shop) == within  # the log is now in the file


def test_a_copied_database_has_equal_marks_and_no_trace(shop: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copyfile(shop / "x.db", elsewhere / "x.db")
    assert table_marks(elsewhere) == table_marks(shop)
    assert [path.name for path in elsewhere.iterdir()] == ["x.db"]


def test_no_database_is_told_as_by_extract(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database" * 100)
    with pytest.raises(ComponentError, match="not a SQLite database"):
        table_marks(tmp_path)
