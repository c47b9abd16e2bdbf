"""The steps of `programme.yaml` that are Larkfield's own: plain functions of plain data."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

RUNBOOKS = Path(__file__).parents[1]
AGE_OF_CONSENT = 16
"""Art. 8(1) GDPR; member states may go down to 13."""


def accounts_of_children(database: str, as_of: str) -> dict[str, int]:
    """Count the customers who are too young to consent by themselves on a day.

    Raises sqlite3.OperationalError while another program writes: the runbook has a `retry` for
    it, so the function does not wait.
    """
    day = date.fromisoformat(as_of)
    limit = day.replace(year=day.year - AGE_OF_CONSENT, day=min(day.day, 28)).isoformat()
    uri = f"{(RUNBOOKS / database).as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=0)) as shop:
        (accounts, children) = shop.execute(
            "SELECT count(*), coalesce(sum(date_of_birth > ?), 0) FROM customers", (limit,)
        ).fetchone()
    return {"accounts": accounts, "children": children}


def summary(inputs: list[Any]) -> dict[str, Any]:
    """Return how much of what a source holds."""
    findings = inputs[0]["findings"]
    return {
        "findings": len(findings),
        "special_category": sum(finding["special_category"] for finding in findings),
        "by_category": dict(sorted(Counter(f["category"] for f in findings).items())),
    }


def overview(inputs: list[Any], region: str, as_of: str) -> dict[str, Any]:
    """Return what the officer is shown: the summaries of all sources added up.

    The last input is about children's accounts, those before are summaries.
    """
    *summaries, children = inputs
    categories = Counter[str]()
    for each in summaries:
        categories.update(each["by_category"])
    return {
        "as_of": as_of,
        "region": region,
        "sources": len(summaries),
        "findings": sum(each["findings"] for each in summaries),
        "special_category": sum(each["special_category"] for each in summaries),
        "by_category": dict(sorted(categories.items())),
        **children,
    }


def assessment(inputs: list[Any]) -> dict[str, Any]:
    """Return the questions of an impact assessment that a person has to answer."""
    shown = inputs[0]
    return {
        "because": f"{shown['special_category']} findings of special categories",
        "questions": [
            "On which ground of Art. 9(2) are they processed?",
            "Who can see them, and since when?",
            "What would happen to people if they became public?",
        ],
    }


def transfer(inputs: list[Any]) -> dict[str, str]:
    """Return what has to be shown before the data may leave the EEA."""
    return {"to": inputs[0]["region"], "needed": "a ground of Art. 45, 46 or 49 GDPR"}


def report(inputs: list[Any]) -> dict[str, Any]:
    """Return the overview with who signed it."""
    shown, decision = inputs
    signed = [{key: each[key] for key in ("by", "at", "note")} for each in decision["decisions"]]
    return {"overview": shown, "question": decision["question"], "signed": signed}
