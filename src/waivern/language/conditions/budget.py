"""Limit of the work of one evaluation, so that it ends soon whatever the content is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waivern.errors import Exit, WaivernError
from waivern.language.conditions.syntax import LIST, MAPPING, TEXT
from waivern.language.conditions.values import kind

if TYPE_CHECKING:
    from waivern.message import Json

MAX_STEPS = 5_000_000
"""Values that one evaluation may look at: one or two seconds of work."""

_CHARACTERS = 100
"""Characters of text that take about as long as one value."""


class EvaluationError(WaivernError):
    """A condition has no answer: something is missing, or not of the kind that it must be.

    The message quotes the part of the condition at fault, and never a value.
    """

    exit_code = Exit.FAILED


class Budget:
    """The steps that an evaluation may still take."""

    def __init__(self) -> None:
        self._left = MAX_STEPS

    def spend(self, steps: int) -> None:
        """Count so many values. Raises EvaluationError when it is too many."""
        self._left -= steps
        if self._left < 0:
            raise EvaluationError(
                f"the condition looks at more than {MAX_STEPS:,} values",
                hint="compute in a processor what the condition needs, and refer to that",
            )

    def read(self, text: str) -> None:
        """Count the characters of a text that is looked through."""
        self.spend(len(text) // _CHARACTERS)

    def same(self, left: Json, right: Json) -> bool:
        """Compare by kind and value, however deep; unlike in Python, true is not 1."""
        self.spend(1)
        waiting = [iter([(left, right)])]
        while waiting:
            for a, b in waiting[-1]:
                if (kind_ := kind(a)) != kind(b):
                    return False
                if kind_ in (LIST, MAPPING, TEXT):
                    if len(a) != len(b):
                        return False
                    self.spend(len(a) // _CHARACTERS if kind_ == TEXT else len(a))
                if kind_ == LIST:
                    waiting.append(zip(a, b, strict=True))
                    break
                if kind_ == MAPPING:
                    if a.keys() != b.keys():
                        return False
                    waiting.append(zip(a.values(), map(b.__getitem__, a), strict=True))
                    break
                if a != b:
                    return False
            else:
                waiting.pop()
        return True
