"""A damaged journal: what is a crash, what is corruption, and who repairs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from waivern.errors import IntegrityError
from waivern.store.local import LocalFilesystemStore
from waivern.testing.store_helpers import OWNER, begin, records


@pytest.fixture
def local(tmp_path: Path) -> LocalFilesystemStore:
    return LocalFilesystemStore(tmp_path / "store")


@pytest.fixture
def events(local: LocalFilesystemStore, tmp_path: Path) -> Path:
    """A journal of five lines, of which the first is anchored in `run.json`."""
    lease = begin(local)
    for n in range(2, 6):
        lease.append([{"n": n}], sync=False)
    lease.release()
    return tmp_path / "store/runs/r/_system/events.jsonl"


def flip(data: bytes, line: int) -> bytes:
    """Change one character of the event in a line (from 1)."""
    lines = data.splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace(b'"n":', b'"m":').replace(b"born", b"bern")
    return b"".join(lines)


def test_cut_at_every_length(local: LocalFilesystemStore, events: Path) -> None:
    """A reader sees every whole line and repairs nothing; the next holder cuts the rest."""
    whole = events.read_bytes()
    lines = whole.splitlines(keepends=True)
    ends = [len(b"".join(lines[:n])) for n in range(1, 6)]
    for length in range(ends[0], len(whole), 7):
        events.write_bytes(whole[:length])
        complete = sum(end <= length for end in ends)
        journal = local.read_journal("r")
        assert len(journal.lines) == complete
        assert journal.torn == (length not in ends)
        assert events.read_bytes() == whole[:length]


@pytest.mark.parametrize("tail", [b"x", b'{"seq":6', b"\0" * 4096, b"\n", b"not json\n", b"\xff\n"])
def test_a_torn_tail_is_cut_by_the_holder_alone(
    local: LocalFilesystemStore, events: Path, tail: bytes
) -> None:
    whole = events.read_bytes()
    events.write_bytes(whole + tail)
    assert local.read_journal("r").torn
    assert local.last_record("r") in (None, {"n": 5})
    assert events.read_bytes() == whole + tail
    lease = local.lock("r", OWNER)
    assert events.read_bytes() == whole
    lease.append([{"n": 6}], sync=True)
    lease.release()
    assert records(local) == [{"type": "born"}, *({"n": n} for n in range(2, 7))]


def test_a_line_before_the_anchor(local: LocalFilesystemStore, events: Path) -> None:
    events.write_bytes(flip(events.read_bytes(), 1))
    with pytest.raises(IntegrityError, match="journal line 1 is damaged"):
        local.read_journal("r")
    with pytest.raises(IntegrityError, match="journal line 1 is damaged"):
        local.lock("r", OWNER)
    assert local.owner("r") is None  # the refused holder let go


@pytest.mark.parametrize("bad", [2, 3])
def test_a_line_that_a_later_one_says_was_durable(
    local: LocalFilesystemStore, events: Path, bad: int
) -> None:
    lease = local.lock("r", OWNER)
    lease.append([{"n": 6}], sync=True)
    lease.append([{"n": 7}], sync=True)
    lease.release()
    damaged = flip(events.read_bytes(), bad)
    events.write_bytes(damaged)
    with pytest.raises(IntegrityError, match=f"journal line {bad} is damaged"):
        local.read_journal("r")
    with pytest.raises(IntegrityError, match=f"journal line {bad} is damaged"):
        local.lock("r", OWNER)
    assert events.read_bytes() == damaged


def test_a_lost_page_within_one_commit_is_a_crash(
    local: LocalFilesystemStore, events: Path
) -> None:
    """Line 2 is bad, 3 to 5 are whole: but nothing says that 2 was ever durable."""
    events.write_bytes(flip(events.read_bytes(), 2))
    journal = local.read_journal("r")
    assert (len(journal.lines), journal.torn) == (1, True)
    local.lock("r", OWNER).release()
    assert records(local) == [{"type": "born"}]


def test_missing_lines(local: LocalFilesystemStore, events: Path) -> None:
    lease = local.lock("r", OWNER)
    lease.append([], sync=True)
    lease.project({"status": "completed"}, {}, sync=True)
    lease.release()
    lines = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join(lines[:3]))
    with pytest.raises(IntegrityError, match=r"line 4 is damaged: it is missing.*5 lines were"):
        local.read_journal("r")


def test_swapped_and_doubled_lines(local: LocalFilesystemStore, events: Path) -> None:
    a, b, c, *rest = events.read_bytes().splitlines(keepends=True)
    for order in ([a, c, b, *rest], [a, b, b, c, *rest], [a, c, *rest]):
        events.write_bytes(b"".join(order))
        journal = local.read_journal("r")
        assert journal.torn
        assert [line.record for line in journal.lines] == records(local)
        assert len(journal.lines) <= 2


def test_a_journal_that_was_rewritten(local: LocalFilesystemStore, events: Path) -> None:
    """Every line is valid, but it is not the journal that `run.json` was written for."""
    run = events.with_name("run.json")
    document = json.loads(run.read_text())
    document["journal"]["head"] = "0" * 64
    run.write_text(json.dumps(document))
    with pytest.raises(IntegrityError, match=r"line 1 is not the one that run\.json recorded"):
        local.read_journal("r")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"journal": 3}', "[" * 100_000])
def test_a_bad_projection_does_not_hide_the_journal(
    local: LocalFilesystemStore, events: Path, text: str
) -> None:
    events.with_name("run.json").write_text(text)
    assert len(local.read_journal("r").lines) == 5


def test_no_journal(local: LocalFilesystemStore, events: Path) -> None:
    events.unlink()
    for read in (local.read_journal, local.last_record):
        with pytest.raises(IntegrityError, match="no journal"):
            read("r")


def test_lines_say_what_was_durable_when_they_were_written(
    local: LocalFilesystemStore, events: Path
) -> None:
    lease = local.lock("r", OWNER)  # what a holder finds counts as being on the disk
    lease.append([{"n": 6}, {"n": 7}], sync=True)
    lease.append([{"n": 8}], sync=False)
    lease.append([{"n": 9}], sync=False)
    lease.release()
    synced = [int(text) for text in re.findall(r'"synced":(\d+)', events.read_text())]
    assert synced == [0, 1, 1, 1, 1, 5, 5, 7, 7]


def test_what_cannot_be_written_leaves_no_gap(local: LocalFilesystemStore) -> None:
    """What comes next follows what is there, not what was to be there."""
    lease = begin(local)
    with pytest.raises(ValueError):  # noqa: PT011 - the JSON writer's own
        lease.append([{"n": 2}, {"n": object()}], sync=True)
    lease.append([{"n": 3}], sync=True)
    lease.release()
    assert [line.seq for line in local.read_journal("r").lines] == [1, 2]
    assert records(local)[-1] == {"n": 3}
