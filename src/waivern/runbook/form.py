"""The shape of a runbook as written: what may be said where. Says nothing about references.

Texts that choose what runs (`type`, `inputs`, `from_run`, `artifact`, `output_schema`) are
expanded here; `properties` are only checked for variables; descriptive texts are kept as written,
because they are persisted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from waivern.ids import RULE, segment_fault
from waivern.message import Json
from waivern.runbook import env
from waivern.runbook.codes import Code
from waivern.runbook.events import ENOUGH

Detail = tuple[env.Path, Code, str, str | None]
"""Path below the field, code, message, hint."""


def refusal(*details: Detail) -> PydanticCustomError:
    """Return an error that pydantic carries to where positions are known."""
    return PydanticCustomError("runbook", "refused", {"details": details})


def _environ(info: ValidationInfo) -> Mapping[str, str]:
    environ: Mapping[str, str] = info.context["environ"] if info.context else {}
    return environ


def _checked(value: Json, info: ValidationInfo) -> Json:
    if details := list(islice(env.faults(value, _environ(info)), ENOUGH)):
        raise refusal(*details)
    return value


def _expanded(text: str, info: ValidationInfo) -> str:
    if "${" not in text:
        return text
    _checked(text, info)
    result: str = env.expand(text, _environ(info))
    if not result:
        raise refusal(((), Code.MISSING, "{} is empty once its variables are replaced", None))
    return result


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise refusal(((), Code.VALUE, "{} must be one line without control characters", None))
    return text


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
    for segment in text.split("/"):
        if fault := segment_fault(segment):
            raise refusal(((), Code.ARTIFACT_ID, f"{{}} {fault}", f"an id has {RULE}"))
    return text


_DURATION = re.compile(r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,12})?) ?(?P<unit>s|m|h)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def _seconds(value: Json) -> Json:
    if value is None:
        return None
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match:
        value = float(match["number"]) * _SECONDS[match["unit"]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = "write seconds as a number, or text such as '90s', '5m' or '2h'"
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


Text: TypeAlias = Annotated[str, Field(min_length=1)]
OneLine: TypeAlias = Annotated[Text, AfterValidator(_one_line)]
Chosen: TypeAlias = Annotated[Text, AfterValidator(_expanded), AfterValidator(_one_line)]
Inputs: TypeAlias = Annotated[
    Annotated[list[Chosen], Field(min_length=1)],
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


class ComponentForm(Form):
    """`source` and `process`."""

    type: Chosen
    properties: Properties = {}


class ReuseForm(Form):
    """`reuse`."""

    from_run: Chosen
    artifact: Annotated[Chosen, AfterValidator(_artifact_id)]


class ArtifactForm(Form):
    """One entry of `artifacts`."""

    source: ComponentForm | None = None
    inputs: Inputs | None = None
    process: ComponentForm | None = None
    reuse: ReuseForm | None = None
    merge: Literal["concatenate"] | None = None
    output: bool = False
    optional: bool = False
    output_schema: Annotated[Chosen, AfterValidator(_schema)] | None = None
    name: OneLine | None = None
    description: str | None = None
    contact: str | None = None


class ConfigForm(Form):
    """`config`."""

    timeout: Seconds | None = None
    max_concurrency: Annotated[int, Field(ge=1)] | None = None


class RunbookForm(Form):
    """The top level."""

    name: OneLine | None = None
    version: OneLine = "1.0"
    description: str | None = None
    contact: str | None = None
    framework: OneLine | None = None
    config: Annotated[ConfigForm, BeforeValidator(_or_empty)] = ConfigForm()
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
    return None
