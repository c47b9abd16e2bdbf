"""Private keys in PEM (RFC 7468): the block, from its first line to its last."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.detection.prepared_text import Candidate, PreparedText
from waivern.detection.secrets.secret import CERTAIN, Secret, form, prefix

_KIND = r"(?:[A-Z0-9]{2,10} ){0,2}"
_BEGIN = form(rf"-----BEGIN {_KIND}PRIVATE KEY(?: BLOCK)?-----")
_END = form(rf"-----END {_KIND}PRIVATE KEY(?: BLOCK)?-----")
_CONTENT = form(
    r"""(?:[\s"'+,\\]|\\[nrt]){1,20}(?:[A-Z][\w-]{1,20}: [^\n]{1,80}\s{1,4}){0,4}"""
    r"[A-Za-z0-9+/]{20}"
)
"""What follows the first line: its end, headers (RFC 1421), and base64."""
_LONGEST = 20_000

SECRETS = (Secret("PRIVATE_KEY", _BEGIN, prefix(11)),)


def find_keys(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the blocks that hold a key; a first line alone is none."""
    text = doc.text
    at = text.find("-----BEGIN ")
    while at >= 0:
        first = _BEGIN.match(text, at)
        content = first and _CONTENT.match(text, first.end())
        if first and content:
            again = text.find("-----BEGIN ", first.end(), at + _LONGEST)
            last = _END.search(text, content.end(), again if again >= 0 else at + _LONGEST)
            end = last.end() if last else content.end()
            if "..." not in text[at:end]:  # an omission of documentation
                yield Candidate("PRIVATE_KEY", at, end, CERTAIN, "private-key")
            at = end - 1
        at = text.find("-----BEGIN ", at + 1)
