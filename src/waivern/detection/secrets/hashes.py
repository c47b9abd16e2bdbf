"""Hashes of passwords, as `/etc/shadow`, web frameworks and directories store them."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.detection.expressions import expression
from waivern.detection.prepared_text import Candidate, PreparedText, occurrences
from waivern.detection.secrets.secret import CERTAIN, Secret, form, prefix

_B64 = "[./A-Za-z0-9]"
_HASH = form(
    rf"\$2[abxy]?\$\d\d\${_B64}{{53}}"
    rf"|\$(?:1|apr1)\${_B64}{{1,8}}\${_B64}{{22}}"
    rf"|\$5\$(?:rounds=\d{{4,9}}\$)?{_B64}{{1,16}}\${_B64}{{43}}"
    rf"|\$6\$(?:rounds=\d{{4,9}}\$)?{_B64}{{1,16}}\${_B64}{{86}}"
    rf"|\$(?:g?y|7)\${_B64}{{1,40}}\${_B64}{{1,86}}\${_B64}{{43}}"
    rf"|\$[PH]\${_B64}{{31}}"
    r"|\$argon2(?:id|i|d)\$v=\d{1,3}\$m=\d{1,8},t=\d{1,4},p=\d{1,3}\$[A-Za-z0-9+/]{8,64}\$[A-Za-z0-9+/]{16,90}"
    r"|pbkdf2[_:](?:hmac-)?sha\d{1,3}[:$]\d{3,8}\$[^$\s]{4,64}\$[A-Za-z0-9+/=]{20,128}"
    r"|scrypt:\d{3,6}:\d{1,2}:\d{1,2}\$[A-Za-z0-9]{8,32}\$[0-9a-f]{64,128}"
    r"|\{S?SHA(?:256|384|512)?\}[A-Za-z0-9+/]{26,120}={0,2}"
)
SECRETS = (Secret("PASSWORD_HASH", _HASH, prefix(3)),)


def find_hashes(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the hashes: the algorithm, its parameters, the salt and the digest."""
    text = doc.text
    for anchor in _anchors(doc):
        found = _HASH.match(text, anchor)
        if found is None or text[found.end() : found.end() + 1].isalnum():
            continue
        digest = found.group().rpartition("$")[2].rpartition("}")[2]
        if len(set(digest)) >= 8:  # not a placeholder
            yield Candidate("PASSWORD_HASH", anchor, found.end(), CERTAIN, "password-hash")


_MARK = expression(rb"\$(?:2[abxy]?|[1567PHy]|gy|apr1|argon2(?:id|i|d))\$|\{S?SHA")
_NAMES = {"pbkdf": b"pbkdf2", "scrypt": b"scrypt:"}


def _anchors(doc: PreparedText) -> Iterator[int]:
    """Yield the places at which a hash may begin, which are few."""
    raw = doc.raw
    if b"$" in raw or b"{S" in raw:
        yield from (found.start() for found in _MARK.finditer(raw))
    for part, name in _NAMES.items():
        if doc.has_part(part):
            yield from occurrences(raw, name)
