"""The shape of what few runbooks have: imported where one does, so as not to slow all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from waivern.diagnostics import did_you_mean
from waivern.language import template
from waivern.language.error_names import fault
from waivern.language.field_types import (
    Chosen,
    ChosenId,
    ForItem,
    Inputs,
    Listed,
    OrEmpty,
    Properties,
    Recorded,
    SchemaName,
    Seconds,
    Text,
    Until,
    checked,
    refusal,
)
from waivern.language.form import (
    ArtifactForm,
    ComponentForm,
    ConfigForm,
    Form,
    ReuseForm,
    RunbookForm,
)
from waivern.language.params import TYPES, Param, Type
from waivern.message import Json
from waivern.yamldoc.runbook_codes import RunbookCode


def _read_aloud(text: str, info: ValidationInfo) -> str:
    """Expand a text that people are shown; where there is an item, the plan puts it in first."""
    if "${" not in text:
        return text
    unbound = template.names(text)
    if variable := next((name for name in unbound if not name.startswith(template.PARAMS)), None):
        hint = "people are shown it, and a variable may be a secret: make it a parameter"
        raise refusal(((), RunbookCode.VALUE, f"'${{{variable}}}' is not replaced in {{}}", hint))
    checked(text, info)
    if unbound:
        hint = "people are shown it: a secret has no place there"
        raise refusal(
            ((), RunbookCode.VALUE, f"'${{{next(iter(unbound))}}}' has no value in {{}}", hint)
        )
    scope: Mapping[str, Json] = info.context["scope"] if info.context else {}
    return text if "each" in scope else str(template.expand(text, {}))


def _param_type(text: str) -> str:
    if text not in TYPES:
        message = f"{{}} must be one of {', '.join(TYPES)}"
        raise refusal(((), RunbookCode.VALUE, message, did_you_mean(text, TYPES)))
    return text


def _errors(names: list[str]) -> list[str]:
    found = [
        ((n,) if len(names) > 1 else (), RunbookCode.VALUE, f"{{}} {what[0]}", what[1])
        for n, name in enumerate(names)
        if (what := fault(name)) is not None
    ]
    if found:
        raise refusal(*found)
    return names


class ChildForm(Form):
    """`child_runbook`."""

    path: Recorded
    input_mapping: Annotated[dict[str, ForItem], OrEmpty] = Field(default_factory=dict)
    params: Properties = Field(default_factory=dict)
    output: Chosen | None = None
    output_mapping: dict[str, ChosenId] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.output) == bool(self.output_mapping):
            hint = "'output: <name>' for one, 'output_mapping: {<its name>: <name here>}' for more"
            message = "{} must have either 'output' or 'output_mapping'"
            raise refusal(((), RunbookCode.CONFLICT, message, hint))
        return self


class GateForm(Form):
    """`gate`."""

    question: Annotated[Text, AfterValidator(_read_aloud)]
    show: Inputs
    approvers: Annotated[int, Field(ge=1, le=100)] = 1
    expires: Seconds | None = None


class RetryForm(Form):
    """`retry`."""

    max: Annotated[int, Field(ge=1, le=1000)]
    on: Annotated[list[Chosen], Listed, AfterValidator(_errors)] = Field(default_factory=list)
    delay: Seconds = 1.0
    max_delay: Seconds = 60.0


class RepeatForm(Form):
    """`repeat`."""

    until: Until
    max: Annotated[int, Field(ge=1, le=100)]
    otherwise: Literal["fail", "keep"] = "fail"
    feed: Annotated[dict[str, Chosen], OrEmpty] = Field(default_factory=dict)


class ParamForm(Form):
    """One entry of `params`."""

    type: Annotated[Text, AfterValidator(_param_type)]
    default: Any = None
    description: str | None = None
    secret: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if "default" in self.model_fields_set and self.default is None:
            raise refusal((("default",), RunbookCode.MISSING, "{} is empty", None))
        details = [((key,), code, what, hint) for key, code, what, hint in self.param("").faults()]
        if details:
            raise refusal(*details)
        return self

    def param(self, name: str) -> Param:
        return Param(name, cast(Type, self.type), self.default, self.description, self.secret)


class NeedForm(Form):
    """One entry of `inputs`: what a child must be given."""

    input_schema: SchemaName
    optional: bool = False
    default: Any = None
    sensitive: bool = False
    description: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.default is not None and not self.optional:
            hint = "add 'optional: true', or take the default away"
            raise refusal(
                (("default",), RunbookCode.CONFLICT, "only an optional input has one", hint)
            )
        return self


class OfferForm(Form):
    """One entry of `outputs`: what a child gives."""

    artifact: Chosen
    description: str | None = None


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


PARTS: Mapping[str, type[Form]] = {
    "child_runbook": ChildForm,
    "gate": GateForm,
    "retry": RetryForm,
    "repeat": RepeatForm,
}
"""Parts of an artifact that few have."""
ENTRIES: Mapping[str, type[Form]] = {
    "params": ParamForm,
    "inputs": NeedForm,
    "outputs": OfferForm,
}
"""What stands under these keys of a runbook, by name."""
