"""A bench whose stores are SQLite databases.

The oracle reads folders. So what a database holds is written out beside it, by statements of its
own and from a copy, so that the next command finds the database and its log as the fault left them.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

import anyio
from harness import RUN, Bench, Job, Plan, Shelf

from waivern.runs import listing
from waivern.runs.queries import RunRow
from waivern.store.sql.sqlite_store import SqliteStore

TREE = """
    WITH RECURSIVE below (id, path, folder) AS (
        SELECT id, name, folder FROM files WHERE parent = 1 UNION ALL
        SELECT f.id, b.path || '/' || f.name, f.folder FROM files f JOIN below b ON f.parent = b.id
    ) SELECT id, path, folder FROM below ORDER BY path"""
WHOLE = "SELECT data FROM chunks WHERE file = ? ORDER BY at"
LOST = """
    SELECT f.id FROM files f LEFT JOIN (
        SELECT file, sum(length(data)) AS held FROM chunks GROUP BY file
    ) c ON c.file = f.id WHERE f.size != coalesce(c.held, 0)"""


class SqliteShelf(Shelf):
    """A store in a database, and the tree of folders that it amounts to."""

    @property
    def database(self) -> Path:
        return self.path / "data" / "runs.db"

    @property
    def run(self) -> Path:
        write_out(self.database, self.path / ".waivern")
        return super().run

    def rows(self) -> dict[str, RunRow]:
        store = SqliteStore(self.database)
        found = {row.run_id: row for row in listing.every(store)}
        anyio.run(store.aclose)
        return found

    def wct(self, *argv: str, plan: Plan | None = None, files: int | None = None) -> Job:
        words = (*argv, "--store", f"sqlite:///{self.database}")
        return Job(words, self.bench.folder, {"CALLS": str(self.path / "calls")}, plan, files)

    def origin_again(self) -> Job:
        there = self.run.with_name("origin").exists()
        return self.wct("run", "origin.yaml", "--resume", "origin") if there else self.origin()


class SqliteBench(Bench):
    SHELF = SqliteShelf

    def shelf(self, template: Path | None = None) -> SqliteShelf:
        made = super().shelf(template)
        assert isinstance(made, SqliteShelf)
        return made


def write_out(database: Path, folder: Path) -> None:
    """Write out what is in a database, which is checked, as folders and files."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "runs").mkdir(parents=True)
    if not database.exists():
        return
    with tempfile.TemporaryDirectory() as copies:
        for end in ("", "-wal"):
            if (file := database.with_name(database.name + end)).exists():
                shutil.copy(file, copies)
        opened = sqlite3.connect(Path(copies, database.name))
        try:
            assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert opened.execute("PRAGMA foreign_key_check").fetchall() == []
            if not opened.execute("SELECT 1 FROM sqlite_master").fetchone():
                return
            assert opened.execute(LOST).fetchall() == []
            for number, path, is_folder in opened.execute(TREE).fetchall():
                if is_folder:
                    (folder / path).mkdir(exist_ok=True)
                else:
                    rows = opened.execute(WHOLE, (number,))
                    (folder / path).write_bytes(b"".join(data for (data,) in rows))
        finally:
            opened.close()
    if (folder / "runs" / RUN).exists():  # a link is for people who look into folders
        (folder / "latest").symlink_to(f"runs/{RUN}")
