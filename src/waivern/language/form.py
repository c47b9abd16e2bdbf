"""The shape of a runbook as written: what may be said where. Says nothing about references."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WrapValidator

from waivern.ids import segment_fault
from waivern.language.field_types import (
    Chosen,
    Inputs,
    Items,
    OneLine,
    OrEmpty,
    Percentage,
    Properties,
    Recorded,
    RecordedId,
    SchemaName,
    Seconds,
    When,
    refusal,
)
from waivern.language.params import NAME_RULE, name_fault
from waivern.message import Json
from waivern.yamldoc.runbook_codes import RunbookCode


def _each_on_its_own(value: Json, _all_at_once: object) -> Json:
    """Leave the artifacts to the caller, who stops when there are enough problems."""
    if not isinstance(value, dict):
        raise refusal(((), RunbookCode.TYPE, "{} must be a mapping", None))
    if not value:
        raise refusal(
            ((), RunbookCode.MISSING, "{} is empty", "a runbook has at least one artifact")
        )
    return value


def _named(params: dict[str, Any]) -> dict[str, Any]:
    if found := [
        ((name,), RunbookCode.VALUE, f"{{}} {fault}", f"a name has {NAME_RULE}")
        for name in params
        if (fault := name_fault(name))
    ]:
        raise refusal(*found)
    return params


def _as_ids(inputs: dict[str, Any]) -> dict[str, Any]:
    """An input that nothing is mapped to is an artifact of that name."""
    if found := [
        ((name,), RunbookCode.ARTIFACT_ID, f"{{}} {fault}", "give it another name")
        for name in inputs
        if (fault := segment_fault(name))
    ]:
        raise refusal(*found)
    return inputs


Entries: TypeAlias = Annotated[dict[str, Any], OrEmpty, AfterValidator(_named)]
"""Filled one by one, like PARTS of an artifact."""


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

    from_run: Recorded
    artifact: RecordedId


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
    output_schema: SchemaName | None = None
    when: When = None
    after: Inputs | None = None
    for_each: Items = None
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
    pools: Annotated[dict[str, Annotated[int, Field(ge=1)]], OrEmpty] = {}
    on_error: Literal["skip", "continue", "fail"] | None = None
    cache: bool | None = None
    template_paths: list[Chosen] = []
    max_child_depth: Annotated[int, Field(ge=1, le=32)] = 3
    min_coverage: Percentage | None = None


class RunbookForm(Form):
    """The top level."""

    name: OneLine | None = None
    version: OneLine = "1.0"
    description: str | None = None
    contact: str | None = None
    framework: OneLine | None = None
    config: Annotated[ConfigForm, OrEmpty] = ConfigForm()
    params: Entries = {}
    inputs: Annotated[Entries, AfterValidator(_as_ids)] = {}
    outputs: Entries = {}
    artifacts: Annotated[dict[str, ArtifactForm], WrapValidator(_each_on_its_own)]


PARTS = frozenset(["child_runbook", "gate", "retry", "repeat"])
"""Parts of an artifact that few have; their forms are in `waivern.language.parts`."""
