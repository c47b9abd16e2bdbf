"""Characters that libyaml reads otherwise than YAML 1.2 and JSON: they are hidden from it.

Each is replaced by a private-use character that the text does not contain, so that every position
stays the same, and put back into the scalars that come out:

- U+0085, U+2028 and U+2029 end a line in YAML 1.1, and are ordinary characters in YAML 1.2;
- U+007F stands unescaped in what JSON writers print;
- two escapes for one character, as JSON writers print an emoji, are no escapes for libyaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from yaml import ScalarEvent

_HIDDEN = re.compile("[\x7f\x85\u2028\u2029]")
_PAIR = re.compile(
    r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_LENGTH = len(r"\ud83d\ude00")
_PRIVATE = range(0xF0000, 0xFFFFE)


class CharacterDisguise:
    """A text as libyaml is to read it, of the same length, and the way back."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._original = text
        self._names: dict[str, str] = {}
        """Placeholder -> character."""
        self._pair: str | None = None
        odd = sorted(set(_HIDDEN.findall(text)))
        pairs = "\\u" in text and _PAIR.search(text) is not None
        if odd or pairs:
            free = islice((chr(n) for n in _PRIVATE if chr(n) not in text), len(odd) + 1)
            self._pair = next(free)
            self._names = dict(zip(free, odd, strict=True))
            table = str.maketrans({odd: free for free, odd in self._names.items()})
            self.text = text.translate(table)
        if pairs:
            hidden = (self._pair or "") * _LENGTH
            self.text = _PAIR.sub(lambda found: found[1] + hidden, self.text)

    def restored(self, events: Iterator[Any]) -> Iterator[Any]:
        """Return the events with the hidden characters back in their scalars."""
        return events if self.text is self._original else self._put_back(events)

    def _put_back(self, events: Iterator[Any]) -> Iterator[Any]:
        table = str.maketrans(self._names)
        for event in events:
            if type(event) is ScalarEvent:
                event.value = self._unpaired(event).translate(table)
            yield event

    def _unpaired(self, event: Any) -> str:
        """Return the value with its pairs as they are meant: an escape only in double quotes."""
        hidden = (self._pair or "") * _LENGTH
        if hidden not in event.value:
            return str(event.value)
        written = self._original[event.start_mark.index : event.end_mark.index]
        pairs = (found[2] for found in _PAIR.finditer(written))
        return re.sub(hidden, lambda _: self._meant(next(pairs), event.style), event.value)

    @staticmethod
    def _meant(pair: str, style: str | None) -> str:
        if style != '"':
            return pair
        high, low = int(pair[2:6], 16), int(pair[8:12], 16)
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
