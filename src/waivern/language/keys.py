"""Keys of runbooks and project files: the base of their models, and what is known of each key.

A model's field carries a `Key` beside its type. That is the one table from which the phases of
reading, the conflicts between keys, the reference in `docs/reference` and the JSON Schema follow:
a new key is one field.
"""

from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, Final, NamedTuple, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, PydanticOmit
from pydantic_core.core_schema import with_info_plain_validator_function


class Phase(Enum):
    """The purpose of a key, which decides when it is read."""

    WHAT = "what an artifact is produced from, and whether it is"
    """Read again alone when another key is wrong, so that references are checked all the same."""
    HOW = "how it is produced"
    """Left out while it depends on a parameter that has no value yet."""
    TEXT = "for people"


class Key(NamedTuple):
    """Properties of a key beside its type."""

    meaning: str
    """One line of the reference, and the description in the JSON Schema."""
    phase: Phase = Phase.HOW
    type: str | None = None
    """The words of the reference for its type, where those of its annotation do not do."""
    default: str | None = None
    """The same for its default."""
    origin: bool = False
    """Whether it is one of the keys that say where an artifact comes from."""
    excludes: tuple[str, ...] = ()
    """Keys beside which it has no meaning."""
    as_written: bool = False
    """Whether `${params.NAME}` in it stays: a text for people, or a condition."""
    example: str | None = None
    """A value that a hint shows when something else than a mapping is written."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "description": self.meaning}


class Words(NamedTuple):
    """The words of the reference for a type."""

    text: str


class Model(BaseModel):
    """A mapping of a runbook or a project file.

    Strict, and silent about its input in errors: that may be a secret. Each schema is built when
    the first value is read, since most runbooks have few of the mappings that there are.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
        defer_build=True,
    )


class EntryName(str):
    """The name that an entry stands under; no value in a file is one."""

    __slots__ = ()


class NotAKey:
    """The mark of a field that is no key: the reader sets it, and a file cannot.

    Its values have a class that no value in a file has.
    """

    def __init__(self, class_: type) -> None:
        self._class = class_

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return with_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        raise PydanticOmit

    def _check(self, value: Any, info: ValidationInfo) -> Any:
        if info.context is not None and not isinstance(value, self._class):
            raise PydanticKnownError("extra_forbidden")
        return str(value) if isinstance(value, str) else value


class Rare:
    """The mark of a mapping that few runbooks have: its schema is built apart, when one does."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        model = model_of(source)
        assert model is not None

        def read(value: object, info: ValidationInfo) -> Model | None:
            return None if value is None else model.model_validate(value, context=info.context)

        return with_info_plain_validator_function(read, metadata={"rare": model})

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        model: type[Model] = schema["metadata"]["rare"]
        return _json_schema(model, handler)


class Entries:
    """The mark of a mapping of names, each to a model.

    The reader of a file reads the entries itself, one by one, to stop when there are enough
    problems; what it hands over here is only seen to be a mapping.
    """

    def __init__(self, model: type[Model], *, required: bool = False) -> None:
        self._model = model
        self._required = required

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return with_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "object", "additionalProperties": _json_schema(self._model, handler)}

    def _read(self, value: Any, info: ValidationInfo) -> dict[str, Any]:
        if value is None and not self._required:
            return {}
        if not isinstance(value, dict):
            raise PydanticKnownError("dict_type")
        if info.context is not None:
            return value
        return {name: self._model.model_validate(entry) for name, entry in value.items()}


def _json_schema(model: type[Model], handler: GetJsonSchemaHandler) -> JsonSchemaValue:
    model.model_rebuild()
    return handler(model.__pydantic_core_schema__)


RARE: Final = Rare()


def model_of(annotation: Any) -> type[Model] | None:
    """Return the model in an annotation such as `dict[str, Param]`; None if it has none."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return next(filter(None, map(model_of, get_args(annotation))), None)


def key_of(field: FieldInfo) -> Key | None:
    """Return what is known of the key that a field is; None if it is no key."""
    return next((each for each in field.metadata if isinstance(each, Key)), None)


@cache
def keys(model: type[Model]) -> dict[str, Key]:
    """Return the keys that a mapping may have."""
    found = ((name, key_of(field)) for name, field in model.model_fields.items())
    return {name: key for name, key in found if key is not None}


def model_at(root: type[Model], path: tuple[str | int, ...]) -> type[Model] | None:
    """Return the model of the mapping at a path; None where keys are free."""
    model: type[Model] | None = root
    steps = iter(path)
    for step in steps:
        field = model.model_fields.get(str(step)) if model else None
        if field is None:
            return None
        model = model_of(field.annotation)
        if has_entries(field) and next(steps, None) is None:
            return None
    return model


def has_entries(field: FieldInfo) -> bool:
    """Return whether a key holds a mapping of names, each to a mapping of its own."""
    return _entries(field.annotation)


def _entries(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is dict or any(
        map(_entries, get_args(annotation))
    )


def texts_for_people(model: type[Model], written: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts for people in a mapping that was read or written as this model."""
    found = {
        name: written.get(name) for name, key in keys(model).items() if key.phase is Phase.TEXT
    }
    return {name: text.strip() for name, text in found.items() if isinstance(text, str) and text}
