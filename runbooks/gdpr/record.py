"""A record of processing: whose data is held, of which kind, and where it lies.

A plain function of plain data: `wct` calls it with the contents of the artifact's inputs and with
the `args` of the runbook, and keeps what it returns.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

# Art. 9 and 10 GDPR: categories that may be processed only under conditions of their own.
SPECIAL = {
    "health",
    "genetic",
    "biometric",
    "racial_ethnic_origin",
    "political_opinion",
    "religion_belief",
    "trade_union",
    "sex_life_orientation",
    "criminal",
}


def per_subject(inputs: list[Any], subjects: dict[str, str]) -> dict[str, Any]:
    """Count findings by group of people and category of data.

    `subjects` says whose data a source holds: the beginning of a file's path, or a table's name,
    to a group of people.
    """
    cells: dict[tuple[str, str], list[str]] = defaultdict(list)
    for finding in inputs[0]["findings"]:
        for place in places(finding):
            cells[whose(place, subjects), finding["category"]].append(place)
    return {
        "record": [
            {
                "subjects": group,
                "category": category,
                "special_category": category in SPECIAL,
                "findings": len(found),
                "where": sorted(set(found)),
            }
            for (group, category), found in sorted(cells.items())
        ]
    }


def places(finding: dict[str, Any]) -> list[str]:
    """Return the table or file of each of a finding's locations, each once."""
    found = (place.get("table") or place.get("file") for place in finding["locations"])
    return list(dict.fromkeys(filter(None, found)))


def whose(place: str, subjects: dict[str, str]) -> str:
    return next((group for start, group in subjects.items() if place.startswith(start)), "unknown")
