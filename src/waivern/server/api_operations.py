"""Operations of the JSON API: the table behind routes, checks and the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from waivern.ids import is_text
from waivern.message import Json
from waivern.server.error_documents import RequestError

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema, of which `type`, `enum`, `minimum`, `maximum`, `minLength`, `maxLength`, `items`,
`maxItems`, `properties`, `additionalProperties` and `required` are checked. A text never has a NUL,
and one in a path no control character, as the patterns of TEXT and PATH_TEXT have it."""

TEXT: Schema = {"type": "string", "pattern": r"^[^\x00]*$"}
PATH_TEXT: Schema = {"type": "string", "minLength": 1, "pattern": r"^[^\x00-\x1f\x7f]+$"}


class Parameter(NamedTuple):
    """A value in the path or the query of a request."""

    name: str
    text: str
    schema: Schema
    place: Literal["path", "query", "header"] = "query"
    example: str | None = None


class Operation(NamedTuple):
    """A method of a path: what it takes, what it returns, and the function that carries it out."""

    method: Literal["GET", "POST"]
    path: str
    """With parameters in braces; one that may have '/' ends with `:path`, as in Starlette."""
    summary: str
    handle: Callable[[ApiCall], Awaitable[Response | dict[str, Json]]]
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    returns: str = "A JSON object."
    media_type: str = "application/json"
    status: int = 200
    refusals: tuple[int, ...] = ()
    """The statuses of its errors beside those that every operation has."""

    @property
    def open_path(self) -> str:
        """The path as an OpenAPI document writes it."""
        return self.path.replace(":path}", "}")

    async def carry_out(self, request: Request) -> Response:
        """Check a request, and return the response of the handler."""
        call = ApiCall(request, self._values(request), await self._sent(request))
        if request.method == "HEAD" and self.media_type != "application/json":
            return Response(media_type=self.media_type)  # a stream would be produced to its end
        answer = await self.handle(call)
        return answer if isinstance(answer, Response) else JSONResponse(answer, self.status)

    def _values(self, request: Request) -> dict[str, Any]:
        query = {each.name for each in self.parameters if each.place == "query"}
        for name in request.query_params:
            if name not in query:
                raise RequestError(
                    422, f"{name[:100]!r} is not a parameter of this path", _known(query)
                )
        return {each.name: _value(each, request) for each in self.parameters}

    async def _sent(self, request: Request) -> dict[str, Any]:
        if self.body is None:
            return {}
        kind = request.headers.get("content-type", "application/json")
        if kind.partition(";")[0].strip().lower() != "application/json":
            raise RequestError(415, "the body is not declared as application/json")
        try:
            sent = json.loads(await request.body() or b"{}")
        except (ValueError, RecursionError):
            raise RequestError(400, "the body is not JSON") from None
        return checked(sent, self.body, "the body")  # type: ignore[no-any-return]


class ApiCall(NamedTuple):
    """A request whose parameters and body were checked."""

    request: Request
    values: Mapping[str, Any]
    """The parameters by name; one that was not sent has its default, or None."""
    body: Mapping[str, Any]


def _known(names: set[str]) -> str | None:
    return f"it has {', '.join(sorted(names))}" if names else None


def _value(parameter: Parameter, request: Request) -> Any:
    name, schema = parameter.name, parameter.schema
    if parameter.place == "path":
        return checked(request.path_params[name], schema, name)
    if parameter.place == "header":
        sent = request.headers.getlist(name)
    else:
        sent = request.query_params.getlist(name)
    if schema.get("type") == "array":
        return checked([_parsed(text, schema["items"], name) for text in sent], schema, f"{name}=")
    if not sent:
        return schema.get("default")
    if len(sent) > 1:
        raise RequestError(422, f"{name}= occurs {len(sent)} times")
    return checked(_parsed(sent[0], schema, name), schema, f"{name}=")


def _parsed(text: str, schema: Schema, name: str) -> Any:
    kind = schema.get("type")
    if kind == "integer":
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) < 18:
            return int(text)
        raise RequestError(422, f"{name}= cannot be {text[:100]!r}", "use a whole number")
    if kind == "boolean":
        if text in ("true", "false"):
            return text == "true"
        raise RequestError(422, f"{name}= cannot be {text[:100]!r}", "use true or false")
    return text


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
}


def checked(value: Any, schema: Schema, name: str) -> Any:
    """Return a value that fits a schema. Raises RequestError."""
    kinds = schema.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if value is None and "null" in kinds:
        return None
    if kinds and not any(_is(value, kind) for kind in kinds):
        raise RequestError(422, f"{name} is not of type {' or '.join(kinds)}")
    if "enum" in schema and value not in schema["enum"]:
        options = ", ".join(map(str, schema["enum"]))
        raise RequestError(422, f"{name} cannot be {str(value)[:100]!r}", f"use one of {options}")
    if isinstance(value, str):
        _check_text(value, schema, name)
    elif isinstance(value, list):
        _check_list(value, schema, name)
    elif isinstance(value, dict):
        _check_object(value, schema, name)
    elif isinstance(value, int) and not isinstance(value, bool):
        _check_number(value, schema, name)
    return value


def _is(value: Any, kind: str) -> bool:
    if kind == "null":
        return value is None
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _check_text(value: str, schema: Schema, name: str) -> None:
    if len(value) > schema.get("maxLength", 10_000):
        raise RequestError(
            422, f"{name} has more than {schema.get('maxLength', 10_000):,} characters"
        )
    if len(value) < schema.get("minLength", 0):
        raise RequestError(422, f"{name} is empty")
    if "\0" in value or not is_text(value):
        raise RequestError(422, f"{name} has a character that is not allowed")


def _check_number(value: int, schema: Schema, name: str) -> None:
    if value < schema.get("minimum", value) or value > schema.get("maximum", value):
        limits = f"{schema.get('minimum', '')} to {schema.get('maximum', '')}"
        raise RequestError(422, f"{name} cannot be {value}", f"use {limits}")


def _check_list(value: list[Any], schema: Schema, name: str) -> None:
    if len(value) > schema.get("maxItems", len(value)):
        raise RequestError(422, f"{name} has more than {schema['maxItems']} elements")
    for each in value:
        checked(each, schema.get("items", {}), name)


def _check_object(value: dict[str, Any], schema: Schema, name: str) -> None:
    known = schema.get("properties")
    for key in schema.get("required", ()):
        if key not in value:
            raise RequestError(422, f"{name} has no {key!r}")
    for key, inner in value.items():
        if known is not None and key not in known:
            raise RequestError(422, f"{name} has an unknown key {key[:100]!r}", _known(set(known)))
        rule = known[key] if known is not None else schema.get("additionalProperties")
        if rule is not None:  # else it may be anything
            checked(inner, rule, f"{key[:100]!r}")
