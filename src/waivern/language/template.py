"""What is written for something else in a text value.

`${VAR}` and `${VAR:-default}` are environment variables; a default is used where the variable is
not set or empty, as in a shell. `${params.NAME}` is a parameter of the runbook, `${each}` the item
that an artifact is made for, `${each.KEY}` the value of one of its keys. `$${` stands for a
literal `${`, and `${$}` for a `$` where it would otherwise be read together with what follows.

`bind` puts parameters and items in place when a plan is made. `expand` does the rest where the
work runs, secret parameters included, so that no secret lies in a plan. What was put in is never
looked through again, and no message here holds the value of a variable, a parameter or an item.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from waivern.diagnostics import Diagnostic, InvalidError, did_you_mean, shown
from waivern.message import Json
from waivern.yamldoc.runbook_codes import RunbookCode

Path = tuple[str | int, ...]
Fault = tuple[RunbookCode, str, str]
"""Code, message, hint."""


class _Mark(Enum):
    LATER = "later"
    ABSENT = "absent"


LATER: Final = _Mark.LATER
"""In a scope: the name is known and its value is not, so that its reference stays for later."""
_ABSENT: Final = _Mark.ABSENT


class Deferred(str):
    """In a scope: a text whose own references are replaced where the work runs.

    It stands for a value that no plan may hold: that of a secret, or of a variable.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Deferred({str(self)!r})"


PARAMS: Final = "params"
NAME: Final = r"[A-Za-z_][A-Za-z0-9_-]*"
"""What a parameter may be called."""

_DEFAULT = r"(?:[^}$]|\$(?!\{))*"
_USE = re.compile(
    r"(?P<literal>\$\$\{)"
    r"|(?P<dollar>\$\{\$\})"
    rf"|\$\{{(?P<reference>params\.{NAME}|each(?:\.[A-Za-z0-9_-]+)?)(?P<otherwise>:-{_DEFAULT})?\}}"
    rf"|\$\{{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>{_DEFAULT}))?\}}"
    r"|(?P<malformed>\$\{)",
    re.ASCII,
)
_FORMS = "write ${NAME}, ${NAME:-default} or ${params.NAME}; $${ stands for a literal ${"
_NOTHING: Mapping[str, Json] = MappingProxyType({})


def deferred(text: str) -> Deferred:
    """Return a text that can be put into any other, whatever comes after it there."""
    bare = text.rstrip("$")
    return Deferred(bare + "${$}" * (len(text) - len(bare)))


def bind(value: Json, scope: Mapping[str, Json]) -> Json:
    """Return `value` with the references that `scope` knows replaced, at any depth, never in keys.

    `scope` holds under "params" the parameters by name, and under "each" the item; without one of
    the two, its references stay as they are. A text that is nothing but one reference becomes the
    value itself; within a longer text, text is put in as it is and any other scalar as JSON. The
    result is still to be expanded. Raises InvalidError, without positions, for a name that the
    scope does not know, for a list or an object within a longer text, and for a malformed use.
    """
    found: list[Fault] = []

    def bound(text: str) -> Json:
        uses = list(_USE.finditer(text))
        if not any(use["reference"] for use in uses):
            return text
        told = _told(_bind_fault(use, scope) for use in uses)
        found.extend(told)
        return text if told else _bound(text, uses, scope)

    result = _mapped(value, bound)
    _refuse(found)
    return result


def expand(value: Json, environ: Mapping[str, str]) -> Json:
    """Return `value` with the variables in its texts replaced, at any depth, never in keys.

    `environ` holds a secret parameter under the key "params.NAME". Raises InvalidError, without
    positions, if a variable is not set, a reference was not bound or a `${` is malformed.
    """
    found: list[Fault] = []

    def expanded(text: str) -> str:
        if told := _told(_fault(use, environ, _NOTHING) for use in _USE.finditer(text)):
            found.extend(told)
            return text
        return _USE.sub(lambda use: _result(use, environ), text)

    result = _mapped(value, expanded)
    _refuse(found)
    return result


def names(value: Json) -> dict[str, bool]:
    """Return the variables used in `value`, and whether every use of each has a default.

    A parameter that is not bound, as a secret one never is, is named "params.NAME".
    """
    found: dict[str, bool] = {}
    for _, text in _texts(value, ()):
        for use in _USE.finditer(text):
            reference = use["reference"] or ""
            if name := use["name"] or (reference if reference.startswith(PARAMS) else None):
                found[name] = found.get(name, True) and use["default"] is not None
    return found


def references(text: str) -> list[str]:
    """Return the parameters and items that a text refers to, as "params.NAME" or "each"."""
    uses = _USE.finditer(text) if "${" in text else ()
    return [use["reference"] for use in uses if use["reference"]]


def faults(
    value: Json, environ: Mapping[str, str], scope: Mapping[str, Json] = _NOTHING
) -> Iterator[tuple[Path, RunbookCode, str, str]]:
    """Yield (path within `value`, code, message, hint) for all that would be refused.

    That is what `bind` with `scope`, and `expand` with `environ` after it, would refuse. A scope
    may hold LATER for a parameter or the item whose value is not known yet.
    """
    for path, text in _texts(value, ()):
        for fault in _told(_fault(use, environ, scope) for use in _USE.finditer(text)):
            yield path, *fault


