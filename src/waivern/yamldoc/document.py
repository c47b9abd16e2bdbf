"""The bytes of a runbook, and where in them something stands."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from waivern.diagnostics import Diagnostic, Position, Span, ValuePath
from waivern.message import sha256
from waivern.yamldoc.runbook_codes import RunbookCode

if TYPE_CHECKING:
    from waivern.yamldoc.positions import Positions

NO_PATH = "<runbook>"
"""The file name in messages about a text without a file."""

_LINE_END = re.compile("[\r\n]")
_AROUND = 100
"""Characters of a very long line that are kept on either side of a problem."""
_LONGEST = 1_000
"""Characters that a problem underlines at most."""


class YamlDocument:
    """One runbook file: what was typed to find it, and its exact bytes.

    `path` is as typed, None for a runbook made in Python; `folder` is the absolute folder that
    relative paths in the runbook start from.
    """

    def __init__(self, path: str | None, folder: Path, data: bytes) -> None:
        self.path = path
        self.folder = folder
        self.data = data

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, YamlDocument):
            return NotImplemented
        return (self.path, self.folder, self.data) == (other.path, other.folder, other.data)

    def __hash__(self) -> int:
        return hash((self.path, self.folder, self.data))

    @cached_property
    def digest(self) -> str:
        """`sha256:` and the hex digest of the bytes, as `sha256sum` prints it."""
        return sha256(self.data)

    @cached_property
    def _text(self) -> str:
        return self.data.decode("utf-8-sig", "replace")

    @cached_property
    def _places(self) -> Positions:
        from waivern.yamldoc.positions import Positions

        return Positions(self._text)

    def problem(
        self,
        code: str,
        message: str,
        path: ValuePath,
        *,
        on: Literal["key", "value"] = "value",
        hint: str | None = None,
    ) -> Diagnostic:
        """Return a located problem at a path such as ("artifacts", "findings", "inputs", 0)."""
        return self.locate(Diagnostic(code, message, path, hint, on))

    def locate(self, problem: Diagnostic) -> Diagnostic:
        """Add the position of a problem in this document, and the artifact that it is in.

        A path that the text does not have is located at the nearest enclosing value that it has.
        """
        path = problem.path
        if problem.artifact is None and len(path) > 1 and path[0] == "artifacts":
            problem = problem._replace(artifact=str(path[1]))
        if (span := problem.span) is not None:
            if problem.code == RunbookCode.DUPLICATE_KEY and (first := self._first_of(span)):
                hint = f"it is first given at line {first.line + 1}; keep one of the two"
                problem = problem._replace(hint=hint)
            return problem._replace(position=self._position(span))
        place = self._places.find(path)
        if place is None:
            return problem
        where = place.key if problem.on == "key" and place.key else place.value
        return problem._replace(position=self._position(where))

    def _first_of(self, later: Span) -> Span | None:
        return self._places.first_of.get(later.start)

    def _position(self, span: Span) -> Position:
        line_start = span.start - span.column
        start = max(line_start, span.start - _AROUND)
        ahead = self._text[span.start : span.start + _LONGEST]
        if line_end := _LINE_END.search(ahead):
            ahead = ahead[: line_end.start()]
        return Position(
            file=self.path or NO_PATH,
            line=span.line + 1,
            column=span.column + 1,
            length=max(1, len(ahead[: span.end - span.start].rstrip())),
            text=self._text[start : span.start] + ahead[:_AROUND],
            text_column=start - line_start + 1,
        )
