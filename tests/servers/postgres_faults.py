"""Faults of a store in PostgreSQL: killed at its statements, statements that fail.

Every third one, unless WAIVERN_FAULTS_ALL is set: a database is copied and dropped for each.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from database_points import failed, killed, without_faults
from harness import ALL, RUN, Bench, Job, Plan, Shelf
from postgres_kit import Server
from sqlite_kit import TREE, WHOLE

from waivern.runs import listing
from waivern.runs.queries import RunRow
from waivern.store.sql.postgres_store import PostgresStore

pytestmark = pytest.mark.timeout(3600)  # a sweep on a busy machine

STRIDE = 1 if ALL else 3
LOST = """
    SELECT f.id FROM waivern.files f LEFT JOIN (
        SELECT file, sum(length(data)) AS held FROM waivern.chunks GROUP BY file
    ) c ON c.file = f.id WHERE f.size != coalesce(c.held, 0)"""


class PostgresShelf(Shelf):
    """A store in a database of its own, and the tree of folders that it amounts to."""

    @property
    def url(self) -> str:
        server = PostgresBench.server
        return f"postgresql://owner@/{self.path.name}?host={server.folder}&port={server.port}"

    @property
    def run(self) -> Path:
        write_out(self.url, self.path / ".waivern")
        return super().run

    def rows(self) -> dict[str, RunRow]:
        store = PostgresStore(self.url)
        found = {row.run_id: row for row in listing.every(store)}
        anyio.run(store.aclose)
        return found

    def wct(self, *argv: str, plan: Plan | None = None, files: int | None = None) -> Job:
        words = (*argv, "--store", self.url)
        return Job(words, self.bench.folder, {"CALLS": str(self.path / "calls")}, plan, files)

    def clear(self) -> None:
        super().clear()
        PostgresBench.server.psql(f'DROP DATABASE "{self.path.name}" WITH (FORCE)')


class PostgresBench(Bench):
    """A bench whose stores are databases, copied by the server."""

    SHELF = PostgresShelf
    server: Server

    def __init__(self, folder: Path) -> None:
        self.names = count()
        self.server.psql("CREATE DATABASE template")
        super().__init__(folder)

    def shelf(self, template: Path | None = None) -> Shelf:
        path = self._shelves / f"shelf_{next(self.names)}"
        path.mkdir()
        self.server.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'template'"
        )
        self.server.psql(f'CREATE DATABASE "{path.name}" TEMPLATE template')
        return self.SHELF(self, path)


def write_out(url: str, folder: Path) -> None:
    """Write out what is in a store as folders and files."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "runs").mkdir(parents=True)
    with psycopg.connect(url) as opened:
        if opened.execute("SELECT to_regclass('waivern.store')").fetchall() == [(None,)]:
            return
        opened.execute("SET search_path = waivern")
        assert opened.execute(LOST).fetchall() == []
        for number, path, is_folder in opened.execute(TREE).fetchall():
            if is_folder:
                (folder / path).mkdir(exist_ok=True)
            else:
                rows = opened.execute(WHOLE.replace("?", "%s"), (number,))
                (folder / path).write_bytes(b"".join(data for (data,) in rows))
    if (folder / "runs" / RUN).exists():  # a link is for people who look into folders
        (folder / "latest").symlink_to(f"runs/{RUN}")


@pytest.fixture(scope="module")
def bench(server: Server) -> Iterator[PostgresBench]:
    PostgresBench.server = server
    folder = Path(tempfile.mkdtemp(prefix="waivern-"))
    made = PostgresBench(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def undisturbed(bench: PostgresBench) -> dict[str, Any]:
    return without_faults(bench)


def test_killed_at_every_statement(bench: PostgresBench, undisturbed: dict[str, Any]) -> None:
    points = bench.sweep(lambda number: killed(bench, number * STRIDE, undisturbed))
    assert points > 150 / STRIDE


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EHOSTUNREACH])
def test_every_statement_fails(
    bench: PostgresBench, undisturbed: dict[str, Any], error: int
) -> None:
    """An error once, of two kinds in turn."""

    def point(number: int) -> bool:
        plan = Plan("error", 2 * STRIDE * number - (error == errno.ENOSPC), error)
        return failed(bench, plan, undisturbed)

    assert bench.sweep(point) > 75 / STRIDE
