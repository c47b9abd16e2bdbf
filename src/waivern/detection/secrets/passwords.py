"""Passwords and keys by their labels: assignments, URLs, connection strings, HTTP headers."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import NamedTuple

from waivern.detection.expressions import expression
from waivern.detection.prepared_text import Candidate, PreparedText, occurrences
from waivern.detection.secrets.placeholders import is_key, is_password
from waivern.detection.secrets.secret import (
    CERTAIN,
    LIKELY,
    Secret,
    form,
    prefix,
    random_looking,
)

_ANY = form(r"[^\s]{4,200}")
_ANCHORS = {
    "pass": (b"pass",),
    "pwd": (b"pwd",),
    "secret": (b"secret",),
    "token": (b"token",),
    "api": (b"apikey", b"api_key", b"api-key"),
    "access": (b"accesskey", b"access_key"),
    "accountkey": (b"accountkey",),
}
"""Parts of the names of fields that hold secrets, by a part of a word that they have."""
_NAME = expression(
    r"(?P<password>pass(?:word|wd|phrase|code)?|pwd)"
    r"|(?P<aws>secret_?access_?key)"
    r"|(?P<azure>(?:shared)?(?:account|access)key)"
    r"|(?P<key>(?:secret|api|access)[_-]?(?:key|token)|secret|token)",
    re.IGNORECASE,
)
_SHORT = frozenset({"pass", "pwd", "token", "secret"})
_INSIDE = expression(r"[a-z](?=[a-z])")
"""Within a word, the short names are the end of another one: `compass`."""
_SIGN = expression(
    r"""\d?\\?["'`]?\]?[ \t]{0,20}(?:=>|:=|=|:)(?![:=])[ \t]{0,8}"""
    r"|[ \t]{1,3}(?:is|ist|lautet|est|es|\u00e8)[ \t]{1,3}"
)
"""An assignment, or what a sentence says that it is."""
_QUOTED = expression(r"""[rbuf]?\\?(["'`])([^"'`\n\\]{4,200})\\?\1""")
_EXPRESSION = expression(r"!|\w{1,40}=|\d+:\d*:")
_BARE = expression(r"""[^\s"'`,;&<>()\[\]{}|\\$]{4,200}""")
NO_SECRET = expression(
    r"(?:next|page|continuation|cancel\w*|sync|csrf|xsrf|start\w*|resum\w*|marker|forward|backward"
    r"|client_?request|idempotenc\w*|public|lock|verification|change|reset|forgot)[_-]?\Z",
    re.IGNORECASE,
)
"""The beginnings of names whose values are no secrets: `next_token`, `csrf_token`."""
_HEAD = 24
AWS_KEY = form(r"[A-Za-z0-9/+]{40}")
AZURE_KEY = form(r"[A-Za-z0-9+/]{42,86}={1,2}")
_FORMS = {"aws": ("AWS_SECRET_KEY", AWS_KEY), "azure": ("AZURE_KEY", AZURE_KEY)}
_USERINFO = expression(r"://[^\s/@:'\"<>`|]{0,100}:([^\s/@'\"<>`|]{1,100})@(?=[\w\[])")
_CURL = expression(
    r"curl (?:[^\n]{0,300}?[ \t])?(?:-u|--user)[ =]?[\"']?[^\s:\"'$]{1,60}:([^\s\"'$]{4,100})"
)
_BASIC = expression(
    r"basic[ \t]{1,4}(?:([A-Za-z0-9+/]{8,200}={0,2})(?![\w+/=])"
    r"|(?<=authorization: basic )([^\s:\"']{1,60}:[^\s\"']{3,100}))",
    re.IGNORECASE,
)
"""Credentials in base64, or as they are once a text is decoded."""

SECRETS = (
    Secret("PASSWORD", _ANY, prefix(0)),
    Secret("API_KEY", _ANY, prefix(0)),
    Secret("AWS_SECRET_KEY", AWS_KEY, prefix(0)),
    Secret("AZURE_KEY", AZURE_KEY, prefix(0)),
    Secret("BASIC_AUTH", _ANY, prefix(0)),
)


