"""Every folder 0700 and every file 0600, whatever the umask; also copies and exports."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from harness import WCT, Count
from wct_process import HELD_BACK

pytestmark = pytest.mark.sweep

BOOK = """
artifacts:
  first: {source: {type: python, properties: {call: "steps.py:value"}}, output: true}
  table: {source: {type: sqlite, properties: {path: data.db}}, output: true}
  bad: {source: {type: python, properties: {call: "steps.py:fail"}}}
"""
STEPS = """
def value():
    return 1

def fail():
    raise ValueError("it breaks")
"""
UMASKS = [0o000, 0o022, 0o777]


def modes(folder: Path) -> dict[str, int]:
    """Return the mode of everything in a folder, and of itself."""
    found = {".": stat.S_IMODE(folder.stat().st_mode)}
    for path in folder.rglob("*"):
        status = path.lstat()
        if not stat.S_ISLNK(status.st_mode):
            found[str(path.relative_to(folder))] = stat.S_IMODE(status.st_mode)
            assert stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)
    return found


def private(folder: Path) -> int:
    found = modes(folder)
    wrong = {
        name: oct(mode)
        for name, mode in found.items()
        if mode != (0o700 if (folder / name).is_dir() else 0o600)
    }
    assert not wrong
    return len(found)


def wct(place: Path, umask: int, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WCT, *words],
        cwd=place,
        umask=umask,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "book.yaml").write_text(BOOK)
    (tmp_path / "steps.py").write_text(STEPS)
    connection = sqlite3.connect(tmp_path / "data.db")
    connection.execute("create table t (a)")
    connection.commit()
    connection.close()
    return tmp_path


@pytest.mark.parametrize("umask", UMASKS, ids=oct)
def test_every_file_and_folder(place: Path, tried: Count, umask: int) -> None:
    words = ["run", "book.yaml", "--store", "deep/er/store", "--run-id", "r", "-o", "out/of/it"]
    done = wct(place, umask, *words)
    assert done.returncode == 1, done.stderr
    requests = place / "deep/er/store/runs/r/_system/requests"
    assert not requests.exists()
    assert wct(place, umask, "runs", "pin", "r", "--store", "deep/er/store").returncode == 0
    with (place / "book.yaml").open("a") as book:
        book.write("# changed: the earlier runbook is kept\n")
    done = wct(place, umask, *words[:4], "--resume", "r", "--allow-changed")
    assert done.returncode == 1, done.stderr
    names = modes(place / "deep")
    assert "er/store/runs/r/_system/logs/bad.log" in names
    assert "er/store/runs/r/_system/pinned.json" in names
    assert sum(name.startswith("er/store/runs/r/_system/runbook.") for name in names) == 2
    points = private(place / "deep") + private(place / "out")
    assert points > 20
    tried(f"permissions: files and folders under umask {umask:03o}", points)


@pytest.mark.parametrize("umask", UMASKS, ids=oct)
def test_what_others_ask_of_a_run(place: Path, umask: int) -> None:
    """In a process of its own: a request is left by another process than the run's."""
    code = (
        "from waivern.store.local import LocalFilesystemStore\n"
        "import sys\n"
        "assert LocalFilesystemStore(sys.argv[1]).request('r', 'cancel', {'by': 'x'})\n"
        "LocalFilesystemStore(sys.argv[1]).log('r', 'a/b').write('x')\n"
    )
    assert wct(place, umask, "run", "book.yaml", "--store", "s", "--run-id", "r").returncode == 1
    subprocess.run([sys.executable, "-c", code, "s"], cwd=place, umask=umask, check=True)
    assert "runs/r/_system/requests/cancel.json" in modes(place / "s")
    assert "runs/r/_system/logs/a/b.log" in modes(place / "s")
    private(place / "s")


WATCHED = """
import os, sys, stat
from waivern.builtin import snapshot
from pathlib import Path
found = 0
for one in snapshot.snapshots(Path(sys.argv[1]).resolve()):
    folder = Path(os.environ["TMPDIR"])
    for path in folder.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path} {mode:o}"
        found += 1
    break
assert found >= 3, found
"""


@pytest.mark.parametrize("umask", UMASKS, ids=oct)
def test_the_copy_of_a_database_in_use(place: Path, umask: int) -> None:
    writer = sqlite3.connect(place / "data.db")
    writer.execute("pragma journal_mode = wal")
    writer.execute("insert into t values (1)")
    writer.commit()
    assert (place / "data.db-wal").stat().st_size
    (place / "tmp").mkdir()
    subprocess.run(
        [sys.executable, "-c", WATCHED, "data.db"],
        cwd=place,
        umask=umask,
        env=os.environ | {"TMPDIR": str(place / "tmp")},
        check=True,
        timeout=60,
    )
    assert list((place / "tmp").iterdir()) == []
    writer.close()


@pytest.mark.parametrize("umask", UMASKS, ids=oct)
def test_a_user_whom_modes_hold_back(place: Path, umask: int) -> None:
    """What the superuser may do would hide that a mode forbids something that is needed."""
    writer = sqlite3.connect(place / "data.db")  # so that the database is copied
    writer.execute("pragma journal_mode = wal")
    writer.execute("insert into t values (1)")
    writer.commit()
    locked = place / "locked"
    locked.write_text("")
    locked.chmod(0)
    reads = [sys.executable, "-c", "open('locked')"]
    assert subprocess.run(
        [sys.executable, "-c", HELD_BACK, *reads], cwd=place, stderr=subprocess.DEVNULL, check=False
    ).returncode, "it is not held back"
    words = [WCT, "run", "book.yaml", "--store", "deep/er/store", "-o", "out/of/it", "-q"]
    done = subprocess.run(
        [sys.executable, "-c", HELD_BACK, *words],
        cwd=place,
        umask=umask,
        env=os.environ | {"TMPDIR": str(place)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert (place / "out/of/it/table.json").exists()
    private(place / "deep")
    private(place / "out")
    writer.close()
