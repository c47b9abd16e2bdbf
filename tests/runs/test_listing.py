"""Lists of runs from the index: equal to a scan of the folders, whatever happens to either."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
from runs_kit import Book, gate, make

from waivern.api.run_queries import list_runs
from waivern.errors import WaivernError
from waivern.record.status import RunStatus
from waivern.runs import listing, queries, retention
from waivern.runs.cancel import cancel
from waivern.runs.listing import RunFilter
from waivern.runs.run_references import find
from waivern.store.local import LocalFilesystemStore
from waivern.store.store_values import Owner
from waivern.store.writers import Lease

STATUSES = (None, *map(str, RunStatus), *queries.DAMAGED)
SOMEBODY = Owner("elsewhere", 1, "2026-01-01T00:00:00.000Z")


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a reader write the index however little it had to read."""
    monkeypatch.setattr(listing, "WORTH_WRITING", 1)


def index(book: Book) -> Path:
    return book.folder / ".waivern/index.jsonl"


def age(folder: Path) -> None:
    """Wait until the clock of the file system has moved on from the last change of the records."""
    probe = folder / "probe"
    while True:
        probe.write_text("")
        newest = max(
            (path.stat().st_ctime_ns for path in folder.glob("runs/*/_system/*.json*")), default=0
        )
        if probe.stat().st_ctime_ns > newest + 2 * 20_000_000:
            break
    probe.unlink()


def document(row: queries.RunRow) -> dict[str, Any]:
    told = row.document()
    if row.status == RunStatus.RUNNING:
        del told["duration_ms"]  # it grows from look to look
    return told


def scan(book: Book) -> list[queries.RunRow]:
    """Return what the folders say, read one by one."""
    rows = [queries.look(book.store, run_id) for run_id in book.store.runs()]

    def age(row: queries.RunRow) -> tuple[str, str]:
        return row.metadata.started_at if row.metadata else "", row.run_id

    return sorted(rows, key=age, reverse=True)


def same(book: Book, limits: tuple[int | None, ...] = (1, 3, None)) -> None:
    """Check every list against a scan of the folders."""
    every = scan(book)
    for status in STATUSES:
        fitting = [row for row in every if status in (None, row.status)]
        for limit in limits:
            found = listing.page(book.store, RunFilter(status), limit=limit)
            shown = fitting[:limit]
            assert list(map(document, found.rows)) == list(map(document, shown)), status
            assert found.matching == len(fitting)
            assert found.total == len(every)
            left = fitting[len(shown) :]
            assert found.damaged_left_out == sum(row.status in queries.DAMAGED for row in left)


