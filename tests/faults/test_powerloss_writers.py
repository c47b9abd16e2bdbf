"""Is the simulated disk worth anything? It must find what is wrong with writers that are wrong.

And cases of their own: what one process made and did not sync, another relies on.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Count
from powerloss import Disk
from powerloss_check import STORE, Bed, Eyes, crash_points, violations
from powerloss_place import Place
from powerloss_recorder import Operation, RecordingOs, recorded

from waivern.message import Message, SchemaRef, sha256
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactStartedRecord,
    AttemptStartedRecord,
    RunStartedRecord,
    to_record,
)
from waivern.store import disk as real
from waivern.store.local import LocalFilesystemStore
from waivern.store.store_values import InitialState, Owner
from waivern.store.writers import Lease

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

OLD, NEW = b"old " * 2000, b"new " * 3000
ACKNOWLEDGED = ("acknowledged",)
TRUNCATED = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@pytest.fixture
def memory() -> Iterator[Path]:
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="waivern-", dir=shm if shm.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def recording(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], list[Operation]]]:
    """The store's operations in this process; call it for those so far."""
    trace = memory / "trace"
    fd = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    monkeypatch.setattr(real, "os", RecordingOs(fd))
    yield lambda: recorded(trace)
    os.close(fd)


def operations() -> RecordingOs:
    """Return what the store has in place of `os`."""
    replaced: RecordingOs = vars(real)["os"]
    return replaced


def in_place(folder: real.DiskFolder) -> None:
    with real.DiskFile(operations().open("a", TRUNCATED, dir_fd=folder.descriptor), "a") as file:
        file.write(NEW)


def renamed(folder: real.DiskFolder, *, sync: bool = False) -> None:
    with folder.create("b", NEW) as file:
        if sync:
            file.sync()
    folder.rename("b", "a")


def synced_and_renamed(folder: real.DiskFolder) -> None:
    renamed(folder, sync=True)


def in_full(folder: real.DiskFolder) -> None:
    folder.replace("a", NEW)


@pytest.mark.parametrize(
    ("writer", "corrupts", "loses"),
    [
        (in_place, True, True),
        (renamed, True, True),
        (synced_and_renamed, False, True),
        (in_full, False, False),
    ],
)
def test_what_is_wrong_with_a_writer_is_found(
    memory: Path,
    recording: Callable[[], list[Operation]],
    tried: Count,
    writer: Callable[[real.DiskFolder], None],
    corrupts: bool,
    loses: bool,
) -> None:
    home = memory / "home"
    home.mkdir()
    (home / "a").write_bytes(OLD)
    disk = Disk(home)
    with real.DiskFolder.root(str(home)) as folder:
        writer(folder)
    found: Counter[str] = Counter()
    states = 0
    for operation in [*recording(), ACKNOWLEDGED]:
        if operation != ACKNOWLEDGED:
            disk.follow(operation)
        for state in disk.states():
            states += 1
            found["corrupt"] += state.tree.get("a") not in (OLD, NEW)
            found["lost"] += operation == ACKNOWLEDGED and state.tree.get("a") != NEW
    assert disk.tree() == Disk(home).tree()
    assert (found["corrupt"] > 0, found["lost"] > 0) == (corrupts, loses)
    what = writer.__name__.replace("_", " ")
    tried(f"simulator: a file {what}: {found['corrupt']} corrupt, {found['lost']} lost", states)


@pytest.mark.parametrize("forget", ["files", "folders"])
def test_a_wct_that_forgets_to_sync_is_found_out(memory: Path, tried: Count, forget: str) -> None:
    place = Place(memory)
    disk = place.disk()
    trace = place.wct("run", "origin.yaml", "--run-id", "origin", forget=forget)
    points = crash_points(disk, trace)
    found = violations(points, place.bed, place.eyes)
    assert found.total() > 10, found
    tried(
        f"simulator: wct without sync of {forget}: {found.total()} violations", len(points.states)
    )


# what another made

OWNER = Owner("host", 1, "2026-01-01T00:00:00.000Z")
KEYS = ("child/a", "child/deep/b", "child/deep/c", "top")
AT = "2026-01-01T00:00:00.000Z"


ATTEMPT = AttemptStartedRecord(AT, {"host": "h", "pid": 1}, sha256(b""))


def begun(store: LocalFilesystemStore) -> Lease:
    first = RunStartedRecord(AT, "r", list(KEYS), {}, {}, "/", "nested", "1.0", None)
    record = RunRecord(first)
    record.apply(ATTEMPT)
    documents = record.metadata.document(), record.state.document()
    return store.begin(
        "r", InitialState(b"", (to_record(first), to_record(ATTEMPT)), *documents), OWNER
    )


def nested(store: LocalFilesystemStore, before: Callable[[int], None] = lambda _run: None) -> None:
    """Make a run with composed ids by hand: the language has no composition yet."""
    lease = begun(store)
    with real.DiskFolder.root(f"{store.path}/runs/r") as run:
        before(run.descriptor)
    for step, key in enumerate(KEYS, 1):
        message = Message(key, {"key": key}, SchemaRef("any", "1.0"), run_id="r", timestamp=AT)
        receipt = store.stage("r", key, message)
        started = ArtifactStartedRecord(AT, key, step, "connector:x", [])
        digests = receipt.digest, receipt.content_digest, "any/1.0", "connector:x", "1"
        done = ArtifactCompletedRecord(AT, key, "produced", receipt.size, *digests, {}, 1)
        lease.publish([receipt])
        lease.append([to_record(started), to_record(done)], sync=True)
    lease.release()


def others_folder(run: int) -> None:
    """Make a folder as another thread does that has not come to the sync."""
    operations().mkdir("child", 0o700, dir_fd=run)


@pytest.mark.parametrize("before", [lambda _run: None, others_folder], ids=["own", "another's"])
def test_artifacts_in_folders(
    memory: Path,
    recording: Callable[[], list[Operation]],
    tried: Count,
    before: Callable[[int], None],
) -> None:
    home = memory / "home"
    home.mkdir()
    disk = Disk(home)
    nested(LocalFilesystemStore(home / STORE), before)
    points = crash_points(disk, recording())
    assert disk.tree() == Disk(home).tree()
    assert not violations(points, Bed(memory / "bed"), Eyes())
    whose = "another thread's" if before is others_folder else "its own"
    tried(f"power loss: composed ids in {whose} folder, states", len(points.states))


def test_journal_lines_that_a_process_which_died_did_not_sync(
    memory: Path, recording: Callable[[], list[Operation]], tried: Count
) -> None:
    """The next one's lines say that all before them is on the disk: so it had better be."""
    home = memory / "home"
    home.mkdir()
    disk = Disk(home)
    store = LocalFilesystemStore(home / STORE)
    lease = begun(store)
    for step, key in enumerate(KEYS, 1):
        started = ArtifactStartedRecord(AT, key, step, "connector:x", ["input"] * 100)
        lease.append([to_record(started)], sync=False)
    lease.release()  # as the kernel does for the dead
    again = store.lock("r", OWNER)
    again.append([to_record(ATTEMPT)], sync=True)
    again.release()
    points = crash_points(disk, recording())
    assert not violations(points, Bed(memory / "bed"), Eyes())
    tried("power loss: journal lines that a dead process did not sync, states", len(points.states))
