"""The YAML events of a text, within limits that stop every bomb before it goes off.

Only libyaml's event stream is used: it builds nothing, recurses nowhere, and each limit is checked
before the next event is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import yaml
from yaml import (
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from waivern.diagnostics import Diagnostic, Span
from waivern.yamldoc.blank_lines import untabbed
from waivern.yamldoc.characters import CharacterDisguise
from waivern.yamldoc.runbook_codes import RunbookCode

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 64
MAX_EVENTS = 3_000_000
"""Keys, values and ends of lists and mappings: a million values have at most so many."""
ENOUGH = 1_000
"""Problems after which the scan stops: a reader needs no more of them, and each costs memory."""
MAX_TAG_DIRECTIVES = 50
"""libyaml compares each with all before it."""

# the complement, written as a negated class, takes 5 ms to compile at every start
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_TAG_DIRECTIVE = re.compile("(?:^|[\r\n])\ufeff?%TAG")


class YamlStop(Exception):  # noqa: N818 - not an error of its own: it carries one
    """A problem after which nothing can be read."""

    def __init__(self, problem: Diagnostic) -> None:
        super().__init__(problem.message)
        self.problem = problem


def problem_at(code: RunbookCode, message: str, span: Span, hint: str | None = None) -> Diagnostic:
    """Return a problem at a place of the text, which has no path."""
    return Diagnostic(code, message, span=span, hint=hint)


def span(event: Any) -> Span:
    """Return where an event stands."""
    start, end = event.start_mark, event.end_mark
    return Span(start.line, start.column, start.index, end.index)


def decode(data: bytes) -> str:
    """Return the text of UTF-8 bytes, which may begin with a byte order mark. Raises Stop."""
    if len(data) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 2**20} MiB"
        raise YamlStop(problem_at(RunbookCode.LIMIT, message, Span(0, 0, 0, 0)))
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        message = "the file is UTF-16 or UTF-32, or no text at all"
        raise YamlStop(
            problem_at(RunbookCode.ENCODING, message, Span(0, 0, 0, 1), "save it as UTF-8")
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()  # the object has no byte order mark any more
        at = _span_after(before)
        message = f"the byte 0x{error.object[error.start]:02x} is not UTF-8"
        raise YamlStop(
            problem_at(RunbookCode.ENCODING, message, at, "save the file as UTF-8")
        ) from None
    if bad := _CONTROL.search(text):
        message = f"the control character U+{ord(bad[0]):04X} is not allowed"
        hint = 'remove it, or write it as an escape such as "\\x1b" in double quotes'
        raise YamlStop(
            problem_at(RunbookCode.ENCODING, message, _span_after(text[: bad.start()]), hint)
        )
    return text


def events(text: str) -> Iterator[Any]:
    """Yield the events of one YAML document. Raises Stop."""
    _refuse_many_directives(text)
    disguise = CharacterDisguise(text)
    readable = untabbed(disguise.text, _readable)
    try:
        yield from disguise.restored(_limited(_parsed(readable)))
    except yaml.MarkedYAMLError as error:
        fault = _too_deep(error, text) or _syntax_fault(error, text)
    else:
        return
    raise YamlStop(fault)


def _parsed(text: str) -> Iterator[Any]:
    return iter(yaml.CSafeLoader(text).get_event, None)


def _readable(text: str) -> Iterator[Any]:
    """Yield the events up to the first fault."""
    with suppress(YamlStop, yaml.MarkedYAMLError):
        yield from _limited(_parsed(text))


def _limited(parsed: Iterator[Any]) -> Iterator[Any]:
    depth = documents = 0
    for count, event in enumerate(parsed, 1):
        kind = type(event)
        if kind is ScalarEvent:
            pass
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            depth += 1
            if depth > MAX_DEPTH:
                raise YamlStop(
                    problem_at(
                        RunbookCode.LIMIT, f"nested deeper than {MAX_DEPTH} levels", span(event)
                    )
                )
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            depth -= 1
        elif kind is DocumentStartEvent:
            documents += 1
            if documents > 1:
                hint = "a runbook is one document: keep each in a file of its own"
                message = "a second document begins here"
                raise YamlStop(problem_at(RunbookCode.FEATURE, message, span(event), hint))
        if count > MAX_EVENTS:
            raise YamlStop(
                problem_at(
                    RunbookCode.LIMIT, f"more than {MAX_EVENTS:,} keys and values", span(event)
                )
            )
        yield event


def _too_deep(error: yaml.MarkedYAMLError, text: str) -> Diagnostic | None:
    """Return the fault of brackets that are nested too deep for libyaml's own scanner.

    The scanner reads up to 1,024 characters ahead of its events and, in newer releases, has a limit
    of its own, so that its error may come before the event that exceeds ours. The wording of that
    error changes between releases; that it stands at a bracket, with many open before, does not.
    """
    mark = error.problem_mark
    if mark is None or text[mark.index : mark.index + 1] not in ("[", "{"):
        return None
    opened = 0
    for at in range(mark.index, -1, -1):
        opened += (text[at] in "[{") - (text[at] in "]}")
        if opened > MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            return problem_at(
                RunbookCode.LIMIT, message, Span(mark.line, mark.column, mark.index, mark.index + 1)
            )
    return None


def _refuse_many_directives(text: str) -> None:
    for number, found in enumerate(_TAG_DIRECTIVE.finditer(text), 1):
        if number > MAX_TAG_DIRECTIVES:
            message = f"more than {MAX_TAG_DIRECTIVES} %TAG directives"
            raise YamlStop(
                problem_at(RunbookCode.LIMIT, message, _span_after(text[: found.end() - 4]))
            )


def _span_after(before: str) -> Span:
    line_start = max(before.rfind("\n"), before.rfind("\r")) + 1
    lines = len(re.findall("\r\n|\n|\r", before)) if line_start else 0
    return Span(lines, len(before) - line_start, len(before), len(before) + 1)


_SEPARATE = "check the indentation, and quote text that holds ': ' or ' #'"
_TAB = ("the line is indented with a tab", "indent with spaces: YAML allows no tabs there")
_PLAIN = {
    "mapping values are not allowed in this context": ("a ':' is not expected here", _SEPARATE),
    "could not find expected ':'": ("a key without its ':'", _SEPARATE),
    "did not find expected key": ("the line does not belong to what is around it", _SEPARATE),
    "did not find expected '-' indicator": (
        "the line does not belong to the list around it",
        "begin each item of a list with '- ', all at the same indentation",
    ),
    "did not find expected ',' or ']'": ("a list in [ ] is not closed", "add the ',' or ']'"),
    "did not find expected ',' or '}'": ("a mapping in { } is not closed", "add the ',' or '}'"),
    "found unexpected end of stream": ("a quote is opened and never closed", "close the quote"),
    "found character that cannot start any token": (
        "no value can begin with this character",
        "quote the text",
    ),
    "found unknown escape character": (
        "no such escape in double quotes",
        "write '\\\\' for a backslash, or use single quotes",
    ),
    "did not find expected alphabetic or numeric character": (
        "an anchor or an alias without a name",
        "quote text that begins with '&' or '*'",
    ),
    "found undefined tag handle": ("a tag has no meaning in a runbook", "remove the tag"),
    "found a tab character that violates indentation": _TAB,
    "found a tab character where an indentation space is expected": _TAB,
    "found invalid Unicode character escape code": (
        "half of a pair of escapes is no character",
        "write both halves, such as '\\ud83d\\ude00', or '\\U0001F600'",
    ),
}


def _syntax_fault(error: yaml.MarkedYAMLError, text: str) -> Diagnostic:
    problem = error.problem or "not YAML"
    message, hint = _PLAIN.get(problem, (problem, None))
    mark = error.problem_mark
    # The start of a quote that is never closed says more than the end of the file.
    if problem == "found unexpected end of stream" and error.context_mark is not None:
        mark = error.context_mark
    if mark is None:
        return problem_at(RunbookCode.SYNTAX, message, Span(0, 0, 0, 0), hint)
    start = min(mark.index, len(text))
    if problem == "exceeded maximum nesting depth":  # newer versions of libyaml have a limit, too
        span_ = Span(mark.line, mark.column, start, start + 1)
        return problem_at(RunbookCode.LIMIT, f"nested deeper than {MAX_DEPTH} levels", span_)
    if text[start : start + 1] == "\t":
        message, hint = _TAB
    return problem_at(
        RunbookCode.SYNTAX, message, Span(mark.line, mark.column, start, start + 1), hint
    )
