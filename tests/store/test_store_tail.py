"""The tail of a journal that another process appends to."""

from __future__ import annotations

from pathlib import Path

import pytest

from waivern.errors import IntegrityError
from waivern.store import LocalFilesystemStore
from waivern.store.store_values import InitialState, Owner

OWNER = Owner("host", 1, "now")
INITIAL = InitialState(b"x", ({"n": 1},), {"status": "running"}, {"completed": []})


def test_a_line_is_reported_when_it_is_durable(tmp_path: Path) -> None:
    store = LocalFilesystemStore(tmp_path)
    lease, tail = store.begin("r", INITIAL, OWNER), LocalFilesystemStore(tmp_path).tail("r")
    assert [line.record for line in tail.read()] == [{"n": 1}]
    lease.append([{"n": 2}], sync=False)
    assert tail.read() == ()  # a power loss could give its number to another event
    lease.append([{"n": 3}], sync=True)
    assert tail.read() == ()  # neither a later line nor run.json reports it yet
    lease.append([{"n": 4}], sync=False)
    assert [line.record for line in tail.read()] == [{"n": 2}, {"n": 3}]
    lease.append([], sync=True)
    lease.project({"status": "running"}, {"completed": []}, sync=False)
    assert [line.seq for line in tail.read()] == [4]
    lease.release()


def test_lines_that_were_cut_off_are_read_as_they_are_then(tmp_path: Path) -> None:
    store = LocalFilesystemStore(tmp_path)
    lease, tail = store.begin("r", INITIAL, OWNER), store.tail("r")
    lease.append([{"n": 2}], sync=False)
    assert len(tail.read()) == 1
    lease.release()
    events = tmp_path / "runs" / "r" / "_system" / "events.jsonl"
    first = events.read_bytes().splitlines(keepends=True)[0]
    events.write_bytes(first)  # as after a power loss
    lease = store.lock("r", OWNER)
    lease.append([{"n": "another"}], sync=True)
    lease.project({"status": "running"}, {"completed": []}, sync=True)
    assert [line.record for line in tail.read()] == [{"n": "another"}]
    lease.release()


def test_a_long_journal_is_read_piece_by_piece(tmp_path: Path) -> None:
    store = LocalFilesystemStore(tmp_path)
    lease, tail = store.begin("r", INITIAL, OWNER), store.tail("r", after=1)
    lease.append([{"n": n, "text": "x" * 2000} for n in range(2000)], sync=True)
    lease.append([{"text": "x" * (3 << 20)}], sync=True)
    lease.project({"status": "running"}, {"completed": []}, sync=True)
    seqs: list[int] = []
    while lines := tail.read():
        seqs += [line.seq for line in lines]
    assert seqs == list(range(2, 2003))
    lease.release()


def test_a_durable_line_that_is_damaged_is_reported(tmp_path: Path) -> None:
    store = LocalFilesystemStore(tmp_path)
    lease = store.begin("r", INITIAL, OWNER)
    lease.append([{"n": 2}, {"n": 3}], sync=True)
    lease.project({"status": "running"}, {"completed": []}, sync=True)
    lease.release()
    events = tmp_path / "runs" / "r" / "_system" / "events.jsonl"
    events.write_bytes(events.read_bytes().replace(b'{"n":2}', b'{"n":7}'))
    tail = store.tail("r")
    with pytest.raises(IntegrityError, match="line 2 is damaged"):
        tail.read()
