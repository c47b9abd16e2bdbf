"""Templates: texts in which `${...}` is replaced by a value.

`${VAR}` and `${VAR:-default}` are environment variables; a default is used where the variable is
not set or empty, as in a shell. `${params.NAME}` is a parameter of the runbook, `${each}` the item
that an artifact is produced for, `${each.KEY}` the value of one of its keys. `$${` is a literal
`${`, and `${$}` a `$` where it would otherwise be read together with what follows.

    text ── parse ──> Template: stretches of plain text, and uses
                        ├─ bind    puts in parameters and items, when a plan is made
                        └─ expand  puts in variables and secrets, where the work runs

Only `expand` knows secrets, so that no plan holds one. What was put in is never parsed again, and
no message here holds the value of a variable, a parameter or an item.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

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

    It takes the place of a value that no plan may hold: that of a secret, or of a variable.
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
_FORMS = "write ${NAME}, ${NAME:-default} or ${params.NAME}; $${ is a literal ${"
_NOTHING: Mapping[str, Json] = MappingProxyType({})
_CACHED_LENGTH = 1_000
"""Characters; a longer text is parsed each time, so that the cache stays small."""


class Use(NamedTuple):
    """One `${...}` of a template."""

    written: str
    becomes: str | None = None
    """The text that `$${` and `${$}` are replaced by."""
    reference: str | None = None
    """`params.NAME`, `each` or `each.KEY`."""
    variable: str | None = None
    default: str | None = None
    """What is written after `:-`; of a reference it is refused."""
    whole: bool = False
    """Whether the template is nothing else."""

    @property
    def malformed(self) -> bool:
        """Whether it is none of the forms."""
        return self.becomes is None and self.reference is None and self.variable is None


class Template(NamedTuple):
    """A text, parsed: stretches of plain text and uses, as they follow each other."""

    parts: tuple[str | Use, ...]
    uses: tuple[Use, ...]


def parse(text: str) -> Template:
    """Return the template that a text is. The same short text is parsed once."""
    return _parsed_once(text) if len(text) <= _CACHED_LENGTH else _parsed(text)


def _parsed(text: str) -> Template:
    parts: list[str | Use] = []
    end = 0
    for match in _USE.finditer(text):
        parts += [text[end : match.start()], _use(match, text)]
        end = match.end()
    parts.append(text[end:])
    return Template(tuple(filter(None, parts)), tuple(p for p in parts if isinstance(p, Use)))


_parsed_once = lru_cache(maxsize=10_000)(_parsed)


def _use(match: re.Match[str], text: str) -> Use:
    becomes = "${" if match["literal"] else "$" if match["dollar"] else None
    default = match["otherwise"] if match["reference"] else match["default"]
    whole = match[0] == text
    return Use(match[0], becomes, match["reference"], match["name"], default, whole)


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
        template = parse(text)
        if not any(use.reference for use in template.uses):
            return text
        faults = _distinct(_bind_fault(use, scope) for use in template.uses)
        found.extend(faults)
        return text if faults else _bound(template, scope)

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
        template = parse(text)
        if faults := _distinct(_fault(use, environ, _NOTHING) for use in template.uses):
            found.extend(faults)
            return text
        parts = template.parts
        return "".join(_result(p, environ) if isinstance(p, Use) else p for p in parts)

    result = _mapped(value, expanded)
    _refuse(found)
    return result


def names(value: Json) -> dict[str, bool]:
    """Return the variables used in `value`, and whether every use of each has a default.

    A parameter that is not bound, as a secret one never is, is named "params.NAME".
    """
    found: dict[str, bool] = {}
    for _, text in _texts(value, ()):
        for use in parse(text).uses:
            reference = use.reference or ""
            if name := use.variable or (reference if reference.startswith(PARAMS) else None):
                has_default = use.variable is not None and use.default is not None
                found[name] = found.get(name, True) and has_default
    return found


def references(text: str) -> list[str]:
    """Return the parameters and items that a text refers to, as "params.NAME" or "each"."""
    uses = parse(text).uses if "${" in text else ()
    return [use.reference for use in uses if use.reference]


def faults(
    value: Json, environ: Mapping[str, str], scope: Mapping[str, Json] = _NOTHING
) -> Iterator[tuple[Path, RunbookCode, str, str]]:
    """Yield (path within `value`, code, message, hint) for all that would be refused.

    That is what `bind` with `scope`, and `expand` with `environ` after it, would refuse. A scope
    may hold LATER for a parameter or the item whose value is not known yet.
    """
    for path, text in _texts(value, ()):
        for fault in _distinct(_fault(use, environ, scope) for use in parse(text).uses):
            yield path, *fault


def unbound(value: Json, scope: Mapping[str, Json]) -> Iterator[tuple[Path, RunbookCode, str, str]]:
    """Yield (path within `value`, code, message, hint) for all that `bind` would refuse."""
    for path, text in _texts(value, ()):
        for fault in _distinct(_bind_fault(use, scope) for use in parse(text).uses):
            yield path, *fault


def _texts(value: Json, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if "${" in value:
            yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, (list, tuple)):
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
    if isinstance(value, (list, tuple)):
        return [_mapped(item, change) for item in value]
    return value


def _distinct(found: Iterable[Fault | None]) -> list[Fault]:
    return list(dict.fromkeys(fault for fault in found if fault))


def _refuse(found: list[Fault]) -> None:
    if found:
        raise InvalidError([Diagnostic(code, message, hint=hint) for code, message, hint in found])


def _fault(use: Use, environ: Mapping[str, str], scope: Mapping[str, Json]) -> Fault | None:
    if fault := _bind_fault(use, scope):
        return fault
    name, reference = use.variable, use.reference
    if name and use.default is None and name not in environ:
        message = f"environment variable {name!r} is not set"
        return RunbookCode.VARIABLE_UNSET, message, f"set it, or write ${{{name}:-default}}"
    if reference and _look(reference, scope) is _ABSENT:
        # only parameters: a variable of the environment may be called 'each'
        is_set = reference.startswith(PARAMS) and reference in environ
        return None if is_set else _unknown(reference, scope)
    return None


def _bind_fault(use: Use, scope: Mapping[str, Json]) -> Fault | None:
    if use.malformed:
        return RunbookCode.VARIABLE_SYNTAX, "'${' does not begin a variable", _FORMS
    reference = use.reference
    if not reference:
        return None
    if use.default is not None:
        message = f"'${{{reference}}}' takes no default here"
        return RunbookCode.VARIABLE_SYNTAX, message, "a parameter has its default under 'params'"
    value = _look(reference, scope)
    if value is _ABSENT:
        return _unknown(reference, scope) if reference.partition(".")[0] in scope else None
    if isinstance(value, (Mapping, list, tuple)) and not use.whole:
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


def _bound(template: Template, scope: Mapping[str, Json]) -> Json:
    """Return the text with its references replaced; all else means after `expand` what it meant."""
    done = plain = ""  # what is finished, and the text as meant since the last use that stays
    for part in template.parts:
        if isinstance(part, str):
            plain += part
            continue
        value = _look(part.reference, scope) if part.reference else _ABSENT
        if part.becomes:
            plain += part.becomes
        elif value is _ABSENT or value is LATER:
            done += _written(plain, before_use=True) + part.written
            plain = ""
        elif isinstance(value, Deferred):
            done += _written(plain, before_use=True) + value
            plain = ""
        elif part.whole:
            return _mapped(value, _written)  # as `expand` leaves it
        else:
            plain += value if isinstance(value, str) else json.dumps(value)
    return done + _written(plain)


def _written(plain: str, *, before_use: bool = False) -> str:
    """Return what `expand` turns into `plain`."""
    bare = plain.rstrip("$") if before_use else plain
    return bare.replace("${", "$${") + "${$}" * (len(plain) - len(bare))


def _result(use: Use, environ: Mapping[str, str]) -> str:
    if use.becomes:
        return use.becomes
    name = use.variable or use.reference or ""
    if use.default is None:
        return environ[name]
    return environ.get(name) or use.default
