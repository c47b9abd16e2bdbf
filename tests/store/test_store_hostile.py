"""Links, FIFOs and folders where files should be: refused, and never followed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from waivern.errors import IntegrityError, StoreError, WaivernError
from waivern.store import disk
from waivern.store.base import RunStore
from waivern.store.local import LocalFilesystemStore
from waivern.store.store_values import ArtifactRef
from waivern.testing.store_helpers import OWNER, begin, message, publish, write_log


@pytest.fixture
def local(tmp_path: Path) -> LocalFilesystemStore:
    return LocalFilesystemStore(tmp_path / "store")


REFUSED = (IntegrityError, StoreError)
Place = Callable[[Path, Path], None]


def _link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def _dangling(path: Path, outside: Path) -> None:
    path.symlink_to(outside.with_name("nothing"))


def _fifo(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path, outside: Path) -> None:
    path.mkdir()


kinds = pytest.mark.parametrize("place", [_link, _dangling, _fifo, _folder])


class Outside:
    """A file and a folder beyond the store, which nothing may read or change."""

    def __init__(self, path: Path) -> None:
        self.folder = path / "outside"
        self.folder.mkdir()
        self.file = self.folder / "x.json"
        self.content = b"not yours"
        self.file.write_bytes(self.content)

    def untouched(self) -> bool:
        files = [path.name for path in self.folder.iterdir()]
        return files == ["x.json"] and self.file.read_bytes() == self.content


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path)


@pytest.fixture
def run(local: LocalFilesystemStore, tmp_path: Path) -> Path:
    lease = begin(local)
    publish(local, lease, "a")
    lease.release()
    return tmp_path / "store/runs/r"


def swap(path: Path, place: Place, outside: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    place(path, outside)


@kinds
async def test_in_place_of_an_artifact(
    local: LocalFilesystemStore, run: Path, outside: Outside, place: Place
) -> None:
    data = (run / "a.json").read_bytes()
    outside.content = data
    outside.file.write_bytes(data)  # even what it should be, it must not come from elsewhere
    lease = local.lock("r", OWNER)
    receipt = local.stage("r", "b", message())
    swap(run / "a.json", place, outside.file)
    with pytest.raises(IntegrityError):
        await local.get("r", "a")
    with pytest.raises(IntegrityError):
        local.fetch("r", ArtifactRef("a", receipt.digest, receipt.content_digest))
    assert local.verify("r", "a", size=receipt.size, digest=receipt.digest) is not None
    assert not await local.exists("r", "a")
    assert await local.list_keys("r") == []
    if place is _folder:
        with pytest.raises(StoreError):
            await local.save("r", "a", message("new"))
    else:
        await local.save("r", "a", message("new"))
        assert (await local.get("r", "a")).content == "new"
        assert not (run / "a.json").is_symlink()
    assert outside.untouched()
    lease.release()


async def test_deleting_a_link_leaves_its_target(
    local: LocalFilesystemStore, run: Path, outside: Outside
) -> None:
    swap(run / "a.json", _link, outside.file)
    await local.delete("r", "a")
    assert not (run / "a.json").is_symlink()
    assert outside.untouched()


async def test_in_place_of_a_folder(
    local: LocalFilesystemStore, run: Path, outside: Outside
) -> None:
    (run / "child").symlink_to(outside.folder)
    for call in (local.get, local.exists, local.delete):
        with pytest.raises(IntegrityError):
            await call("r", "child/x")
    with pytest.raises(IntegrityError):
        await local.save("r", "child/x", message())
    assert await local.list_keys("r") == ["a"]
    await local.clear("r")
    lease = local.lock("r", OWNER)
    lease.sweep(["child/x"])
    lease.release()
    assert outside.untouched()


Look = Callable[[RunStore], object]
LOOKS: dict[str, Look] = {
    "journal": lambda store: store.read_journal("r"),
    "last": lambda store: store.last_record("r"),
    "run": lambda store: store.read_json("r", "run"),
    "runbook": lambda store: store.read_runbook("r", "sha256:0"),
    "lock": lambda store: store.lock("r", OWNER),
    "log": lambda store: write_log(store, "r", "a", "x"),
    "read_log": lambda store: store.read_log("r", "a"),
    "remove": lambda store: store.remove("r", OWNER),
    "note": lambda store: store.append_history({}),
    "begin": lambda store: begin(store, "next"),
    "owner": lambda store: store.owner("r"),
}


@pytest.mark.parametrize("place", [_link, _fifo, _folder])
@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("runs/r/_system/events.jsonl", "journal"),
        ("runs/r/_system/events.jsonl", "last"),
        ("runs/r/_system/events.jsonl", "lock"),
        ("runs/r/_system/run.json", "run"),
        ("runs/r/_system/runbook.yaml", "runbook"),
        ("runs/r/_system/lock", "lock"),
        ("runs/r/_system/logs/a.log", "log"),
        ("runs/r/_system/logs/a.log", "read_log"),
        ("runs.jsonl", "note"),
    ],
)
def test_in_place_of_a_file(
    local: LocalFilesystemStore, run: Path, outside: Outside, name: str, look: str, place: Place
) -> None:
    write_log(local, "r", "a", "line")
    local.append_history({})
    swap(run.parent.parent / name, place, outside.file)
    with pytest.raises(REFUSED):
        LOOKS[look](local)
    assert outside.untouched()


@pytest.mark.parametrize("place", [_link, _fifo, _folder])
def test_in_place_of_the_lock_a_reader_goes_on(
    local: LocalFilesystemStore, run: Path, outside: Outside, place: Place
) -> None:
    swap(run / "_system/lock", place, outside.file)
    try:
        assert local.owner("r") is None
    except WaivernError as error:
        assert isinstance(error, REFUSED)  # noqa: PT017 - either answer, but no waiting
    assert outside.untouched()


@pytest.mark.parametrize(
    ("name", "look"),
    [("runs/r", look) for look in LOOKS if look not in ("note", "begin", "remove")]
    + [("runs/r/_system", look) for look in LOOKS if look not in ("note", "begin", "remove")]
    + [("runs", look) for look in LOOKS if look != "note"]
    + [("runs/r/_system/logs", "log"), ("runs/r/_system/logs", "read_log")],
)  # fmt: skip
def test_a_link_in_place_of_a_folder_of_the_store(
    local: LocalFilesystemStore, run: Path, outside: Outside, name: str, look: str
) -> None:
    write_log(local, "r", "a", "line")
    path = run.parent.parent / name
    moved = path.rename(run.parent.parent.parent / "moved")
    path.symlink_to(moved)  # what it leads to is good: it is the link that is refused
    before = sorted(map(str, moved.rglob("*")))
    with pytest.raises(REFUSED):
        LOOKS[look](local)
    assert sorted(map(str, moved.rglob("*"))) == before


def test_removal_follows_nothing(local: LocalFilesystemStore, run: Path, outside: Outside) -> None:
    (run / "file.json").symlink_to(outside.file)
    (run / "folder").symlink_to(outside.folder)
    os.mkfifo(run / "fifo")
    local.remove("r", OWNER)
    assert list(run.parent.iterdir()) == []
    assert outside.untouched()


def test_a_run_without_records_can_be_removed(
    local: LocalFilesystemStore, run: Path, tmp_path: Path
) -> None:
    moved = (run / "_system").rename(tmp_path / "moved")
    (run / "_system").symlink_to(moved)
    local.remove("r", OWNER)
    assert local.runs() == []
    assert (moved / "events.jsonl").is_file()


@pytest.mark.parametrize("place", [_link, _fifo, _folder])
@pytest.mark.parametrize("name", ["", "_system/lock", "_system/run.json", "_system/events.jsonl"])
def test_a_run_with_something_else_in_place_of_its_files_can_be_removed(
    local: LocalFilesystemStore, run: Path, outside: Outside, name: str, place: Place
) -> None:
    if name:
        swap(run / name, place, outside.file)
    else:
        shutil.rmtree(run)
        place(run, outside.folder)
    local.remove("r", OWNER)
    assert local.runs() == []
    assert outside.untouched()


@pytest.mark.parametrize("crash", [False, True])
def test_a_folder_that_cannot_be_renamed_is_removed_in_place(
    local: LocalFilesystemStore, run: Path, monkeypatch: pytest.MonkeyPatch, crash: bool
) -> None:
    """As overlayfs says of a folder of the layer below; in a crash it looks damaged, not whole."""

    def step(operation: str, name: str) -> None:
        if operation == "rename" and name.startswith(".trash-"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        if crash and operation == "rmdir":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(disk, "step", step)
    if crash:
        with pytest.raises(StoreError):
            local.remove("r", OWNER)
        monkeypatch.undo()
        with pytest.raises(WaivernError):
            local.read_json("r", "run")
        with pytest.raises(WaivernError):
            local.read_journal("r")
    local.remove("r", OWNER)
    assert local.runs() == []
    assert list(run.parent.iterdir()) == []


def test_sweeping_follows_nothing(local: LocalFilesystemStore, run: Path, outside: Outside) -> None:
    trash = run.parent / ".trash-x"
    trash.mkdir()
    (trash / "folder").symlink_to(outside.folder)
    begin(local, "next").release()
    assert not trash.exists()
    assert outside.untouched()


def test_the_newest_run_in_place_of_a_file(
    local: LocalFilesystemStore, run: Path, outside: Outside
) -> None:
    latest = run.parent.parent / "latest"
    latest.unlink()
    latest.symlink_to(outside.folder)
    begin(local, "next").release()
    assert str(latest.readlink()) == "runs/next"
    assert outside.untouched()


def test_strangers_among_the_runs_are_no_runs(local: LocalFilesystemStore, run: Path) -> None:
    for name in ("my notes.txt", "x.json", "_system", "č"):
        (run.parent / name).write_text("")
    assert local.runs() == ["r"]


def test_the_root_may_be_a_link(run: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(tmp_path / "store")
    assert LocalFilesystemStore(tmp_path / "linked").runs() == ["r"]


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "null", "[" * 100_000, "NaN"])
async def test_a_file_that_is_no_artifact(
    local: LocalFilesystemStore, run: Path, text: str
) -> None:
    (run / "a.json").write_text(text)
    (run / "_system/run.json").write_text(text)
    with pytest.raises(IntegrityError):
        await local.get("r", "a")
    with pytest.raises(WaivernError):
        local.read_json("r", "run")
