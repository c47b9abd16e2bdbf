"""`${VAR}` and `${VAR:-default}` in text values; `$${` stands for a literal `${`.

A default is used where the variable is not set or empty, as in a shell. What comes out stays text,
and is never looked through again. No message here holds a variable's value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from waivern.message import Json
from waivern.problems import InvalidError, Problem
from waivern.runbook.codes import Code

Path = tuple[str | int, ...]

_USE = re.compile(
    r"(?P<literal>\$\$\{)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:[^}$]|\$(?!\{))*))?\}"
    r"|(?P<malformed>\$\{)",
    re.ASCII,
)
_FORMS = "write ${NAME} or ${NAME:-default}; $${ stands for a literal ${"


def expand(value: Json, environ: Mapping[str, str]) -> Json:
    """Return `value` with the variables in its texts replaced, at any depth, never in keys.

    Raises InvalidError, without positions, if a variable is not set or a `${` is malformed.
    """
    found = [Problem(code, message, hint=hint) for _, code, message, hint in faults(value, environ)]
    if found:
        raise InvalidError(found)
    return _replaced(value, environ)


def names(value: Json) -> dict[str, bool]:
    """Return the variables used in `value`, and whether every use of each has a default."""
    found: dict[str, bool] = {}
    for _, text in _texts(value, ()):
        for use in _USE.finditer(text):
            if name := use["name"]:
                found[name] = found.get(name, True) and use["default"] is not None
    return found


def faults(value: Json, environ: Mapping[str, str]) -> Iterator[tuple[Path, Code, str, str]]:
    """Yield (path within `value`, code, message, hint) for all that `expand` would refuse."""
    for path, text in _texts(value, ()):
        told = set()
        for use in _USE.finditer(text):
            name = use["name"]
            if use["malformed"]:
                yield path, Code.VARIABLE_SYNTAX, "'${' does not begin a variable", _FORMS
            elif name and use["default"] is None and name not in environ and name not in told:
                told.add(name)
                message = f"environment variable {name!r} is not set"
                yield path, Code.VARIABLE_UNSET, message, f"set it, or write ${{{name}:-default}}"


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


def _replaced(value: Json, environ: Mapping[str, str]) -> Json:
    if isinstance(value, str):
        return _USE.sub(lambda use: _result(use, environ), value) if "${" in value else value
    if isinstance(value, Mapping):
        return {key: _replaced(item, environ) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(item, environ) for item in value]
    return value


def _result(use: re.Match[str], environ: Mapping[str, str]) -> str:
    if use["literal"]:
        return "${"
    default: str | None = use["default"]
    if default is None:
        return environ[use["name"]]
    return environ.get(use["name"]) or default
