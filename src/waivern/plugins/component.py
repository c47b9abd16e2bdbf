"""What a component is. Nothing here has to be inherited: a class of this shape is enough.

How a component is called: on a thread, without an event loop. If it returns an awaitable, as a
coroutine function does, that is awaited there on an event loop of its own, which ends with the
call: what belongs to an event loop (locks, HTTP clients) cannot be shared between calls.

What a component may declare besides; absent means none:

`repeatable: bool`
    Equal properties and inputs (for a connector: an equal fingerprint) give equal content, here
    and elsewhere. Its artifacts are then cached without being asked.
`fingerprint(config, ctx) -> Mapping[str, str] | None`, of a connector
    Marks of all that `extract` would read: {"customers/a.csv": "sha256:..."}. Equal if, and as far
    as can be told only if, `extract` would return equal content for equal properties. Marks are of
    content: a time of modification tells too much after a clone and too little after a quick edit.
    None: it cannot tell, and nothing is cached. It reads exactly what `extract` reads, reports the
    same coverage to `ctx` (a cached artifact has this one) or none, and costs much less than the
    work that follows.
    The source may change between it and `extract`. The caller therefore takes it before *and*
    after: if the two differ, the artifact is good and is not cached. What is changed during
    `extract` and is changed back before the second look stays unseen.
`rulesets(config, ctx) -> Mapping[str, str]`
    "version sha256:<hex>" by name, of every ruleset that its work depends on. Files may change
    here too: taken before and after.
`code(config, ctx) -> str | None`
    Digest of the user's own code that it runs, without running any of it. None, or an error: it is
    not certain which code runs, and nothing is cached. Called before *and* after the work.
`retry: Mapping[str, Json]`
    Terms of trying again where the runbook gives none: `max`, `on`, `delay`, `max_delay`.
`describes(config, inputs, ctx) -> Mapping[str, Any] | None`
    The shape of the content, in the subset of JSON Schema that
    `language/conditions/value_shapes.py` names:
    conditions are checked against it when a run is planned. `inputs` are the shapes of a
    processor's inputs. `config` is None where a property holds a variable. None: it is not known.
`advise(config, ctx) -> Iterator[tuple[str, str, str | None]]`
    (property, message, hint) of what is likely to fail, such as a file that is not there: the
    warnings of `wct validate`. It runs no code of anybody.
`outputs: tuple[str, ...]`, of a processor
    Names of several outputs; `process` then returns a mapping with some of these names.

`fingerprint`, `rulesets` and `code` are plain functions, called on a thread, also where nothing is
run (`wct plan`). What they raise is not the artifact's failure: it is then produced, and the same
trouble is met and told there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from waivern.errors import Exit, WaivernError
from waivern.message import Json, SchemaRef
from waivern.plugins.context import Context


@dataclass(frozen=True)
class Input:
    """One input of a processor: the artifact it came from, its content, what that means."""

    key: str
    content: Json
    schema: SchemaRef


class Suspend(WaivernError):  # noqa: N818 - not an error: a state to be resumed from
    """Raised by a component that waits for something outside: data, a permission, a person.

    `reason` says for what. The artifact is suspended, not failed; when the run is resumed the
    component is called again, with what was handed over as `ctx.resume_data`.
    """

    exit_code = Exit.SUSPENDED

    @property
    def reason(self) -> str:
        return self.message


@runtime_checkable
class Connector(Protocol):
    """Produces an artifact from outside.

    `extract` returns content without clock times, run ids or absolute paths, so that equal sources
    give equal artifacts. What it cannot read it reports with `ctx.skipped`; a ComponentError it
    raises is shown to people as it is.
    """

    name: str
    version: str
    produces: SchemaRef

    @property
    def Config(self) -> type[BaseModel]:  # noqa: N802 - a class in its place is what is meant
        """The properties in a runbook, checked when the run is planned."""
        ...

    def extract(self, config: Any, ctx: Context) -> Json | Awaitable[Json]:
        """Return the content of the artifact; `config` is an instance of `Config`."""
        ...


@runtime_checkable
class Processor(Protocol):
    """Produces an artifact from others; the same rules as for a connector."""

    name: str
    version: str

    @property
    def accepts(self) -> tuple[SchemaRef, ...] | None:
        """The schemas an input may have; None where any will do."""
        ...

    @property
    def produces(self) -> SchemaRef | None:
        """None: the schema that all inputs share."""
        ...

    @property
    def Config(self) -> type[BaseModel]:  # noqa: N802 - a class in its place is what is meant
        """The properties in a runbook, checked when the run is planned."""
        ...

    def process(self, inputs: Sequence[Input], config: Any, ctx: Context) -> Json | Awaitable[Json]:
        """Return the content made from `inputs`, which are in declared order."""
        ...


Component = Connector | Processor
