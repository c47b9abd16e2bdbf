"""The uses of a name in a text: as a field of data, as one of code, or as a word."""

from __future__ import annotations

import re

from waivern.detection.expressions import expression
from waivern.detection.field_terms import NamedField
from waivern.detection.ruleset import Ruleset
from waivern.detection.word_splitting import words

_CONTROL = expression(
    r"\b(?:if|elif|while|not|and|or|in|for|return|is|lambda|case|with|except)\s{1,4}\Z"
)
_ENUMERATED = expression(r"\(?\s?\d{1,3}\s?(?:<<|[,;)}\n])|range\(")
_ONE_LETTER = expression(r"([\"'])\w\1")
_OF_MODEL = expression(r"Model\(\s{0,40}name=\Z")
"""The value of a member of an enumeration: a small number, a bit, one letter."""
_LITERAL = expression(
    r"[uUrRbB]?[\"'`]|[\d\[{+-]|(?:null|None|nil|true|false|True|False)\b"
    r"|[A-Za-z_][\w.]{0,60}(?:\[\])?;"
)
"""A value, or the type of a field that is declared."""
_TYPED = expression(
    r"[ \t]{0,8}[A-Za-z_][\w.\[\]|]{0,80}(?:[ \t]=[ \t]|=(?:None|True|False)|,[ \t]{0,8}(?:\n|\Z))"
)
"""The type of a parameter: `address: Address = None,`."""
_SIGN = expression(r"\]?[ \t]{0,3}(?:=>|:=|:(?![:=])|=(?![=~>]))")
_INPUT = expression(r"\bname=\Z")
_COLUMN = expression(
    r"[ \t]{1,20}(?:(?:var|n|nvar|national )?char|text|int|integer|bigint|smallint|date|datetime|"
    r"timestamp|bool|boolean|numeric|decimal|json|jsonb|uuid|blob|real|float|double|string|"
    r"varchar2|clob|inet)\b",
    re.IGNORECASE,
)
_TABLE = expression(r"\bcreate\s{1,4}(?:\w+\s{1,4}){0,3}table\b[^;]*[(,]\s*\Z", re.IGNORECASE)
_PARAMETERS = expression(
    r"\b(?:def|function|func|fn|fun|public|private|protected|internal|static|override|void)\b"
    r"[^(){};=\n]{0,120}\([^(){};]*\Z"
)
_NEXT_PARAMETER = expression(r"[ \t]{0,3}[,)]")
_BEFORE_PARAMETER = frozenset(" \t\n(,*&$:")
_OPENED = expression(r"(?:\A|[\s>])</?(?:[A-Za-z_][\w.-]{0,40}:)?\Z")
_TAG_END = expression(r"[\s/>]")
_LOOK_BACK = 1_000
"""Characters before a column in which its statement begins."""
_HEAD = 120
"""Characters before a parameter in which its function begins."""
_QUOTES = ("'", '"', "`")
_BEGINS = expression(
    r"(?:\A|[{(,\[;|<>&.*#~\-+]|//|\b(?:let|var|val|const|final|public|private|protected|readonly|static"
    r"|internal|override|mut|pub))[ \t]*\Z"
)
"""What precedes a name that a ':' follows, if it is not the last word of a clause."""
_ITEM = expression(r"[\w)\]]\[\Z")
_TYPE = expression(r"(?:[A-Z][a-z]+){2,}")
_CLASS = expression(r"(?:[A-Z][a-z]+){2,}[ \t]{0,3}=[ \t]{0,3}[a-z_.]{1,40}\(")
"""The name of a class that a call returns: `ShippingAddress = get_model(…)`."""
_NUMBERS = expression(r"\[\s*-?\d")
_VARIABLE = expression(r"\$[a-z]+-[a-z]")
"""A variable of a style sheet."""
_FLAG = expression(r"['\"]?(?:yes|no|true|false|on|off|![01])\b", re.IGNORECASE)
_TEXT = expression(r"(['\"`])([^'\"`\n]{2,40})\1")
_CLOSED = expression(r"\}\s{0,40},?\s{0,40}\Z")
_SCHEMA = expression(
    r"\s{0,40}[\"']?(?:\$ref|format|description|required|label|default|nullable|example|validat\w*|"
    r"max\w*|min\w*|\w{0,20}type)[\"']?\s?[:=]",
    re.IGNORECASE,
)
"""What begins the declaration of a field: `"email": {"type": "string"}`."""
_CALLABLE = expression(
    r"(?:async\s{1,4})?(?:function\b|\([\w, ]{0,60}\)\s{0,3}=>|\w{1,40}\s{0,3}=>)|lambda\b"
)
_METHOD_PART = expression(r"[ \t]{0,3}(?:&\w|\(\w{1,40}[ \t]?\*{0,2}\))")
"""What follows a part of the name of a method in Objective-C: `login: (NSString *) name`."""
_CAPTION = expression(r"([\"'])([^\W\d_][^\"'@\d\n]{2,60})\1(?=\s{0,3}(?:[,;}\]]|\Z))")
_REACHES = frozenset({"email", "mail", "phone", "telephone", "mobile", "fax", "telefon"})
"""Words of the names of fields whose values have an '@' or digits."""
_SPECIAL = frozenset({"health", "demographic", "children", "criminal", "trade_union", "family"})
"""Categories of fields whose value may be a yes or a no."""


