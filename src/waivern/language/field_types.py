"""Types of the fields of models: texts, lists, lengths of time, conditions, items.

Texts that choose what runs (`type`, `inputs`, `output_schema`) are expanded here; those that are
recorded too (`from_run`, `artifact`, a child's `path`) take parameters only; `properties` are only
checked for variables; descriptive texts are kept as written, because they are persisted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from waivern.ids import RULE, ArtifactId, segment_fault
from waivern.language import template
from waivern.language.keys import Words
from waivern.message import Json, SchemaRef
from waivern.yamldoc.runbook_codes import RunbookCode
from waivern.yamldoc.yaml_events import ENOUGH

if TYPE_CHECKING:
    from waivern.language.conditions import Condition
    from waivern.language.params import Param

Detail = tuple[template.Path, RunbookCode, str, str | None]
"""Path below the field, code, message, hint."""


def refusal(*details: Detail) -> PydanticCustomError:
    """Return an error that pydantic carries to where positions are known."""
    return PydanticCustomError("runbook", "refused", {"details": details})


def _environ(info: ValidationInfo) -> Mapping[str, str]:
    environ: Mapping[str, str] = info.context["environ"] if info.context else {}
    return environ


def checked(value: Json, info: ValidationInfo) -> Json:
    """Return a value whose references all have the right form; refuse it otherwise.

    A model that a program makes has no context, and its values are not checked.
    """
    if info.context is None:
        return value
    scope: Mapping[str, Json] = info.context["scope"]
    if details := list(islice(template.faults(value, _environ(info), scope), ENOUGH)):
        raise refusal(*details)
    return value


def _expanded(text: str, info: ValidationInfo) -> str:
    if "${" not in text:
        return text
    checked(text, info)
    _refuse_later(template.references(text))
    result: str = template.expand(text, _environ(info))
    if not result:
        raise refusal(
            ((), RunbookCode.MISSING, "{} is empty once its variables are replaced", None)
        )
    return result


def _refuse_later(references: Sequence[str]) -> None:
    if references:
        hint = "neither a secret nor the item can choose what runs"
        raise refusal(((), RunbookCode.VALUE, f"'${{{references[0]}}}' has no value in {{}}", hint))


def _expanded_later(text: str, info: ValidationInfo) -> str:
    """Expand a text, unless it depends on the item of a `for_each`, which the plan knows."""
    if "${" not in text:
        return text
    references = template.references(text)
    others = [each for each in references if each.partition(".")[0] != "each"]
    if len(others) < len(references):
        checked(text, info)
        _refuse_later(others)
        return text
    return _expanded(text, info)


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise refusal(
            ((), RunbookCode.VALUE, "{} must be one line without control characters", None)
        )
    return text


def _chosen(text: str, info: ValidationInfo) -> str:
    return _one_line(_expanded(text, info))


def _for_item(text: str, info: ValidationInfo) -> str:
    return _one_line(_expanded_later(text, info))


def _recorded(text: str, info: ValidationInfo) -> str:
    """Refuse variables of the environment, which may be secret, in what the journal records."""
    if any(not name.startswith(f"{template.PARAMS}.") for name in template.names(text)):
        message = "{} cannot hold variables: it is recorded in the run"
        hint = "declare a parameter, write ${params.NAME}, and give its value with -p NAME=VALUE"
        raise refusal(((), RunbookCode.VALUE, message, hint))
    return _for_item(text, info)


def _listed(value: Json) -> Json:
    """Return a list; one text is a list of one."""
    return [value] if isinstance(value, str) else _list(value)


def _list(value: Json) -> Json:
    """Return a list, which a program may also give as the tuple that it becomes."""
    return list(value) if isinstance(value, tuple) else value


def _once(inputs: list[ArtifactId]) -> list[ArtifactId]:
    first: dict[str, int] = {}
    twice: list[Detail] = []
    for index, name in enumerate(inputs):
        if (earlier := first.setdefault(name, index)) != index:
            message = f"{{}} repeats item {earlier + 1}"
            twice.append(((index,), RunbookCode.VALUE, message, "name each input once"))
    if twice:
        raise refusal(*twice[:ENOUGH])
    return inputs


_SCHEMA = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[0-9]+\.[0-9]+\.[0-9]+)?", re.ASCII)


def _schema(value: Json, handler: ValidatorFunctionWrapHandler) -> SchemaRef:
    if isinstance(value, SchemaRef):
        return value
    text: str = handler(value)
    if not _SCHEMA.fullmatch(text):
        hint = "write 'name' or 'name/1.2.3'"
        raise refusal(((), RunbookCode.VALUE, "{} is not the name of a schema", hint))
    return SchemaRef.parse(text)


def _artifact_id(text: str) -> str:
    if template.references(text):
        return text
    for segment in text.split("/"):
        if fault := segment_fault(segment):
            raise refusal(((), RunbookCode.ARTIFACT_ID, f"{{}} {fault}", f"an id has {RULE}"))
    return text


def _condition(text: str, roots: frozenset[str]) -> Condition:
    from waivern.language.conditions import Condition, ConditionError

    try:
        return Condition.parse(text, roots)
    except ConditionError as error:
        where = f" (at character {error.offset + 1})" if error.offset else ""
        message = "{} cannot be read: " + error.message.replace("{}", "{ }") + where
        raise refusal(((), RunbookCode.CONDITION, message, error.hint)) from error


WHEN = frozenset({"params", "inputs", "status", "each"})
UNTIL = frozenset({"params", "result", "round", "each"})


def _when(value: Json, info: ValidationInfo) -> Condition | None:
    return None if value is None else _asked(value, WHEN, info)


def _until(value: Json, info: ValidationInfo) -> Condition:
    return _asked(value, UNTIL, info)


def _asked(value: Json, roots: frozenset[str], info: ValidationInfo) -> Condition:
    """Return the condition that is written; it may read the item only beside a `for_each`."""
    context = info.context or {}
    if "each" not in context.get("scope", {}):
        roots -= {"each"}
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str):
        hint = "write it as text, such as 'count(inputs.findings) > 0'"
        raise refusal(((), RunbookCode.TYPE, "{} must be a condition", hint))
    if "${" in value:
        value = _yes_or_no(value, context.get("declared", {}))
    return _condition(value, roots)


_PARAMETER = re.compile(rf"\$\{{params\.({template.NAME})\}}", re.ASCII)


def _yes_or_no(text: str, declared: Mapping[str, Param]) -> str:
    """Return the condition that reads a parameter: its value is never parsed as a condition."""
    whole = _PARAMETER.fullmatch(text)
    name = whole[1] if whole else ""
    if not whole or (name in declared and declared[name].type != "boolean"):
        message = "only a boolean parameter can be the whole of {}"
        hint = "within a condition write its name alone, as in params.region == 'eu'"
        raise refusal(((), RunbookCode.CONDITION, message, hint))
    return f"params.{name}" if name.isidentifier() else f"params['{name}']"


def _percentage(value: Json) -> Json:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
        hint = "write a number, such as 95 or 99.5, without '%'"
        raise refusal(((), RunbookCode.VALUE, "{} must be a percentage from 0 to 100", hint))
    return value


def _share(value: Json) -> Json:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        hint = "write a number, such as 1 or 0.95"
        raise refusal(((), RunbookCode.VALUE, "{} must be a number from 0 to 1", hint))
    return value


Share: TypeAlias = Annotated[float, BeforeValidator(_share), Words("0 to 1")]
Percentage: TypeAlias = Annotated[float, BeforeValidator(_percentage), Words("0 to 100")]
_DURATION = re.compile(r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,12})?) ?(?P<unit>s|m|h|d)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(value: Json) -> Json:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match:
        value = float(match["number"]) * _SECONDS[match["unit"]]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        hint = "write seconds as a number, or text such as '90s', '5m', '2h' or '7d'"
        raise refusal(((), RunbookCode.TYPE, "{} must be a length of time", hint))
    if not 0 < value <= _LONGEST:
        raise refusal(((), RunbookCode.VALUE, "{} must be more than 0 and at most a year", None))
    return float(value)


_LONGEST = 366 * 24 * 3600


_SIZE = re.compile(r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,12})?) ?(?P<unit>[KMGT]i?B)", re.ASCII)
_BYTES = {
    f"{letter}{i}B": base**n
    for i, base in (("", 1000), ("i", 1024))
    for n, letter in enumerate("KMGT", 1)
}


def _bytes(value: Json) -> Json:
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match:
        value = round(float(match["number"]) * _BYTES[match["unit"]])
    if isinstance(value, bool) or not isinstance(value, int):
        hint = "write text such as '512MiB' or '2GB', or bytes as a whole number"
        raise refusal(((), RunbookCode.TYPE, "{} must be a size", hint))
    if value < _LEAST_MEMORY:
        raise refusal(((), RunbookCode.VALUE, "{} must be at least 1MiB", None))
    return value


_LEAST_MEMORY = 1 << 20


def _or_empty(value: Json) -> Json:
    return {} if value is None else value


def _items(value: Json) -> Json:
    """Check the items of a `for_each`: a list or a mapping of lists, if it is known by now."""
    if isinstance(value, str) and template.references(value):
        return value
    if template.names(value):
        hint = "the items become ids: write them here, or use a parameter that is not secret"
        raise refusal(((), RunbookCode.VALUE, "{} cannot hold variables or secrets", hint))
    if details := list(islice(template.faults(value, {}), ENOUGH)):
        raise refusal(*details)
    value = template.expand(value, {})
    lists = list(value.values()) if isinstance(value, dict) else [value]
    if not all(isinstance(each, list) for each in lists):
        hint = "write a list, or a mapping of lists for every combination of them"
        raise refusal(((), RunbookCode.TYPE, "{} must be a list or a mapping of lists", hint))
    if not lists:
        hint = "name at least one list; a list without items is allowed, and gives no artifacts"
        raise refusal(((), RunbookCode.MISSING, "{} is empty", hint))
    return value


def _or_none(value: Json, handler: ValidatorFunctionWrapHandler) -> Any:
    """Read nothing as no names."""
    return () if value is None else handler(value)


def _or_unnamed(value: Json, handler: ValidatorFunctionWrapHandler) -> Any:
    """Read nothing as no name: the file gives one."""
    return "" if value is None else handler(value)


Text: TypeAlias = Annotated[str, Field(min_length=1)]
OneLine: TypeAlias = Annotated[Text, AfterValidator(_one_line), Words("one line")]
RunbookName: TypeAlias = Annotated[OneLine, WrapValidator(_or_unnamed)]
Chosen: TypeAlias = Annotated[Text, AfterValidator(_chosen), Words("name")]
ForItem: TypeAlias = Annotated[Text, AfterValidator(_for_item), Words("name")]
"""Like Chosen; in an artifact with `for_each` it may refer to the item."""
Recorded: TypeAlias = Annotated[Text, AfterValidator(_recorded), Words("name")]
"""Like ForItem, without variables of the environment."""
InputId: TypeAlias = Annotated[ArtifactId, Field(min_length=1), AfterValidator(_for_item)]
"""Like ForItem."""
Properties: TypeAlias = Annotated[
    dict[str, Any], BeforeValidator(_or_empty), AfterValidator(checked)
]
Seconds: TypeAlias = Annotated[
    float, BeforeValidator(_seconds, json_schema_input_type=float | str), Words("length of time")
]
Bytes: TypeAlias = Annotated[
    int, BeforeValidator(_bytes, json_schema_input_type=int | str), Words("size")
]
ChosenId: TypeAlias = Annotated[Chosen, AfterValidator(_artifact_id)]
RecordedId: TypeAlias = Annotated[Recorded, AfterValidator(_artifact_id)]
Items: TypeAlias = Annotated[
    Any, BeforeValidator(_items), Words("list, or mapping of lists, or a parameter")
]
OrEmpty = BeforeValidator(_or_empty)
"""Nothing is an empty mapping."""

# A type checker sees what is read; pydantic sees what is written.
if TYPE_CHECKING:
    Inputs: TypeAlias = tuple[ArtifactId, ...]
    InputsOrNone: TypeAlias = Inputs
    Names: TypeAlias = tuple[str, ...]
    OneOrMoreNames: TypeAlias = Names
    SchemaName: TypeAlias = SchemaRef
    When: TypeAlias = Condition | None
    Until: TypeAlias = Condition
else:
    _LISTED = BeforeValidator(_listed, json_schema_input_type=str | list[str])

    def _as_tuple(values: list[Any]) -> tuple[Any, ...]:
        # pydantic reads the signature of a built-in such as `tuple` from text: 8 ms at start-up
        return tuple(values)

    _FROZEN = AfterValidator(_as_tuple)
    Inputs = Annotated[
        list[InputId],
        Field(min_length=1),
        _LISTED,
        AfterValidator(_once),
        _FROZEN,
        Words("name or list"),
    ]
    InputsOrNone = Annotated[Inputs, WrapValidator(_or_none)]
    Names = Annotated[list[Chosen], BeforeValidator(_list), _FROZEN]
    OneOrMoreNames = Annotated[list[Chosen], _LISTED, _FROZEN]
    SchemaName = Annotated[Chosen, WrapValidator(_schema), Words("`name` or `name/1.2.3`")]
    _CONDITION = Words("[condition](conditions.md)")
    When = Annotated[
        Any, BeforeValidator(_when, json_schema_input_type=str | bool | None), _CONDITION
    ]
    Until = Annotated[Any, BeforeValidator(_until, json_schema_input_type=str | bool), _CONDITION]