def unbound(value: Json, scope: Mapping[str, Json]) -> Iterator[tuple[Path, RunbookCode, str, str]]:
    """Yield (path within `value`, code, message, hint) for all that `bind` would refuse."""
    for path, text in _texts(value, ()):
        for fault in _told(_bind_fault(use, scope) for use in _USE.finditer(text)):
            yield path, *fault


def _texts(value: Json, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if "${" in value:
            yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _mapped(value: Json, change: Callable[[str], Json]) -> Json:
    """Return a copy of `value` with every text that may hold a use changed."""
    if isinstance(value, str):
        return change(value) if "${" in value else value
    # The exact types first: asking whether something is a Mapping costs more than all the rest.
    kind = type(value)
    if kind is int or kind is float or kind is bool or value is None:
        return value
    if kind is dict or (kind is not list and isinstance(value, Mapping)):
        return {key: _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, change) for item in value]
    return value


def _told(found: Iterable[Fault | None]) -> list[Fault]:
    return list(dict.fromkeys(fault for fault in found if fault))


def _refuse(found: list[Fault]) -> None:
    if found:
        raise InvalidError([Diagnostic(code, message, hint=hint) for code, message, hint in found])


def _fault(
    use: re.Match[str], environ: Mapping[str, str], scope: Mapping[str, Json]
) -> Fault | None:
    if fault := _bind_fault(use, scope):
        return fault
    name, reference = use["name"], use["reference"]
    if name and use["default"] is None and name not in environ:
        message = f"environment variable {name!r} is not set"
        return RunbookCode.VARIABLE_UNSET, message, f"set it, or write ${{{name}:-default}}"
    if reference and _look(reference, scope) is _ABSENT:
        # only parameters: a variable of the environment may be called 'each'
        given = reference.startswith(PARAMS) and reference in environ
        return None if given else _unknown(reference, scope)
    return None


def _bind_fault(use: re.Match[str], scope: Mapping[str, Json]) -> Fault | None:
    if use["malformed"]:
        return RunbookCode.VARIABLE_SYNTAX, "'${' does not begin a variable", _FORMS
    reference = use["reference"]
    if not reference:
        return None
    if use["otherwise"] is not None:
        message = f"'${{{reference}}}' takes no default here"
        return RunbookCode.VARIABLE_SYNTAX, message, "a parameter has its default under 'params'"
    value = _look(reference, scope)
    if value is _ABSENT:
        return _unknown(reference, scope) if reference.partition(".")[0] in scope else None
    if isinstance(value, Mapping | list | tuple) and use[0] != use.string:
        kind = "an object" if isinstance(value, Mapping) else "a list"
        message = f"'${{{reference}}}' is {kind}, which cannot stand within a longer text"
        return RunbookCode.VALUE, message, f"let '${{{reference}}}' be the whole value"
    return None


def _look(reference: str, scope: Mapping[str, Json]) -> Json:
    head, dot, name = reference.partition(".")
    value = scope.get(head, _ABSENT)
    if dot and isinstance(value, Mapping):
        return value.get(name, _ABSENT)
    return _ABSENT if dot and value is not LATER else value


def _unknown(reference: str, scope: Mapping[str, Json]) -> Fault:
    head, _, name = reference.partition(".")
    around = scope.get(head)
    known = list(around) if isinstance(around, Mapping) else []
    if head == PARAMS:
        message, otherwise = f"there is no parameter {name!r}", "declare it under 'params'"
    elif head in scope:
        message = f"the item has no {name!r}"
        otherwise = f"it has: {', '.join(map(shown, known[:20]))}" if known else "write ${each}"
    else:
        message = f"'${{{reference}}}' has no meaning here"
        otherwise = "it is the item of an artifact with 'for_each'"
    return RunbookCode.VARIABLE_UNSET, message, did_you_mean(name, known) or otherwise


def _bound(text: str, uses: list[re.Match[str]], scope: Mapping[str, Json]) -> Json:
    """Return `text` with its references replaced; all else means after `expand` what it meant."""
    done = plain = ""  # what is finished, and the text as meant since the last use that stays
    end = 0
    for use in uses:
        plain += text[end : use.start()]
        end = use.end()
        value = _look(use["reference"], scope) if use["reference"] else _ABSENT
        if use["literal"] or use["dollar"]:
            plain += "${" if use["literal"] else "$"
        elif value is _ABSENT or value is LATER:
            done += _written(plain, before_use=True) + use[0]
            plain = ""
        elif isinstance(value, Deferred):
            done += _written(plain, before_use=True) + value
            plain = ""
        elif use[0] == text:
            return _mapped(value, _written)  # as `expand` leaves it
        else:
            plain += value if isinstance(value, str) else json.dumps(value)
    return done + _written(plain + text[end:])


def _written(plain: str, *, before_use: bool = False) -> str:
    """Return what `expand` turns into `plain`."""
    bare = plain.rstrip("$") if before_use else plain
    return bare.replace("${", "$${") + "${$}" * (len(plain) - len(bare))


def _result(use: re.Match[str], environ: Mapping[str, str]) -> str:
    if use["literal"] or use["dollar"]:
        return "${" if use["literal"] else "$"
    default: str | None = use["default"]
    if default is None:
        return environ[use["name"] or use["reference"]]
    return environ.get(use["name"]) or default
