"""The power fails under a real `wct` on a real mount; then it is mounted again, and resumed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import RUN, WCT, Count
from oracle import contents, story
from powerloss_check import STORE
from powerloss_place import Place

HERE = Path(__file__).parent
POINTS = range(8, 100, 5)
NESTED = """
import sys
from test_powerloss_writers import nested
from waivern.store.local import LocalFilesystemStore
nested(LocalFilesystemStore(sys.argv[1]))
"""


@contextmanager
def mounted(mount: Path, kept: Path, cut: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    path = os.pathsep.join([str(HERE.parent), str(HERE)])
    words = [str(mount), str(kept), str(cut), str(cut)]
    process = subprocess.Popen(
        [sys.executable, str(HERE / "forgetful.py"), *words],
        env=os.environ | {"PYTHONPATH": path},
    )
    try:
        deadline = time.monotonic() + 20
        while not os.path.ismount(mount):
            assert process.poll() is None, "the file system did not come up"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(mount)], check=False, capture_output=True)
        process.wait(20)


def wct(place: Place, mount: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WCT, *words, "--store", str(mount / STORE)],
        cwd=place.books,
        env=os.environ | {"CALLS": str(place.calls)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    (tmp_path / "mount").mkdir()
    return tmp_path / "mount"


def test_a_run_and_its_resume(place: Place, mount: Path, tried: Count) -> None:
    kept = place.home
    with mounted(mount, kept):
        assert wct(place, mount, "run", "origin.yaml", "--run-id", "origin").returncode == 0
        assert wct(place, mount, "run", "book.yaml", "--run-id", RUN).returncode == 1
        undisturbed = contents(mount / STORE / "runs" / RUN)
        assert wct(place, mount, "runs", "delete", "--yes", RUN).returncode == 0
    assert undisturbed["last"] == {"total": 8}
    cut = 0
    for point in POINTS:
        cut += one_cut(place, mount, kept, point, undisturbed)
    tried(f"power loss: on FUSE, a run cut at {cut} points, remounted and resumed", cut)


def one_cut(place: Place, mount: Path, kept: Path, point: int, undisturbed: dict[str, Any]) -> bool:
    with mounted(mount, kept, point) as files:
        done = wct(place, mount, "run", "book.yaml", "--run-id", RUN)
        cut = files.poll() is not None
        assert done.returncode == 1 or cut
    told = {line.split()[1] for line in done.stderr.splitlines() if line.startswith("completed ")}
    with mounted(mount, kept):
        run = mount / STORE / "runs" / RUN
        rows = wct(place, mount, "runs").stdout
        if run.exists():
            assert f"{RUN}\t{story(run).status}" in rows
            assert told <= story(run).completed.keys()
            assert wct(place, mount, "runs", "verify", RUN).returncode == 0
        else:
            assert not told
        words = ["--resume", RUN] if run.exists() else ["--run-id", RUN]
        again = wct(place, mount, "run", "book.yaml", *words)
        assert again.returncode == 1, again.stderr + again.stdout
        assert contents(run) == undisturbed
        assert wct(place, mount, "runs", "verify", "--all").returncode == 0
        assert wct(place, mount, "runs", "delete", "--yes", RUN).returncode == 0
    return cut


def test_composed_ids(place: Place, mount: Path, tried: Count) -> None:
    cut = 0
    for point in range(25, 90, 9):
        kept = place.home.with_name(f"nested-{point}")
        kept.mkdir()
        with mounted(mount, kept, point) as files:
            path = os.pathsep.join([str(HERE.parent), str(HERE)])
            done = subprocess.run(
                [sys.executable, "-c", NESTED, str(mount / STORE)],
                env=os.environ | {"PYTHONPATH": path},
                check=False,
                capture_output=True,
            )
            cut += files.poll() is not None
            assert done.returncode == 0 or files.poll() is not None, done.stderr
        run = kept / STORE / "runs" / "r"
        for name, event in (story(run).completed if run.exists() else {}).items():
            assert (run / f"{name}.json").stat().st_size == event["size"]
    tried(f"power loss: on FUSE, composed ids cut at {cut} points", cut)