class Life:
    """Operations on a store, in any order."""

    def __init__(self, book: Book, chance: random.Random) -> None:
        self.book, self.chance = book, chance
        self.held: dict[str, Lease] = {}
        self.aside = book.folder / "aside"
        self.aside.mkdir()
        self.numbers = 0

    @property
    def runs(self) -> Path:
        return self.book.folder / ".waivern/runs"

    def one(self) -> str | None:
        names = sorted(path.name for path in self.runs.glob("[!.]*"))
        return self.chance.choice(names) if names else None

    def free(self) -> str | None:
        name = self.one()
        return None if name in self.held else name

    async def start(self) -> None:
        kinds: list[Callable[[], dict[str, Any]]] = [dict, lambda: gate("ok", "a")]
        self.book.write(make("a"), self.chance.choice(kinds)())
        flag = self.book.folder / "fail-a"
        flag.touch() if self.chance.random() < 0.3 else flag.unlink(missing_ok=True)
        self.numbers += 1
        await self.book.start(run_id=f"r{self.numbers:03}")

    async def resume(self) -> None:
        if name := self.free():
            (self.book.folder / "fail-a").unlink(missing_ok=True)
            with suppress(WaivernError):  # refused, or damaged
                self.book.go_on(name)

    async def hold(self) -> None:
        if (name := self.free()) and queries.look(
            self.book.store, name
        ).status not in queries.DAMAGED:
            self.held[name] = LocalFilesystemStore(self.book.store.url).lock(name, SOMEBODY)

    async def let_go(self) -> None:
        for lease in self.held.values():
            lease.release()
        self.held.clear()

    async def crash(self) -> None:
        """Cut the end of the attempt off, as if the process had been killed before."""
        name = self.free()
        system = self.runs / str(name) / "_system"
        with suppress(OSError, ValueError):  # it is damaged already
            lines = (system / "events.jsonl").read_bytes().splitlines(keepends=True)
            document = json.loads((system / "run.json").read_text())
            if b'"attempt_ended"' in lines[-1]:
                document["status"], document["journal"] = "running", {}
                (system / "run.json").write_text(json.dumps(document))
                (system / "events.jsonl").write_bytes(b"".join(lines[:-1]))

    async def cancel(self) -> None:
        if name := self.free():
            with suppress(WaivernError):
                cancel(self.book.store, name, "ann", None, self.book.options().clock)

    async def pin(self) -> None:
        if (name := self.free()) and (self.runs / name / "_system").exists():
            self.book.store.pin(name, self.chance.choice([{"by": "ann"}, None]))

    async def remove(self) -> None:
        if name := self.free():
            retention.remove(self.book.store, [name], force=True)

    async def remove_by_hand(self) -> None:
        if name := self.free():
            shutil.rmtree(self.runs / name)

    async def back_up(self) -> None:
        if name := self.free():
            shutil.rmtree(self.aside / name, ignore_errors=True)
            shutil.copytree(self.runs / name, self.aside / name)

    async def restore(self) -> None:
        for saved in self.aside.iterdir():
            if saved.name not in self.held:
                shutil.rmtree(self.runs / saved.name, ignore_errors=True)
                shutil.copytree(saved, self.runs / saved.name)

    async def edit(self) -> None:
        if name := self.free():
            head = self.runs / name / "_system/run.json"
            if head.exists():
                text = head.read_text()
                year = self.chance.choice(["2025", "2026", "2027"])
                changed = text.replace('"started_at": "20', f'"started_at": "{year}-20')
                head.write_text(self.chance.choice([changed, text[:-20], text.replace("a", "b")]))

    async def damage(self) -> None:
        if name := self.free():
            victim = self.chance.choice(["state.json", "run.json", "events.jsonl"])
            path = self.runs / name / "_system" / victim
            if path.is_file() and (data := bytearray(path.read_bytes())):
                data[self.chance.randrange(len(data))] ^= 1
                with path.open("r+b") as file:  # in place
                    file.write(data)

    async def lose(self) -> None:
        if name := self.free():
            victim = self.chance.choice(["state.json", "run.json", "events.jsonl", "lock"])
            (self.runs / name / "_system" / victim).unlink(missing_ok=True)

    async def spoil_the_index(self) -> None:
        path = index(self.book)
        if path.exists():
            data = bytearray(path.read_bytes())
            data[self.chance.randrange(len(data))] ^= 1 << self.chance.randrange(8)
            path.write_bytes(data if self.chance.random() < 0.5 else data[: len(data) // 2])

    async def lose_the_index(self) -> None:
        index(self.book).unlink(missing_ok=True)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(6))
async def test_any_story(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    book = Book(tmp_path / "book")
    life = Life(book, chance)
    verbs = [getattr(life, name) for name, verb in vars(Life).items() if iscoroutinefunction(verb)]
    for _ in range(4):
        await life.start()
    for _ in range(30):
        await chance.choice([life.start, *verbs])()
        if chance.random() < 0.5:
            age(book.folder / ".waivern")
        same(book)
    await life.let_go()


def written(book: Book, runs: object, form: str = "waivern-run-index/1") -> None:
    """Write an index with these entries."""
    body = json.dumps(runs, separators=(",", ":")).encode()
    head = {"form": form, "sha256": f"sha256:{hashlib.sha256(body).hexdigest()}"}
    index(book).write_bytes(json.dumps(head).encode() + b"\n" + body + b"\n")


def entries(book: Book) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(index(book).read_text().splitlines()[1])
    return found


def test_what_the_index_says_is_checked(tmp_path: Path) -> None:
    """Entries of another form, or with statuses that there are not, count as none."""
    book = _with_runs(tmp_path, 3)
    good = entries(book)
    assert len(good) == 3
    runs = good.items()
    spoilt: Any
    for spoilt in (
        [],
        {},
        {run: [] for run, _ in runs},
        {run: [stamp, None] for run, (stamp, _) in runs},
        {run: [stamp, [7, *entry[1:]]] for run, (stamp, entry) in runs},
        {run: [stamp, ["failed", 7, *entry[2:]]] for run, (stamp, entry) in runs},
        {run: [stamp, [*entry, 1]] for run, (stamp, entry) in runs},
        {run: [[1, *stamp[1:]], ["failed", *entry[1:]]] for run, (stamp, entry) in runs},
        {f"x{run}": entry for run, entry in runs},
    ):
        written(book, spoilt)
        same(book)
    lie = {run: [stamp, ["failed", *entry[1:]]] for run, (stamp, entry) in runs}
    written(book, lie, "waivern-run-index/2")
    same(book)
    written(book, lie)  # and so it would be believed
    assert listing.page(book.store, RunFilter("completed")).matching == 0


@pytest.mark.parametrize("kind", ["fifo", "link", "folder", "device", "writable", "huge"])
def test_a_hostile_index(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    book = _with_runs(tmp_path, 3)
    path = index(book)
    found = entries(book)
    written(book, {run: [stamp, ["failed", *rest[1:]]] for run, (stamp, rest) in found.items()})
    lie = path.read_text()
    path.unlink()
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "link":
            (tmp_path / "lie").write_text(lie)
            path.symlink_to(tmp_path / "lie")
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
        case "writable":
            path.write_text(lie)
            path.chmod(0o666)
        case "huge":
            path.write_text(lie)
            monkeypatch.setattr("waivern.store.run_index.READ_BYTES", 10)
    same(book)


def _with_runs(tmp_path: Path, count: int) -> Book:
    """Return a book with some completed runs, and an index that knows all of them."""
    book = Book(tmp_path / "book")
    import asyncio

    async def run() -> None:
        book.write(make("a"))
        await book.start(run_id="r000")

    asyncio.run(run())
    for number in range(1, count):
        copy_run(book, "r000", f"r{number:03}")
    age(book.folder / ".waivern")
    same(book)
    return book


def copy_run(book: Book, run_id: str, other: str) -> None:
    """Make another run of one: its journal is not read by what lists runs."""
    shutil.copytree(book.run(run_id), book.run(other))
    head = book.run(other) / "_system/run.json"
    head.write_text(head.read_text().replace(f'"{run_id}"', f'"{other}"'))


COUNT = """
import os, sys
opened = set()
def hook(event, args):
    if event == "open" and isinstance(args[0], str) and args[2] & os.O_DIRECTORY:
        opened.add(args[0])
from waivern.cli.main import main
sys.addaudithook(hook)
sys.argv = ["wct", *sys.argv[1:]]
code = main()
runs = sorted(name for name in opened if name.startswith("r") and name[1:].isdigit())
sys.stderr.write(f"\\nopened {len(runs)}\\n")
sys.exit(code)
"""


def opened_by(book: Book, *args: str) -> tuple[int, list[str]]:
    """Return how many run folders a command opened, and the lines that it printed."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT, *args, "--store", str(book.folder / ".waivern")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr.rpartition("opened ")[2]), done.stdout.splitlines()


@pytest.mark.parametrize("count", [10, pytest.param(400, marks=pytest.mark.sweep)])
def test_only_the_folders_of_shown_rows_are_opened(tmp_path: Path, count: int) -> None:
    book = _with_runs(tmp_path, count)
    opened, lines = opened_by(book, "runs", "--limit", "5")
    assert (opened, len(lines)) == (5, 5)
    opened, lines = opened_by(book, "runs", "--limit", "5", "--status", "completed")
    assert (opened, len(lines)) == (5, 5)
    assert opened_by(book, "runs", "--status", "failed") == (0, [])
    assert opened_by(book, "runs", "pin", "@last")[0] == 1
    assert opened_by(book, "runs", "pin", "book@last")[0] == 1
    assert opened_by(book, "runs", "pin", "@last~3")[0] == 1
    assert opened_by(book, "runs", "pin", "r-007")[0] == 1
    damaged = book.run("r003") / "_system/state.json"
    damaged.write_text("{")
    age(book.folder / ".waivern")
    assert opened_by(book, "runs", "--limit", "5")[0] == 6
    same(book)
    assert opened_by(book, "runs", "--limit", "5")[0] == 5
    assert opened_by(book, "runs", "--status", "corrupt")[1][0].startswith("r003\tcorrupt")


def test_a_run_that_is_no_folder_any_more(tmp_path: Path) -> None:
    book = _with_runs(tmp_path, 3)
    outside = tmp_path / "outside"
    book.run("r001").rename(outside)
    book.run("r001").symlink_to(outside)
    same(book)
    (row,) = listing.page(book.store, RunFilter(queries.CORRUPT)).rows
    assert "in the place of a folder" in (row.fault or "")


def test_a_small_store_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = _with_runs(tmp_path, 3)
    index(book).unlink()
    monkeypatch.setattr(listing, "WORTH_WRITING", 32)
    same(book)
    assert not index(book).exists()


def test_a_store_that_may_not_be_written_to(tmp_path: Path) -> None:
    book = _with_runs(tmp_path, 3)
    index(book).unlink()
    index(book).mkdir()
    (index(book) / "x").write_text("")
    same(book)


def test_a_record_that_changed_a_moment_ago_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a tick of the file system's clock a change may leave the stamp as it is."""
    book = _with_runs(tmp_path, 3)
    index(book).unlink()
    monkeypatch.setattr("waivern.store.run_index.TICK_NS", 1 << 60)
    same(book)
    assert entries(book) == {}


def test_python_sees_the_same(tmp_path: Path) -> None:
    book = _with_runs(tmp_path, 5)
    (book.run("r002") / "_system/state.json").write_text("{")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = list_runs(limit=2, store=book.store)
    assert [run.run_id for run in found] == ["r004", "r003"]
    assert [str(one.message).split(":")[0] for one in caught] == ["run r002"]
    with pytest.warns(UserWarning, match="r002"):
        assert len(list_runs("completed", "book", store=book.store)) == 4
    assert find(book.store, "@last~1") == "r003"
