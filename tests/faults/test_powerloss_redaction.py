"""The power fails after every operation of a redaction.

Findings stay, and content that is destroyed does not come back.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import RUN, Count
from powerloss import Tree
from powerloss_check import STORE
from powerloss_place import Place
from redaction_kit import COMPONENTS, CONTENT, EVIDENCE, FOUND

from waivern.clock import Clock
from waivern.runs.redact import redact
from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

RECOVERED = 30
"""States in which the command is also repeated."""


@pytest.fixture
def place() -> Iterator[Place]:
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="waivern-", dir=shm if shm.is_dir() else None))
    made = Place(folder)
    (made.books / "hidden.py").write_text(COMPONENTS)
    (made.books / "found.yaml").write_text(FOUND)
    yield made
    shutil.rmtree(folder)


def test_a_redaction(place: Place, tmp_path: Path, tried: Count) -> None:
    place.wct("run", "found.yaml", "--run-id", RUN)
    disk = place.disk()
    points = place.held(disk, place.wct("runs", "redact", RUN, "--yes"))
    trees = [tree for tree, _ in points.states.values()]
    chosen = trees[:: max(1, -(-len(trees) // RECOVERED))]
    for number, tree in enumerate(chosen):
        recovered(place, tree, tmp_path / str(number))
    what = f"power loss: a redaction ({points.crash_points} crash points, {len(chosen)} repeated)"
    tried(f"{what}, states", len(trees))


def recovered(place: Place, tree: Tree, home: Path) -> None:
    """Repeat the command in a state that a power loss left."""
    place.bed.lay(tree)
    place.bed.copy(home)
    store, run = LocalFilesystemStore(home / STORE), home / STORE / "runs" / RUN
    redact(store, RUN, None, "me@here", None, Clock())
    found = verify(store, RUN)
    assert (found.faults, found.notes) == ((), ())
    assert set(found.redacted) == {"rows", "one", "findings"}
    for path in run.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert CONTENT not in data, path
        assert EVIDENCE not in data, path
    lines = (run / "findings.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [str(n) for n in range(1200)]
    shutil.rmtree(home)
