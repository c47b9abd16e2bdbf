"""Models of a runbook: what may be written, and what everyone reads after it was checked.

They are frozen. Texts in them are expanded as far as their type says (see `field_types`);
references between artifacts are not resolved, and need not lead anywhere.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from waivern.diagnostics import Diagnostic
from waivern.ids import ArtifactId, segment_fault
from waivern.language.artifact_spec import ArtifactSpec, Keep, OnChange, OnError
from waivern.language.field_types import (
    Chosen,
    Names,
    OneLine,
    OrEmpty,
    Percentage,
    RunbookName,
    SchemaName,
    Seconds,
    Share,
    refusal,
)
from waivern.language.keys import Entries, EntryName, Key, Model, NotAKey, Phase
from waivern.language.params import NAME_RULE, Param, name_fault
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode

DEFAULT_CONCURRENCY = 8
"""Artifacts that are produced at once where neither the user nor a file sets a number."""


class RunbookConfig(Model):
    """`config`: how the runbook is run; None leaves it to the caller."""

    unsupported: ClassVar = {"cost_limit": "remove it: no prices are known here"}

    timeout: Annotated[
        Seconds | None,
        Key("the time limit of an attempt; then the run is `failed` and can be resumed"),
    ] = None
    max_concurrency: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Key(
            "how many components run at once; `--max-concurrency` overrides it",
            default=str(DEFAULT_CONCURRENCY),
        ),
    ] = None
    pools: Annotated[
        dict[str, Annotated[int, Field(ge=1)]],
        OrEmpty,
        Key("how many artifacts of a pool run at once", type="name to number from 1"),
    ] = {}
    on_error: Annotated[
        OnError | None, Key("the default for artifacts without it", default="`skip`")
    ] = None
    cache: Annotated[
        bool | None, Key("the default for artifacts without it", default="by component")
    ] = None
    keep: Annotated[
        Keep | None, Key("the default for sources without it", default="by connector")
    ] = None
    on_change: Annotated[
        OnChange | None, Key("the default for sources without it", default="`skip`")
    ] = None
    template_paths: Annotated[
        Names,
        Key(
            "further folders in which children are looked for",
            type="list of folders",
        ),
    ] = ()
    max_child_depth: Annotated[
        int, Field(ge=1, le=32), Key("how deeply children may be nested")
    ] = 3
    min_coverage: Annotated[
        Percentage | None,
        Key("the percentage of each source that must be examined; otherwise the run exits with 6"),
    ] = None
    min_recall: Annotated[
        Share | None,
        Key("the share of its planted values that each scan must find; else the run exits with 6"),
    ] = None


class ChildInput(Model):
    """One entry of `inputs`: given by the runbook that includes this one."""

    name: Annotated[str, NotAKey(EntryName)]
    input_schema: Annotated[SchemaName, Key("the expected schema")]
    optional: Annotated[bool, Key("whether it may be left out")] = False
    default: Annotated[
        Any, Key("the content if nothing is mapped to it", type="any", default="none")
    ] = None
    sensitive: Annotated[bool, Key("whether its content is shown only on request")] = False
    description: Annotated[str | None, Key("what it is", Phase.TEXT, as_written=True)] = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.default is not None and not self.optional:
            hint = "add 'optional: true', or remove the default"
            raise refusal(
                (("default",), RunbookCode.CONFLICT, "only an optional input has one", hint)
            )
        return self


class ChildOutput(Model):
    """One entry of `outputs`: offered to runbooks that include this one."""

    name: Annotated[str, NotAKey(EntryName)]
    artifact: Annotated[Chosen, Key("the artifact that is offered", type="id")]
    description: Annotated[str | None, Key("what it is", Phase.TEXT, as_written=True)] = None


def _named(params: dict[str, Any]) -> dict[str, Any]:
    if found := [
        ((name,), RunbookCode.VALUE, f"{{}} {fault}", f"a name has {NAME_RULE}")
        for name in params
        if (fault := name_fault(name))
    ]:
        raise refusal(*found)
    return params


def _as_ids(inputs: dict[str, Any]) -> dict[str, Any]:
    """Refuse names of inputs that are no ids: one that nothing is mapped to is an artifact."""
    if found := [
        ((name,), RunbookCode.ARTIFACT_ID, f"{{}} {fault}", "give it another name")
        for name in inputs
        if (fault := segment_fault(name))
    ]:
        raise refusal(*found)
    return inputs


def _some(artifacts: dict[str, Any]) -> dict[str, Any]:
    if not artifacts:
        hint = "a runbook has at least one artifact"
        raise refusal(((), RunbookCode.MISSING, "{} is empty", hint))
    return artifacts


class Runbook(Model):
    """A whole runbook. `artifacts` are in declared order."""

    name: Annotated[
        RunbookName,
        Key("the name of the run", Phase.TEXT, default="the file's name without its ending"),
    ] = ""
    version: Annotated[
        OneLine, Key("your version of the runbook; recorded with the run", Phase.TEXT)
    ] = "1.0"
    description: Annotated[str | None, Key("the purpose of the runbook", Phase.TEXT)] = None
    contact: Annotated[str | None, Key("who is responsible", Phase.TEXT)] = None
    framework: Annotated[OneLine | None, Key("GDPR, CCPA …", Phase.TEXT)] = None
    config: Annotated[
        RunbookConfig,
        OrEmpty,
        Key("how it is run", default="empty", example="{max_concurrency: 4}"),
    ] = Field(default_factory=RunbookConfig)
    params: Annotated[
        dict[str, Param],
        Entries(Param),
        AfterValidator(_named),
        Key("the values that a run supplies", example="{region: {type: string, default: eu}}"),
    ] = {}
    inputs: Annotated[
        dict[str, ChildInput],
        Entries(ChildInput),
        AfterValidator(_named),
        AfterValidator(_as_ids),
        Key("the artifacts that it receives as a child; a required one makes it a child only"),
    ] = {}
    outputs: Annotated[
        dict[str, ChildOutput],
        Entries(ChildOutput),
        AfterValidator(_named),
        Key("the artifacts that it offers as a child"),
    ] = {}
    artifacts: Annotated[
        dict[ArtifactId, ArtifactSpec],
        Entries(ArtifactSpec, required=True),
        AfterValidator(_some),
        Key(
            "id to artifact, at least one; the order matters only for lists",
            example="{files: {source: {type: filesystem, properties: {path: data}}}}",
        ),
    ]
    document: Annotated[YamlDocument, NotAKey(YamlDocument)]

    @classmethod
    def unread(cls, name: str, document: YamlDocument) -> "Runbook":
        """Return the runbook in a document of which nothing is read but its bytes."""
        return cls.model_construct(name=name, artifacts={}, document=document)


class RunbookDraft(NamedTuple):
    """A runbook as far as it can be used, so that all problems can be reported at once."""

    runbook: Runbook
    """With the artifacts that are well formed."""
    problems: tuple[Diagnostic, ...] = ()
    faulty: frozenset[str] = frozenset()
    """The ids of the artifacts that are not, or that depend on a parameter without a value:
    they are there, and may be referred to.
    """
    values: Mapping[str, Json] = {}
    """Values of the parameters, as far as they are known; secrets too."""
