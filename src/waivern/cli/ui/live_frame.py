"""The lines of the live view, for a terminal of a given size. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from waivern.cli.ui.progress_state import ArtifactWork, ProgressState
from waivern.cli.ui.screen import look_of
from waivern.record.text_forms import clean, counted, duration, size

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
ASCII_SPINNER = "|/-\\"
ESTIMATE_S = 3.0
"""The time after which an estimate of the rest means something."""
WORD = 11
"""The width of the longest status."""
_MOST_NAME = 32
_MOST_COMPONENT = 20
_COMPONENT_FROM = 70
"""The width from which the component is shown."""
_GROUP_ORDER = ("failed", "suspended", "retried", "running", "not_started")
"""The status of a fan-out is the first of these that any of its artifacts has."""

Usual = Callable[[str], int | None]
"""Returns how many milliseconds an artifact usually takes; None if that is unknown."""


class ViewRow(NamedTuple):
    """One line about an artifact or a fan-out."""

    name: str
    status: str
    component: str
    took_ms: int | None
    tail: str


class Terminal(NamedTuple):
    """The size of a terminal, and the characters that it can show."""

    width: int
    height: int
    unicode: bool


class FrameLine(NamedTuple):
    """A line of the view: the text, and how many of its first characters have a colour."""

    text: str
    status: str = ""
    coloured: int = 0
    """The number of characters after the indentation that have the colour of the status."""


def frame(
    state: ProgressState, now: float, turn: int, at: Terminal, usual: Usual, left_s: float | None
) -> list[FrameLine]:
    """Return the view of a run. No line is wider than the terminal, and all fit on it."""
    room = max(1, at.height - 2)
    rows, rest = _rows(state, now, room, usual)
    lines = [FrameLine(_fit(f"  {_totals(state, now, left_s)}", at))]
    if rest:
        lines.insert(0, FrameLine(_fit(f"  {'…' if at.unicode else '...'} {rest}", at)))
    widest = max((len(row.name) for row in rows), default=0)
    names = max(4, min(widest, _MOST_NAME, at.width // 3, at.width - 29))
    kinds = max((len(row.component) for row in rows), default=0)
    kinds = min(kinds, _MOST_COMPONENT) if at.width >= _COMPONENT_FROM else 0
    return [*(_line(row, names, kinds, turn, at) for row in rows), *lines]


def _rows(state: ProgressState, now: float, room: int, usual: Usual) -> tuple[list[ViewRow], str]:
    """Return the rows that have room, and the words about the others."""
    folded = {each for members in state.groups.values() for each in members}
    spare = room - (state.total - len(folded) + len(state.groups))
    if spare >= 0:
        open_ = list(islice((work for work in _urgent(state) if work.name in folded), spare))
        return list(_all_rows(state, folded, {work.name for work in open_}, now, usual)), ""
    shown = list(islice(_urgent(state), room - 1))
    others = Counter(state.counts)
    others.subtract(work.status for work in shown)
    words = [f"{n:,} {_word(status)}" for status, n in others.items() if n > 0]
    return [_row(state, work, now, usual) for work in shown], ", ".join(words)


def _urgent(state: ProgressState) -> Iterator[ArtifactWork]:
    """Yield what failed, then what runs, then what waits."""
    troubled = state.troubled.values()
    yield from (work for work in troubled if work.status == "failed")
    yield from state.active.values()
    yield from (work for work in troubled if work.status != "failed")


def _all_rows(
    state: ProgressState, folded: set[str], open_: set[str], now: float, usual: Usual
) -> Iterator[ViewRow]:
    """Yield a row for each artifact or fan-out, in declared order.

    Below a fan-out are those of its artifacts that are in `open_`.
    """
    first = {members[0]: name for name, members in state.groups.items() if members}
    for name, work in state.artifacts.items():
        if name not in folded:
            yield _row(state, work, now, usual)
        elif name in first:
            members = [state.artifacts[each] for each in state.groups[first[name]]]
            yield _group(state, first[name], members, now)
            for member in members:
                if member.name in open_:
                    row = _row(state, member, now, usual)
                    yield row._replace(name=f"  {row.name}")


def _row(state: ProgressState, work: ArtifactWork, now: float, usual: Usual) -> ViewRow:
    parts = [*_done(work)]
    took = work.took_ms
    if work.began is not None:
        took = round((now - work.began) * 1000)
        left = work.left_s(now, usual(work.name)) if took > ESTIMATE_S * 1000 else None
        if left:
            parts.append(f"about {_whole(left)} left")
    elif work.note:
        parts = [clean(work.note)]
    return ViewRow(work.name, work.status, state.component(work), took, "  ".join(parts))


def _group(state: ProgressState, name: str, members: list[ArtifactWork], now: float) -> ViewRow:
    counts = Counter(work.status for work in members)
    status = next((each for each in _GROUP_ORDER if counts[each]), members[0].status)
    if status == "not_started" and counts[status] < len(members):
        status = "running"
    ended = sum(n for each, n in counts.items() if each not in _GROUP_ORDER)
    parts = [f"{ended:,} of {len(members):,}"]
    parts += [f"{n:,} {each}" for each in _GROUP_ORDER[:-1] if (n := counts[each])]
    began = [work.began for work in members if work.began is not None]
    took = round((now - min(began)) * 1000) if began else None
    found = sum(work.progress.found or 0 for work in members if work.progress)
    parts += [counted(found, "finding")] if found else []
    return ViewRow(
        f"{name} ({len(members):,})", status, state.component(members[0]), took, "  ".join(parts)
    )


def _word(status: str) -> str:
    return status.replace("_", " ")


def _done(work: ArtifactWork) -> Iterator[str]:
    """Yield the items and bytes that are done, the percentage and the findings."""
    progress = work.progress
    if progress is None:
        return
    if work.began is not None and (progress.n or progress.size):
        yield f"{progress.n:,}/{progress.total:,}" if progress.total else f"{progress.n:,}"
        if progress.total_size:
            yield f"{size(progress.size or 0)} of {size(progress.total_size)}"
        elif progress.size:
            yield size(progress.size)
        if (share := progress.share) is not None:
            yield f"{int(share * 100)}%"
    if progress.found is not None:
        yield counted(progress.found, "finding")


def _totals(state: ProgressState, now: float, left_s: float | None) -> str:
    parts = [f"{state.finished:,}/{state.total:,}"]
    parts += [f"{n:,} {each}" for each in _GROUP_ORDER[:-1] if (n := state.counts[each])]
    parts += [counted(state.found, "finding")] if state.found else []
    parts.append(_whole(now - state.began))
    if left_s:
        parts.append(f"about {_whole(left_s)} left")
    return "  ".join(parts)


def _whole(seconds: float) -> str:
    """Return a length of time in whole seconds."""
    return f"{int(seconds)}s" if seconds < 60 else duration(int(seconds) * 1000)


def _line(row: ViewRow, names: int, kinds: int, turn: int, at: Terminal) -> FrameLine:
    look = look_of(row.status)
    symbol = look.symbol if at.unicode else look.ascii
    if row.status == "running":
        frames = SPINNER if at.unicode else ASCII_SPINNER
        symbol = frames[turn % len(frames)]
    took = "" if row.took_ms is None else duration(row.took_ms)
    cells = [
        f"  {symbol} {_cut_front(row.name, names, at.unicode):{names}}",
        f"{_word(row.status):{WORD}}",
    ]
    cells += [f"{row.component[:kinds]:{kinds}}"] if kinds else []
    cells += [f"{took:>7}", row.tail]
    return FrameLine(_fit("  ".join(cells).rstrip(), at), row.status, 1)


def _cut_front(text: str, width: int, unicode: bool) -> str:
    """Return the end of a name: the ids of composed artifacts differ there."""
    return text if len(text) <= width else ("…" if unicode else "~") + text[len(text) - width + 1 :]


def _fit(text: str, at: Terminal) -> str:
    """Return `text` cut to the terminal, one column short of its width: none wraps."""
    if not at.unicode:
        text = text.encode("ascii", "backslashreplace").decode()
    if text.isascii():
        if len(text) < at.width:
            return text
        return text[: at.width - 2] + ("…" if at.unicode else "~")
    return _fit_wide(text, at.width - 1)


def _fit_wide(text: str, room: int) -> str:
    """Return `text` cut to so many columns; some characters take two, some none."""
    from unicodedata import combining, east_asian_width

    used = 0
    kept: list[str] = []
    for char in text:
        used += 0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1
        if used > room:
            while kept and used > room - 1:
                gone = kept.pop()
                used -= 0 if combining(gone) else 2 if east_asian_width(gone) in "WF" else 1
            return "".join(kept) + "…"
        kept.append(char)
    return text


def remaining_s(
    state: ProgressState, now: float, needs: Mapping[str, Iterable[str]], usual: Usual, width: int
) -> float | None:
    """Return the remaining time of a run; None if earlier runs say too little.

    It is the longer of two times: of the longest chain of artifacts, and of all work on as many
    slots as there are. `needs` has each artifact after those that it needs.
    """
    known = unknown = 0
    work = 0.0
    end: dict[str, float] = {}
    for name, needed in needs.items():
        each = state.artifacts.get(name)
        if each is None:
            continue
        if each.status not in ("not_started", "running", "retried"):
            end[name] = 0.0
            continue
        usual_ms = usual(name)
        left = each.left_s(now, usual_ms)
        if left is None:
            left = None if usual_ms is None else usual_ms / 1000
        known, unknown = known + (left is not None), unknown + (left is None)
        work += left or 0.0
        end[name] = (left or 0.0) + max((end.get(one, 0.0) for one in needed), default=0.0)
    if unknown > known:
        return None
    return max(max(end.values(), default=0.0), work / max(1, width))
