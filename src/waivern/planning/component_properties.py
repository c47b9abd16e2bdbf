"""The check of the properties in a runbook against the Config of the component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from waivern.diagnostics import InvalidError, did_you_mean
from waivern.language import template
from waivern.language.secrets import Secrets
from waivern.language.template import expand, names
from waivern.language.validation_kinds import KINDS
from waivern.message import Json

Path = tuple[str | int, ...]
_KINDS = ("string_type", "bool_type", "int_type", "list_type", "dict_type", "model_type")
_PLAIN = {kind: KINDS[kind][1] for kind in _KINDS} | {"too_short": "has too few items"}
"""Faults that need no more to be said of than what a property should be."""


def configure(
    config: type[BaseModel], properties: Mapping[str, Json], environ: Mapping[str, str]
) -> BaseModel:
    """Return the Config that the properties make, variables expanded.

    Raises pydantic's ValidationError if they do not fit.
    """
    return config.model_validate(expand(dict(properties), environ))


def faults(
    config: type[BaseModel], properties: Mapping[str, Json], environ: Mapping[str, str]
) -> Iterator[tuple[Path, bool, str, str | None]]:
    """Yield (path, whether its key is meant, message, hint) for each property that does not fit.

    No message shows a value that came from `${VAR}`, whatever the component puts into it.
    """
    try:
        configure(config, properties, environ)
    except InvalidError as error:
        # of the project's properties, for others are read before; or raised by a validator
        unset = list(template.faults(properties, environ))
        yield from ((path, False, message, hint) for path, _, message, hint in unset)
        if not unset:
            yield (), False, _refused(properties, environ, error), None
    except ValidationError as error:
        hide = Secrets(names(properties), environ).hide
        found = error.errors(include_url=False, include_input=False, include_context=False)
        misspelt = _misspelt(found)
        found = [each for each in found if each["loc"] not in misspelt]
        for each in found:
            path = _within(properties, each["loc"])
            name = _named(path)
            if each["type"] == "too_short" and any(
                _inside(one["loc"], each["loc"]) for one in found
            ):
                continue  # nothing is left of it because nothing in it is right
            match each["type"]:
                case "extra_forbidden":
                    yield path, True, f"unknown property '{name}'", _allowed(config, name)
                case "missing":
                    yield path[:-1], False, f"property '{name}' is required", None
                case kind if kind in _PLAIN:
                    yield path, False, f"property '{name}' {_PLAIN[kind]}", None
                case _:
                    message = hide(each["msg"].removeprefix("Value error, "))
                    yield path, False, f"property '{name}': {_lower(message)}", None
    except Exception as error:  # noqa: BLE001 - a validator of the component may raise anything
        yield (), False, _refused(properties, environ, error), None


def _misspelt(found: Sequence[ErrorDetails]) -> set[Path]:
    """Return the properties that are missing because an unknown one is what they are meant by."""
    unknown = [each["loc"] for each in found if each["type"] == "extra_forbidden"]
    missing = [each["loc"] for each in found if each["type"] == "missing"]
    return {
        loc
        for loc in missing
        for other in unknown
        if loc[:-1] == other[:-1] and did_you_mean(str(other[-1]), [str(loc[-1])])
    }


def _refused(properties: Mapping[str, Json], environ: Mapping[str, str], error: Exception) -> str:
    said = Secrets(names(properties), environ).hide(f"{type(error).__name__}: {error}")
    return f"its Config cannot take the properties: {said}"


def _named(path: Path) -> str:
    """Return what a person would call a property, as in `types[0]`."""
    texts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(texts).removeprefix(".") or "properties"


def _inside(one: Path, other: Path) -> bool:
    return len(one) > len(other) and one[: len(other)] == other


def _within(properties: Json, loc: tuple[str | int, ...]) -> Path:
    """Return how far `loc` leads into the properties: pydantic also names union members."""
    path: list[str | int] = []
    value = properties
    for part in loc:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            break
        path.append(part)
    missing = len(path) == len(loc) - 1 and isinstance(value, Mapping)
    return (*path, loc[-1]) if missing else tuple(path)


def _allowed(config: type[BaseModel], name: str) -> str:
    if not config.model_fields:
        return "it takes no properties"
    allowed = f"allowed here: {', '.join(config.model_fields)}"
    meant = did_you_mean(name, config.model_fields)
    return f"{meant} {allowed}" if meant else allowed


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
