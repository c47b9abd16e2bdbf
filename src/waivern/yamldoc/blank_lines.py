"""Lines without content that begin with a tab: libyaml takes the tab for an indentation.

YAML 1.2 allows them everywhere. Only within a block scalar such a line may be content.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from yaml import ScalarEvent

_BLANK = re.compile(r"^( *)\t[ \t]*(?=#|$)", re.MULTILINE)
"""The spaces, tabs and no text; or a comment."""
_INDENTATION = r"(?m)^ *(?=\S)"


def untabbed(text: str, parsed: Callable[[str], Iterator[Any]]) -> str:
    """Return the text with spaces for the tabs of lines without content; no position changes.

    `parsed` yields the events of a text, as far as it can be read.
    """
    if _BLANK.search(text) is None:
        return text
    bare = _BLANK.sub(lambda found: " " * len(found[0]), text)
    parts, end = [], 0
    for event in parsed(bare):
        kind = type(event)
        if kind is ScalarEvent and event.style in ("|", ">"):
            start, stop = event.start_mark.index, event.end_mark.index
            parts += [bare[end:start], _block(text[start:stop], bare[start:stop])]
            end = stop
    return "".join([*parts, bare[end:]])


def _block(written: str, bare: str) -> str:
    """Return a block scalar whose lines keep the tabs that are its content."""
    head, newline, _ = bare.partition("\n")
    first = re.compile(_INDENTATION).search(bare, len(head + newline))
    least = len(first[0]) if first else 0

    def cut(found: re.Match[str]) -> str:
        return found[0] if first and len(found[1]) >= least else " " * len(found[0])

    return _BLANK.sub(cut, written)
