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
from harness import ALL, RUN, Bench, Done, Job, Plan, Shelf, carry_out
from oracle import Known, after_fault, after_resume, contents, is_new
from postgres_kit import Server
from sqlite_kit import TREE, WHOLE

from waivern.errors import Exit
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
    shelf = bench.shelf()
    done = carry_out(bench.script, shelf.start())
    assert done.code == 1, done.err
    made = contents(shelf.run)
    assert made.keys() == {"one", "old", "two", "all", "last"}
    return made


def killed(bench: PostgresBench, shelf: Shelf, plan: Plan) -> Known | None:
    done = carry_out(bench.zygote, shelf.again(plan))
    if done.broke is None:
        assert done.code == 1, done.err
        return None
    assert done.code == -9
    return after_fault(shelf, done)


def test_killed_at_every_statement(bench: PostgresBench, undisturbed: dict[str, Any]) -> None:
    def point(number: int) -> bool:
        shelf = bench.shelf()
        known = killed(bench, shelf, Plan("kill", number * STRIDE))
        if known and is_new(shelf, known):
            after_resume(shelf, known, carry_out(bench.zygote, shelf.again()), undisturbed)
        shelf.clear()
        return known is not None

    assert bench.sweep(point) > 150 / STRIDE


def held(bench: PostgresBench, shelf: Shelf, done: Done, undisturbed: dict[str, Any]) -> None:
    known = after_fault(shelf, done)
    assert "Traceback" not in done.err
    if done.code == Exit.FAILED:  # what failed was not needed for the artifacts
        assert known.story
        assert known.story.status == "failed"
    elif done.code == Exit.INVALID:  # planning takes an error for a fault of the runbook
        assert known.story is None
    else:
        assert done.code == Exit.STORE
        told = done.out + done.err
        assert "cannot " in told
        assert "= help: " in told or "next:" in told
    if is_new(shelf, known):
        after_resume(shelf, known, carry_out(bench.zygote, shelf.again()), undisturbed)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EHOSTUNREACH])
def test_every_statement_fails(
    bench: PostgresBench, undisturbed: dict[str, Any], number: int
) -> None:
    """An error once, of two kinds in turn."""

    def point(ordinal: int) -> bool:
        shelf = bench.shelf()
        plan = Plan("error", 2 * STRIDE * ordinal - (number == errno.ENOSPC), number)
        done = carry_out(bench.zygote, shelf.start(plan))
        if done.broke:
            try:
                held(bench, shelf, done, undisturbed)
            except AssertionError as error:
                message = f"{done.broke} -> {done.code}: {error}\n{done.err}{done.out}"
                raise AssertionError(message) from error
        else:
            assert done.code == 1, done.err
        shelf.clear()
        return done.broke is not None

    assert bench.sweep(point) > 75 / STRIDE
