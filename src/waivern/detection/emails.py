"""E-mail addresses: every '@', what may stand on its left, what must stand on its right."""

from __future__ import annotations

import re
from collections.abc import Iterator

from waivern.detection.document import Candidate, Document, pattern
from waivern.detection.numbering import PRIVATE_DOMAINS, TEST_DOMAINS, top_level_domains

_LATIN = "A-Za-z0-9\u00c0-\u024f"
_LOCAL = re.compile(rf"[{_LATIN}.!#$%&'*+?^_~-]{{1,64}}\Z")
_DOMAIN = re.compile(
    rf"(?:[{_LATIN}](?:[{_LATIN}-]{{0,61}}[{_LATIN}])?\.){{1,8}}[{_LATIN}-]{{2,24}}"
)
_USERINFO = pattern(r"://[^\s/@]{0,80}\Z")
_OTHER_SCHEME = pattern(r"(?i:\b(?:sips?|xmpp|im):)\Z")
_NAMES = frozenset("odlmntODLMNT")  # O'Brien, D'Angelo, L'Heureux; b'…' and f'…' are code
_KNOWN = TEST_DOMAINS | PRIVATE_DOMAINS


def emails(doc: Document) -> Iterator[Candidate]:
    """Yield every address; an unknown top-level domain has little confidence."""
    text = doc.text
    at = text.find("@")
    while at >= 0:
        found = _around(text, at)
        if found is not None:
            yield found
        at = text.find("@", max(at + 1, found.end if found else 0))


def _around(text: str, at: int) -> Candidate | None:
    domain = _DOMAIN.match(text, at + 1)
    if domain is None:
        return None
    end = domain.end()
    top = domain.group().rpartition(".")[2].lower().rstrip("-")
    end -= len(domain.group()) - len(domain.group().rstrip("-"))
    local = _LOCAL.search(text[max(0, at - 64) : at])
    if local is None or not _ends_well(text, end):
        return None
    start = _trimmed(text, at - len(local.group()), at)
    name = text[start:at]
    if not name or ".." in name or name.endswith("."):
        return None
    if _USERINFO.search(text[max(0, start - 84) : start]):
        return None  # https://user:password@host is a URL, not an address
    if _OTHER_SCHEME.search(text[max(0, start - 6) : start]):
        return None  # sip:, sips:, xmpp: are addresses of other kinds
    if text[start - 1 : start] == "%" and len(name) < 3:
        return None  # a placeholder: %1@example.com
    if name == "git" and text[end : end + 1] in (":", "/"):
        return None  # a clone URL
    if not top.isascii():
        top = "xn--"
    known = top in top_level_domains() or top in _KNOWN or top.startswith("xn--")
    rule = "email.domain" if known else "email.unknown-domain"
    return Candidate(
        "EMAIL_ADDRESS", start, end, 0.9 if known else 0.2, rule, ("tld",) if known else ()
    )


def _ends_well(text: str, end: int) -> bool:
    after = text[end : end + 1]
    if after in ("_", "(", "@"):
        return False
    return not (after == "." and text[end + 1 : end + 2].isdigit())


def _trimmed(text: str, start: int, at: int) -> int:
    """Return where the local part begins, without quotes, escapes and template marks before it."""
    quote = text.rfind("'", start, at)
    if quote >= 0:
        inside = quote > start and text[quote - 1] in _NAMES and quote + 2 < at
        alone = quote - 1 == start or not text[quote - 2].isalnum()
        if not (inside and alone and text[quote + 1].isalpha()):
            start = quote + 1
    doubled = text.rfind("..", start, at)
    if doubled >= 0:
        start = doubled + 2
    while start < at and text[start] in ".'+-%!#$&*?^~":
        start += 1
    if start and text[start - 1] == "\\" and text[start : start + 1] in ("n", "r", "t"):
        start += 1  # an escape in source code
    return start
