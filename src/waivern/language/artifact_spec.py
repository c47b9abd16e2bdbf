"""The model of one artifact of a runbook, with how it is tried again and repeated."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, Field

from waivern.ids import ArtifactId
from waivern.language.field_types import (
    Bytes,
    Chosen,
    InputsOrNone,
    Items,
    OneLine,
    OneOrMoreNames,
    OrEmpty,
    SchemaName,
    Seconds,
    Until,
    When,
    refusal,
)
from waivern.language.keys import RARE, EntryName, Key, Model, NotAKey, Phase
from waivern.language.producer_specs import (
    ChildSpec,
    GateSpec,
    ProcessSpec,
    Producer,
    ReuseSpec,
    SourceSpec,
)
from waivern.yamldoc.runbook_codes import RunbookCode

MERGE = "merge"
"""The processor of an artifact that has inputs and names none."""

OnError: TypeAlias = Literal["skip", "continue", "fail"]
"""The effect of a failure: dependents are skipped, continue without it, or nothing more starts."""
Keep: TypeAlias = Literal["reference", "content"]
"""What is stored of a source: a catalogue, by which it is read again, or its data."""
OnChange: TypeAlias = Literal["skip", "fail"]
"""The effect of an item that changed since it was listed: it is skipped, or its reader fails."""


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
    tags: Annotated[
        OneOrMoreNames,
        Key(
            "words by which `--select tag:WORD` finds it",
            type="word or list",
            default="none",
            example="[pii]",
        ),
    ] = ()
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
