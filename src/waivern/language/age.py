"""Ages as people write them, such as 30d."""

from __future__ import annotations

import re
from datetime import timedelta

FORMS = "90s, 5m, 12h, 30d, 8w"

_AGE = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_age(text: str) -> timedelta | None:
    """Return the length of a text such as '30d'; None if it is not an age."""
    parsed = _AGE.fullmatch(text)
    return timedelta(**{_UNITS[parsed[2]]: int(parsed[1])}) if parsed else None
