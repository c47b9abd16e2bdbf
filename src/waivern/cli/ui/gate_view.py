"""The questions and decisions of a gate."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.record.fold import RunRecord
from waivern.record.journal_events import ArtifactSuspendedRecord
from waivern.record.text_forms import clean, clip


def gate_lines(record: RunRecord, gate: str) -> Iterator[str]:
    """Yield a line for each decision, the oldest first."""
    decided = False
    events = record.decisions[gate]
    last = next(
        (each for each in reversed(events) if isinstance(each, ArtifactSuspendedRecord)), None
    )
    for event in events:
        if not isinstance(event, ArtifactSuspendedRecord):
            decided = True
            word = "approved" if event.approved else "rejected"
            note = f": {event.note}" if event.note else ""
            other = last is not None and (event.shown, event.asked) != (last.shown, last.asked)
            void = " (invalid: the question or the artifacts have changed)" if other else ""
            yield clip(clean(f"{word} by {event.by} at {event.at}{void}{note}"), 1000)
    if not decided:
        yield "not decided yet"
