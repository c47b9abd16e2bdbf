"""Addresses of pages and hosts: a type that is searched for only by name."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.detection.expressions import expression
from waivern.detection.numbering import top_level_domains
from waivern.detection.prepared_text import Candidate, PreparedText

TYPE = "URL"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_REST = r"(?:[/?#][^\s<>\"'`{}|\\^]{0,2000})?"
_URL = expression(
    rf"(?<![\w+.-])[A-Za-z][A-Za-z0-9+-]{{1,15}}://[^\s<>\"'`{{}}|\\^]{{1,2000}}"
    rf"|(?<![\w@./-])(?:{_LABEL}\.){{1,8}}(?P<top>[A-Za-z]{{2,24}})(?![\w@-]|\.\w)(?::\d{{1,5}})?{_REST}",
)
_HAS_HOST = expression(
    r"(?:[A-Za-z][\w+-]*://)?(?:[^/@\s]*@)?(?:\[[0-9A-Fa-f:.]+\]|localhost\b|(?!www\.[\w-]+(?:[/:?#]|\Z))[\w-]+\.[\w.-]+)"
)
_FILES = frozenset(
    """
        ai app bz cc cl cs csv dev gz in is js lua md me ml mm mo pl pm ps py rs sc sh so sql st tar
        td tf ts vi xml zip
    """.split()  # noqa: SIM905
)
"""Top-level domains that are more often the ends of the names of files and of attributes."""
_END = ".,;:!?*'"
_PAIRS = {")": "(", "]": "["}
_WITH_SCHEME, _HOST = 0.8, 0.5


def urls(doc: PreparedText) -> Iterator[Candidate]:
    """Yield URLs with a scheme, and hosts whose top-level domain exists."""
    for found in _URL.finditer(doc.text):
        top = found["top"]
        if top and (top.lower() not in top_level_domains() or top.lower() in _FILES):
            continue
        value = found.group().rstrip(_END)
        if not _HAS_HOST.match(value):
            continue
        while value[-1:] in _PAIRS and value.count(value[-1]) > value.count(_PAIRS[value[-1]]):
            value = value[:-1].rstrip(_END)
        base = _HOST if top else _WITH_SCHEME
        yield Candidate(TYPE, found.start(), found.start() + len(value), base, "url")
