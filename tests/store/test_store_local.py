"""What the local store leaves on the disk: names, modes, layout, leftovers."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from waivern.errors import IntegrityError, RunNotFoundError, StoreError
from waivern.message import sha256
from waivern.store import disk
from waivern.store.local import LocalFilesystemStore
from waivern.store.opening import open_store
from waivern.store.staging import HELD_BYTES
from waivern.store.store_values import ArtifactRef
from waivern.testing.store_helpers import (
    OWNER,
    RUNBOOK,
    begin,
    initial_state,
    message,
    publish,
    records,
    write_log,
)


def paths(store: LocalFilesystemStore) -> list[str]:
    """Return the paths of all files of the run."""
    return [file.path for file in store.files("r")]


@pytest.fixture
def local(tmp_path: Path) -> LocalFilesystemStore:
    return LocalFilesystemStore(tmp_path / "store")


def tree(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*"))


async def test_exact_layout(local: LocalFilesystemStore, tmp_path: Path) -> None:
    lease = local.begin(
        "r", initial_state({"type": "born"}, children={"sub/c.yaml": b"child"}), OWNER
    )
    for key in ("a", "child/b"):
        publish(local, lease, key)
    write_log(local, "r", "child/b", "line\n")
    lease.replace_runbook(b"new bytes")
    local.append_history({"n": 1})
    old = sha256(RUNBOOK).removeprefix("sha256:")[:16]
    store = tmp_path / "store"
    (mark,) = store.glob("runs/.open-*-r")
    (attempt,) = store.glob("runs/r/_system/staged/1-*")
    assert mark.name == f".open-{attempt.name.removeprefix('1-')}-r"
    lease.release()
    assert tree(store) == [
        ".gitignore",
        "latest",
        "runs",
        "runs.jsonl",
        "runs/r",
        "runs/r/_system",
        "runs/r/_system/children",
        "runs/r/_system/children/sub",
        "runs/r/_system/children/sub/c.yaml",
        "runs/r/_system/events.jsonl",
        "runs/r/_system/lock",
        "runs/r/_system/logs",
        "runs/r/_system/logs/child",
        "runs/r/_system/logs/child/b.log",
        "runs/r/_system/run.json",
        f"runs/r/_system/runbook.{old}.yaml",
        "runs/r/_system/runbook.yaml",
        "runs/r/_system/state.json",
        "runs/r/a.json",
        "runs/r/child",
        "runs/r/child/b.json",
    ]
    system = store / "runs/r/_system"
    assert (store / ".gitignore").read_text() == "*\n!.gitignore\n"
    assert (system / "children/sub/c.yaml").read_bytes() == b"child"
    assert (system / "runbook.yaml").read_bytes() == b"new bytes"
    assert (system / f"runbook.{old}.yaml").read_bytes() == RUNBOOK
    assert json.loads((system / "lock").read_text()) == {
        "host": OWNER.host,
        "pid": OWNER.pid,
        "since": OWNER.since,
    }
    assert (system / "lock").is_file()


def test_looking_makes_no_store(local: LocalFilesystemStore, tmp_path: Path) -> None:
    assert local.runs() == []
    with pytest.raises(RunNotFoundError):
        local.read_journal("r")
    with pytest.raises(RunNotFoundError):
        local.lock("r", OWNER)
    assert tree(tmp_path) == []


MODES = """
import os, sys
from pathlib import Path
from waivern.testing.store_helpers import OWNER, begin, publish, write_log
from waivern.store import disk
from waivern.store.store_values import ArtifactRef
from waivern.store.staging import HELD_BYTES
from waivern.store.local import LocalFilesystemStore
os.umask(int(sys.argv[1], 8))
store = LocalFilesystemStore(Path(sys.argv[2]))
lease = begin(store)
publish(store, lease, "child/a")
publish(store, lease, "big", "x" * (1 << 19))
write_log(store, "r", "child/a", "line")
write_log(store, "r", "child/a", "line")
lease.append([{"n": 1}], sync=True)
lease.replace_runbook(b"new")
lease.project({}, {}, sync=True)
store.append_history({"n": 1})
store.append_history({"n": 2})
lease.release()
begin(store, "second").release()
store.lock("r", store.owner("second") or OWNER).release()
"""


@pytest.mark.parametrize("umask", ["000", "022", "777"])
def test_modes_whatever_the_umask(umask: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", MODES, umask, str(store)], check=True, env=env)
    modes = {
        str(path.relative_to(tmp_path)): stat.S_IMODE(path.lstat().st_mode)
        for path in [store, *store.rglob("*")]
        if not path.is_symlink()
    }
    assert len(modes) > 15
    wrong = {
        name: oct(mode)
        for name, mode in modes.items()
        if mode != (0o700 if (tmp_path / name).is_dir() else 0o600)
    }
    assert wrong == {}


def test_latest_is_a_relative_link(local: LocalFilesystemStore, tmp_path: Path) -> None:
    begin(local, "one").release()
    begin(local, "two").release()
    latest = tmp_path / "store" / "latest"
    assert str(latest.readlink()) == "runs/two"
    assert (latest / "_system" / "run.json").is_file()


async def test_json_is_for_reading(local: LocalFilesystemStore, tmp_path: Path) -> None:
    await local.save("r", "a", message({"č": [1, {"k": None}]}))
    await local.save_json("r", "run", {"z": 1, "a": {"č": []}})
    run = tmp_path / "store/runs/r"
    assert (run / "_system/run.json").read_text() == (
        '{\n  "z": 1,\n  "a": {\n    "č": []\n  }\n}\n'
    )
    text = (run / "a.json").read_text()
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
    names = ["id", "content", "schema", "context", "run_id", "source", "timestamp", "extensions"]
    assert list(json.loads(text)) == names


def test_sha256sum_agrees_with_the_receipt(local: LocalFilesystemStore, tmp_path: Path) -> None:
    lease = begin(local)
    receipt = publish(local, lease, "a")
    file = tmp_path / "store/runs/r/a.json"
    printed = subprocess.run(["sha256sum", file], capture_output=True, check=True, text=True).stdout
    assert receipt.digest == "sha256:" + printed.split()[0]
    assert receipt.size == file.stat().st_size
    lease.release()


def test_the_chain_can_be_checked_by_hand(local: LocalFilesystemStore, tmp_path: Path) -> None:
    lease = begin(local)
    lease.append([{"type": "x", "text": "č"}, {"type": "y"}], sync=True)
    lease.release()
    events = tmp_path / "store/runs/r/_system/events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3
    before = "0" * 64
    for n, line in enumerate(lines, 1):
        command = f"sed -n {n}p {events} | head -c -76 | sha256sum"
        printed = subprocess.run(command, shell=True, capture_output=True, check=True, text=True)
        document = json.loads(line)
        assert list(document) == ["seq", "synced", "prev", "event", "hash"]
        assert document["hash"] == printed.stdout.split()[0]
        assert (document["seq"], document["prev"]) == (n, before)
        before = document["hash"]


def test_no_file_is_half_written_under_its_name(
    local: LocalFilesystemStore, tmp_path: Path
) -> None:
    lease = begin(local)
    receipt = local.stage("r", "child/a", message("a" * (1 << 18)))  # not held in memory
    run = tmp_path / "store/runs/r"
    assert (run / "_system/staged" / receipt.staged).is_file()
    assert not (run / "child").exists()
    lease.release()


def test_leftovers_of_a_crash_are_swept(local: LocalFilesystemStore, tmp_path: Path) -> None:
    begin(local).release()
    runs = tmp_path / "store/runs"
    for name in (".new-x", ".trash-y"):
        (runs / name / "_system").mkdir(parents=True)
        (runs / name / "_system" / "run.json").write_text("{}")
    assert local.runs() == ["r"]
    begin(local, "next").release()
    assert sorted(path.name for path in runs.iterdir()) == ["next", "r"]


async def test_staged_leftovers_are_swept_by_the_next_holder(
    local: LocalFilesystemStore, tmp_path: Path
) -> None:
    lease = begin(local)
    publish(local, lease, "child/a")
    local.stage("r", "child/b", message())
    local.stage("r", "c", message())
    lease.release()
    assert await local.list_keys("r") == ["child/a"]
    lease = local.lock("r", OWNER)
    lease.sweep([])
    left = [name for name in tree(tmp_path / "store/runs/r") if ".tmp-" in name]
    assert left == []
    assert await local.list_keys("r") == ["child/a"]
    lease.release()


def test_two_stores_at_one_place_see_the_same(local: LocalFilesystemStore, tmp_path: Path) -> None:
    reader = open_store(tmp_path / "store")
    lease = begin(local)
    for n in range(20):  # a reader of a run that is being written
        lease.append([{"n": n}], sync=n % 2 == 0)
        publish(local, lease, f"a{n}", n)
        assert records(reader)[-1] == {"n": n}
        assert reader.owner("r") == OWNER
        assert reader.verify("r", f"a{n}", size=1, digest="sha256:0") == "altered"
    lease.release()
    assert reader.owner("r") is None


def test_many_small_artifacts_of_one_group(local: LocalFilesystemStore) -> None:
    """More staged at once than may stay open."""
    lease = begin(local)
    receipts = [local.stage("r", f"a{n}", message(n, f"a{n}")) for n in range(600)]
    lease.publish(receipts)
    for receipt in receipts[::50]:
        assert local.verify("r", receipt.key, size=receipt.size, digest=receipt.digest) is None
    lease.release()


def test_history_lines_stand_alone(local: LocalFilesystemStore, tmp_path: Path) -> None:
    local.append_history({"n": 1, "text": "č"})
    history = tmp_path / "store/runs.jsonl"
    with history.open("ab") as file:
        file.write(b'{"torn": ')
    local.append_history({"n": 2})
    assert history.read_text().splitlines() == ['{"n": 1, "text": "č"}', '{"torn": ', '{"n": 2}']


def test_many_are_published_at_once(local: LocalFilesystemStore, tmp_path: Path) -> None:
    lease = begin(local)
    receipts = [local.stage("r", f"a{n}", message(n + 1)) for n in range(400)]
    lease.publish(receipts)
    lease.release()
    assert len(list((tmp_path / "store/runs/r").glob("*.json"))) == 400
    for n, receipt in enumerate(receipts):
        ref = ArtifactRef(receipt.key, receipt.digest, receipt.content_digest)
        assert local.fetch("r", ref).content == n + 1


def test_closing_a_file_fails(local: LocalFilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is told; nobody waits for a thread that has died of it."""
    lease = begin(local)
    receipts = [local.stage("r", f"a{n}", message(n + 1)) for n in range(100)]
    close, number = os.close, itertools.count(1)

    def failing(fd: int) -> None:
        close(fd)
        syncs = threading.current_thread().name.startswith("waivern-syncer")
        if syncs and next(number) == 6:
            raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(os, "close", failing)
    with pytest.raises(StoreError, match="cannot write artifacts"):
        lease.publish(receipts)
    monkeypatch.undo()
    lease.release()


