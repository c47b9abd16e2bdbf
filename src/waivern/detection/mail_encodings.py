"""The transfer encodings of mail, vCards, `data:` URLs and headers: quoted-printable and base64.

They are read only where they are declared. Attachments that are no text are left.
"""

from __future__ import annotations

import codecs
import re
from base64 import b64decode
from bisect import bisect_left
from collections.abc import Collection, Iterator
from heapq import merge
from typing import NamedTuple

from waivern.detection.expressions import expression

_SIGNS = {
    "=?": (),
    "ransfer-Encoding": ("Encoding",),
    "ransfer-encoding": ("encoding",),
    "RANSFER-ENCODING": ("ENCODING",),
    "QUOTED-PRINTABLE": ("PRINTABLE",),
    ";base64,": ("base",),
    "uthorization": ("Authorization", "authorization"),
}
"""The signs of an encoding, and the words one of which a text with the sign has."""
_HEADER = expression(
    r"^content-transfer-encoding[ \t]{0,4}:\s{0,4}(quoted-printable|base64)\b",
    re.IGNORECASE | re.MULTILINE,
)
_TYPE = expression(
    r"^content-type[ \t]{0,4}:\s{0,4}([\w.+-]+/[\w.+-]+)", re.IGNORECASE | re.MULTILINE
)
_CHARSET = expression(r"\bcharset[ \t]{0,2}=[ \t]{0,2}[\"']?([A-Za-z][\w.:-]{1,30})", re.IGNORECASE)
_BOUNDARY = expression(r"\bboundary[ \t]{0,2}=[ \t]{0,2}(?:\"([^\"\n]{1,70})\"|([^\s;\"]{1,70}))")
_BODY = expression(r"\n\r?\n")
_DELIMITER = expression(r"^(?:--(-{0,60}[^\s-][^\n]{0,75})|From \S)", re.MULTILINE)
_READABLE = ("text/", "message/", "application/json", "application/xml", "application/x-www")
_HEADER_SIZE = 4_000
_QUOTED = expression(r"(?:=(?:[0-9A-Fa-f]{2}|[ \t]{0,8}\r?\n)){1,60}")
_QUOTED_ONE = expression(r"=(?:([0-9A-Fa-f]{2})|[ \t]{0,8}\r?\n)")
_WORD = expression(r"=\?([\w.:-]{2,30})(?:\*[\w-]{1,10})?\?([bBqQ])\?([^?\s]{1,400})\?=")
_BETWEEN_WORDS = expression(r"\r?\n?[ \t]{1,8}(?==\?)")
_CARD = expression(
    r"^[\w.-]{1,40};(?:[^:\n]{0,200};)?ENCODING=QUOTED-PRINTABLE[^:\n]{0,80}:"
    r"((?:[^\n]{0,2000}=[ \t]{0,4}\r?\n){0,40}[^\n]{0,2000})",
    re.MULTILINE,
)
_DATA = expression(
    r"(?:\bdata:(?:text/[\w.+-]{1,40}|application/(?:json|xml))(?:;[\w=.-]{1,40}){0,3};base64,"
    r"|\b[Aa]uthorization[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?Basic )([A-Za-z0-9+/]{8,200000}={0,2})"
)
_RUN = expression(r"[A-Za-z0-9+/]+={0,2}")
_SPACE = expression(r"\s*")
_JUDGED = 1_000
"""Decoded characters that show whether the rest is a text."""

Replacement = tuple[int, int, str]


class _Part(NamedTuple):
    """The body of a part of a mail, at [begin, end)."""

    begin: int
    end: int
    encoding: str
    charset: str
    readable: bool


def may_occur(text: str, spelled: Collection[str] | None = None) -> bool:
    """Return whether a text may have a transfer encoding; `spelled` are its words, if known."""
    return any(
        sign[0] in text and sign in text
        for sign, words in _SIGNS.items()
        if not words or spelled is None or any(word in spelled for word in words)
    )


def transfer_encodings(text: str) -> Iterator[Replacement]:
    """Yield (begin, end, plain) for what is encoded, in order and without overlaps."""
    done = 0
    for each in merge(_bodies(text), _words(text), _cards(text), _data(text)):
        if each[0] >= done:
            yield each
            done = each[1]


def open_part(text: str, size: int) -> str:
    """Return the header and the last lines of the encoded part that a text ends in, or nothing.

    The lines have at most `size` characters.
    """
    parts = [*_parts(text)] if may_occur(text) else []
    if not parts or parts[-1].end < len(text) or not parts[-1].readable:
        return ""
    last = parts[-1]
    begin = max(last.begin, len(text) - size)
    if begin > last.begin:
        begin = text.find("\n", begin) + 1 or begin
    return (
        f"\nContent-Type: text/plain; charset={last.charset}\n"
        f"Content-Transfer-Encoding: {last.encoding}\n\n{text[begin:]}"
    )