def use_of(
    text: str, at: int, end: int, named: NamedField, rules: Ruleset, *, xml: bool
) -> bool | None:
    """Return True for a field of data at [at, end), False for one of code, None for no field."""
    before, after = text[at - 1 : at] if at else "", text[end : end + 1]
    if _in_name(before) or before == "$" or _in_name(after):
        return None
    if xml and _is_element(text, at, end):
        return True
    quoted = before in _QUOTES and before == after
    start, end = at - quoted, end + quoted
    found = _use(text, start, end, quoted)
    if found is not None and (sign := _SIGN.match(text, end)):
        value = sign.end()
        if _is_word(text, value, named, rules) or _is_entry(text, start, value):
            return None
        if sign.group().endswith("="):
            return None if _is_member(text, value, named) else found
        if quoted and found and "-" in named.name and _is_of_program(text, value, named, rules):
            return False  # headers = {"User-Agent": self.name}: that of the program
    return found


def _in_name(char: str) -> bool:
    return char.isalnum() or char in ("_", "-")


def _use(text: str, start: int, end: int, quoted: bool) -> bool | None:
    """Return True for a field of data at [start, end), False for one of code, None for none."""
    line = text[max(text.rfind("\n", max(0, start - 80), start) + 1, start - 30, 0) : start]
    sign = _SIGN.match(text, end)
    if sign is None:
        if (around := _listed(text, start, end)) is not None:
            return around
        if quoted and _INPUT.search(line):
            return not _OF_MODEL.search(text, max(0, start - 60), start) or None
        if quoted and _ITEM.search(line) and text[end : end + 1] == "]":
            return False
        return True if not line.strip() and _COLUMN.match(text, end) else None
    if text[start] == "`" and quoted and text[start + 1 : end - 1].isupper():
        return None  # of a list of values in a comment: `EMAIL`: it is sent by mail
    if not quoted and text[end : end + 1] == "]" and _TYPE.fullmatch(text, start, end):
        return None  # queue: list[OutgoingEmail] = []
    if _CONTROL.search(line) or "?" in line:
        return None  # if email: … or a ? b : c
    if not sign.group().endswith(":"):
        return None if not quoted and _CLASS.match(text, start) else False
    if not quoted and (not _BEGINS.search(line) or _is_prompt(text, start, sign.end())):
        return None  # the last word of a clause
    return quoted or not (
        line.strip(" -") or _TYPED.match(text, sign.end()) or _METHOD_PART.match(text, sign.end())
    )


def _is_member(text: str, value: int, named: NamedField) -> bool:
    """Return whether the name is a member of an enumeration: `PHONE = 1 << 2`, `Iban = "iban"`."""
    if not named.name[:1].isupper() or "-" in named.name:
        return False
    at = _after_spaces(text, value)
    shown = _TEXT.match(text, at)
    if shown is not None and words(shown.group(2)) == words(named.name):
        return True
    if _ONE_LETTER.match(text, at):
        return True
    return named.name.isupper() and _ENUMERATED.match(text, at) is not None


