"""The files of record streams: what an altered, missing or planted one looks like."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from waivern.errors import IntegrityError, StoreError
from waivern.message import Message
from waivern.record_stream import RecordStream
from waivern.store import disk
from waivern.store.local import LocalFilesystemStore
from waivern.store.store_values import Receipt
from waivern.testing.store_helpers import begin, ref
from waivern.testing.stream_conformance import publish_stream, rows, streamed

FILES = {"records": "a.jsonl", "items": "_system/items/a.jsonl"}


@pytest.fixture
def local(tmp_path: Path) -> LocalFilesystemStore:
    return LocalFilesystemStore(tmp_path / "store")


@pytest.fixture
def receipt(local: LocalFilesystemStore) -> Receipt:
    """An artifact with both streams, published."""
    lease = begin(local)
    made = publish_stream(local, lease, items=True)
    lease.release()
    return made


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"1\n")


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def linked(path: Path) -> None:
    aside = path.with_name("aside")
    path.rename(aside)
    path.symlink_to(aside)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("change", [flipped, longer, torn, linked, Path.unlink])
def test_a_stream_that_was_changed_is_found(
    local: LocalFilesystemStore, receipt: Receipt, kind: str, change: Callable[[Path], None]
) -> None:
    assert local.verify("r", "a", size=receipt.size, digest=receipt.digest) is None
    change(Path(local.path, "runs/r", FILES[kind]))
    fault = local.verify("r", "a", size=receipt.size, digest=receipt.digest)
    words = {Path.unlink: f"its {kind} are missing", linked: "not a regular file"}
    assert words.get(change, f"its {kind} are altered") in (fault or "")
    with pytest.raises(IntegrityError):
        [*getattr(local.fetch("r", ref(receipt)), kind)]
    with pytest.raises(IntegrityError):
        [*getattr(anyio.run(local.get, "r", "a"), kind)]


def test_a_changed_stream_is_not_copied(local: LocalFilesystemStore, receipt: Receipt) -> None:
    found = local.fetch("r", ref(receipt))
    flipped(Path(local.path, "runs/r/a.jsonl"))
    lease = begin(local, "copy")
    with pytest.raises(IntegrityError):
        local.stage("copy", "a", found)
    with pytest.raises(IntegrityError):
        anyio.run(local.save, "copy", "a", found)
    lease.release()
    assert [file.path for file in local.files("copy") if file.kind in ("records", "staged")] == []


@pytest.mark.parametrize("copies", [True, False], ids=["by the kernel", "in chunks"])
def test_a_copy_has_blocks_of_its_own(
    local: LocalFilesystemStore, receipt: Receipt, monkeypatch: pytest.MonkeyPatch, copies: bool
) -> None:
    monkeypatch.setattr(disk, "_HAS_COPY", copies)
    monkeypatch.setattr(disk, "COPY_BYTES", 10_000)  # several calls
    lease = begin(local, "copy")
    lease.publish([local.stage("copy", "b", local.fetch("r", ref(receipt)))])
    lease.release()
    source, copy = (Path(local.path, "runs", name) for name in ("r/a.jsonl", "copy/b.jsonl"))
    assert copy.read_bytes() == source.read_bytes()
    assert copy.stat().st_ino != source.stat().st_ino
    flipped(source)
    assert [*(anyio.run(local.get, "copy", "b").records or ())] == rows()


def test_a_full_disk_in_the_middle_of_a_stream(
    local: LocalFilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = begin(local)
    sink = local.sink("r", "a", "rows")
    for record in rows():
        sink.write(record)

    def full(operation: str, _name: str) -> None:
        if operation == "write":
            raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(disk, "step", full)
        with pytest.raises(StoreError, match="cannot write the records of artifact 'a'"):
            sink.write("x" * (1 << 20))
    with pytest.raises(StoreError):  # what is missing in the middle is not passed over
        sink.write(1)
    with pytest.raises(StoreError):
        sink.finish()
    sink.discard()
    assert [file.path for file in local.files("r") if file.kind == "staged"] == []
    lease.release()


def test_the_file_is_what_people_read(local: LocalFilesystemStore) -> None:
    lease = begin(local)
    made = Message(id="a", content={"base": "."}, records=streamed(local).records)
    lease.publish([local.stage("r", "a", made)])
    lease.release()
    lines = Path(local.path, "runs/r/a.jsonl").read_text().splitlines()
    assert len(lines) == len(rows())
    assert lines[0] == '{"n":0,"a":"čaj ☕","none":null,"list":[1,2.5,true]}'
    text = Path(local.path, "runs/r/a.json").read_text()
    assert isinstance(made.records, RecordStream)
    assert text.startswith(
        '{\n  "id": "a",\n  "records": {\n    "list": "rows",\n    "count": 1500,\n    "size": '
        f'{made.records.size},\n    "digest": "{made.records.digest}"\n  }},\n  "content": {{\n'
    )
