"""The timeline of an attempt: when each artifact was worked on, and the critical path.

The critical path is the chain that decided how long the attempt took: the artifact that ended
last, the input of it that ended last, and so on. Work beside it could have taken longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from waivern.pictures.artifact_graph import outcome_word, recorded_needs
from waivern.pictures.elements import Markup, element
from waivern.record.fold import RunRecord
from waivern.record.status import UNKNOWN, Look, looks
from waivern.record.text_forms import clip, counted, duration

ROWS = 40
"""The bars of a picture: those of the critical path first, then the longest."""
WIDE, NAME, BAR, LINE, HEAD = 960, 240, 14, 22, 24
"""The sizes of the picture: its width, the part for names, and the heights."""
LABEL = 32
_LOOKS = looks()
_STEPS = (1, 2, 5)
"""The intervals of the scale, of each power of ten."""


class WorkSpan(NamedTuple):
    """The work on one artifact in an attempt."""

    artifact: str
    start: float
    """Seconds since the attempt began."""
    seconds: float
    outcome: str
    critical: bool = False

    @property
    def end(self) -> float:
        return self.start + self.seconds

    @property
    def look(self) -> Look:
        return _LOOKS.get(self.outcome, UNKNOWN)


class Timeline(NamedTuple):
    """The work of the last attempt, in the order of starting."""

    spans: list[WorkSpan]
    path: list[WorkSpan]
    """The critical path, in the order of time."""

    @property
    def seconds(self) -> float:
        """The time from the beginning of the attempt to the end of its last work."""
        return max((span.end for span in self.spans), default=0.0)

    @property
    def sentence(self) -> str:
        """The critical path in words."""
        if not self.path:
            return "Nothing was produced in the last attempt."
        work = sum(span.seconds for span in self.path)
        names = [f"{span.artifact} ({_time(span.seconds)})" for span in self.path]
        shown = names if len(names) <= 8 else [*names[:4], f"{len(names) - 8} more", *names[-4:]]
        idle = max(0.0, self.seconds - work)
        waited = f"; for {_time(idle)} no artifact on it was worked on" if idle > work / 20 else ""
        whole = f"{_time(work)} of {_time(self.seconds)}"
        return f"The critical path took {whole}: {', then '.join(shown)}{waited}."


def timeline(record: RunRecord) -> Timeline:
    """Return the timeline of the last attempt of a run."""
    attempts = record.metadata.attempts
    begin = _seconds(attempts[-1].get("started_at")) if attempts else None
    spans: dict[str, WorkSpan] = {}
    for name in record.executed:
        step = record.steps.get(name)
        start = _seconds(step.started_at) if step else None
        if step is None or start is None or begin is None or step.duration_ms is None:
            continue  # an artifact whose process was killed has no duration
        outcome = step.completed.how if step.completed else str(step.status)
        outcome = "completed" if outcome == "produced" else outcome
        took = step.duration_ms / 1000
        spans[name] = WorkSpan(name, max(0.0, start - begin), took, outcome)
    path = _critical_path(spans, {name: recorded_needs(record, name) for name in spans})
    critical = {span.artifact for span in path}
    marked = [span._replace(critical=span.artifact in critical) for span in spans.values()]
    return Timeline(marked, path)


def _critical_path(
    spans: Mapping[str, WorkSpan], needs: Mapping[str, Sequence[str]]
) -> list[WorkSpan]:
    path: list[WorkSpan] = []
    last = max(spans.values(), key=lambda span: span.end, default=None)
    while last is not None and last not in path:
        path.append(last)
        before = [spans[each] for each in needs[last.artifact] if each in spans]
        last = max(before, key=lambda span: span.end, default=None)
    return path[::-1]


def timeline_svg(found: Timeline) -> Markup:
    """Return the picture of a timeline, as an element of a page that has the style `palette`."""
    spans = _shown(found)
    whole = found.seconds or 1.0
    height = HEAD + LINE * len(spans)
    scale = (WIDE - NAME - 60) / whole
    title = f"Timeline of {counted(len(found.spans), 'artifact')}. {found.sentence}"
    return element(
        "svg",
        element("title", title),
        _scale(whole, scale, height),
        [_bar(span, HEAD + LINE * number, scale) for number, span in enumerate(spans)],
        width="100%",
        viewBox=f"0 0 {WIDE} {height}",
        role="img",
        aria_label=title,
        class_="timeline",
    )


def _shown(found: Timeline) -> list[WorkSpan]:
    if len(found.spans) <= ROWS:
        return found.spans
    ranked = sorted(found.spans, key=lambda span: (not span.critical, -span.seconds))[:ROWS]
    return sorted(ranked, key=lambda span: span.start)


def _bar(span: WorkSpan, y: int, scale: float) -> Markup:
    x, width = round(NAME + span.start * scale, 1), max(2.0, round(span.seconds * scale, 1))
    said = f"{span.artifact}: {outcome_word(span.outcome)}, {_time(span.seconds)}"
    said += ", on the critical path" if span.critical else ""
    name = clip(span.artifact, LABEL, keep_end=True)
    mark = "◆" if span.critical else span.look.symbol
    return element(
        "g",
        element("title", said),
        element("text", f"{mark} {name}", x=0, y=y + BAR - 2, class_="name"),
        element("rect", x=x, y=y, width=width, height=BAR, rx=2),
        element("text", _time(span.seconds), x=x + width + 5, y=y + BAR - 2, class_="took"),
        class_=f"is-{span.look.colour or 'dim'}{' critical' if span.critical else ''}",
    )


def _scale(whole: float, scale: float, height: int) -> Markup:
    """Return the lines of the time scale, four to ten of them."""
    power = 10.0 ** (len(str(int(whole))) - 1) if whole >= 1 else 1.0
    while power * 4 > whole:
        power /= 10
    interval = next((power * n for n in _STEPS if whole / (power * n) <= 10), power * 10)
    lines = []
    for number in range(int(whole / interval) + 1):
        x = round(NAME + number * interval * scale, 1)
        lines.append(element("line", x1=x, x2=x, y1=HEAD - 6, y2=height))
        lines.append(element("text", _time(number * interval), x=x, y=12, class_="took"))
    return element("g", lines, class_="scale", aria_hidden="true")


def _time(seconds: float) -> str:
    return duration(round(seconds * 1000)) or "0ms"


def _seconds(at: object) -> float | None:
    try:
        return datetime.fromisoformat(str(at)).timestamp()
    except ValueError:
        return None
