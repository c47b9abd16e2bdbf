"""E-mail addresses: each '@' with a local part on its left and a domain on its right."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from waivern.detection.expressions import expression
from waivern.detection.numbering import PRIVATE_DOMAINS, TEST_DOMAINS, top_level_domains
from waivern.detection.prepared_text import Candidate, PreparedText, pattern

_MARKS = "\u0300-\u036f"  # accents that combine with the letter before them
_LATIN = f"A-Za-z0-9\u00c0-\u024f\u1e00-\u1eff{_MARKS}"
_EUROPEAN = (  # Greek, Cyrillic, Armenian, Georgian
    "\u0370-\u037d\u0386\u0388-\u03ff\u1f00-\u1fff\u0400-\u052f"
    "\u0531-\u0556\u0561-\u0587\u10a0-\u10fa\u10fc-\u10ff"
)
_EASTERN = (  # Hebrew, Arabic, the alphabets of India; a word may be written on to a Latin one
    "\u05d0-\u05ea\u0620-\u0669\u066e-\u06d3\u06f0-\u06fc\u0900-\u0963\u0966-\u0d7f"
)
_OTHER = _EUROPEAN + _EASTERN
_ATEXT = ".!#$%&'*+?^_~-"
_LOCALS = tuple(
    re.compile(rf"[{letters}{_ATEXT}]{{1,64}}")
    for letters in (_LATIN + _EUROPEAN, f"0-9{_MARKS}{_EASTERN}")
)
_LABEL = (
    rf"(?:[{_LATIN}](?:[{_LATIN}-]{{0,61}}[{_LATIN}])?"
    rf"|[{_OTHER}](?:[{_OTHER}{_MARKS}0-9-]{{0,61}}[{_OTHER}{_MARKS}0-9])?)"
)
_DOMAIN = expression(rf"(?:{_LABEL}\.){{1,8}}(?:[{_LATIN}-]{{2,24}}|[{_OTHER}{_MARKS}]{{2,24}})")
_USERINFO = pattern(r"://[^\s/@]{0,80}\Z")
_OTHER_SCHEME = pattern(r"(?i:\b(?:sips?|xmpp|im):)\Z")
_MESSAGE = pattern(
    r"[0-9A-F]{8}\.[0-9A-F]{6,8}|(?:\d{8,14}\.){1,3}[0-9A-Za-z.]{4,40}|[\w.+-]{0,40}\d{12,}\.\w{8,}"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
"""The local part of a Message-ID, as mail programs form it of times and counters."""
_OF_ALGORITHMS = frozenset({"openssh.com", "libssh.org", "lysator.liu.se"})
"""Domains in whose name the algorithms of SSH are (RFC 4251, section 6)."""
_ALGORITHM = expression(
    r"(?:ssh|ecdsa|sk|rsa|aes|chacha20|hmac|umac|curve25519|sntrup|webauthn|rijndael)-?[\w-]*\d[\w-]*"
)
_OF_MESSAGES = frozenset({"mail.gmail.com"})
"""Domains that are in the ids of messages alone."""
_FONT = expression(r"f[BIRP](?=[\w.+-]{2,64}@)")
"""An escape of manual pages, which begins what follows it in another font."""
_NAMES = frozenset("odlmntODLMNT")  # O'Brien, D'Angelo, L'Heureux; b'…' and f'…' are code
_KNOWN = TEST_DOMAINS | PRIVATE_DOMAINS


def emails(doc: PreparedText) -> Iterator[Candidate]:
    """Yield every address; one with an unknown top-level domain has a low confidence."""
    text = doc.text
    at = text.find("@")
    while at >= 0:
        found = email_around(text, at)
        if found is not None:
            yield found
        at = text.find("@", max(at + 1, found.end if found else 0))


def email_around(text: str, at: int) -> Candidate | None:
    """Return the address around the '@' at a place."""
    domain = _DOMAIN.match(text, at + 1)
    if domain is None:
        return None
    end = domain.end()
    top = domain.group().rpartition(".")[2].lower().rstrip("-")
    end -= len(domain.group()) - len(domain.group().rstrip("-"))
    backwards = text[max(0, at - 64) : at][::-1]  # from the '@': no place is tried twice
    longest = max(len(m.group()) if (m := local.match(backwards)) else 0 for local in _LOCALS)
    if not longest or not _ends_well(text, end):
        return None
    start = _trimmed(text, at - longest, at)
    if text[start + 1 : start + 2] == "'" and text[end : end + 1] == "'":
        start += 2  # a literal of SQL: N'ann@acme.io'
    name = text[start:at]
    if not name or ".." in name or name.endswith("."):
        return None
    if _USERINFO.search(text[max(0, start - 84) : start]):
        return None  # https://user:password@host is a URL, not an address
    if _OTHER_SCHEME.search(text[max(0, start - 6) : start]):
        return None  # sip:, sips:, xmpp: are addresses of other kinds
    if text[start - 1 : start] == "%" and len(name) < 3:
        return None  # a placeholder: %1@example.com
    if (
        domain.group() in _OF_MESSAGES
        or _MESSAGE.fullmatch(name)
        or _is_principal(text, start, name, domain.group())
    ):
        return None  # the id of a message, or a service
    if name == "git" and text[end : end + 1] in (":", "/"):
        return None  # a clone URL
    known = top.startswith("xn--") or top in _KNOWN or _encoded(top) in top_level_domains()
    rule = "email.domain" if known else "email.unknown-domain"
    return Candidate(
        "EMAIL_ADDRESS", start, end, 0.9 if known else 0.2, rule, ("tld",) if known else ()
    )


def _is_principal(text: str, start: int, name: str, domain: str) -> bool:
    """Return whether it is a service of Kerberos or an algorithm: `HTTP/www.acme.io@ACME.IO`."""
    if domain in _OF_ALGORITHMS:
        return _ALGORITHM.fullmatch(name) is not None
    return domain.isupper() and (text[start - 1 : start] == "/" or name.endswith("$"))


_PLAIN = pattern(rf"[{_LATIN}](?:[{_LATIN}_]|[.+-](?=[{_LATIN}])){{0,63}}")


def is_plain_local(local: str) -> bool:
    """Return whether a local part is one whatever follows the '@'."""
    return _PLAIN.fullmatch(local) is not None and local != "git" and not _MESSAGE.fullmatch(local)


def _encoded(top: str) -> str:
    """Return a top-level domain as it is spelt in the list of them."""
    if top.isascii():
        return top
    return "xn--" + unicodedata.normalize("NFC", top).encode("punycode").decode("ascii")


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
    expression = text.rfind(".*", start, at)
    if expression >= 0:
        start = expression + 2
    for mark in "^~":  # delimiters of cells more often than parts of a name
        start = max(start, text.rfind(mark, start, at - 1) + 1)
    doubled = text.rfind("..", start, at)
    if doubled >= 0:
        start = doubled + 2
    while start < at and text[start] in ".'+-%!#$&*?^~":
        start += 1
    if start and text[start - 1] == "\\" and text[start : start + 1] in ("n", "r", "t"):
        start += 1  # an escape in source code
    elif start and text[start - 1] == "\\" and _FONT.match(text, start):
        start += 2  # of a page of a manual: \fIann@acme.io\fR
    return start
