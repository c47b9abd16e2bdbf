"""Bytes of every file of a run are changed: `wct runs verify` tells, or says it does not look.

In this process, through the same service as the command; a sample goes through `wct` itself.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from harness import ALL, RUN, Bench, Count, Shelf, carry_out

from waivern.errors import WaivernError
from waivern.message import sha256
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactSkippedRecord,
    AttemptEndedRecord,
    AttemptStartedRecord,
    Event,
    RunStartedRecord,
    to_record,
)
from waivern.runs.verify import Verification, VerifyFault, verify
from waivern.store.layout import UNCOVERED
from waivern.store.local import LocalFilesystemStore
from waivern.store.lock import this_process
from waivern.store.store_values import InitialState

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]


@pytest.fixture
def shelf(bench: Bench) -> Iterator[Shelf]:
    """A run that ended, with artifacts, a failure, a reuse and a log."""
    made = bench.shelf()
    assert carry_out(bench.zygote, made.start()).code == 1
    assert carry_out(bench.zygote, made.wct("runs", "pin", RUN)).code == 0
    requests = made.run / "_system/requests"
    requests.mkdir()
    (requests / "cancel.json").write_text("{}\n")
    yield made
    made.clear()


def look(shelf: Shelf, expect: str | None = None) -> Verification:
    return verify(LocalFilesystemStore(shelf.path / ".waivern"), RUN, expect)


def told(shelf: Shelf) -> set[str]:
    """Return the files that verify finds fault with."""
    return {fault.path for fault in look(shelf).faults}


def files(shelf: Shelf) -> dict[str, Path]:
    found = {str(p.relative_to(shelf.run)): p for p in shelf.run.rglob("*") if p.is_file()}
    assert len(found) > 10
    return dict(sorted(found.items()))


def covered(name: str) -> bool:
    return not name.startswith(UNCOVERED)


def named(name: str, fault: VerifyFault) -> bool:
    """Say whether a fault names this file.

    Where run.json and the journal differ on how long the journal was, both are named: nothing in
    the folder can tell which of them was changed.
    """
    return fault.path == name or (name == "_system/run.json" and "run.json" in fault.what)


def test_bytes_of_every_file(shelf: Shelf, tried: Count) -> None:
    """Every byte of a small file, every third of another.

    The lines of a journal have different lengths: every place of a line is hit in one of them.
    """
    flips: Counter[str] = Counter()
    chance = random.Random(4711)
    uncovered = set()
    for name, path in files(shelf).items():
        whole = path.read_bytes()
        for at in range(0, len(whole), 1 if ALL or len(whole) < 1000 else 3):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << chance.randrange(8)
            path.write_bytes(flipped)
            verification = look(shelf)
            found = verification.faults
            if covered(name):
                if not found:
                    # a digit of a time can make of a state the one before it, and one of the
                    # version a file that only a later version can compare
                    (note,) = verification.notes
                    newer = f"a newer version of waivern wrote {path.name}"
                    allowed = (f"{path.name} is older", newer)
                    assert note.startswith(allowed), f"byte {at} of {name}: {note}"
                else:
                    assert len(found) == 1, f"byte {at} of {name}: {found}"
                    assert named(name, found[0]), f"byte {at} of {name}: {found}"
                flips[name] += 1
            else:
                assert not found, f"byte {at} of {name}: {found}"
                uncovered.add(name)
        path.write_bytes(whole)
    assert not told(shelf)
    assert flips.keys() == {name for name in files(shelf) if covered(name)}
    assert uncovered == {
        "_system/lock",
        "_system/logs/bad.log",
        "_system/pinned.json",
        "_system/requests/cancel.json",
    }
    for name, count in flips.items():
        print(f"flipped {count:6,} bytes of {name}")
    tried("tamper: bytes flipped, all detected", flips.total())


def test_bytes_put_in_and_taken_out(shelf: Shelf, tried: Count) -> None:
    points = 0
    for name, path in files(shelf).items():
        if not covered(name):
            continue
        whole = path.read_bytes()
        step = max(1, len(whole) // (len(whole) if ALL else 60))
        for at in range(0, len(whole), step):
            for other in (whole[:at] + b" " + whole[at:], whole[:at] + whole[at + 1 :]):
                path.write_bytes(other)
                found = look(shelf).faults
                assert any(named(name, fault) for fault in found), f"byte {at} of {name}: {found}"
                points += 1
        for other in (whole[:-1], b"", whole * 2, whole + b" ", whole + b"\n"):
            path.write_bytes(other)
            verification = look(shelf)
            if name == "_system/events.jsonl" and other.startswith(whole):
                assert any("followed by something" in note for note in verification.notes)
            else:
                assert any(named(name, fault) for fault in verification.faults)
            points += 1
        path.write_bytes(whole)
    assert not told(shelf)
    tried("tamper: bytes put in and taken out", points)


def test_files_added_removed_swapped_and_linked(shelf: Shelf, tried: Count) -> None:
    points = 0
    known = [name for name in files(shelf) if covered(name)]
    aside = shelf.path / "aside"
    for name in known:
        path = shelf.run / name
        path.rename(aside)
        assert told(shelf) == {name}, f"{name} removed"
        path.symlink_to(aside)
        assert name in told(shelf), f"{name} is a link to what it was"
        path.unlink()
        path.mkdir()
        assert told(shelf) == {name}, f"{name} is a folder"
        path.rmdir()
        aside.rename(path)
        points += 3
    for one, other in pairwise(known):
        _swap(shelf.run / one, shelf.run / other, aside)
        assert told(shelf) & {one, other}, f"{one} and {other} swapped"
        _swap(shelf.run / one, shelf.run / other, aside)
        points += 1
    for folder in ("", "new/", "_system/", "_system/children/", ".new/", "_system/.new/"):
        for name in ("x", "x.json", ".x", "runbook.yaml.bak", "bad.json", "RUN.JSON", "é"):
            path = shelf.run / folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("{}")
            assert told(shelf), f"{folder}{name} was added"
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
            points += 1
    assert not told(shelf)
    tried("tamper: files removed, added, swapped, made links or folders", points)


def _swap(one: Path, other: Path, aside: Path) -> None:
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


# by somebody who knows how it is made


def _rechained(shelf: Shelf, change: Callable[[dict[str, object]], None], fix: bool) -> None:
    """Change events of the journal; with `fix` hash all lines anew, and run.json with them."""
    path = shelf.run / "_system/events.jsonl"
    head, lines, sizes = "0" * 64, [], {}
    for raw in path.read_bytes().splitlines():
        document = json.loads(raw)
        own = document.pop("hash")
        change(document["event"])
        if document["event"]["type"] == "artifact_completed":
            sizes[document["event"]["artifact"]] = document["event"]["size"]
        document["prev"] = head if fix else document["prev"]
        body = json.dumps(document, separators=(",", ":")).encode()[:-1]
        head = hashlib.sha256(body).hexdigest() if fix else own
        lines.append(body + f',"hash":"{head}"}}\n'.encode())
    path.write_bytes(b"".join(lines))
    if fix:
        record = shelf.run / "_system/run.json"
        document = json.loads(record.read_bytes())
        document["journal"]["head"] = head
        document["holds"] = {
            name: sizes.get(name, size) for name, size in document["holds"].items()
        }
        document["holds_bytes"] = sum(
            size for size in document["holds"].values() if isinstance(size, int)
        )
        record.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _forged(shelf: Shelf, name: str) -> Callable[[dict[str, object]], None]:
    """Put another value into an artifact; return what makes the journal agree."""
    path = shelf.run / f"{name}.json"
    document = json.loads(path.read_bytes())
    document["content"] = {"value": 666}
    path.write_text(json.dumps(document, indent=2) + "\n")
    data = path.read_bytes()
    content = json.dumps(document["content"], separators=(",", ":")).encode()

    def change(event: dict[str, object]) -> None:
        if event["type"] == "artifact_completed" and event["artifact"] == name:
            event["size"] = len(data)
            event["digest"] = "sha256:" + hashlib.sha256(data).hexdigest()
            event["content_digest"] = "sha256:" + hashlib.sha256(content).hexdigest()

    return change


def test_an_artifact_and_its_line_replaced(shelf: Shelf, tried: Count) -> None:
    names = ("one", "old", "two", "all", "last")
    for name in names:
        kept = shelf.copy()
        _rechained(kept, _forged(kept, name), fix=False)
        assert told(kept) == {"_system/events.jsonl"}
        kept.clear()
    tried("tamper: an artifact and its journal line replaced", len(names))


def test_the_whole_chain_written_anew_is_known_by_its_head_only(shelf: Shelf, tried: Count) -> None:
    kept = look(shelf).head
    assert kept
    assert not look(shelf, kept).faults
    names = ("one", "old", "two", "all", "last")
    for name in names:
        forged = shelf.copy()
        _rechained(forged, _forged(forged, name), fix=True)
        assert not told(forged), "nothing in the folder can tell"
        (fault,) = look(forged, kept).faults
        assert "no line has the expected hash" in fault.what
        forged.clear()
    tried("tamper: the whole chain written anew, detected by --expect", len(names))


def test_an_earlier_state_put_back_is_known_by_its_head_only(bench: Bench, tried: Count) -> None:
    """A roll-back to a whole earlier state is a true state: only a later head tells."""
    shelf = bench.shelf()
    assert carry_out(bench.zygote, shelf.start()).code == 1
    before = shelf.path / "before"
    shutil.copytree(shelf.run, before)
    assert carry_out(bench.zygote, shelf.resume()).code == 1
    later = look(shelf).head
    shutil.rmtree(shelf.run)
    shutil.copytree(before, shelf.run)
    assert not told(shelf)
    assert look(shelf, later).faults
    shelf.clear()
    tried("tamper: an earlier state put back, detected by --expect", 1)


def test_a_sample_through_the_command(bench: Bench, shelf: Shelf, tried: Count) -> None:
    chance = random.Random(1)
    points = 0
    for name, path in files(shelf).items():
        whole = path.read_bytes()
        for _ in range(3):
            at = chance.randrange(len(whole))
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            done = carry_out(bench.zygote, shelf.wct("runs", "verify", RUN, "--json"))
            (found,) = json.loads(done.out)["data"]
            paths = [fault["path"] for fault in found["faults"]]
            allowed = [[name]] if covered(name) else [[]]
            if name == "_system/run.json":  # a head that the journal does not have
                allowed.append(["_system/events.jsonl"])
            assert done.code == (9 if covered(name) else 0), done.err
            assert paths in allowed, done.err
            points += covered(name)
        path.write_bytes(whole)
    tried("tamper: bytes flipped, through `wct runs verify`", points)


def test_resume_never_serves_what_was_altered(bench: Bench, shelf: Shelf, tried: Count) -> None:
    """Nor takes it as an input: it is made again, with what follows."""
    for name in ("one", "old", "two", "all", "last"):
        path = shelf.run / f"{name}.json"
        whole = path.read_bytes()
        at = whole.index(b'"content"') + 20
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        looked = carry_out(bench.zygote, shelf.wct("inspect", f"{RUN}/{name}"))
        assert looked.code == 9
        assert carry_out(bench.zygote, shelf.resume()).code == 1
        assert json.loads(path.read_bytes())["content"] == json.loads(whole)["content"]
        assert not told(shelf)
    tried("tamper: an altered artifact is refused, and made again", 5)


@pytest.mark.parametrize("kind", ["random", "lines"])
def test_only_known_errors_come_out(shelf: Shelf, tried: Count, kind: str) -> None:
    """Of any journal at all, also one whose chain is right and whose events are nonsense."""
    chance = random.Random(kind)
    store = LocalFilesystemStore(shelf.path / ".waivern")
    path = shelf.run / "_system/events.jsonl"
    record = path.with_name("run.json")
    whole, head = path.read_bytes(), record.read_bytes()
    odd: list[object] = [None, 5, -1, "", "x", "../../x", [], {}, [5], {"a": 5}, True, "\ud800"]

    def spoil(event: dict[str, object]) -> None:
        if chance.random() < 0.2:
            event[chance.choice(list(event))] = chance.choice(odd)

    rounds, detected = 150, 0
    for _ in range(rounds):
        if kind == "lines":
            _rechained(shelf, spoil, fix=True)
        else:
            lines = whole.splitlines(keepends=True)
            chance.shuffle(lines)
            path.write_bytes(b"".join(lines[: chance.randrange(len(lines))]))
        try:
            detected += bool(verify(store, RUN).faults)
        except WaivernError as error:
            pytest.fail(f"verify told of no fault: {error.message}")
        path.write_bytes(whole)
        record.write_bytes(head)
    assert detected > rounds // 2  # or what was changed is in no other file, and the chain is right
    assert detected == rounds or kind == "lines"
    tried(f"tamper: journals of nonsense ({kind}), no error but a fault", rounds)


def test_a_large_run_is_told_to_be_altered_as_soon(tmp_path: Path, tried: Count) -> None:
    """All of it in one millisecond: none of its 10,000 states can be told by its time."""
    at, end = "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:01.000Z"
    names = [f"a{n}" for n in range(10_000)]
    events: list[Event] = [
        RunStartedRecord(at, RUN, names, {}, {}, "/", "book", "1.0", None),
        AttemptStartedRecord(at, {"host": "h", "pid": 1}, sha256(b"book")),
        *(ArtifactSkippedRecord(at, name, "a0", "it needs a0") for name in names),
        AttemptEndedRecord(end, "failed", None, None, 5),
    ]
    record = RunRecord.of(events)
    documents = record.metadata.document(), record.state.document()
    store = LocalFilesystemStore(tmp_path)
    initial = InitialState(b"book", tuple(map(to_record, events)), *documents)
    store.begin(RUN, initial, this_process()).release()
    assert not verify(store, RUN).faults
    state = tmp_path / f"runs/{RUN}/_system/state.json"
    state.write_text(state.read_text().replace(end, at).replace('"a1"', '"b1"'))
    began = time.process_time()
    (fault,) = verify(store, RUN).faults
    assert fault.path == "_system/state.json"
    assert time.process_time() - began < 5
    tried("tamper: an altered state of 10,000 artifacts, told soon", 1)
