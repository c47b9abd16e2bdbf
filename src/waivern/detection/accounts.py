"""Account numbers with check digits: IBAN and wallet addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from waivern.detection.expressions import expression
from waivern.detection.prepared_text import Candidate, PreparedText, in_word
from waivern.detection.validators import base58_address, bech32_address, iban, iban_length

_SHORTEST_ADDRESS = 26
_LONGEST_ADDRESS = 90
_HEX40 = expression(r"0x[0-9A-Fa-f]{40}", re.ASCII)
_WORD = expression(rb"w{1,100}")


def ibans(doc: PreparedText) -> Iterator[Candidate]:
    """Yield IBANs, written together or in groups, in capitals or all in small letters."""
    text = doc.text
    for start in doc.numeral_places(b"AA00"):
        yield from iban_here(text, start)


def iban_here(text: str, start: int) -> Iterator[Candidate]:
    """Yield the IBAN that begins at a place."""
    if start and (in_word(text[start - 1]) or text[start - 1] == "_"):
        return
    length = iban_length(text[start : start + 2].upper())
    if length is None:
        return
    end, value = _take(text, start, length)
    if len(value) < length or (end < len(text) and (in_word(text[end]) or text[end] == "_")):
        return
    if value != value.upper() and value != value.lower():
        return
    if iban(value.upper()):
        yield Candidate("IBAN_CODE", start, end, 0.95, "iban", ("country", "length", "mod97"))


def _take(text: str, start: int, length: int) -> tuple[int, str]:
    """Read `length` letters and digits, each pair at most one space or hyphen apart."""
    together = text[start : start + length]
    if together.isalnum() and together.isascii():
        return start + len(together), together
    taken: list[str] = []
    at = start
    while len(taken) < length and at < len(text):
        char = text[at]
        if char.isalnum() and char.isascii():
            taken.append(char)
        elif char not in " -" or text[at - 1] in " -":
            break
        at += 1
    return at, "".join(taken)


def wallets(doc: PreparedText) -> Iterator[Candidate]:
    """Yield Bitcoin addresses by their checksum, and 0x… of forty hexadecimal digits."""
    if doc.longest_run < _SHORTEST_ADDRESS:
        return
    text, tokens = doc.text, doc.tokens
    shortest = b"w" * _SHORTEST_ADDRESS
    start = tokens.find(shortest)
    while start >= 0:
        end = start + _SHORTEST_ADDRESS
        while word := _WORD.match(tokens, end):
            end = word.end()
        if end - start <= _LONGEST_ADDRESS and text[start - 1 : start] != "_":
            found = _wallet(text, start, end)
            if found:
                yield found
        start = tokens.find(shortest, end)


def _wallet(text: str, start: int, end: int) -> Candidate | None:
    value = text[start:end]
    if value[0] in "13" and len(value) <= 35:
        if base58_address(value):
            return Candidate("CRYPTO", start, end, 0.95, "bitcoin.base58", ("base58check",))
    elif value[:3].lower() == "bc1":
        if bech32_address(value):
            return Candidate("CRYPTO", start, end, 0.95, "bitcoin.bech32", ("bech32",))
    elif _HEX40.fullmatch(value):
        return Candidate("CRYPTO", start, end, 0.3, "ethereum")
    return None
