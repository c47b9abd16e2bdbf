"""`sqlite` by reference: a catalogue of tables, whose rows are read again and checked."""

from __future__ import annotations

import sqlite3
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from source_kit import extracted

from waivern.builtin import random_sample
from waivern.builtin.sqlite import Sqlite
from waivern.errors import ComponentError
from waivern.plugins.context import Context
from waivern.plugins.inputs import joined_parts, listed_items

CHANGED = "changed since it was listed"
NUMBERS = (
    "WITH RECURSIVE c(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM c LIMIT {0})"
    " INSERT INTO {1} SELECT v, 'row ' || v FROM c"
)


def change(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return change(
        tmp_path / "x.db",
        "CREATE TABLE empty (v)",
        "CREATE TABLE large (id INTEGER PRIMARY KEY, name TEXT)",
        NUMBERS.format(2500, "large"),
        "CREATE TABLE small (id INT, photo BLOB)",
        "INSERT INTO small VALUES (1, x'00ff'), (2, NULL)",
        "CREATE VIEW names AS SELECT name FROM large",
    )


def config(**properties: Any) -> Sqlite.Config:
    return Sqlite.Config(path="x.db", **{"max_rows": 10_000} | properties)


def listed(path: Path, **properties: Any) -> list[Any]:
    return [*Sqlite().catalogue(config(**properties), Context("a", path.parent))]


def again(path: Path, entries: list[Any], **properties: Any) -> tuple[list[Any], Context]:
    """Return the parts that are read of the entries, and the context of the reader."""
    ctx = Context("b", path.parent)
    return [*Sqlite().read(config(**properties), ctx, entries)], ctx


def whole(parts: list[Any]) -> list[Any]:
    return [joined_parts(item.read()) for item in listed_items(parts)]


def content(path: Path, **properties: Any) -> list[Any]:
    ctx = Context("a", path.parent)
    tables: list[Any] = extracted(Sqlite(), config(**properties), ctx)["tables"]
    return tables


def test_entries_describe_the_tables_and_hold_no_rows(shop: Path) -> None:
    empty, large, small = listed(shop)
    assert (empty["name"], empty["rows"], empty["row_count"]) == ("empty", 0, 0)
    assert small == {
        "name": "small",
        "row_count": 2,
        "columns": [{"name": "id", "type": "INT"}, {"name": "photo", "type": "BLOB"}],
        "rows": 2,
        "digest": small["digest"],
    }
    assert (large["rows"], len(large["blocks"])) == (2500, 3)
    assert all(each.startswith("sha256:") for each in (large["digest"], *large["blocks"]))
    assert "row 1" not in repr((empty, large, small))


def test_coverage_is_that_of_extract(shop: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    one = Context("a", shop.parent, emit_progress=lambda p: steps.append((p.n, p.total)))
    two = Context("a", shop.parent)
    properties = config(max_rows=2000)
    assert len([*Sqlite().catalogue(properties, one)]) == 3
    extracted(Sqlite(), properties, two)
    assert one.coverage.document() == two.coverage.document()
    assert steps == [(1, 3), (1, 3), (2, 3), (3, 3)]  # within a large table, too


def test_tables_are_read_again_as_extract_reads_them(shop: Path) -> None:
    parts, ctx = again(shop, listed(shop))
    assert whole(parts) == content(shop)
    assert ctx.coverage.skipped == []
    large = [part for part in parts if part["name"] == "large"]
    assert [(part.get("row"), part.get("more"), len(part["rows"])) for part in large] == [
        (0, True, 1000),
        (1000, True, 1000),
        (2000, None, 500),
    ]
    assert all("row" not in part for part in parts if part["name"] != "large")
    some, _ = again(shop, listed(shop)[2:])
    assert [part["name"] for part in some] == ["small"]


@pytest.mark.parametrize("rows", [0, 1, 999, 1000, 1001, 2000])
def test_numbers_of_rows_around_that_of_a_part(shop: Path, rows: int) -> None:
    (entry,) = listed(shop, tables=["large"], max_rows=rows)
    parts, ctx = again(shop, [entry], tables=["large"], max_rows=rows)
    assert (entry["rows"], len(parts)) == (rows, max(1, -(-rows // 1000)))
    assert whole(parts) == content(shop, tables=["large"], max_rows=rows)
    assert ctx.coverage.skipped == []


def test_large_rows_are_in_small_parts(shop: Path) -> None:
    change(shop, "UPDATE small SET photo = printf('%.*c', 9000000, 'x')")
    parts, _ = again(shop, listed(shop, tables=["small"]), tables=["small"])
    assert [len(part["rows"]) for part in parts] == [1, 1]
    assert whole(parts) == content(shop, tables=["small"])


def test_views_and_keys_are_read_again_in_their_order(tmp_path: Path) -> None:
    path = change(
        tmp_path / "x.db",
        "CREATE TABLE pairs (b TEXT, a INT, PRIMARY KEY (a, b)) WITHOUT ROWID",
        "INSERT INTO pairs VALUES ('x', 2), ('y', 1), ('a', 2)",
        "CREATE TABLE taken (rowid, _rowid_, oid)",
        "INSERT INTO taken VALUES (2, 0, 0), (1, 0, 0), (1, 0, 0)",
        "CREATE VIEW both AS SELECT a FROM pairs UNION ALL SELECT oid FROM taken",
        "CREATE VIEW chance AS SELECT random() FROM taken",
    )
    names = ["both", "chance", "pairs", "taken"]
    parts, ctx = again(path, listed(path, tables=names), tables=names)
    assert parts == [each for each in content(path, tables=names) if each["name"] != "chance"]
    assert ctx.coverage.skipped == [("chance", CHANGED, 1)]


@pytest.mark.parametrize("held", [10, 100_000])
def test_a_sample_is_read_again_by_its_seed(
    shop: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer is another artifact, from whose id another seed would follow."""
    monkeypatch.setattr(random_sample, "HELD", held)
    properties: dict[str, Any] = {"tables": ["large"], "sample": "random", "max_rows": 1200}
    (entry,) = listed(shop, **properties)
    assert isinstance(entry["seed"], int)
    parts, ctx = again(shop, [entry], **properties)
    (table,) = content(shop, **properties)
    assert [len(part["row_numbers"]) for part in parts] == [1000, 200]
    assert whole(parts) == [table]
    assert ctx.coverage.skipped == []
    assert len(set(table["row_numbers"])) == 1200
    assert [row[0] - 1 for row in table["rows"]] == table["row_numbers"]


def test_a_large_sample_is_as_random_as_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_sample, "HELD", 0)
    seen: dict[tuple[int, ...], int] = {}
    for seed in range(4000):
        sample = tuple(random_sample.drawn(5, 2, seed, "t"))
        seen[sample] = seen.get(sample, 0) + 1
    assert len(seen) == 10
    assert all(abs(count - 400) < 4.5 * (4000 * 0.1 * 0.9) ** 0.5 for count in seen.values())


# What happens to a table between its listing and its reading

FATES: dict[str, tuple[str, str | None]] = {
    "a value": ("UPDATE large SET name = 'x' WHERE id = 1", CHANGED),
    "a type": ("UPDATE large SET name = 1 WHERE id = 1", CHANGED),
    "the last value": ("UPDATE large SET name = 'x' WHERE id = 2500", None),
    "fewer rows": ("DELETE FROM large WHERE id > 2000", None),
    "no rows": ("DELETE FROM large", CHANGED),
    "a column more": ("ALTER TABLE large ADD COLUMN at TEXT", CHANGED),
    "a column renamed": ("ALTER TABLE large RENAME COLUMN name TO mail", CHANGED),
    "a table renamed": ("ALTER TABLE large RENAME TO other", "vanished"),
    "a table dropped": ("DROP TABLE large", "vanished"),
}


@pytest.mark.parametrize("fate", FATES)
def test_what_is_not_what_was_listed_is_skipped_by_name(shop: Path, fate: str) -> None:
    statement, reason = FATES[fate]
    entries, before = listed(shop), content(shop)
    change(shop, statement)
    parts, ctx = again(shop, entries)
    found = {table["name"]: table for table in whole(parts)}
    assert found["small"] == before[2]
    reason = reason or f"{CHANGED}, after a part of it was read"
    assert ctx.coverage.skipped == [("large", reason, 1)]
    assert ctx.coverage.document()["units"]["rows"]["known"] == 2500  # type: ignore[index]
    if "part" in reason:
        assert found["large"]["rows"] == before[1]["rows"][: len(found["large"]["rows"])]
        assert parts[-2]["more"]  # the last part is missing
    else:
        assert "large" not in found


@pytest.mark.parametrize(
    "statement",
    ["VACUUM", "INSERT INTO large VALUES (9999, 'new')", "CREATE INDEX i ON large (name)"],
)
def test_a_table_that_only_grew_is_read_to_its_recorded_rows(shop: Path, statement: str) -> None:
    entries, before = listed(shop), content(shop)
    change(shop, statement)
    parts, ctx = again(shop, entries)
    assert whole(parts) == before
    assert ctx.coverage.skipped == []


def test_a_database_that_was_cut_off_has_unreadable_tables(shop: Path) -> None:
    entries = listed(shop)
    with shop.open("r+b") as database:
        database.truncate(6_000)
    parts, ctx = again(shop, entries)
    named = [(item, reason.partition(":")[0]) for item, reason, _ in ctx.coverage.skipped]
    assert ("large", "unreadable") in named
    whole_ones = {part["name"] for part in parts if not part.get("more")}
    assert {name for name, _ in named} == {each["name"] for each in entries} - whole_ones


def test_a_file_that_is_no_database_any_more_is_an_error(shop: Path) -> None:
    entries = listed(shop)
    shop.write_bytes(b"x" * 20_000)
    with pytest.raises(ComponentError, match="is not a SQLite database"):
        again(shop, entries)


def test_a_database_that_is_locked_is_read(shop: Path) -> None:
    entries, before = listed(shop), content(shop)
    with closing(sqlite3.connect(shop, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        parts, ctx = again(shop, entries)
    assert whole(parts) == before
    assert ctx.coverage.skipped == []


def test_a_database_that_is_gone_is_an_error(shop: Path) -> None:
    entries = listed(shop)
    shop.rename(shop.with_name("y.db"))
    with pytest.raises(ComponentError, match=r"'x\.db' cannot be read: No such file"):
        again(shop, entries)
    shop.mkdir()
    with pytest.raises(ComponentError, match=r"'x\.db' is not a regular file"):
        again(shop, entries)
    shop.rmdir()
    shop.write_bytes(b"not a database" * 100)
    with pytest.raises(ComponentError, match="not a SQLite database"):
        again(shop, entries)


HOSTILE: dict[str, dict[str, Any]] = {
    "rows": {"rows": -1},
    "columns": {"columns": [{"name": 1}]},
    "digest": {"digest": "sha256:0"},
    "blocks": {"blocks": ["sha256:0"]},
    "seed": {"seed": "x"},
}


@pytest.mark.parametrize("part", HOSTILE)
def test_entries_of_a_foreign_run_are_checked(shop: Path, part: str) -> None:
    entry = listed(shop)[1]
    with pytest.raises(ComponentError, match="not an entry of a catalogue of tables"):
        again(shop, [entry | HOSTILE[part]])
    with pytest.raises(ComponentError, match="not an entry of a catalogue of tables"):
        again(shop, ["large"])


# What happens while it is read


def _update_small(path: Path) -> None:
    change(path, "UPDATE small SET id = 7")


def _update_large(path: Path) -> None:
    change(path, "UPDATE large SET name = 'x' WHERE id = 2500")


def _truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(8192)


def _read_large(shop: Path, edit: Callable[[Path], object]) -> tuple[list[Any], Context]:
    """Change the database after the first part of the table has been read."""
    ctx = Context("b", shop.parent)
    parts: Iterator[Any] = Sqlite().read(config(), ctx, listed(shop)[1:2])
    first = next(parts)
    edit(shop)
    return [first, *parts], ctx


def test_another_table_may_change_while_one_is_read(shop: Path) -> None:
    before = content(shop)
    parts, ctx = _read_large(shop, _update_small)
    assert whole(parts) == before[1:2]
    assert ctx.coverage.skipped == []


@pytest.mark.parametrize("edit", [_update_large, _truncate])
def test_a_table_that_changes_while_it_is_read_is_skipped(
    shop: Path, edit: Callable[[Path], object]
) -> None:
    parts, ctx = _read_large(shop, edit)
    (table,) = whole(parts)
    assert table["rows"] == [[n, f"row {n}"] for n in range(1, len(table["rows"]) + 1)]
    ((name, reason, _),) = ctx.coverage.skipped
    assert name == "large"
    assert reason.endswith(", after a part of it was read")


def _extract(shop: Path, edit: Callable[[Path], object]) -> tuple[list[Any], Context]:
    """Change the database after the first part has been extracted."""
    ctx = Context("a", shop.parent)
    parts: Iterator[Any] = Sqlite().extract(config(), ctx)
    found = [next(parts)]
    edit(shop)
    return [*found, *parts], ctx


def test_what_changes_while_it_is_extracted_is_of_one_moment(shop: Path) -> None:
    parts, ctx = _extract(shop, _update_small)
    assert whole(parts) == content(shop)  # as it is now, with the parts from before
    assert [table["rows"][0][0] for table in whole(parts)[2:]] == [7]
    document = ctx.coverage.document() or {}
    assert (document["read"], document["skipped"]) == (3, 1)  # not once for each reading


def test_what_was_extracted_and_has_changed_is_an_error(shop: Path) -> None:
    with pytest.raises(ComponentError, match="changes faster than it can be copied"):
        _extract(shop, lambda path: change(path, "UPDATE large SET name = 'x' WHERE id = 1"))


def test_a_table_that_vanishes_while_it_is_extracted_is_an_error(shop: Path) -> None:
    with pytest.raises(ComponentError, match="changes faster than it can be copied"):
        _extract(shop, lambda path: change(path, "DROP TABLE large", "DROP TABLE small"))


def test_a_database_that_vanishes_while_it_is_extracted_is_an_error(shop: Path) -> None:
    with pytest.raises(ComponentError, match=r"'x\.db' cannot be read"):
        _extract(shop, Path.unlink)


def test_all_tables_are_read_from_one_copy(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database in use is copied once, and no copy is left on the disk while it is read."""
    entries = listed(shop)
    copies: list[str] = []
    mkdtemp = tempfile.mkdtemp

    def counted(*args: Any) -> str:
        copies.append(mkdtemp(*args))
        return copies[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", counted)
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        copies.clear()
        with closing(sqlite3.connect(shop, isolation_level=None)) as writer:
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("INSERT INTO large VALUES (9999, 'new')")
            found = []
            for part in Sqlite().read(config(), Context("b", shop.parent), entries):
                found.append(part)
                assert [*Path(folder).iterdir()] == []
            assert len(copies) == 1
            writer.execute("DELETE FROM large WHERE id = 9999")
        assert [*Path(folder).iterdir()] == []
    assert whole(found) == content(shop)


def test_rows_are_not_held(shop: Path) -> None:
    """About one part is in memory, whatever the table's size."""
    change(shop, "UPDATE large SET name = printf('%.*c', 4000, 'x')")
    entries = listed(shop, tables=["large"])
    part = 1000 * 4000

    def peak(records: Iterator[Any]) -> float:
        tracemalloc.start()
        try:
            for record in records:
                del record
            return tracemalloc.get_traced_memory()[1] / part
        finally:
            tracemalloc.stop()

    ctx = Context("b", shop.parent)
    assert peak(Sqlite().catalogue(config(tables=["large"]), ctx)) < 1.5
    assert peak(Sqlite().read(config(tables=["large"]), ctx, entries)) < 1.5
    assert peak(Sqlite().extract(config(tables=["large"]), ctx)) < 1.5
