"""A journal cut at every length, with every byte flipped, with lines doubled, dropped and swapped.

Each damage is repaired by the one who holds the lock (a torn tail is cut) or refused with the line
named. What a valid line or `run.json` says was durable is never cut away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from harness import Bench, Count, Plan, Shelf, carry_out
from oracle import Line
from oracle import journal as lines_of

from waivern.errors import IntegrityError
from waivern.store import journal
from waivern.store.disk import DiskFolder
from waivern.store.layout import read_anchor
from waivern.store.local import LocalFilesystemStore
from waivern.store.lock import this_process

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]  # a sweep on a busy machine

NAMES_A_LINE = re.compile(r"journal line (\d+) ")


@pytest.fixture(scope="module", params=["killed", "ended", "resumed"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shelf(bench: Bench, kind: str) -> Shelf:
    """A run that was killed in the middle, that ended, that was killed, resumed and ended."""
    made = bench.shelf()
    kill = Plan("kill", 100)
    carry_out(bench.zygote, made.start(None if kind == "ended" else kill))
    if kind == "resumed":
        assert carry_out(bench.zygote, made.resume()).code == 1
    return made


@pytest.fixture
def whole(shelf: Shelf) -> bytes:
    return (shelf.run / "_system" / "events.jsonl").read_bytes()


@pytest.fixture
def anchor(shelf: Shelf) -> journal.JournalAnchor:
    with DiskFolder.root(str(shelf.run / "_system")) as system:
        return read_anchor(system)


@pytest.fixture
def lines(shelf: Shelf) -> list[Line]:
    found = lines_of(shelf.run)
    assert len(found) > 8
    return found


def judged(data: bytes, anchor: journal.JournalAnchor, lines: list[Line], durable: int) -> str:
    """Return what the journal's reader makes of damaged bytes: `refused`, `cut` or `whole`.

    `durable`: how many lines are known to be on the disk from what the damage left.
    """
    refusal = None
    try:
        reading = journal.read(data, anchor)
    except IntegrityError as error:
        refusal = error
    if refusal:
        assert NAMES_A_LINE.search(refusal.message), refusal.message
        assert refusal.hint
        return "refused"
    kept = [line.hash for line in reading.lines]
    assert kept == [line.hash for line in lines[: len(kept)]], "a line that was never written"
    assert len(kept) >= max(durable, anchor.lines), (
        f"{durable} lines were durable, {len(kept)} kept"
    )
    assert data[: reading.valid_bytes].count(b"\n") == len(kept)
    return "cut" if reading.fault else "whole"


def known_durable(lines: list[Line], damaged: range) -> int:
    """Return what the lines outside `damaged` (counted from 0) say was durable."""
    return max((line.synced for n, line in enumerate(lines) if n not in damaged), default=0)


def test_cut_at_every_length(
    whole: bytes, anchor: journal.JournalAnchor, lines: list[Line], tried: Count, kind: str
) -> None:
    verdicts = []
    for length in range(len(whole)):
        left = whole[:length].count(b"\n")
        durable = known_durable(lines, range(left, len(lines)))
        verdicts.append(judged(whole[:length], anchor, lines, durable))
    assert set(verdicts) <= {"refused", "cut", "whole"}
    assert "refused" in verdicts
    tried(f"journal of a run {kind}: cut at every length", len(verdicts))


def _xor(byte: int) -> int:
    return byte ^ 1


FLIPS: dict[str, Callable[[int], int]] = {
    "flipped": _xor,
    "zeroed": lambda _: 0,
    "a newline": lambda _: 10,
}


@pytest.mark.parametrize("name", FLIPS)
def test_every_byte(
    whole: bytes,
    anchor: journal.JournalAnchor,
    lines: list[Line],
    tried: Count,
    kind: str,
    name: str,
) -> None:
    flip, damaged, points = FLIPS[name], bytearray(whole), 0
    line = 0
    for position, byte in enumerate(whole):
        if flip(byte) != byte:
            damaged[position] = flip(byte)
            # the newline belongs to two lines: without it both are one bad line
            ends = byte == 10
            durable = known_durable(lines, range(line, line + 1 + ends))
            assert judged(bytes(damaged), anchor, lines, durable) != "whole"
            damaged[position] = byte
            points += 1
        line += byte == 10
    tried(f"journal of a run {kind}: every byte {name}", points)


def rearranged(raw: list[bytes]) -> Iterator[tuple[list[bytes], range]]:
    """Yield the lines rearranged, and which of them do not stand where they were."""
    for n in range(len(raw)):
        yield [*raw[: n + 1], *raw[n:]], range(0)
        yield [*raw[:n], *raw[n + 1 :]], range(n, n + 1)
        for m in range(n + 1, len(raw)):
            swapped = list(raw)
            swapped[n], swapped[m] = swapped[m], swapped[n]
            yield swapped, range(0)


def test_lines_doubled_dropped_swapped(
    whole: bytes, anchor: journal.JournalAnchor, lines: list[Line], tried: Count, kind: str
) -> None:
    raw, points = whole.splitlines(keepends=True), 0
    for arrangement, gone in rearranged(raw):
        judged(b"".join(arrangement), anchor, lines, known_durable(lines, gone))
        points += 1
    tried(f"journal of a run {kind}: lines doubled, dropped, swapped", points)


def test_the_holder_of_the_lock_does_what_the_reader_found(
    whole: bytes,
    anchor: journal.JournalAnchor,
    lines: list[Line],
    tried: Count,
    kind: str,
    shelf: Shelf,
) -> None:
    """Through the store: cuts around the end of every line, and in its middle."""
    store = LocalFilesystemStore(shelf.path / ".waivern")
    path = shelf.run / "_system" / "events.jsonl"
    ends = [n for n, byte in enumerate(whole) if byte == 10]
    lengths = sorted({max(0, end + by) for end in ends for by in (-200, -1, 0, 1, 2)})
    try:
        for length in lengths:
            data = whole[:length]
            path.write_bytes(data)
            verdict = judged(data, anchor, lines, 0)
            if verdict == "refused":
                with pytest.raises(IntegrityError, match=NAMES_A_LINE):
                    store.lock("main", this_process())
                assert path.read_bytes() == data, "what is refused is left as it is"
            else:
                store.lock("main", this_process()).release()
                assert path.read_bytes() == data[: data.rfind(b"\n") + 1]
                assert not store.read_journal("main").torn
    finally:
        path.write_bytes(whole)
    tried(f"journal of a run {kind}: cut, then locked through the store", len(lengths))


def test_through_wct(bench: Bench, shelf: Shelf, whole: bytes, tried: Count, kind: str) -> None:
    """A sample: readers never repair, `wct run --resume` cuts or refuses with exit 9."""
    damages = [whole[: len(whole) * n // 12] for n in range(1, 12)]
    damages += [_flipped(whole, len(whole) * n // 12) for n in range(12)]

    def point(data: bytes) -> None:
        one = shelf.copy()
        path = one.run / "_system" / "events.jsonl"
        path.write_bytes(data)
        looked = carry_out(bench.zygote, one.wct("inspect", "main"))
        listed = carry_out(bench.zygote, one.wct("runs"))
        assert path.read_bytes() == data, "a reader repaired"
        resumed = carry_out(bench.zygote, one.resume())
        assert listed.code == 0
        assert resumed.code in (1, 9), resumed.err
        assert looked.code == (9 if resumed.code == 9 else 0)
        if resumed.code == 9:
            assert NAMES_A_LINE.search(resumed.err)
            assert "= help: " in resumed.err
            assert path.read_bytes() == data
        one.clear()

    points = bench.each([lambda data=data: point(data) for data in damages])  # type: ignore[misc]
    tried(f"journal of a run {kind}: damaged, then through wct", points)


def _flipped(whole: bytes, position: int) -> bytes:
    return whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :]
