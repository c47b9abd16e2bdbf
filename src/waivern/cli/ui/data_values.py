"""The parser of data on the command line: `--data key=value`."""

from __future__ import annotations

import json
from collections.abc import Iterable

from waivern.errors import ComponentError, UsageError
from waivern.message import Json, content_digest


def read_data(options: Iterable[str]) -> dict[str, Json]:
    """Return the values by key: each is JSON, or text if it is not. Raises UsageError."""
    found: dict[str, Json] = {}
    for number, option in enumerate(options, 1):
        key, equals, value = option.partition("=")
        if not key or not equals:  # the text is not shown, as it may be a secret
            raise UsageError(f"--data {number} has no key", hint="write it as --data key=value")
        if key in found:
            raise UsageError(f"--data {key!r} occurs twice", hint="use each key once")
        found[key] = _value(value)
    try:
        content_digest(found)
    except ComponentError as error:
        raise UsageError(f"--data cannot be passed on: {error.message}") from error
    return found


def _value(text: str) -> Json:
    try:
        return json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return text


def _refused(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")