def _parts(text: str) -> Iterator[_Part]:
    """Yield the parts of mails that are encoded."""
    headers = [*_HEADER.finditer(text)]
    if not headers:
        return
    names = {(m[1] or m[2]).rstrip() for m in _BOUNDARY.finditer(text)}
    ends = []
    for found in _DELIMITER.finditer(text):
        name = (found[1] or "").rstrip()
        if not names or not found[1] or name in names or name.removesuffix("--") in names:
            ends.append(found.start())
    done = 0
    for header in headers:
        body = _BODY.search(text, header.end(), header.end() + _HEADER_SIZE)
        if body is None or header.start() < done:
            continue
        floor = max(done, header.start() - _HEADER_SIZE)
        above = max(text.rfind(blank, floor, header.start()) for blank in ("\n\n", "\n\r\n"))
        head = text[max(floor, above + 1) : body.start() + 1]
        index = bisect_left(ends, body.end() - 1)
        done = ends[index] if index < len(ends) else len(text)
        kind, charset = _TYPE.search(head), _CHARSET.search(head)
        yield _Part(
            body.end(),
            done,
            header[1].lower(),
            _known(charset[1] if charset else ""),
            kind is None or kind[1].lower().startswith(_READABLE),
        )


def _bodies(text: str) -> Iterator[Replacement]:
    for part in _parts(text):
        if part.readable and part.encoding == "base64":
            yield from _base64(text, part.begin, part.end, part.charset)
        elif part.readable:
            yield from _quoted(text, part.begin, part.end, part.charset)


def _quoted(text: str, begin: int, end: int, charset: str) -> Iterator[Replacement]:
    for found in _QUOTED.finditer(text, begin, end):
        try:
            yield from [*_characters(text, *found.span(), charset)]
        except ValueError:
            yield from _characters(text, *found.span(), "latin-1")


def _characters(text: str, begin: int, end: int, charset: str) -> Iterator[Replacement]:
    """Yield each character of a run of quoted bytes, and each line end without a meaning."""
    decoder = codecs.getincrementaldecoder(charset)()
    for found in _QUOTED_ONE.finditer(text, begin, end):
        plain = decoder.decode(bytes.fromhex(found[1])) if found[1] else ""
        if plain or not (found[1] or decoder.getstate()[0]):
            yield begin, found.end(), "" if plain in "\r\0" else plain
            begin = found.end()
    decoder.decode(b"", True)


def _words(text: str) -> Iterator[Replacement]:
    """Yield the words of headers that are encoded: `=?utf-8?Q?J=C3=B6rg?=`."""
    if "=?" not in text:
        return
    for found in _WORD.finditer(text):
        charset, way, coded = _known(found[1]), found[2].lower(), found[3]
        try:
            if way == "b":
                plain = b64decode(coded + "=" * (-len(coded) % 4)).decode(charset, "replace")
            else:
                plain = "".join(_unquoted_word(coded.replace("_", " "), charset))
        except ValueError:
            continue
        yield found.start(), found.end(), " ".join(plain.split("\n"))
        if between := _BETWEEN_WORDS.match(text, found.end()):
            yield between.start(), between.end(), ""


def _unquoted_word(coded: str, charset: str) -> Iterator[str]:
    done = 0
    for begin, end, plain in _quoted(coded, 0, len(coded), charset):
        yield coded[done:begin]
        yield plain
        done = end
    yield coded[done:]


def _cards(text: str) -> Iterator[Replacement]:
    if "QUOTED-PRINTABLE" not in text:
        return
    for found in _CARD.finditer(text):
        charset = _CHARSET.search(text, found.start(), found.start(1))
        yield from _quoted(text, *found.span(1), _known(charset[1] if charset else ""))


def _data(text: str) -> Iterator[Replacement]:
    if ";base64," not in text and "uthorization" not in text:
        return
    for found in _DATA.finditer(text):
        yield from _base64(text, *found.span(1), "utf-8")


def _base64(text: str, begin: int, end: int, charset: str) -> Iterator[Replacement]:
    """Yield groups of 4 characters, each with the characters that its bytes complete."""
    decoder = codecs.getincrementaldecoder(charset)("replace")
    judged = 0
    at = _SPACE.match(text, begin).end()  # type: ignore[union-attr]
    while (run := _RUN.match(text, at, end)) and len(run[0]) % 4 == 0:
        data = b64decode(run[0])
        groups = [decoder.decode(data[k : k + 3]) for k in range(0, len(data), 3)]
        if judged < _JUDGED:
            if not _is_text(plain := "".join(groups)):
                return
            judged += len(plain)
        for k, plain in enumerate(groups):
            yield at + 4 * k, at + 4 * k + 4, plain.replace("\r", " ").replace("\0", " ")
        following = min(_SPACE.match(text, run.end()).end(), end)  # type: ignore[union-attr]
        if _RUN.match(text, following, end):
            yield run.end(), following, ""
        at = following


def _is_text(plain: str) -> bool:
    odd = sum(not (each.isprintable() or each in "\n\t\f") or each == "\ufffd" for each in plain)
    return odd * 20 <= len(plain)


def _known(charset: str) -> str:
    """Return the charset if it can be decoded in parts, else UTF-8."""
    try:
        codecs.getincrementaldecoder(charset)
        b"x".decode(charset, "replace")
    except (LookupError, ValueError):
        return "utf-8"
    return charset if charset.lower() not in ("idna", "punycode") else "utf-8"
