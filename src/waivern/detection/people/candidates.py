"""Candidates for names: a place in a text that points to a name, weighed with the name's form."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.detection.expressions import expression
from waivern.detection.people.names import NAME, Form, form
from waivern.detection.prepared_text import Candidate

PERSON = "PERSON"
KNOWN = 0.3
"""What a frequent given name adds to the confidence of a place."""
STRONG = 0.6
"""Little else than a person's name stands at the place."""
FAIR = 0.5
"""The names of persons stand at the place, and those of organisations."""
DOUBTFUL = 0.35
"""Only a known given name makes it a person's."""
_MOST = 0.95
_LONGEST = 80
_AFTER = expression(
    r"(?:['\u2019]s\b)?[ \t]*(?:$|[\n\r,;:.!?)<>\"'(\[\]{}|/*&\\#]|-- |- |--$|and |und |et |y |e "
    r"|or |oder |https?:|\d|[\w.-]{1,30}=)"
)
"""What may follow a name: the end of a line, a mark, a conjunction."""


def person(start: int, end: int, found: Form, place: float, rule: str) -> Candidate:
    """Return the candidate for a name of a form at a place that points to names."""
    confidence = min(_MOST, place + (KNOWN if found.known else 0.0))
    validators = ("given name",) if found.known else ()
    return Candidate(PERSON, start, end, round(confidence, 2), f"person.{rule}", validators)


def name_at(
    text: str, at: int, *, single: bool = False, bounded: bool = True
) -> tuple[int, Form] | None:
    """Return where the name that begins at `at` ends, and its form.

    The longest run of words that has the form of a name counts. `bounded`: a word in lower case
    may not follow it, as in `Mark all as read`.
    """
    limit = min(len(text), at + _LONGEST)
    matched = NAME.match(text, at, limit)
    if matched is None:
        return None
    whole = end = matched.end()
    if text[end - 2 : end] in ("'s", "\u2019s"):
        end -= 2  # a possessive
    while end > at:
        found = form(text[at:end], single=single)
        if found is not None and not found.known and end < whole - len("'s"):
            return None  # what is left of a company or a heading
        if found is not None and (not bounded or _AFTER.match(text, end)):
            return end, found
        if bounded and found is None and not _AFTER.match(text, end):
            return None
        cut = text.rfind(" ", at, end)
        if cut < 0:
            return None
        end = cut
        while end > at and text[end - 1] in " ,":
            end -= 1
        bounded = False
    return None


def names_from(text: str, at: int, place: float, rule: str) -> Iterator[Candidate]:
    """Yield each name of a list that begins at `at`: `Jane Doe, Jan Novak and Ann Lee`."""
    for _ in range(_MOST_LISTED):
        found = name_at(text, at)
        if found is None:
            return
        end, has = found
        if has.cased:
            yield person(at, end, has, place, rule)
        following = _NEXT.match(text, end)
        if following is None:
            return
        at = following.end()


_MOST_LISTED = 20
_NEXT = expression(
    r"(?: ?<[^<>\n]{3,80}>| ?\([^()\n]{1,60}\))?(?:, ?(?:and |& )?| and | & | und | et | y )"
)
