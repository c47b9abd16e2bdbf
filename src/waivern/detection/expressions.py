"""Regular expressions that are compiled when they are first used.

A detector has hundreds of them. To compile them all takes longer than most scans, and a text needs
few of them.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


class _Expression:
    """A regular expression with the methods of `re.Pattern`."""

    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self.pattern = pattern
        self._flags = flags
        self._compiled: re.Pattern[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        """Compile, and keep what was asked for, so that the next use costs nothing more."""
        if name.startswith("__"):
            raise AttributeError(name)
        if self._compiled is None:
            self._compiled = re.compile(self.pattern, self._flags)
        found = getattr(self._compiled, name)
        setattr(self, name, found)
        return found


def expression(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return a regular expression as `re.compile` does, which is compiled when it is first used."""
    return cast("re.Pattern[AnyStr]", _Expression(pattern, flags))