@pytest.mark.parametrize("which", [1, 40, 77, 100, 128, 300])
def test_a_sync_that_fails_among_many(
    local: LocalFilesystemStore, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """Whichever thread it fails on, nothing of its wave or after it is published."""
    lease = begin(local)
    receipts = [local.stage("r", f"a{n}", message(n + 1)) for n in range(400)]
    syncs = itertools.count(1)

    def step(operation: str, _name: str) -> None:
        if operation == "sync" and next(syncs) == which:
            raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(disk, "step", step)
    with pytest.raises(StoreError, match="cannot write artifacts"):
        lease.publish(receipts)
    monkeypatch.undo()
    lease.release()
    assert not [name for name in paths(local) if name.startswith("a")]


async def test_saves_of_one_key_at_the_same_time(local: LocalFilesystemStore) -> None:
    begin(local).release()
    await asyncio.gather(*(local.save("r", "a", message(n)) for n in range(40)))
    assert (await local.get("r", "a")).content in range(40)
    assert [name for name in paths(local) if ".tmp-" in name] == []


def test_what_is_staged_and_never_published_is_gone_with_the_lease(
    local: LocalFilesystemStore,
) -> None:
    lease = begin(local)
    large = "x" * (HELD_BYTES + 1)
    published = local.stage("r", "child/a", message(large))
    local.stage("r", "child/b", message(large))
    local.stage("r", "c", message("small"))
    lease.publish([published])
    lease.release()
    assert [name for name in paths(local) if not name.startswith("_system/")] == ["child/a.json"]
    with pytest.raises(StoreError, match="run r is over"):
        local.stage("r", "d", message(large))
    again = local.lock("r", OWNER)
    again.publish([local.stage("r", "d", message(large))])
    again.release()
    assert "d.json" in paths(local)


def test_a_run_that_is_removed_while_it_is_held(
    local: LocalFilesystemStore, tmp_path: Path
) -> None:
    lease = begin(local)
    receipt = local.stage("r", "child/a", message())
    shutil.rmtree(tmp_path / "store/runs/r")
    taken = "the run was taken from its owner: r is gone"
    with pytest.raises(IntegrityError, match=taken):
        lease.publish([receipt])
    with pytest.raises(IntegrityError, match=taken):
        lease.project({}, {}, sync=True)
    with pytest.raises(IntegrityError, match=taken):
        lease.append([], sync=True)
    with pytest.raises(IntegrityError, match=taken):
        lease.unpublish(["child/a"])
    lease.release()


def test_a_folder_in_the_place_of_the_link_to_the_newest_run(
    local: LocalFilesystemStore, tmp_path: Path
) -> None:
    (tmp_path / "store/latest").mkdir(parents=True)
    with pytest.raises(StoreError, match="latest is no link") as caught:
        begin(local)
    assert caught.value.hint
    assert local.runs() == []


def test_a_released_lease_writes_nothing(local: LocalFilesystemStore, tmp_path: Path) -> None:
    lease = begin(local)
    lease.release()
    with (tmp_path / "another").open("wb"):  # it gets the number that the journal had
        with pytest.raises(StoreError):
            lease.append([{"type": "late"}], sync=True)
    assert (tmp_path / "another").read_bytes() == b""


@pytest.mark.parametrize("count", ["-3", "1e999", '"x"', "null", "[]"])
def test_a_head_that_is_none(local: LocalFilesystemStore, tmp_path: Path, count: str) -> None:
    begin(local).release()
    path = tmp_path / "store/runs/r/_system/run.json"
    path.write_text(f'{{"journal": {{"count": {count}, "head": "x"}}}}')
    assert [record["type"] for record in records(local)] == ["born"]
    local.lock("r", OWNER).release()