class _Label(NamedTuple):
    """The label of a secret: the group of `_NAME` that matched, and where its value begins."""

    kind: str
    value: int


def find_passwords(doc: PreparedText) -> Iterator[Candidate]:
    """Yield what labels, URLs and headers say is secret."""
    yield from _labelled(doc)
    yield from _in_urls(doc)
    yield from _basic(doc)
    yield from _of_curl(doc)


def _labelled(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the values of fields whose names say that they are secret."""
    done = 0
    anchors = [anchor for part, every in _ANCHORS.items() if doc.has_part(part) for anchor in every]
    starts = sorted({at for anchor in anchors for at in occurrences(doc.folded, anchor)})
    for start in starts:
        if start < done:
            continue
        label = _label(doc.text, start)
        found = label and _value(doc.text, label)
        if found:
            done = found.end
            yield found


def _label(text: str, start: int) -> _Label | None:
    name = _NAME.match(text, start)
    if name is None:
        return None
    if start and _INSIDE.match(text, start - 1) and name.group().lower() in _SHORT:
        return None
    sign = _SIGN.match(text, name.end())
    if (
        sign is None
        or text[start - 1 : start] in (":", "}")
        or text[max(0, start - 3) : start] == "://"  # the user of a URL
        or NO_SECRET.search(text, max(0, start - _HEAD), start)
    ):
        return None
    return _Label(name.lastgroup or "", sign.end())


def _value(text: str, label: _Label) -> Candidate | None:
    quoted = _QUOTED.match(text, label.value)
    if quoted:
        (start, end), sure = quoted.span(2), CERTAIN
    elif bare := _BARE.match(text, label.value):
        (start, end), sure = bare.span(), LIKELY
        if text[end : end + 1] in ("(", "[", "{", "<", ">", "$") or _EXPRESSION.match(text, start):
            return None  # a call, an item, a slot, another assignment
        end -= len(bare.group()) - len(bare.group().rstrip(".:?,"))
    else:
        return None
    value = text[start:end]
    if label.kind == "password":
        return (
            _candidate("PASSWORD", start, end, sure, "assignment") if is_password(value) else None
        )
    if label.kind in _FORMS and random_looking(value):
        kind, shape = _FORMS[label.kind]
        if shape.fullmatch(value):
            return _candidate(kind, start, end, CERTAIN)
    return _candidate("API_KEY", start, end, sure, "assignment") if is_key(value) else None


def _candidate(kind: str, start: int, end: int, sure: float, rule: str = "") -> Candidate:
    name = kind.lower().replace("_", "-")
    return Candidate(kind, start, end, sure, f"{name}.{rule}" if rule else name)


def _in_urls(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the password of `scheme://user:password@host`."""
    text = doc.text
    at = text.find("://")
    while at >= 0:
        found = _USERINFO.match(text, at)
        if found and is_password(found.group(1)):
            yield _candidate("PASSWORD", *found.span(1), CERTAIN, "url")
        at = text.find("://", at + 3)


def _basic(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the credentials of HTTP basic authentication (RFC 7617): base64 of `user:password`."""
    for start in occurrences(doc.folded, b"basic ") if doc.has_part("basic") else ():
        found = _BASIC.match(doc.text, start)
        if found and (found[2] or _is_credentials(found[1])):
            yield _candidate("BASIC_AUTH", *found.span(found.lastindex or 1), CERTAIN)


def _of_curl(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the password of `curl -u user:password`."""
    for start in occurrences(doc.folded, b"curl ") if doc.has_part("curl") else ():
        found = _CURL.match(doc.text, start)
        if found and is_password(found[1]):
            yield _candidate("PASSWORD", *found.span(1), CERTAIN, "curl")


def _is_credentials(value: str) -> bool:
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return False
    return bool(colon and password) and user.isprintable() and password.isprintable()
