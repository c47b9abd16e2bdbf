"""Data from the command line: `--data key=value`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from waivern.errors import ComponentError, UsageError
from waivern.message import Json, content_digest

F = TypeVar("F", bound=Callable[..., Any])


def data_option(text: str) -> Callable[[F], F]:
    """Add `--data`."""
    return click.option("--data", metavar="KEY=VALUE", multiple=True, help=text)


def read_data(options: Iterable[str]) -> dict[str, Json]:
    """Return what was typed: a value is JSON if it can be read so, else text. Raises UsageError."""
    found: dict[str, Json] = {}
    for number, option in enumerate(options, 1):
        key, equals, value = option.partition("=")
        if not key or not equals:  # all of it may be meant to be told to nobody
            raise UsageError(f"--data {number} has no key", hint="write it as --data key=value")
        if key in found:
            raise UsageError(f"--data {key!r} is given twice", hint="give it once")
        found[key] = _value(value)
    try:
        content_digest(found)
    except ComponentError as error:
        raise UsageError(f"--data cannot be handed over: {error.message}") from error
    return found


def _value(text: str) -> Json:
    try:
        return json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return text


def _refused(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")