def _is_of_program(text: str, value: int, named: NamedField, rules: Ruleset) -> bool:
    """Return whether code computes an identifier of itself, for the head of a request."""
    term = named.term
    if term.category != "online_identifier" or term.term not in rules.ambiguous:
        return False
    return _LITERAL.match(text, _after_spaces(text, value)) is None


def _after_spaces(text: str, at: int) -> int:
    near = text[at : at + 40]
    return at + len(near) - len(near.lstrip(" \t"))


def _is_prompt(text: str, start: int, value: int) -> bool:
    """Return whether it is the text of a literal: `"Password: "`."""
    quote = text[start - 1 : start]
    return quote in _QUOTES and text[value : value + 2].lstrip(" ").startswith(quote)


def _is_word(text: str, value: int, named: NamedField, rules: Ruleset) -> bool:
    """Return whether the value says that no data are meant: a flag, a label of the field."""
    at = _after_spaces(text, value)
    if _VARIABLE.match(text, at) or _NUMBERS.match(text, at) or _CALLABLE.match(text, at):
        return True
    if _FLAG.match(text, at) and named.term.category not in _SPECIAL:
        return True
    if _is_caption(text, at, named):
        return True
    shown = _TEXT.match(text, at)
    if shown is None:
        return False
    label = words(shown.group(2))
    if named.name.isupper() and label == words(named.name):
        return True  # a constant for the word: EMAIL = "email"
    meant = rules.fields.get(" ".join(label))
    same = meant is not None and meant.category == named.term.category
    return same and shown.group(2)[:1].isupper()  # in a catalogue: "password": "Passwort"


def _is_caption(text: str, at: int, named: NamedField) -> bool:
    """Return whether the value names the field in some language: `"email": "Netfang"`."""
    shown = _CAPTION.match(text, at)
    if shown is None or _REACHES.isdisjoint(named.term.term.split()):
        return False
    return shown.group(2)[0].isupper() or not shown.group(2).isascii()


def _is_entry(text: str, start: int, value: int) -> bool:
    """Return whether it is one of many entries with contents of their own, as in a catalogue.

    A record has fields between the objects in it; and the declaration of a field says its type.
    """
    after = text[value : value + 60].lstrip(" \t")
    if after.startswith("{"):
        return bool(_CLOSED.search(text, max(0, start - 60), start)) and not _SCHEMA.match(after, 1)
    if after[:1] != "\n" or after[1:].lstrip(" ").startswith("-"):
        return False
    begin = text.rfind("\n", max(0, start - 80), start) + 1
    above = text[max(0, begin - 200) : begin].rstrip("\n").rpartition("\n")[2]
    margin = _margin(text[begin : start + 1])
    below = after[1:]
    return margin < min(_margin(above), _margin(below)) and not _SCHEMA.match(below)


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip(" ")) if line.strip() else 0


def _listed(text: str, start: int, end: int) -> bool | None:
    """Return True for a column of a CREATE TABLE on one line, False for a parameter of a function.

    None: it is neither.
    """
    if _COLUMN.match(text, end) and _TABLE.search(text, max(0, start - _LOOK_BACK), start):
        return True
    head = text[max(0, start - _HEAD) : start]
    if head[-1:] not in _BEFORE_PARAMETER:
        return None  # in a comment: (by account number/IBAN)
    if _NEXT_PARAMETER.match(text, end) and _PARAMETERS.search(head):
        return False
    is_typed = _COLUMN.match(text, end) and head.rstrip().endswith(("(", ","))
    return False if is_typed and _PARAMETERS.search(head) else None


def _is_element(text: str, start: int, end: int) -> bool:
    """Return whether the name is that of an element of an XML document."""
    opened = _OPENED.search(text, max(0, start - 50), start)
    return opened is not None and _TAG_END.match(text, end) is not None
