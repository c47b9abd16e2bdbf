"""Models of what an artifact is produced by: a source, a process, a copy, a child, or people."""

from collections.abc import Mapping
from typing import Annotated, Self, TypeAlias

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from waivern.ids import ArtifactId
from waivern.language import template
from waivern.language.field_types import (
    Chosen,
    ChosenId,
    ForItem,
    Inputs,
    OrEmpty,
    Properties,
    Recorded,
    RecordedId,
    Seconds,
    Text,
    checked,
    refusal,
)
from waivern.language.keys import RARE, Key, Model
from waivern.message import Json
from waivern.yamldoc.runbook_codes import RunbookCode


class SourceSpec(Model):
    """`source`: produced by a connector, from outside."""

    type: Annotated[Chosen, Key("the installed connector, or one in `component_paths`")]
    properties: Annotated[
        Properties, Key("passed to the connector", default="empty", example="{path: data}")
    ] = {}
    """As written: `${VAR}` is expanded where the work runs, so that no secret lies in a plan."""


class ProcessSpec(Model):
    """`process`: produced by a processor from other artifacts."""

    type: Annotated[Chosen, Key("the installed processor, or one in `component_paths`")]
    properties: Annotated[
        Properties, Key("passed to the processor", default="empty", example="{path: data}")
    ] = {}
    """As written, like those of a source."""


class ReuseSpec(Model):
    """`reuse`: copied from another run."""

    from_run: Annotated[
        Recorded,
        Key(
            "an id, its unique beginning, or a reference such as `@last` or `quickstart@last`",
            type="run",
        ),
    ]
    artifact: Annotated[RecordedId, Key("the artifact of that run", type="id")]


class ChildSpec(Model):
    """`child_runbook`: produced by another runbook, whose artifacts become part of this run."""

    path: Annotated[
        Recorded,
        Key("below the root runbook's folder, or in one of `config.template_paths`", type="path"),
    ]
    input_mapping: Annotated[
        dict[str, ForItem],
        OrEmpty,
        Key("the child's input to an artifact here; all inputs that are not optional"),
    ] = {}
    params: Annotated[Properties, Key("values of the child's parameters", default="empty")] = {}
    output: Annotated[Chosen | None, Key("the child's output that this artifact is")] = None
    output_mapping: Annotated[
        dict[str, ChosenId] | None,
        Key("for several outputs: the child's output to an alias here; either this or `output`"),
    ] = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.output) == bool(self.output_mapping):
            hint = "'output: <name>' for one, 'output_mapping: {<its name>: <name here>}' for more"
            message = "{} must have either 'output' or 'output_mapping'"
            raise refusal(((), RunbookCode.CONFLICT, message, hint))
        return self

    def outputs(self, id_: ArtifactId) -> Mapping[str, str]:
        """Return the name here of each output that the artifact with this id includes."""
        return {self.output: id_} if self.output else self.output_mapping or {}


def _question(text: str, info: ValidationInfo) -> str:
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


def _notified(text: str, info: ValidationInfo) -> str:
    """Return a text whose variables are expanded when it is used, so that no plan has them."""
    if any(each.partition(".")[0] == "each" for each in template.references(text)):
        hint = "the item is part of the id of the gate, which the notification names"
        raise refusal(((), RunbookCode.VALUE, "{} cannot refer to the item", hint))
    return str(checked(text, info))


Notified: TypeAlias = Annotated[Text, AfterValidator(_notified)]


class NotifySpec(Model):
    """`notify` of a gate: how people learn that it waits; a command or a webhook."""

    command: Annotated[
        list[Notified] | None,
        Field(min_length=1),
        Key("an executable and its arguments; stdin is the JSON document of the notification"),
    ] = None
    webhook: Annotated[
        Notified | None,
        Key("an address that the document is posted to: https, or http to this computer"),
    ] = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.command) == bool(self.webhook):
            hint = "'command: [./notify.sh]', or 'webhook: https://hooks.example.org/${TOKEN}'"
            message = "{} must have either 'command' or 'webhook'"
            raise refusal(((), RunbookCode.CONFLICT, message, hint))
        return self


class GateSpec(Model):
    """`gate`: decided by people, who are shown artifacts and a question."""

    question: Annotated[Text, AfterValidator(_question), Key("shown to the people who decide")]
    show: Annotated[Inputs, Key("the artifacts that are shown with it")]
    approvers: Annotated[
        int, Field(ge=1, le=100), Key("how many different people must approve")
    ] = 1
    expires: Annotated[
        Seconds | None, Key("the gate fails if no decision was made within this time")
    ] = None
    notify: Annotated[
        NotifySpec | None,
        RARE,
        Key(
            "how people are notified when the gate begins to wait",
            example="{webhook: 'https://hooks.example.org/${TOKEN}'}",
        ),
    ] = None


Producer: TypeAlias = SourceSpec | ProcessSpec | ReuseSpec | ChildSpec | GateSpec
