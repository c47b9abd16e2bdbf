"""The record of one type of secret, and how tokens of a distinctive form are found in a text."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from waivern.detection.expressions import expression
from waivern.detection.masks import Mask
from waivern.detection.prepared_text import Candidate, PreparedText

CERTAIN = 0.9
"""The confidence of a form that nothing else has."""
LIKELY = 0.7
"""The confidence of a form that few other values have."""

_SHORTEST = 20
"""Characters of the shortest part without separators that every token has."""
_BEFORE = 14
"""Characters of a token that can precede its first long part, separator included."""


def prefix(shown: int) -> Mask:
    """Return a mask that shows so many first characters, and not how many follow."""
    return lambda value: value[:shown] + "***"


def random_looking(value: str) -> bool:
    """Return whether a token is no placeholder such as `ghp_xxxxxxxx…`, `AKIA0000…`."""
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return entropy >= min(3.0, 0.75 * math.log2(len(value)))


def says_example(value: str) -> bool:
    """Return whether a published example says that it is one: `AKIAIOSFODNN7EXAMPLE`."""
    return "EXAMPLE" in value.upper()


class Secret(NamedTuple):
    """The form, the check and the display of the values of one type."""

    type: str
    form: re.Pattern[str]
    """Matches a whole value from its beginning."""
    mask: Mask
    check: Callable[[str], bool] = random_looking
    """Returns whether a text of the form is a value, and not a placeholder."""
    is_sample: Callable[[str], bool] = says_example
    """Returns whether a value is published, for documentation and tests."""
    confidence: float = CERTAIN
    severity: str = "high"

    @property
    def rule(self) -> str:
        """The id of the rule, as findings name it."""
        return self.type.lower().replace("_", "-")

    @property
    def rule_document(self) -> dict[str, Any]:
        """The entry that the type has in a ruleset."""
        return {"category": "credentials", "severity": self.severity, "trust": "own"}


def form(expression: str) -> re.Pattern[str]:
    """Compile the form of a value: ASCII letters and digits."""
    return re.compile(expression, re.ASCII)


_PARTS = bytes(
    ord("w") if chr(code).isascii() and (chr(code).isalnum() or chr(code) in "_-") else code
    for code in range(256)
)
_REST = expression(b"w*+")
_JOINED = expression(r"[A-Za-z0-9]{1,13}[.:]\Z", re.ASCII)
_WORD = expression(r"\w", re.ASCII)


class TokenFinder:
    """The search for tokens: only where a text has a long part without separators."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._secrets = tuple(secrets)
        self._any = re.compile(
            "|".join(f"({each.form.pattern})" for each in self._secrets), re.ASCII
        )
        """Matches what any of the forms matches, which have no groups of their own."""

    def __call__(self, doc: PreparedText) -> Iterator[Candidate]:
        """Yield the tokens in a text."""
        if doc.longest_run < _SHORTEST:
            return
        text, parts = doc.text, doc.raw.translate(_PARTS)
        long = b"w" * _SHORTEST
        start, done = parts.find(long), 0
        while start >= 0:
            end = _REST.match(parts, start + _SHORTEST).end()  # type: ignore[union-attr]
            if start >= done:
                for begin in _beginnings(text, start):
                    found = self._at(text, begin)
                    if found is not None:
                        done = found.end
                        yield found
                        break
            start = parts.find(long, end)

    def _at(self, text: str, begin: int) -> Candidate | None:
        if begin and _WORD.match(text, begin - 1):
            return None
        found = self._any.match(text, begin)
        if found is None or _WORD.match(text, found.end()):
            return None
        secret = self._secrets[(found.lastindex or 1) - 1]
        if not secret.check(found.group()):
            return None
        return Candidate(secret.type, begin, found.end(), secret.confidence, secret.rule)


def _beginnings(text: str, start: int) -> Iterator[int]:
    """Yield where a token may begin: at its long part, or before a short part: `SG.…`."""
    yield start
    if text[start - 1 : start] in (".", ":"):
        before = _JOINED.search(text, max(0, start - _BEFORE), start)
        if before:
            yield before.start()
