"""The shape of a runbook as written: what may be said where. Says nothing about references.

Texts that choose what runs (`type`, `inputs`, `from_run`, `artifact`, `output_schema`) are
expanded here; `properties` are only checked for variables; descriptive texts are kept as written,
because they are persisted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from waivern.ids import RULE, segment_fault
from waivern.message import Json
from waivern.problems import did_you_mean
from waivern.runbook import env
from waivern.runbook.codes import Code
from waivern.runbook.events import ENOUGH
from waivern.runbook.params import NAME_RULE, TYPES, Param, Type, name_fault

if TYPE_CHECKING:
    from waivern.runbook.conditions import Condition

Detail = tuple[env.Path, Code, str, str | None]
"""Path below the field, code, message, hint."""


def refusal(*details: Detail) -> PydanticCustomError:
    """Return an error that pydantic carries to where positions are known."""
    return PydanticCustomError("runbook", "refused", {"details": details})


def _environ(info: ValidationInfo) -> Mapping[str, str]:
    environ: Mapping[str, str] = info.context["environ"] if info.context else {}
    return environ


def _checked(value: Json, info: ValidationInfo) -> Json:
    scope: Mapping[str, Json] = info.context["scope"] if info.context else {}
    if details := list(islice(env.faults(value, _environ(info), scope), ENOUGH)):
        raise refusal(*details)
    return value


def _expanded(text: str, info: ValidationInfo) -> str:
    if "${" not in text:
        return text
    _checked(text, info)
    _refuse_later(env.references(text))
    result: str = env.expand(text, _environ(info))
    if not result:
        raise refusal(((), Code.MISSING, "{} is empty once its variables are replaced", None))
    return result


def _refuse_later(references: Sequence[str]) -> None:
    if references:
        hint = "a secret, or what is only known for each item, does not choose what runs"
        raise refusal(((), Code.VALUE, f"'${{{references[0]}}}' has no value in {{}}", hint))


def _expanded_later(text: str, info: ValidationInfo) -> str:
    """Leave what hangs on the item of a `for_each` to the plan."""
    if "${" not in text:
        return text
    references = env.references(text)
    others = [each for each in references if each.partition(".")[0] != "each"]
    if len(others) < len(references):
        _checked(text, info)
        _refuse_later(others)
        return text
    return _expanded(text, info)


def _read_aloud(text: str, info: ValidationInfo) -> str:
    """Expand a text that people are shown; where there is an item, the plan puts it in first."""
    if "${" not in text:
        return text
    unbound = env.names(text)
    if variable := next((name for name in unbound if not name.startswith(env.PARAMS)), None):
        hint = "people are shown it, and a variable may be a secret: make it a parameter"
        raise refusal(((), Code.VALUE, f"'${{{variable}}}' is not replaced in {{}}", hint))
    _checked(text, info)
    if unbound:
        hint = "people are shown it: a secret has no place there"
        raise refusal(((), Code.VALUE, f"'${{{next(iter(unbound))}}}' has no value in {{}}", hint))
    scope: Mapping[str, Json] = info.context["scope"] if info.context else {}
    return text if "each" in scope else str(env.expand(text, {}))


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise refusal(((), Code.VALUE, "{} must be one line without control characters", None))
    return text


def _chosen(text: str, info: ValidationInfo) -> str:
    return _one_line(_expanded(text, info))


def _for_item(text: str, info: ValidationInfo) -> str:
    return _one_line(_expanded_later(text, info))


def _listed(value: Json) -> Json:
    return [value] if isinstance(value, str) else value


def _once(inputs: list[str]) -> list[str]:
    first: dict[str, int] = {}
    twice: list[Detail] = []
    for index, name in enumerate(inputs):
        if (earlier := first.setdefault(name, index)) != index:
            message = f"{{}} repeats item {earlier + 1}"
            twice.append(((index,), Code.VALUE, message, "name each input once"))
    if twice:
        raise refusal(*twice[:ENOUGH])
    return inputs


_SCHEMA = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[0-9]+\.[0-9]+\.[0-9]+)?", re.ASCII)


def _schema(text: str) -> str:
    if not _SCHEMA.fullmatch(text):
        hint = "write 'name' or 'name/1.2.3'"
        raise refusal(((), Code.VALUE, "{} is not the name of a schema", hint))
    return text


def _artifact_id(text: str) -> str:
    if env.references(text):
        return text
    for segment in text.split("/"):
        if fault := segment_fault(segment):
            raise refusal(((), Code.ARTIFACT_ID, f"{{}} {fault}", f"an id has {RULE}"))
    return text


def _condition(text: str, roots: frozenset[str]) -> Condition:
    from waivern.runbook.conditions import Condition, ConditionError

    try:
        return Condition.parse(text, roots)
    except ConditionError as error:
        where = f" (at character {error.offset + 1})" if error.offset else ""
        message = "{} cannot be read: " + error.message.replace("{}", "{ }") + where
        raise refusal(((), Code.CONDITION, message, error.hint)) from error


WHEN = frozenset({"params", "inputs", "status", "each"})
UNTIL = frozenset({"params", "result", "round", "each"})


def _when(value: Json, info: ValidationInfo) -> Condition | None:
    return None if value is None else _asked(value, WHEN, info)


def _until(value: Json, info: ValidationInfo) -> Condition:
    return _asked(value, UNTIL, info)


def _asked(value: Json, roots: frozenset[str], info: ValidationInfo) -> Condition:
    """Return the condition that is written; only where there is `for_each` it has an item."""
    context = info.context or {}
    if "each" not in context.get("scope", {}):
        roots -= {"each"}
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str):
        hint = "write it as text, such as 'count(inputs.findings) > 0'"
        raise refusal(((), Code.TYPE, "{} must be a condition", hint))
    if "${" in value:
        value = _yes_or_no(value, context.get("declared", {}))
    return _condition(value, roots)


_PARAMETER = re.compile(rf"\$\{{params\.({env.NAME})\}}", re.ASCII)


def _yes_or_no(text: str, declared: Mapping[str, Param]) -> str:
    """Return the condition that asks for a parameter: no other text is ever made into one."""
    whole = _PARAMETER.fullmatch(text)
    name = whole[1] if whole else ""
    if not whole or (name in declared and declared[name].type != "boolean"):
        message = "only a boolean parameter can stand for {}"
        hint = "within a condition write its name alone, as in params.region == 'eu'"
        raise refusal(((), Code.CONDITION, message, hint))
    return f"params.{name}" if name.isidentifier() else f"params['{name}']"


_DURATION = re.compile(r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,12})?) ?(?P<unit>s|m|h|d)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(value: Json) -> Json:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match:
        value = float(match["number"]) * _SECONDS[match["unit"]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = "write seconds as a number, or text such as '90s', '5m', '2h' or '7d'"
        raise refusal(((), Code.TYPE, "{} must be a length of time", hint))
    if not 0 < value <= _LONGEST:
        raise refusal(((), Code.VALUE, "{} must be more than 0 and at most a year", None))
    return float(value)


_LONGEST = 366 * 24 * 3600


def _or_empty(value: Json) -> Json:
    return {} if value is None else value


def _each_on_its_own(value: Json, _all_at_once: object) -> Json:
    """Leave the artifacts to the caller, who stops when there are enough problems."""
    if not isinstance(value, dict):
        raise refusal(((), Code.TYPE, "{} must be a mapping", None))
    if not value:
        raise refusal(((), Code.MISSING, "{} is empty", "a runbook has at least one artifact"))
    return value


def _param_type(text: str) -> str:
    if text not in TYPES:
        message = f"{{}} must be one of {', '.join(TYPES)}"
        raise refusal(((), Code.VALUE, message, did_you_mean(text, TYPES)))
    return text


def _named(params: dict[str, Any]) -> dict[str, Any]:
    if found := [
        ((name,), Code.VALUE, f"{{}} {fault}", f"a name has {NAME_RULE}")
        for name in params
        if (fault := name_fault(name))
    ]:
        raise refusal(*found)
    return params


def _as_ids(inputs: dict[str, Any]) -> dict[str, Any]:
    """An input that nothing is mapped to is an artifact of that name."""
    if found := [
        ((name,), Code.ARTIFACT_ID, f"{{}} {fault}", "give it another name")
        for name in inputs
        if (fault := segment_fault(name))
    ]:
        raise refusal(*found)
    return inputs


Entries: TypeAlias = Annotated[dict[str, Any], BeforeValidator(_or_empty), AfterValidator(_named)]
"""Filled one by one, like PARTS of an artifact."""


def _items(value: Json) -> Json:
    """Check what `for_each` goes over: a list or a mapping of lists, if it is known by now."""
    if isinstance(value, str) and env.references(value):
        return value
    if env.names(value):
        hint = "items become ids: let them be written here, or be a parameter that is no secret"
        raise refusal(((), Code.VALUE, "{} cannot hold variables or secrets", hint))
    if details := list(islice(env.faults(value, {}), ENOUGH)):
        raise refusal(*details)
    value = env.expand(value, {})
    lists = list(value.values()) if isinstance(value, dict) else [value]
    if not all(isinstance(each, list) for each in lists):
        hint = "write a list, or a mapping of lists for every combination of them"
        raise refusal(((), Code.TYPE, "{} must be a list or a mapping of lists", hint))
    if not lists or not all(lists):
        raise refusal(((), Code.MISSING, "{} is empty", None))
    return value


Text: TypeAlias = Annotated[str, Field(min_length=1)]
OneLine: TypeAlias = Annotated[Text, AfterValidator(_one_line)]
Chosen: TypeAlias = Annotated[Text, AfterValidator(_chosen)]
ForItem: TypeAlias = Annotated[Text, AfterValidator(_for_item)]
"""Like Chosen; in an artifact with `for_each` it may refer to the item."""
Inputs: TypeAlias = Annotated[
    Annotated[list[ForItem], Field(min_length=1)],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
    AfterValidator(_once),
]
Properties: TypeAlias = Annotated[
    dict[str, Any], BeforeValidator(_or_empty), AfterValidator(_checked)
]
Seconds: TypeAlias = Annotated[float, BeforeValidator(_seconds, json_schema_input_type=float | str)]


class Form(BaseModel):
    """Strict, and silent about what it was given: that may be a secret."""

    model_config = ConfigDict(
        strict=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=()
    )


class Rare(Form):
    """Built when it is first used: what few runbooks have must not slow the start of all."""

    model_config = ConfigDict(defer_build=True)


class ComponentForm(Form):
    """`source` and `process`."""

    type: Chosen
    properties: Properties = {}


class ReuseForm(Form):
    """`reuse`."""

    from_run: ForItem
    artifact: Annotated[ForItem, AfterValidator(_artifact_id)]


class ChildForm(Rare):
    """`child_runbook`."""

    path: ForItem
    input_mapping: Annotated[dict[str, ForItem], BeforeValidator(_or_empty)] = {}
    output: Chosen | None = None
    output_mapping: dict[str, Annotated[Chosen, AfterValidator(_artifact_id)]] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.output) == bool(self.output_mapping):
            hint = "'output: <name>' for one, 'output_mapping: {<its name>: <name here>}' for more"
            message = "{} must have either 'output' or 'output_mapping'"
            raise refusal(((), Code.CONFLICT, message, hint))
        return self


class GateForm(Rare):
    """`gate`."""

    question: Annotated[Text, AfterValidator(_read_aloud)]
    show: Inputs
    approvers: Annotated[int, Field(ge=1, le=100)] = 1
    expires: Seconds | None = None


class RetryForm(Rare):
    """`retry`."""

    max: Annotated[int, Field(ge=1, le=1000)]
    on: Annotated[list[Chosen], BeforeValidator(_listed)] = []
    delay: Seconds = 1.0
    max_delay: Seconds = 60.0


class RepeatForm(Rare):
    """`repeat`."""

    until: Annotated[Any, BeforeValidator(_until)]
    max: Annotated[int, Field(ge=1, le=100)]
    otherwise: Literal["fail", "keep"] = "fail"
    feed: Annotated[dict[str, Chosen], BeforeValidator(_or_empty)] = {}


class ArtifactForm(Form):
    """One entry of `artifacts`; what is `Any` here and named in PARTS is filled on its own."""

    source: ComponentForm | None = None
    inputs: Inputs | None = None
    process: ComponentForm | None = None
    reuse: ReuseForm | None = None
    child_runbook: Any = None
    gate: Any = None
    merge: Literal["concatenate"] | None = None
    output: bool = False
    optional: bool = False
    output_schema: Annotated[Chosen, AfterValidator(_schema)] | None = None
    when: Annotated[Any, BeforeValidator(_when)] = None
    after: Inputs | None = None
    for_each: Annotated[Any, BeforeValidator(_items)] = None
    repeat: Any = None
    retry: Any = None
    timeout: Seconds | None = None
    pool: Chosen | None = None
    on_error: Literal["skip", "continue", "fail"] | None = None
    cache: bool | None = None
    name: OneLine | None = None
    description: str | None = None
    contact: str | None = None


class ConfigForm(Form):
    """`config`."""

    timeout: Seconds | None = None
    max_concurrency: Annotated[int, Field(ge=1)] | None = None
    pools: Annotated[dict[str, Annotated[int, Field(ge=1)]], BeforeValidator(_or_empty)] = {}
    on_error: Literal["skip", "continue", "fail"] | None = None
    cache: bool | None = None
    template_paths: list[Chosen] = []
    max_child_depth: Annotated[int, Field(ge=1, le=32)] = 3


class ParamForm(Rare):
    """One entry of `params`."""

    type: Annotated[Text, AfterValidator(_param_type)]
    default: Any = None
    description: str | None = None
    secret: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if "default" in self.model_fields_set and self.default is None:
            raise refusal((("default",), Code.MISSING, "{} is empty", None))
        details = [((key,), code, what, hint) for key, code, what, hint in self.param("").faults()]
        if details:
            raise refusal(*details)
        return self

    def param(self, name: str) -> Param:
        return Param(name, cast(Type, self.type), self.default, self.description, self.secret)


class NeedForm(Rare):
    """One entry of `inputs`: what a child must be given."""

    input_schema: Annotated[Chosen, AfterValidator(_schema)]
    optional: bool = False
    default: Any = None
    sensitive: bool = False
    description: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.default is not None and not self.optional:
            hint = "add 'optional: true', or take the default away"
            raise refusal((("default",), Code.CONFLICT, "only an optional input has one", hint))
        return self


class OfferForm(Rare):
    """One entry of `outputs`: what a child gives."""

    artifact: Chosen
    description: str | None = None


class RunbookForm(Form):
    """The top level."""

    name: OneLine | None = None
    version: OneLine = "1.0"
    description: str | None = None
    contact: str | None = None
    framework: OneLine | None = None
    config: Annotated[ConfigForm, BeforeValidator(_or_empty)] = ConfigForm()
    params: Entries = {}
    inputs: Annotated[Entries, AfterValidator(_as_ids)] = {}
    outputs: Entries = {}
    artifacts: Annotated[dict[str, ArtifactForm], WrapValidator(_each_on_its_own)]


def form_at(path: Sequence[str | int]) -> type[Form] | None:
    """Return the form of the mapping at a path; None where keys are free."""
    match tuple(path):
        case ():
            return RunbookForm
        case ("config",):
            return ConfigForm
        case ("artifacts", _):
            return ArtifactForm
        case ("artifacts", _, "source" | "process"):
            return ComponentForm
        case ("artifacts", _, "reuse"):
            return ReuseForm
        case ("artifacts", _, part):
            return PARTS.get(str(part))
        case (part, _):
            return ENTRIES.get(str(part))
    return None


PARTS: Mapping[str, type[Rare]] = {
    "child_runbook": ChildForm,
    "gate": GateForm,
    "retry": RetryForm,
    "repeat": RepeatForm,
}
"""Parts of an artifact that few have."""
ENTRIES: Mapping[str, type[Rare]] = {
    "params": ParamForm,
    "inputs": NeedForm,
    "outputs": OfferForm,
}
"""What stands under these keys of a runbook, by name."""
