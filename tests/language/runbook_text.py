"""What the tests of this room share: reading a runbook from text, and marked places in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from waivern.diagnostics import Diagnostic, InvalidError
from waivern.language.loader import parse
from waivern.language.models import Runbook

FOLDER = Path("/somewhere")


def runbook(text: str | bytes, environ: Mapping[str, str] | None = None) -> Runbook:
    """Return the runbook in `text`, as if it were the file `x.yaml`."""
    data = text.encode() if isinstance(text, str) else text
    return parse(data, path="x.yaml", folder=FOLDER, environ=environ or {})


def problems(text: str | bytes, environ: Mapping[str, str] | None = None) -> tuple[Diagnostic, ...]:
    """Return all problems of a runbook that must have some."""
    with pytest.raises(InvalidError) as caught:
        runbook(text, environ)
    assert caught.value.problems
    return caught.value.problems


def unmarked(text: str) -> tuple[str, list[tuple[int, int, int]]]:
    """Take the marks «…» out of `text`; return it and (line, column, length) of each, from 1."""
    plain, places = "", []
    for before, marked in re.findall("(?s)([^«]*)(?:«([^»]*)»)?", text):
        plain += before
        if marked:
            line_start = plain.rfind("\n") + 1
            places.append((plain.count("\n") + 1, len(plain) - line_start + 1, len(marked)))
            plain += marked
    return plain, places


def places(found: tuple[Diagnostic, ...]) -> list[tuple[int, int, int]]:
    """Return (line, column, length) of each problem, all of which must have a position."""
    positions = [problem.position for problem in found]
    return [(at.line, at.column, at.length) for at in positions if at is not None]
