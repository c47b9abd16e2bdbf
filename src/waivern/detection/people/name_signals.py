"""Names before and after marks in running text: addresses of mails, titles, greetings, credits."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.detection.expressions import expression
from waivern.detection.people.candidates import (
    DOUBTFUL,
    FAIR,
    STRONG,
    name_at,
    names_from,
    person,
)
from waivern.detection.people.names import TITLES, Form, folded, form
from waivern.detection.prepared_text import Candidate

_LINE = 200
_QUOTED = expression(r"[\"'\u201c]([^\"'\u201c\u201d\n]{3,60})[\"'\u201d]\s*\Z")
_CUT = expression(r"[:;>,=|({\[\"'\t*#\\]|--|- |\d\.? |/")
_REMARK = expression(r"[\w-]{1,60}(?:\.[\w-]{1,60}){1,6}>? ?\(([^()\n@]{3,60})\)")
_YEARS = expression(
    r"(?:[\s:,]|\([cC]\)|\u00a9|&copy;|\(C\)|\d{4}(?:\s?[-\u2013/]\s?(?:\d{2,4}|present|now))?"
    r"|by\b|@copyright\{\}){0,16}"
)
_BREAK = expression(r"[ \t]*[,.!;:]?[ \t]*\r?\n(?:[>#*|/ \t]*\r?\n){0,2}([>#*|/ \t-]{0,10})")
_FURTHER = expression(r"([^\W\d_]{1,8})\.? ")
_GREETED = expression(r"[ \t]*(?:[,:!\u2013-]|\r?\n|\Z)")


def addressed_names(text: str) -> Iterator[Candidate]:
    """Yield the names of `Jane Doe <jane@acme.io>` and `jane@acme.io (Jane Doe)`."""
    at = text.find("@")
    while at >= 0:
        opened = text.rfind("<", max(0, at - 65), at)
        if opened > 0 and " " not in text[opened:at]:
            yield from _display_name(text, opened, at)
        elif at and text[at - 1].isalnum() and (remark := _REMARK.match(text, at + 1)):
            local = text[max(0, at - 30) : at]
            if (has := form(remark.group(1))) and has.cased:
                place = _addressee(has, local)
                yield person(remark.start(1), remark.end(1), has, place, "mail-address")
        at = text.find("@", at + 1)


def _display_name(text: str, opened: int, at: int) -> Iterator[Candidate]:
    line = max(text.rfind("\n", max(0, opened - _LINE), opened) + 1, opened - _LINE, 0)
    before = text[line:opened].rstrip()
    if quoted := _QUOTED.search(before):
        begin, value = line + quoted.start(1), quoted.group(1)
    else:
        cuts = [cut.end() for cut in _CUT.finditer(before)]
        begin = line + (cuts[-1] if cuts else 0)
        value = before[begin - line :]
        begin += len(value) - len(value.lstrip())
        value = value.strip()
    found = _tail(value)
    if found is None:
        return
    skipped, has = found
    if has.cased:
        begin += skipped
        end = begin + len(value) - skipped
        yield person(begin, end, has, _addressee(has, text[opened + 1 : at]), "mail-address")


def _tail(value: str) -> tuple[int, Form] | None:
    """Return the form of the longest end of a text that is a name, and what precedes it."""
    skipped = 0
    for _ in range(6):
        found = form(value[skipped:])
        if found is not None:
            return skipped, found
        cut = value.find(" ", skipped)
        if cut < 0:
            return None
        skipped = cut + len(value[cut:]) - len(value[cut:].lstrip())
    return None


def _addressee(has: Form, local: str) -> float:
    """Return how certain a name beside an address is: its local part mostly has the name."""
    plain = folded(local)
    if any(len(word) > 2 and word[:5] in plain for word in has.words):
        return STRONG
    letters = "".join(c for c in plain if c.isalpha())
    initials = "".join(word[0] for word in has.words)
    return STRONG if len(letters) > 1 and letters in (initials, initials[::-1]) else FAIR


def copyright_names(text: str, _: int, end: int) -> Iterator[Candidate]:
    """Yield the holders of a copyright; an unknown name may be that of a company."""
    years = _YEARS.match(text, end)
    begin = years.end() if years else end
    yield from names_from(text, begin, DOUBTFUL, "copyright")


def credited_names(text: str, _: int, end: int) -> Iterator[Candidate]:
    """Yield the names after `Reviewed-by:` and `written by`."""
    trailer = text[end - 3 : end] == "-by"
    begin = end + len(text[end : end + 12]) - len(text[end : end + 12].lstrip(" :\t"))
    if begin > end:
        yield from names_from(text, begin, FAIR if trailer else DOUBTFUL, "credit")


def titled_names(text: str, _: int, end: int) -> Iterator[Candidate]:
    """Yield the name after `Mr.`, `Frau`, `Dr.`, without further titles."""
    begin = end + len(text[end : end + 2]) - len(text[end : end + 2].lstrip(" "))
    while title := _FURTHER.match(text, begin):
        if folded(title.group(1)) not in TITLES:
            break
        begin = title.end()
    found = name_at(text, begin, single=True, bounded=False)
    if found is not None and found[1].cased and begin > end - 1:
        yield person(begin, found[0], found[1], STRONG, "title")


def greeting_names(text: str, _: int, end: int) -> Iterator[Candidate]:
    """Yield the name that a letter greets, unless it is only a title's."""
    title = _FURTHER.match(text, end)
    if title is not None and folded(title.group(1)) in TITLES:
        return  # `titled_names` finds it
    found = name_at(text, end, single=True)
    if found and _GREETED.match(text, found[0]):
        several = found[1].parts > 1
        if several or found[1].known:
            yield person(end, found[0], found[1], FAIR if several else DOUBTFUL, "greeting")


def sign_off_names(text: str, _: int, end: int) -> Iterator[Candidate]:
    """Yield the name on the line below `Best regards,`."""
    broken = _BREAK.match(text, end)
    if broken is None:
        return
    begin = broken.end()
    found = name_at(text, begin, single=True)
    if found and text[found[0] : found[0] + 40].partition("\n")[0].strip(" \r\t,.") == "":
        several = found[1].parts > 1
        if several or found[1].known:
            yield person(begin, found[0], found[1], FAIR if several else DOUBTFUL, "sign-off")


def quoted_names(text: str, at: int, _: int) -> Iterator[Candidate]:
    """Yield the name before `wrote:`."""
    line = max(text.rfind("\n", max(0, at - _LINE), at) + 1, at - _LINE, 0)
    before = text[line:at].rstrip()
    cuts = [cut.end() for cut in _CUT.finditer(before)]
    begin = line + (cuts[-1] if cuts else 0)
    value = text[begin : line + len(before)]
    begin += len(value) - len(value.lstrip())
    if (found := _tail(value.strip())) and found[1].cased:
        yield person(begin + found[0], line + len(before), found[1], FAIR, "quotation")


def bracketed_names(text: str) -> Iterator[Candidate]:
    """Yield the names of a Debian changelog: `  [ Jane Doe ]`."""
    at = text.find("\n  [ ")
    while at >= 0:
        begin = at + len("\n  [ ")
        end = text.find(" ]", begin, begin + 60)
        if end > 0 and (has := form(text[begin:end])) and has.cased:
            yield person(begin, end, has, STRONG, "changelog")
        at = text.find("\n  [ ", begin)
