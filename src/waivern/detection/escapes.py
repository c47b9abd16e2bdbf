"""Escapes of single characters: entities, backslashes, percent signs, forms of Unicode.

Each function yields (begin, end, plain) for the escapes of one kind, in order. Line ends and tabs
become spaces, so that lines and columns stay what they are; other control characters are left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from waivern.detection.expressions import expression

_ENTITY = expression(
    r"&(?:#(?:(\d{1,7})|[xX]([0-9a-fA-F]{1,6}));?|([A-Za-z][A-Za-z0-9]{1,31});)", re.ASCII
)
_CHARACTER = (
    r"\\(?:u(?:([0-9a-fA-F]{4})|\{([0-9a-fA-F]{1,6})\})|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8}))"
)
_SIGN_OF_BACKSLASH = expression(
    r'\\(?:u[0-9a-fA-F{]|x[0-9a-fA-F]|U00|"(?:[ \t]{0,4}:|(?<=[{\[,]\\")))'
)
"""An escaped character, or a key of JSON in a text of JSON or of a program."""
_BACKSLASH = expression(rf'{_CHARACTER}|\\(["\\/])')
_SIGN_OF_PERCENT = expression(r"%(?:40|2[0-9A-Fa-f]|3[ADad]|[C-F][0-9A-F]%|[c-f][0-9a-f]%)")
_PERCENT = expression(r"(?:%[0-9A-Fa-f]{2}){1,64}|(?<=\d)\+(?=\d)", re.ASCII)
_ENCODED_PHONE = expression(r"%2[Bb]\d[\d+]{0,20}\Z", re.ASCII)
_INVISIBLE = expression(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]{1,64}"
)
# In UTF-8, each begins with a byte that few texts have: that is several times as fast.
_ODD = tuple(
    re.compile(odd)
    for odd in (
        b"\xc2\xad",
        b"\xd8\x9c",
        b"\xe1\xa0\x8e",
        b"\xe2(?:\x80[\x82-\x86\x88\x8a-\x8f\xaa-\xae]|\x81[\x9f-\xa9])",
        b"\xe3\x80\x80",
        b"\xef(?:\xbc[\x81-\xbf]|\xbd[\x80-\x9e]|\xbb\xbf|\xb9[\x95\xa3\xab])",
    )
)
"""Signs of what is invisible, has full width or is a typographic space."""
_FOLDED = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_FOLDED |= dict.fromkeys((*range(0x2002, 0x2007), 0x2008, 0x200A, 0x205F), 0x20)
_FOLDED |= {
    0x3000: 0x20, 0xFE55: 0x3A, 0xFE63: 0x2D, 0xFE6B: 0x40,
}  # fmt: skip
_SPACES = "\t\n\r\f\v"


def entities(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the character references of HTML and XML."""
    if "&" not in text:
        return
    for found in _ENTITY.finditer(text):
        decimal, hexadecimal, name = found.groups()
        if name:
            plain = _named().get(name)
        else:
            plain = _character(int(decimal) if decimal else int(hexadecimal, 16), old="cp1252")
        if plain is not None:
            yield found.start(), found.end(), plain


def backslashes(text: str) -> Iterator[tuple[int, int, str]]:
    r"""Yield `\u0040`, `\x40` and, in a text with such or with JSON in it, `\"`, `\\` and `\/`."""
    if "\\" not in text or not _SIGN_OF_BACKSLASH.search(text):
        return
    high: tuple[int, int] | None = None
    for found in _BACKSLASH.finditer(text):
        four, braced, two, eight, itself = found.groups()
        if itself:
            yield found.start(), found.end(), itself
            continue
        code = int(four or braced or two or eight, 16)
        if high and high[0] == found.start() and 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((high[1] - 0xD800) << 10) + code - 0xDC00
            yield high[0] - 6, found.end(), chr(code)
            high = None
            continue
        high = (found.end(), code) if four and 0xD800 <= code < 0xDC00 else None
        plain = None if two and code > 0x7E else _character(code)
        if plain is not None:
            yield found.start(), found.end(), plain


def percents(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the percent-encoding of URLs and forms; `+` is a space in a phone number there."""
    if "%" not in text or not _SIGN_OF_PERCENT.search(text):
        return
    for found in _PERCENT.finditer(text):
        begin = found.start()
        if found.group() == "+":
            if _ENCODED_PHONE.search(text, max(0, begin - 24), begin):
                yield begin, begin + 1, " "
            continue
        try:
            plain = bytes.fromhex(found.group().replace("%", "")).decode()
        except ValueError:
            continue
        for each in plain:
            end = begin + 3 * len(each.encode())
            if (character := _character(ord(each))) is not None:
                yield begin, end, character
            begin = end


def has_odd_characters(text: str) -> bool:
    """Return whether a text may have characters that are invisible or have full width."""
    if text.isascii():
        return False
    data = text.encode("utf-8", "replace")
    return any(odd.search(data) for odd in _ODD)


def invisible(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield soft hyphens, and characters that have no width."""
    for found in _INVISIBLE.finditer(text):
        yield found.start(), found.end(), ""


def folded(text: str) -> str:
    """Return the text with plain letters, digits and signs in place of full-width ones."""
    return text.translate(_FOLDED)


@cache
def _named() -> dict[str, str]:
    """Return the named entities that are not control characters."""
    from html.entities import html5  # 2,231 of them, which few texts need

    return {
        name[:-1]: " " if plain in _SPACES else plain
        for name, plain in html5.items()
        if name.endswith(";") and len(plain) == 1
    }


def _character(code: int, *, old: str = "latin-1") -> str | None:
    """Return the character with a code, a space for a line end or a tab; None for other controls.

    `old` is the encoding of the codes 128 to 159, which are control characters.
    """
    if code < 0x20:
        return " " if chr(code) in _SPACES else None
    if 0x80 <= code < 0xA0:
        plain = bytes([code]).decode(old, "replace")
        return plain if plain.isprintable() else None
    if code == 0x7F or 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        return None
    return chr(code)
