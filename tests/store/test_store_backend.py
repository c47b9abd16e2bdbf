"""The backend port: its size, its description, and what its two implementations do alike."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from waivern.errors import IntegrityError
from waivern.store.backend import Backend, FileHandle, FolderHandle, OpenHandle
from waivern.store.disk_backend import DiskBackend
from waivern.store.memory_backend import MemoryBackend

PAGE = Path(__file__).parents[2] / "docs/how-to/write-a-store.md"
PORT = (Backend, OpenHandle, FolderHandle, FileHandle)


@pytest.fixture(params=["disk", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FolderHandle]:
    backend = DiskBackend(str(tmp_path)) if request.param == "disk" else MemoryBackend()
    with backend.open("runs", make=True) as opened:
        yield opened


def test_the_page_describes_all_of_its_fifteen_operations() -> None:
    of_every_handle = OpenHandle.__abstractmethods__
    operations = {
        f"{each.__name__}.{name}"
        for each in PORT
        for name in each.__abstractmethods__
        if each is OpenHandle or name not in of_every_handle
    }
    assert set(re.findall(r"^\| `(\w+\.\w+)`", PAGE.read_text(), re.MULTILINE)) == operations
    assert len(operations) == 15


def test_a_name_is_taken_once(root: FolderHandle) -> None:
    root.write_new("a", b"1")
    root.make_folder("f").close()
    for name in ("a", "f"):
        with pytest.raises(FileExistsError):
            root.open(name, "new")
        with pytest.raises(FileExistsError):
            root.make_folder(name)
    assert [tuple(entry) for entry in root.entries()] == [("a", False, True), ("f", True, False)]


def test_what_is_missing(root: FolderHandle) -> None:
    for look in (root.folder, root.stat, root.rmdir, lambda name: root.open(name, "read")):
        with pytest.raises(FileNotFoundError):
            look("none")
    with pytest.raises(FileNotFoundError):
        root.rename("none", "other")
    root.unlink("none")
    root.write_new("a", b"")
    with pytest.raises(NotADirectoryError):
        root.folder("a")
    with pytest.raises(NotADirectoryError):
        root.stat("a/b")


def test_a_folder_is_not_read_as_a_file(root: FolderHandle) -> None:
    root.make_folder("f").close()
    with pytest.raises(IntegrityError):
        root.open("f", "read")
    with pytest.raises(OSError, match="directory"):
        root.unlink("f")


def test_writing_and_cutting(root: FolderHandle) -> None:
    root.write_new("a", b"12345")
    with root.open("a", "append") as file:
        file.write(b"67")
        file.truncate(3)
        file.write(b"x")
        assert file.stat().st_size == 4
    assert root.read("a") == b"123x"
    with root.open("a", "lock") as file:
        file.overwrite(b"new")
    with root.open("a", "read") as file:
        assert (file.read(2, 1), file.read(9, 3), file.read_all(2)) == (b"ew", b"", b"w")
    assert root.read_tail("a", 2) == b"ew"


def test_a_rename_replaces_a_file_and_no_folder(root: FolderHandle) -> None:
    root.write_new("a", b"1")
    root.write_new("b", b"2")
    with root.open("b", "read") as old:
        root.rename("a", "b")
        assert (root.read("b"), old.read(9, 0)) == (b"1", b"2")
        assert not root.same_file("b", old)
    with root.make_folder("f") as inner:
        root.rename("b", "c", inner)
        assert (root.names(), inner.names()) == (["f"], ["c"])
    with root.make_folder("g") as other:
        other.write_new("x", b"")
    with pytest.raises(OSError, match=r"not empty|exists"):
        root.rename("g", "f")
    with pytest.raises(OSError, match="not empty"):
        root.rmdir("g")


def test_an_open_folder_keeps_its_content_under_another_name(root: FolderHandle) -> None:
    with root.make_folder("f") as inner:
        inner.write_new("a", b"1")
        root.rename("f", "g")
        assert inner.read("a") == b"1"
        assert root.same_file("g", inner)
        root.remove_tree("g")
        with pytest.raises(FileNotFoundError):
            inner.write_new("b", b"2")


def test_locks_belong_to_handles(root: FolderHandle) -> None:
    root.write_new("a", b"")
    with root.open("a", "lock") as one, root.open("a", "lock") as two:
        assert one.lock(exclusive=True)
        assert one.lock(exclusive=True)  # again
        assert not two.lock(exclusive=False)
        one.close()
        assert two.lock(exclusive=False)
        with root.open("a", "read") as three:
            assert three.lock(exclusive=False)
            assert not three.lock(exclusive=True)


def test_a_lock_is_waited_for(root: FolderHandle) -> None:
    order = []

    def wait() -> None:
        with root.locked():
            order.append("second")

    with root.shared():
        with root.alone() as alone:
            assert not alone
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_a_closed_handle_is_of_no_use(root: FolderHandle) -> None:
    file = root.create("a", b"1")
    file.close()
    file.close()
    for use in (file.stat, lambda: file.write(b"2"), lambda: file.read(1, 0)):
        with pytest.raises(OSError, match="descriptor"):
            use()
