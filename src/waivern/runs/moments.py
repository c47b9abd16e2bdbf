"""Moments as people write them for lists of runs: an age, a date, or a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from waivern.clock import rfc3339
from waivern.errors import UsageError
from waivern.language.age import parse_age

FORMS = "an age such as 30d, a date such as 2026-11-30, or a time such as 2026-11-30T08:00:00Z"


def moment(text: str, now: float, *, ends: bool = False) -> str:
    """Return the moment in a text, as records have it; a time without a zone is UTC.

    A date is the beginning of that day; with `ends`, its end. Raises UsageError.
    """
    if (age := parse_age(text)) is not None:
        return rfc3339(max(0.0, now - age.total_seconds()))
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        if ends and "T" not in text and " " not in text:
            found += timedelta(days=1)
        return rfc3339(max(0.0, found.timestamp()))
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text[:80]!r} is no age, date or time", hint=f"write {FORMS}") from error
