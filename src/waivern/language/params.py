"""Parameters that a runbook declares: their types and values, and what a run records."""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, Self, TypeAlias

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from waivern.diagnostics import did_you_mean
from waivern.errors import ComponentError
from waivern.language import template
from waivern.language.field_types import refusal
from waivern.language.keys import EntryName, Key, Model, NotAKey, Phase
from waivern.message import Json, content_digest
from waivern.yamldoc.runbook_codes import RunbookCode
from waivern.yamldoc.scalars import ScalarError, resolve

Type = Literal["string", "integer", "number", "boolean", "date", "list", "object"]


class ParamError(ValueError):
    """A value that a parameter cannot have; `hint` says how one is written."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def _type(text: str) -> str:
    if text not in TYPES:
        message = f"{{}} must be one of {', '.join(TYPES)}"
        raise refusal(((), RunbookCode.VALUE, message, did_you_mean(text, TYPES)))
    return text


if TYPE_CHECKING:
    _ParamType: TypeAlias = Type
else:
    _ParamType = Annotated[str, Field(min_length=1), AfterValidator(_type)]


class Param(Model):
    """One entry of `params`: a parameter, as the runbook declares it."""

    name: Annotated[str, NotAKey(EntryName)]
    type: Annotated[_ParamType, Key("the type of its values", type="name of a type")]
    default: Annotated[
        Any, Key("the value if a run supplies none", type="of its type", default="none")
    ] = None
    """None where a value must be given: no type has null among its values."""
    description: Annotated[str | None, Key("what it is", Phase.TEXT, as_written=True)] = None
    secret: Annotated[
        bool,
        Key("whether it is a text that is never written, and filled in only where the work runs"),
    ] = False

    @model_validator(mode="after")
    def _whole(self, info: ValidationInfo) -> Self:
        if info.context is None:
            return self
        if "default" in self.model_fields_set and self.default is None:
            raise refusal((("default",), RunbookCode.MISSING, "{} is empty", None))
        if faults := [((key,), code, what, hint) for key, code, what, hint in self.faults()]:
            raise refusal(*faults)
        return self

    @property
    def required(self) -> bool:
        """Whether each run must be given a value."""
        return self.default is None

    def check(self, value: Json) -> Json:
        """Return the JSON value that fits the type. Raises ParamError; no message shows the value.

        A program may also give a `datetime.date`, a path, a tuple or any mapping.
        """
        kind = TYPES[self.type]
        value = _plain(self.type, value)
        if not kind.fits(value):
            hint = f"write it as {kind.example}"
            if isinstance(value, datetime):
                hint = "give the date alone: value.date()"
            if self.type == "string" and isinstance(value, (bool, int, float)):
                hint = "put it in quotes"
            raise ParamError(f"must be {kind.words}", hint)
        try:
            content_digest(value)
        except ComponentError as error:
            raise ParamError(f"cannot be recorded: {error.message}") from error
        return value

    def read(self, text: str) -> Json:
        """Return the value of a text from the command line.

        Text and dates are the text itself, anything else is JSON. Raises ParamError.
        """
        return self.check(text if self.type in ("string", "date") else self._json(text))

    def faults(self) -> Iterator[tuple[str, RunbookCode, str, str | None]]:
        """Yield (key, code, message, hint) for all that is wrong with the declaration."""
        if self.secret and self.type != "string":
            yield (
                "secret",
                RunbookCode.CONFLICT,
                "only text can be a secret",
                "give it 'type: string'",
            )
        if self.secret and self.default:
            hint = "each run records its runbook: remove the default, or make it empty"
            yield "secret", RunbookCode.CONFLICT, "a secret cannot stand in a runbook", hint
        elif not self.required:
            try:
                self.check(self.default)
            except ParamError as error:
                yield "default", RunbookCode.TYPE, f"{{}} {error.message}", error.hint

    def _json(self, text: str) -> Json:
        try:
            # as numbers are read from a file: neither endless nor of thousands of digits
            return json.loads(
                text,
                object_pairs_hook=_once,
                parse_int=resolve,
                parse_float=resolve,
                parse_constant=_refused,
            )
        except (ValueError, ScalarError, RecursionError) as error:
            kind = TYPES[self.type]
            message = f"must be {kind.words}"
            if self.type in ("list", "object"):
                reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
                message = f"{message}, as JSON: {reason}"
            raise ParamError(message, f"write it as {kind.example}") from error


def _plain(type_: Type, value: object) -> Json:
    """Return what JSON has for a value of Python that means the same."""
    match type_:
        case "date" if isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat()
        case "string" if isinstance(value, os.PathLike):
            return os.fspath(value)
        case "list" if isinstance(value, tuple):
            return list(value)
        case "object" if isinstance(value, Mapping):
            return dict(value)
    return value


class _Type(NamedTuple):
    words: str
    example: str
    fits: Callable[[Json], bool]


def _number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


def _date(value: Json) -> bool:
    if not isinstance(value, str) or not re.fullmatch(_DATE, value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


TYPES: Final[Mapping[str, _Type]] = {
    "string": _Type("text", '"some text"', lambda value: isinstance(value, str)),
    "integer": _Type("a whole number", "12", lambda v: _number(v) and isinstance(v, int)),
    "number": _Type("a number", "12 or 0.5", _number),
    "boolean": _Type("true or false", "true or false", lambda value: isinstance(value, bool)),
    "date": _Type("a date of the calendar", "2024-02-29", _date),
    "list": _Type("a list", '["a", "b"]', lambda value: isinstance(value, list)),
    "object": _Type("an object", '{"key": "value"}', lambda value: isinstance(value, dict)),
}
"""The types, in the order in which messages list them."""


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found


def _refused(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")


NAME_RULE = "letters, digits, '_' and '-', beginning with a letter or '_', at most 64"
_NAME = re.compile(template.NAME, re.ASCII)


def name_fault(name: str) -> str | None:
    """Return why `name` cannot name a parameter; None if it can."""
    if not _NAME.fullmatch(name):
        return "has a character that is not allowed" if name else "is empty"
    return "is longer than 64 characters" if len(name) > 64 else None


def defaults(declared: Mapping[str, Param]) -> dict[str, Json]:
    """Return the values of the parameters that need none to be given."""
    return {name: param.default for name, param in declared.items() if not param.required}


def scope(declared: Mapping[str, Param], values: Mapping[str, Json]) -> dict[str, Json]:
    """Return the scope for `template.bind` and `template.faults`.

    Secrets stay references, and so does what has no value yet: `values` may be incomplete where a
    runbook is only checked.
    """
    return {
        template.PARAMS: {
            name: template.LATER
            if param.secret and not isinstance(values.get(name), template.Deferred)
            else values.get(name, template.LATER)
            for name, param in declared.items()
        }
    }


def with_deferred(scope: Mapping[str, Json], values: Mapping[str, Json]) -> dict[str, Json]:
    """Return the scope for what values were put into: it also knows the secrets that these name."""
    texts = [value for value in values.values() if isinstance(value, template.Deferred)]
    prefix = f"{template.PARAMS}."
    named = (name for name in template.names(texts) if name.startswith(prefix))
    known = {name.removeprefix(prefix): template.LATER for name in named}
    return {**scope, template.PARAMS: {**known, **scope[template.PARAMS]}}


def open_values(declared: Mapping[str, Param], values: Mapping[str, Json]) -> dict[str, Json]:
    """Return the values that are known to a plan: neither secrets nor variables."""
    return {
        name: value
        for name, value in values.items()
        if name in declared
        and not declared[name].secret
        and not isinstance(value, template.Deferred)
    }


def with_secrets(
    environ: Mapping[str, str], declared: Mapping[str, Param], values: Mapping[str, Json]
) -> dict[str, str]:
    """Return the variables for `template.expand` and `Secrets`: the environment and the secrets."""
    prefix = f"{template.PARAMS}."
    outside = {name: value for name, value in environ.items() if not name.startswith(prefix)}
    secrets = {f"{prefix}{n}": values[n] for n, p in declared.items() if p.secret and n in values}
    return outside | secrets


def recorded(declared: Mapping[str, Param], values: Mapping[str, Json]) -> dict[str, Json]:
    """Return the values that a run records: null in place of a secret that it was given.

    No parameter can have the value null. A secret that is empty, as by its default, needs no
    protection and is recorded.
    """
    return {
        name: None if declared[name].secret and value != "" else value
        for name, value in values.items()
    }


def restored(declared: Mapping[str, Param], recorded: Mapping[str, Json]) -> dict[str, Json]:
    """Return the values that a run recorded, for `supplied_params.bind` of its next attempt."""
    return {n: value for n, value in recorded.items() if value is not None and n in declared}


def changed(
    declared: Mapping[str, Param], recorded: Mapping[str, Json], values: Mapping[str, Json]
) -> list[str]:
    """Return the sorted names of the parameters that differ from what a run recorded.

    One that only one of the two has differs. Secrets are left out: they cannot be compared.
    """
    secret = {name for name, param in declared.items() if param.secret}
    secret |= {name for name, value in recorded.items() if value is None}
    differing = [
        name
        for name in (recorded.keys() | values.keys()) - secret
        if name not in recorded
        or name not in values
        or content_digest(recorded[name]) != content_digest(values[name])
    ]
    return sorted(differing)


def missing(
    declared: Mapping[str, Param], recorded: Mapping[str, Json], supplied: Iterable[str]
) -> list[str]:
    """Return the sorted names of the secrets that a run was given and must be given again."""
    hidden = {name for name, value in recorded.items() if value is None}
    return sorted((hidden & declared.keys()).difference(supplied))
