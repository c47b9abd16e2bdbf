"""Passwords and keys that are the whole value of a field: cells of tables, values of JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from waivern.detection.expressions import expression
from waivern.detection.people.declared_columns import named_columns
from waivern.detection.prepared_text import Candidate, PreparedText
from waivern.detection.secrets.passwords import AWS_KEY, AZURE_KEY, NO_SECRET
from waivern.detection.secrets.placeholders import is_key, is_password
from waivern.detection.secrets.secret import LIKELY, random_looking

_NAME = expression(
    r"(?:(?P<before>.{0,40}?)[_\- .]|(?P<camel>.{0,40}?[a-z])(?=[A-Z])|[a-z]{1,20}(?=passw))??"
    r"(?:(?P<PASSWORD>(?i:pass(?:word|wd|phrase|code)?|pwd|passwort|kennwort|contrasena))"
    r"|(?P<AWS_SECRET_KEY>(?i:secret[_\- ]?access[_\- ]?key))"
    r"|(?P<AZURE_KEY>(?i:(?:shared[_\- ]?)?(?:account|access)[_\- ]?key))"
    r"|(?P<API_KEY>(?i:(?:secret|api|access|auth|bearer)[_\- ]?(?:key|token)|secret|token)))\d?"
)
_PARTS = ("pass", "pwd", "secret", "token", "api", "access", "accountkey")
_LONGEST = 200
_CERTAIN = 0.85
"""A little less than hashes, which may be in such a field, too."""
_SURE = {"PASSWORD": LIKELY, "API_KEY": 0.8}
"""Types whose values may be of another one that is in a form of its own."""


def find_in_fields(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the secrets in fields whose names say that they hold one."""
    if doc.field is not None:
        kind = secret_kind(doc.field)
        if kind and len(doc.text) <= _LONGEST:
            yield from secret_in(doc.text, kind, 0, len(doc.text))
        return
    if doc.columns_read or not any(map(doc.has_part, _PARTS)):
        return
    for column in named_columns(doc, secret_kind):
        kind, before = secret_kind(column.name), None
        for start, end in column.cells:
            if before is not None and doc.text.find("\n\n", before, start) >= 0:
                break  # what follows a blank line may be another table
            before = end
            if kind and end - start <= _LONGEST:
                yield from secret_in(doc.text, kind, start, end)


@lru_cache(4096)
def secret_kind(name: str) -> str | None:
    """Return the type of secret that a field with this name holds."""
    found = _NAME.fullmatch(name)
    if found is None or NO_SECRET.search(f"{found['before'] or found['camel'] or ''}_"):
        return None
    return found.lastgroup


def secret_in(text: str, kind: str, start: int, end: int) -> Iterator[Candidate]:
    """Yield the secret that [start, end) is, in a field of a kind of secrets."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    value = text[start:end]
    if kind == "PASSWORD":
        found = is_password(value)
    elif kind == "API_KEY":
        found = is_key(value)
    else:
        form: re.Pattern[str] = AWS_KEY if kind == "AWS_SECRET_KEY" else AZURE_KEY
        found = bool(form.fullmatch(value)) and random_looking(value)
        if not found and is_key(value):
            kind, found = "API_KEY", True
    if found:
        sure = _SURE.get(kind, _CERTAIN)
        yield Candidate(kind, start, end, sure, f"{kind.lower().replace('_', '-')}.field")
