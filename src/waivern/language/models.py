"""Models of a runbook: what may be written, and what everyone reads after it was checked.

They are frozen. Texts in them are expanded as far as their type says (see `field_types`);
references between artifacts are not resolved, and need not lead anywhere.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeAlias

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from waivern.diagnostics import Diagnostic
from waivern.ids import ArtifactId, segment_fault
from waivern.language import template
from waivern.language.field_types import (
    Bytes,
    Chosen,
    ChosenId,
    ForItem,
    Inputs,
    InputsOrNone,
    Items,
    Names,
    OneLine,
    OneOrMoreNames,
    OrEmpty,
    Percentage,
    Properties,
    Recorded,
    RecordedId,
    RunbookName,
    SchemaName,
    Seconds,
    Text,
    Until,
    When,
    checked,
    refusal,
)
from waivern.language.keys import RARE, Entries, EntryName, Key, Model, NotAKey, Phase
from waivern.language.params import NAME_RULE, Param, name_fault
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode

DEFAULT_CONCURRENCY = 8
"""Artifacts that are produced at once where neither the user nor a file sets a number."""
MERGE = "merge"
"""The processor of an artifact that has inputs and names none."""

OnError: TypeAlias = Literal["skip", "continue", "fail"]
"""The effect of a failure: dependents are skipped, continue without it, or nothing more starts."""
Keep: TypeAlias = Literal["reference", "content"]
"""What is stored of a source: a catalogue, by which it is read again, or its data."""
OnChange: TypeAlias = Literal["skip", "fail"]
"""The effect of an item that changed since it was listed: it is skipped, or its reader fails."""


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


def _errors(names: tuple[str, ...]) -> tuple[str, ...]:
    from waivern.language.error_names import fault

    found = [
        ((n,) if len(names) > 1 else (), RunbookCode.VALUE, f"{{}} {what[0]}", what[1])
        for n, name in enumerate(names)
        if (what := fault(name)) is not None
    ]
    if found:
        raise refusal(*found)
    return names


class RetrySpec(Model):
    """`retry`: when a failed artifact is tried again."""

    max: Annotated[int, Field(ge=1, le=1000), Key("calls after the first")]
    on: Annotated[
        OneOrMoreNames,
        AfterValidator(_errors),
        Key(
            "names of error classes, those derived from them included, `timeout`, `died` and "
            "`max_memory`",
            type="name or list",
            default="any error",
        ),
    ] = ()
    delay: Annotated[
        Seconds, Key("the maximum delay before the second call; doubled for each further one")
    ] = 1.0
    max_delay: Annotated[Seconds, Key("the longest delay")] = 60.0


class RepeatSpec(Model):
    """`repeat`: a processor or a child applied to its own result until a condition holds."""

    until: Annotated[
        Until, Key("evaluated after each round, whose result is `result`", as_written=True)
    ]
    max: Annotated[int, Field(ge=1, le=100), Key("the maximum number of rounds")]
    otherwise: Annotated[
        Literal["fail", "keep"],
        Key("`keep` uses the last round although the condition is false"),
    ] = "fail"
    feed: Annotated[
        dict[str, Chosen],
        OrEmpty,
        Key("of a child: its output to its input in the next round", default="of one name"),
    ] = {}

    @property
    def keep(self) -> bool:
        """Whether the last round is used although the condition does not hold."""
        return self.otherwise == "keep"


Producer: TypeAlias = SourceSpec | ProcessSpec | ReuseSpec | ChildSpec | GateSpec

_WHAT = Phase.WHAT
_PEOPLE = ("gate", "child_runbook")
"""Keys of origin beside which the keys for production have no meaning."""
_NO_SOURCE = (*_PEOPLE, "inputs", "reuse")
_NO_WORK = (*_PEOPLE, "reuse")
"""Keys of origin beside which the keys for a source have no meaning."""


class ArtifactSpec(Model):
    """One entry of `artifacts`: where it comes from and what is expected of it."""

    unsupported: ClassVar = {"execute": "a child runs within its parent's run: see 'timeout'"}

    id: Annotated[ArtifactId, NotAKey(EntryName)]
    source: Annotated[
        SourceSpec | None,
        Key(
            "produced from outside, by a connector",
            _WHAT,
            origin=True,
            example="{type: filesystem, properties: {path: data}}",
        ),
    ] = None
    inputs: Annotated[InputsOrNone, Key("produced from other artifacts", _WHAT, origin=True)] = ()
    """In declared order, each once; not known to exist."""
    process: Annotated[
        ProcessSpec | None,
        Key(
            "the processor that produces it",
            _WHAT,
            default="the processor `merge`",
            example="{type: personal_data}",
        ),
    ] = None
    reuse: Annotated[
        ReuseSpec | None,
        Key(
            "copied from another run",
            _WHAT,
            origin=True,
            example="{from_run: '@last', artifact: findings}",
        ),
    ] = None
    child_runbook: Annotated[
        ChildSpec | None,
        RARE,
        Key(
            "produced by another runbook within this run",
            _WHAT,
            origin=True,
            example="{path: child.yaml, output: findings}",
        ),
    ] = None
    gate: Annotated[
        GateSpec | None,
        RARE,
        Key(
            "decided by people",
            _WHAT,
            origin=True,
            example="{question: 'May this go out?', show: findings}",
        ),
    ] = None
    merge: Annotated[
        Literal["concatenate"] | None,
        Key("how several `inputs` without `process` are joined", _WHAT),
    ] = None
    output: Annotated[bool, Key("whether it is an output of the run, which `-o` copies")] = False
    optional: Annotated[
        bool, Key("whether dependants run without it, and the run can be completed, if it fails")
    ] = False
    output_schema: Annotated[
        SchemaName | None,
        Key(
            "the expected schema; checked before anything runs",
            _WHAT,
            default="the component's",
            excludes=_PEOPLE,
        ),
    ] = None
    when: Annotated[When, Key("produced only if it is true", _WHAT, as_written=True)] = None
    after: Annotated[
        InputsOrNone, Key("started only when these are completed", _WHAT, default="none")
    ] = ()
    for_each: Annotated[Items, Key("produced once for each item", _WHAT)] = None
    """A list of items, a mapping of lists (every combination), or a reference to a parameter."""
    repeat: Annotated[
        RepeatSpec | None,
        RARE,
        Key(
            "produced repeatedly, from its own result",
            _WHAT,
            example="{until: 'count(result.open) == 0', max: 5}",
        ),
    ] = None
    retry: Annotated[
        RetrySpec | None,
        RARE,
        Key(
            "called again after a failure",
            default="the component's, or none",
            excludes=_PEOPLE,
            example="{max: 3}",
        ),
    ] = None
    timeout: Annotated[Seconds | None, Key("the time limit of one call", excludes=_PEOPLE)] = None
    max_memory: Annotated[
        Bytes | None,
        Key(
            "the memory that one call may take; it then runs in a worker process",
            excludes=_NO_WORK,
            example="512MiB",
        ),
    ] = None
    pool: Annotated[
        Chosen | None, Key("shares a limit of `config.pools` with others", excludes=_PEOPLE)
    ] = None
    on_error: Annotated[OnError | None, Key("the effect of its failure", default="`config`'s")] = (
        None
    )
    cache: Annotated[
        bool | None,
        Key(
            "whether it may be copied from an earlier run",
            default="`config`'s",
            excludes=_PEOPLE,
        ),
    ] = None
    keep: Annotated[
        Keep | None,
        Key(
            "whether the data of its source is stored, or read from the source when it is needed",
            default="`config`'s",
            excludes=_NO_SOURCE,
        ),
    ] = None
    on_change: Annotated[
        OnChange | None,
        Key(
            "the effect of an item of its source that changed since it was listed",
            default="`config`'s",
            excludes=_NO_SOURCE,
        ),
    ] = None
    name: Annotated[OneLine | None, Key("a title", Phase.TEXT, as_written=True)] = None
    description: Annotated[str | None, Key("what it is", Phase.TEXT, as_written=True)] = None
    contact: Annotated[str | None, Key("who is responsible", Phase.TEXT, as_written=True)] = None

    @property
    def producer(self) -> Producer:
        """Return what it is produced by; without a key that says so, the processor `merge`."""
        return (
            self.source or self.process or self.reuse or self.child_runbook or self.gate or _MERGE
        )


_MERGE = ProcessSpec.model_construct(type=MERGE, properties={})


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
