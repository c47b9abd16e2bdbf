"""The OpenAPI document of the JSON API, made from the table of operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from waivern import __version__
from waivern.server.api_operations import Operation, Parameter

STATUSES = {
    400: "The request is malformed.",
    401: "A token is required.",
    403: "The request comes from another site, or the server is read-only.",
    404: "There is no such thing.",
    405: "The path does not support the method.",
    408: "The body arrives too slowly.",
    409: "The request is refused in the present state of the run.",
    413: "The body is too large.",
    414: "The path is too long.",
    415: "The body is not JSON.",
    421: "The server has no such name.",
    422: "A parameter or the body is not valid.",
    429: "There are too many requests of this kind.",
    431: "The headers are too long.",
    500: "The stored data is damaged, or there is an internal error.",
    503: "The store cannot be read now.",
}
"""The statuses of errors that any operation may have."""
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["status", "message", "hint"],
            "properties": {
                "status": {"type": "integer"},
                "message": {"type": "string"},
                "hint": {"type": ["string", "null"]},
            },
        }
    },
}


def openapi_document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the OpenAPI document of these operations."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.open_path, {})[each.method.lower()] = _described(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Waivern runs",
            "version": __version__,
            "description": "The runs of a store: what they produced, what happened, and requests "
            "to cancel, resume, decide and start.",
        },
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _ERROR},
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.handle.__name__,
        "parameters": [_parameter(each) for each in operation.parameters],
        "responses": _responses(operation),
    }
    if operation.body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": operation.body}},
        }
    return found


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.text,
        "schema": parameter.schema,
    }
    return found if parameter.example is None else found | {"example": parameter.example}


def _responses(operation: Operation) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    if operation.media_type != "application/json":
        schema = {}
    content = {operation.media_type: {"schema": schema}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answers: dict[str, Any] = {
        str(operation.status): {"description": operation.returns, "content": content}
    }
    if operation.media_type == "text/event-stream":
        answers["204"] = {"description": "The run has ended, and there is nothing more to send."}
    return answers | {
        str(status): {"description": text, "content": error} for status, text in STATUSES.items()
    }
