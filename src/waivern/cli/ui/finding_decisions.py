"""The recording of decisions about findings, as `wct findings accept` and `reject` share it."""

from __future__ import annotations

import os
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import opened
from waivern.cli.ui.screen import stderr, stdout
from waivern.cli.ui.user import user_name
from waivern.errors import Exit, UsageError
from waivern.record.text_forms import clean, near

if TYPE_CHECKING:
    from waivern.runs.finding_reviews import ReviewDecision


def decide(
    decision: ReviewDecision,
    ids: tuple[str, ...],
    *,
    of: str,
    reason: str,
    until: str,
    by: str | None,
    reviewed: str | None,
    as_json: bool,
    store: str | None,
) -> int:
    """Record a decision about findings of a run in the file of reviews."""
    from waivern.data_directory import data_directory
    from waivern.runs import queries
    from waivern.runs.finding_lookup import look_up
    from waivern.runs.finding_reviews import FILE_NAME, FindingReview
    from waivern.runs.recorded_findings import RunFindings
    from waivern.runs.review_file import record_reviews
    from waivern.runs.run_references import find

    if not reason.strip():
        raise UsageError("--reason is empty", hint="write why")
    last = _day(until)
    where = opened(store)
    record = queries.load(where, find(where, of))
    findings = look_up(RunFindings(where, record), ids)
    owner = by or user_name()
    reviews = [
        FindingReview(
            each.id,
            decision,
            reason.strip(),
            owner,
            last,
            each.system,
            f"{each.type} in {each.place}"[:200],
        )
        for each in findings
    ]
    path = reviewed or str(Path(data_directory(os.getcwd())) / FILE_NAME)  # noqa: PTH109
    record_reviews(path, reviews)
    if as_json:
        documents = [each.document() for each in reviews]
        print_document("findings-review", {"file": path, "reviews": documents})
        return Exit.OK
    out = stdout()
    for each in reviews:
        out.print(clean(f"{decision} {each.id}  {each.about}, until {each.until}"))
    stderr().print(clean(f"written to {near(path)}"))
    return Exit.OK


def _day(text: str) -> date:
    """Return the date of `--until`. Raises UsageError if it is none, or over."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        hint = "write it as --until 2027-03-31"
        raise UsageError(f"--until {text[:40]!r} is not a date", hint=hint) from error
    today = date(*time.gmtime()[:3])
    if day < today:
        raise UsageError(f"--until {day} is over", hint="name a day that is still to come")
    return day
