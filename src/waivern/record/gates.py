"""The state of a gate, from the decisions that count. Pure.

A decision counts while every artifact that was shown, the runbook, and what people were asked are
what they were.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from waivern.message import Json, content_digest
from waivern.record.journal_events import ArtifactSuspendedRecord, GateDecidedRecord

History: TypeAlias = Iterable[ArtifactSuspendedRecord | GateDecidedRecord]
AGAIN = "resume the run with `--ask-again` to ask again"


class GateQuestionRecord(NamedTuple):
    """The current question of a gate."""

    text: str
    approvers: int
    expires_s: float | None
    shown: Mapping[str, str]
    """The artifacts to decide on, each with the digest of its file."""
    runbook_hash: str

    @property
    def asked(self) -> str:
        """The digest of the question: its text, the number of approvers, the time limit."""
        return content_digest([self.text, self.approvers, self.expires_s])


class GateApproved(NamedTuple):
    """The approval by enough people; `document` is the gate's content."""

    document: dict[str, Json]


class GateRefused(NamedTuple):
    """A rejection, or the end of the time limit."""

    kind: str
    """`rejected` or `expired`."""
    reason: str


class GateOpen(NamedTuple):
    """The state before enough decisions."""

    missing: int
    """The number of approvals that are missing."""
    approvers: frozenset[str]
    """The people who have approved, as `person` identifies them."""


Verdict: TypeAlias = GateApproved | GateRefused | GateOpen


def judge(history: History | None, question: GateQuestionRecord, now: str) -> Verdict:
    """Return the state of a gate at a time, from its questions and decisions so far, in order."""
    asked = question.asked
    events = [e for e in history or () if e.shown == question.shown and e.asked == asked]
    since = next((event.at for event in events if isinstance(event, ArtifactSuspendedRecord)), now)
    until = _time(since) + timedelta(seconds=question.expires_s) if question.expires_s else None
    counting = [
        event
        for event in events
        if isinstance(event, GateDecidedRecord)
        and event.runbook_hash == question.runbook_hash
        and (until is None or _time(event.at) <= until)
    ]
    for event in counting:
        if not event.approved:
            said = f": {event.note}" if event.note else ""
            return GateRefused("rejected", f"{event.by} rejected it{said}")
    approvals = {person(event.by): event for event in counting}
    if len(approvals) >= question.approvers:
        return GateApproved(_document(question, list(approvals.values())))
    if until is not None and _time(now) > until:
        return GateRefused(
            "expired", f"no decision was made until {until.isoformat(timespec='seconds')}"
        )
    return GateOpen(question.approvers - len(approvals), frozenset(approvals))


def person(by: str) -> str:
    """Return the identity of a person: case, spaces and invisible characters do not matter."""
    from unicodedata import normalize  # few runs have a gate

    visible = "".join(each for each in normalize("NFKC", by) if not _is_invisible(each))
    return " ".join(normalize("NFKC", visible.casefold()).split())


def _is_invisible(character: str) -> bool:
    if character.isspace():
        return False
    return not character.isprintable() or re.fullmatch(_BLANK, character) is not None


# not compiled here: that takes half a millisecond of every start, and few runs have a gate
_BLANK = (
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that Unicode classifies as visible, or as marks, but that are invisible."""


def _document(question: GateQuestionRecord, approvals: list[GateDecidedRecord]) -> dict[str, Json]:
    return {
        "question": question.text,
        "approved": True,
        "decisions": [
            {"by": each.by, "at": each.at, "note": each.note, "data": each.data}
            for each in approvals
        ],
        "data": {key: value for each in approvals for key, value in each.data.items()},
        "shown": dict(question.shown),
        "runbook_hash": question.runbook_hash,
    }


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def gate_document(history: History) -> list[Json]:
    """Return the questions and decisions in order, for programs."""
    found: list[Json] = []
    for event in history:
        if isinstance(event, ArtifactSuspendedRecord):
            found.append({"asked": event.reason, "at": event.at, "shown": event.shown})
        else:
            found.append(
                {
                    "approved": event.approved,
                    "by": event.by,
                    "at": event.at,
                    "note": event.note,
                    "data": event.data,
                    "shown": event.shown,
                    "runbook_hash": event.runbook_hash,
                }
            )
    return found
