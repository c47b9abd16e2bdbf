"""`sample: random` of sqlite: uniform, without replacement, reproducible, not held whole."""

from __future__ import annotations

import math
import sqlite3
import tracemalloc
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from source_kit import extracted

from waivern.builtin.random_sample import picked, positions
from waivern.builtin.sqlite import Sqlite
from waivern.plugins.context import Context

KINDS = {
    "rowid": "CREATE TABLE t (v INTEGER, w TEXT)",
    "gaps": "CREATE TABLE t (v INTEGER PRIMARY KEY, w TEXT)",
    "no rowid": "CREATE TABLE t (v INTEGER, w TEXT, PRIMARY KEY (w, v)) WITHOUT ROWID",
    "taken": "CREATE TABLE t (rowid TEXT, v INTEGER)",
}


def make(path: Path, kind: str, rows: int) -> Path:
    with closing(sqlite3.connect(path)) as db:
        db.execute(KINDS[kind])
        step = 1000 if kind == "gaps" else 1
        columns = "rowid, v" if kind == "taken" else "w, v"
        db.executemany(
            f"INSERT INTO t ({columns}) VALUES (?, ?)", (("x", n * step) for n in range(rows))
        )
        db.execute("CREATE VIEW shown AS SELECT v FROM t WHERE v >= 0")
        db.commit()
    return path


def drawn(path: Path, artifact: str = "a", **properties: Any) -> tuple[list[int], dict[str, Any]]:
    """Return the values of the column v that were read, and the coverage."""
    ctx = Context(artifact, path.parent)
    config = Sqlite.Config(path=path.name, **{"sample": "random", "tables": ["t"]} | properties)
    (table,) = extracted(Sqlite(), config, ctx)["tables"]
    at = [column["name"] for column in table["columns"]].index("v")
    return [row[at] for row in table["rows"]], ctx.coverage.document() or {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("table", ["t", "shown"])
def test_each_row_is_drawn_as_often_as_any_other(tmp_path: Path, kind: str, table: str) -> None:
    path, seeds = make(tmp_path / "x.db", kind, 20), 300
    counts: Counter[int] = Counter()
    pairs: Counter[tuple[int, int]] = Counter()
    for seed in range(seeds):
        values, _ = drawn(path, seed=seed, max_rows=5, tables=[table])
        assert len(set(values)) == 5  # without replacement
        counts.update(values)
        pairs.update([(values[0], values[1])])
    expected = seeds * 5 / 20
    spread = math.sqrt(seeds * 0.25 * 0.75)
    assert len(counts) == 20
    assert all(abs(count - expected) < 4.5 * spread for count in counts.values())
    assert len(pairs) > 45  # not always neighbours


def test_each_subset_is_equally_likely() -> None:
    seen = Counter(tuple(positions(5, 2, seed, "t")) for seed in range(4000))
    assert len(seen) == 10
    assert all(abs(count - 400) < 4.5 * math.sqrt(4000 * 0.1 * 0.9) for count in seen.values())


def test_a_sample_is_the_same_each_time_and_names_its_seed_and_rows(tmp_path: Path) -> None:
    path = make(tmp_path / "x.db", "rowid", 500)
    first, coverage = drawn(path, max_rows=50)
    assert (first, coverage) == drawn(path, max_rows=50)
    assert first != drawn(path, "b", max_rows=50)[0]  # another artifact, another sample
    (sampled,) = coverage["sampled"]
    assert sampled["random"] is True
    assert drawn(path, "b", max_rows=50, seed=sampled["seed"])[0] == first  # the seed is enough
    ctx = Context("a", tmp_path)
    config = Sqlite.Config(path="x.db", sample="random", max_rows=50)
    (table,) = extracted(Sqlite(), config, ctx)["tables"]
    assert table["row_numbers"] == first  # v is the number of the row here


def test_all_rows_are_no_sample(tmp_path: Path) -> None:
    path = make(tmp_path / "x.db", "rowid", 30)
    values, coverage = drawn(path, max_rows=30)
    assert values == list(range(30))
    assert coverage["sampled"] == []
    assert drawn(path, max_rows=0)[1]["sampled"] == [{"item": "t", "read": 0, "total": 30}]


def test_a_table_beside_it_does_not_change_a_sample(tmp_path: Path) -> None:
    path = make(tmp_path / "x.db", "rowid", 300)
    before = drawn(path, max_rows=20)[0]
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE a AS SELECT * FROM t")
        db.commit()
    assert drawn(path, max_rows=20)[0] == before


def test_rows_that_are_not_drawn_are_not_held(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (v INTEGER, w TEXT)")
        db.executemany("INSERT INTO t VALUES (?, ?)", ((n, "y" * 1000) for n in range(40_000)))
        db.commit()
    tracemalloc.start()
    drawn(path, max_rows=20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22  # the table has 40 MB


def test_nothing_is_read_behind_the_last_row_that_is_drawn() -> None:
    rows = iter(range(100))
    assert list(picked(rows, [0, 3, 4])) == [0, 3, 4]
    assert next(rows) == 5
    assert list(picked(rows, [])) == []


def test_a_seed_needs_a_random_sample() -> None:
    with pytest.raises(ValidationError, match="a seed needs 'sample: random'"):
        Sqlite.Config(path="x.db", seed=3)
    with pytest.raises(ValidationError):
        Sqlite.Config(path="x.db", sample="random", seed=-1)
