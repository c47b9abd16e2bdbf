"""Phone numbers: international, North American, and national ones that need a label."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from waivern.detection.identifiers.identifier import bare
from waivern.detection.numbering import CALLING_CODES
from waivern.detection.prepared_text import Candidate, PreparedText, in_word, pattern
from waivern.detection.samples import may_be_sample_phone
from waivern.detection.validators import nanp

_TYPE = "PHONE_NUMBER"
_NANP_PAREN = pattern(r"\(\d{3}\)[ .-]{0,2}\d{3}[ .-]\d{4}")
_NANP = pattern(r"\d{3}([-. ])\d{3}\1\d{4}")
_NANP_LONG = pattern(r"1([-. ])(?:\d{3}|\(\d{3}\))[-. ]\d{3}[-. ]\d{4}")
_NATIONAL = pattern(r"\(?\d{1,15}\)?(?:(?: - |[ ./-]|\) |-\()?\(?\d{1,9}\)?){0,6}")
_TRUNK_PAREN = pattern(r"\(0\d{1,5}\) ?\d{2,8}(?:[ .-]\d{2,6}){0,3}")
_DATE = pattern(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}([-/.])\d{1,2}\1(?:19|20)\d{2}(?!\d)"
    r"|(?:19|20)\d{2} ?[-/] ?(?:19|20)\d{2}(?!\d)"
)
_TRUNK = pattern(r"[ .-]?\(?0(?=[1-9])")
"""The digit that some dial within a country and write after the calling code, too."""
_DECIMAL = pattern(r"(?:0|[1-9]\d*)\.\d+")
_PLUS_DECIMAL = pattern(r"\+\d{4,}\.\d+")
_ZEROS_DECIMAL = pattern(r"00\d*\.\d+")
_FRACTION = pattern(r"\d{1,2}/\d+")
_SECONDS = pattern(r"[0-5]\d\.\d+")
_TRUNK_DIGIT = pattern(r"\(?0[1-9]")
"""The digit before an area code in many countries."""
_GROUPS = pattern(r"\d{2,4}(?:([ .-])\d{2,4})(?:\1\d{2,4}){1,3}")
_AMOUNT = pattern(r"\d{1,3}(?:\.\d{3})+")
_TRUNKED, _GROUPED, _BARE = 0.3, 0.25, 0.15
"""How certain a national number is by its form."""
_MOST = 15
_LIMITS = frozenset(
    {"2147483647", "2147483648", "4294967295", "4294967296", "0123456789", "1234567890"}
)
"""Limits of integers, and all digits in order: no number of a person."""
_ZERO = pattern(r"[ .-]?0")
_RANGE = pattern(r"(\d{4})-(\d{4})(?!\d|[ .-]\d)")


def phone_here(
    doc: PreparedText, start: int, size: int, first: bool, *, national: bool = True
) -> Iterator[Candidate]:
    """Yield the phone number that begins with the group of `size` digits at `start`.

    `first`: no number precedes it. A label applies only to the first number after it. `national`:
    a number that any country might use has a label.
    """
    before = doc.text[start - 1 : start] if start else ""
    if (size in (2, 4) and doc.in_dump(start)) or (size == 4 and _is_range(doc.text, start)):
        return
    if before == "+" or (before == "(" and doc.text[max(0, start - 2)] == "+"):
        found = _international(doc, start, start - len("+" if before == "+" else "(+"), 0)
    elif size >= 3 and doc.text.startswith("00", start) and first:
        found = _international(doc, start + 2, start, 0.25)
    elif size == 2 and doc.text.startswith("00 ", start) and first:
        found = _international(doc, start + 3, start, 0.25)
    else:
        found = _american(doc, start, size, before)
    if found is not None:
        yield found
    elif first and (national or before == "("):
        yield from _national(doc, start, before)


def outcome_key(value: str) -> Hashable | None:
    """Return what decides, with the classes of its characters, which number a whole value is.

    None: the value has to be read.
    """
    if value in _LIMITS or _DATE.search(value) or may_be_sample_phone(value):
        return None
    if value.startswith(("+", "(+", "00")):
        trunk = _TRUNK.search(value, 2, 9)
        return value[:6], trunk and trunk.start()
    return "nanp" if nanp(bare(value)[-10:].rjust(10, "0")) else value[:3]


def _is_range(text: str, start: int) -> bool:
    """Return whether it is a range of ports or years: `MOON:1024-1100`."""
    found = _RANGE.match(text, start)
    joined = start > 1 and text[start - 1] == ":" and not text[start - 2].isspace()
    return found is not None and joined and found[1] < found[2]


def _international(doc: PreparedText, at: int, begin: int, doubt: float) -> Candidate | None:
    """Read calling code and number from `at`; `begin` is where the '+' or '00' is."""
    text = doc.text
    code = next((text[at : at + n] for n in (1, 2, 3) if text[at : at + n] in CALLING_CODES), None)
    if code is None or in_word(text[begin - 1 : begin]):
        return None
    low, high = CALLING_CODES[code]
    at_number = at + len(code)
    if doubt and code != "39" and _ZERO.match(text, at_number):
        return None  # groups of four digits, as of code points: 0065 0072 0067
    end = _stretch(doc, at_number, begin, low, high)
    if end is None and (trunk := _TRUNK.match(text, at_number)):
        end = _stretch(doc, trunk.end(), begin, low, high)
    if end is None:
        return None
    if _PLUS_DECIMAL.fullmatch(text, begin, end):
        return None
    if doubt and (
        text[begin - 1 : begin] == ","
        or _ZEROS_DECIMAL.fullmatch(text, begin, end)
        or (" " in text[begin:end] and doc.in_number_rows(begin, end))
    ):
        return None  # a part of 2,001; a number of a column
    apart = not text[at:end].isdigit()
    base = (0.9 if apart else 0.65) - doubt
    return Candidate(_TYPE, begin, end, base, "phone.international", ("e164",))


def _stretch(doc: PreparedText, at: int, begin: int, low: int, high: int) -> int | None:
    """Return the end of the longest run of low to high digits; a trunk '(0)' is not counted."""
    text = doc.text
    if text.startswith("(0)", at) or text.startswith("(0)", at + 1):
        at = text.index(")", at) + 1
    count, gap, best = 0, 0, None
    while at < len(text) and count <= high:
        char = text[at]
        if "0" <= char <= "9":
            count, gap = count + 1, 0
        elif char in " .-/()" and gap < 2:
            gap += 1
        else:
            break
        at += 1
        if low <= count <= high and gap == 0 and doc.bounded(begin, at):
            best = at
    return best


def _american(doc: PreparedText, start: int, size: int, before: str) -> Candidate | None:
    text = doc.text
    if size == 3 and before == "(":
        found, begin, base = _NANP_PAREN.match(text, start - 1), start - 1, 0.7
    elif size == 3:
        found, begin, base = _NANP.match(text, start), start, 0.65
    elif size == 1 and text[start] == "1":
        found, begin, base = _NANP_LONG.match(text, start), start, 0.65
    else:
        return None
    if found is None or not doc.bounded(begin, found.end()):
        return None
    digits = "".join(c for c in found.group() if c.isdigit())[-10:]
    if not nanp(digits):
        return None
    if size == 1 and found.group(1) == " " and doc.in_number_rows(begin, found.end()):
        base = 0.1
    if size == 3 and before != "(":
        base = {"-": 0.65, ".": 0.55, " ": 0.45}[found.group(1)]
        if found.group(1) == " " and doc.in_number_rows(begin, found.end()):
            base = 0.1
    return Candidate(_TYPE, begin, found.end(), base, "phone.nanp", ("nanp",))


def _national(doc: PreparedText, start: int, before: str) -> Iterator[Candidate]:
    """Yield a form that any country might use: it needs a label."""
    text = doc.text
    begin = start - 1 if before == "(" else start
    trunk = _TRUNK_PAREN.match(text, begin) if before == "(" else None
    found = trunk or _NATIONAL.match(text, begin)
    if found is None:
        return
    end = found.end()
    while end > begin and not text[end - 1].isdigit():
        end -= 1
    value = text[begin:end]
    if value.count("(") != value.count(")"):
        begin = start
        value = text[begin:end]
    digits = sum(map(str.isdigit, value))
    if (
        value in _LIMITS
        or not 7 <= digits <= _MOST
        or _DATE.search(value)
        or not doc.bounded(begin, end)
    ):
        return
    if _DECIMAL.fullmatch(value) or _FRACTION.fullmatch(value):
        return
    if value.count("/") > 2 or (text[begin - 1 : begin] == ":" and _SECONDS.fullmatch(value)):
        return
    base = 0.55 if trunk and digits >= 9 else _of_national(value, digits)
    if base == _GROUPED and doc.in_number_rows(begin, end):
        base = _BARE
    yield Candidate(_TYPE, begin, end, base, "phone.national")


def _of_national(value: str, digits: int) -> float:
    """Return how certain a national number is without a label."""
    if _TRUNK_DIGIT.match(value):
        return _TRUNKED if not value.isdigit() else _GROUPED if digits >= 10 else _BARE
    return _GROUPED if _GROUPS.fullmatch(value) and not _AMOUNT.fullmatch(value) else _BARE
