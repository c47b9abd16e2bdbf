"""The protocols of components. Nothing has to be inherited: a class of this shape is enough.

A component is called on a thread that has no event loop. If the call returns an awaitable, as a
coroutine function does, it is awaited on that thread, on an event loop that belongs to this call
and ends with it. Objects that belong to an event loop (locks, HTTP clients) therefore cannot be
shared between calls.

Optional attributes and methods:

`repeatable: bool`
    Equal properties and inputs (for a connector: an equal fingerprint) give equal content, on this
    machine and on others. The artifacts of such a component are cached by default.
`fingerprint(config, ctx) -> Mapping[str, str] | None`, of a connector
    A mark of each item that `extract` would read: {"customers/a.csv": "sha256:..."}. The marks are
    equal if, and as far as possible only if, `extract` would return equal content for equal
    properties. A mark is computed from the content: modification times change after a clone and may
    not change after a quick edit. None: no fingerprint is possible, and nothing is cached. The
    method reads what `extract` reads, reports the same coverage to `ctx` (a cached artifact gets
    this coverage) or none, and costs much less than `extract`.
    It is called before *and* after `extract`, because the source may change in between: if the two
    results differ, the artifact is used and not cached. A change that is undone during `extract`
    is not noticed.
`rulesets(config, ctx) -> Mapping[str, str]`
    "version sha256:<hex>" by name, of every ruleset that the content depends on. Called before
    *and* after the work, because the files of rulesets may change too.
`code(config, ctx) -> str | None`
    The digest of the user's own code that the component runs, computed without running any of it.
    None, or an error: it is not certain which code runs, and nothing is cached. Called before *and*
    after the work.
`retry: Mapping[str, Json]`
    Default retry settings, for artifacts whose runbook has none: `max`, `on`, `delay`, `max_delay`.
`requires: tuple[str, ...]`
    Names of the services that it needs, such as "llm". A service that is not installed is a problem
    of the plan. The component gets each with `ctx.service(name)`.
`describes(config, inputs, ctx) -> Mapping[str, Any] | None`
    The shape of the content, in the subset of JSON Schema that `waivern.shapes` describes;
    conditions are checked against it when a run is planned. `inputs` are the shapes of a
    processor's inputs. `config` is None where a property holds a variable. None: the shape is
    unknown.
`advise(config, ctx) -> Iterator[tuple[str, str, str | None]]`
    (property, message, hint) of each problem that is likely to occur, such as a missing file: the
    warnings of `wct validate`. It runs no code of the user.
`outputs: tuple[str, ...]`, of a processor
    Names of several outputs; `process` then returns a mapping with some of these names.

`catalogue(config, ctx) -> Iterator[Json]` and `read(config, ctx, entries) -> Iterator[Json]`, of a
connector that can read its source again
    `catalogue` yields an entry for each item of the source, without its data: an object with its
    `path` or `name`, its size, and `digest`, the digest of its data. The artifact is the list of
    the entries (`streams` names the list), and nothing of the data is stored. The runbook decides
    with `keep: reference` (the default of such a connector) or `keep: content`, which calls
    `extract`.
    `read` yields, for each of some entries, the item with its data, and checks the digest before
    it yields. `entries` is an iterator: take the next entry after the item before has been read;
    what is open, such as a database, serves them all. An item that has changed, vanished or cannot
    be read is reported with `ctx.skipped(item, reason)`, and nothing is yielded for it. Entries may
    come from a run of another machine: check that they lead to nothing but items of the source.
    Both methods hold one item, or one part of it, at a time.
    A large item may be yielded in parts, by `read` and by `extract`. Each part is an object of the
    same form: its data is in `text`, `rows` or `row_numbers`, which are joined where a processor
    asks for a list, and its place in `line`, `column`, `start` or `row`. All parts but the last
    have `"more": true`; the last part of an item that was skipped after parts of it were yielded
    is missing.
    What `read` yields depends on the entry, its data, and the properties named in
    `read_properties`: the results of consumers are cached by these, and by the connector's version
    and code. What `catalogue` has decided, such as an encoding, belongs into the entry.
`read_properties: tuple[str, ...]`, of such a connector
    The names of the properties on which the items that `read` yields depend. Without it, these are
    all: another value of any property then has all consumers read all items again.
`touched(config, ctx, entries, since) -> Iterator[Json]`, of such a connector
    Yields those of some entries whose items may have been written or replaced since a `datetime`.
    Called before cached results are taken for a list of an earlier run. The items that it yields
    are read and their digests compared; without it, these are all.
`streams: str`, or for a processor `streams(inputs) -> str`
    The key of the list that the records of a generator belong to. `extract` and `process` may be
    generators, plain or asynchronous: they yield the records of that list and return the rest of
    the content, an object, or None. The records are written while they are yielded. Without
    `streams` the list is called `records`.
`reads_streams: bool`, of a processor
    It reads large lists of its inputs with `Input.items` or `Input.each`. Other processors are
    handed such a list whole, up to 64 MiB.
`computes: bool`, or `computes(properties) -> bool`
    It spends its time in computing, so that calls of it are worth a worker process: they then use
    all processor cores. `properties` are those of the runbook. A worker has an interpreter of its
    own: what a call leaves in a module, in `ctx.once` or in a service is seen by later calls in the
    same process only. Results are written by the worker, and `ctx` works as on a thread. The items
    of `ctx.each_item` may be distributed among several workers, each of which calls `process`.
`waits: bool`
    It spends its time in waiting, as for another program: it stays on a thread. So do coroutines.
`joins_catalogues: bool`, of a processor
    Where all its inputs are listed sources with one kind of list, its result is the list of all
    their entries, and `process` is not called. It then stays a listed source.

`fingerprint`, `rulesets` and `code` are plain functions. They are called on a thread, also by
commands that run nothing (`wct plan`). An error that they raise does not fail the artifact: the
artifact is then produced, and the work itself meets and reports the same problem.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from waivern.errors import Exit, WaivernError
from waivern.message import Json, SchemaRef
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input
from waivern.record_stream import RECORDS


class Suspend(WaivernError):  # noqa: N818 - not an error: a state to be resumed from
    """Raised by a component that waits for something outside: data, a permission, a person.

    `reason` names it. The artifact is suspended, not failed; when the run is resumed, the component
    is called again, with the data of the resume in `ctx.resume_data`.
    """

    exit_code = Exit.SUSPENDED

    @property
    def reason(self) -> str:
        return self.message or "something outside; the component gave no reason"


@runtime_checkable
class Connector(Protocol):
    """A component that produces an artifact from a source outside the run.

    `extract` returns content without clock times, run ids or absolute paths, so that equal sources
    give equal artifacts. It reports each item that it cannot read with `ctx.skipped`. The message
    of a ComponentError that it raises is shown to the user unchanged.
    """

    name: str
    version: str
    produces: SchemaRef

    @property
    def Config(self) -> type[BaseModel]:  # noqa: N802 - implementations have a class here
        """The model of the properties in a runbook, validated when the run is planned."""
        ...

    def extract(self, config: Any, ctx: Context) -> Json | Awaitable[Json]:
        """Return the content of the artifact; `config` is an instance of `Config`."""
        ...


@runtime_checkable
class Processor(Protocol):
    """A component that produces an artifact from others; the same rules as for a connector."""

    name: str
    version: str

    @property
    def accepts(self) -> tuple[SchemaRef, ...] | None:
        """The schemas that an input may have; None: any schema."""
        ...

    @property
    def produces(self) -> SchemaRef | None:
        """The schema of the content; None: the schema that all inputs share."""
        ...

    @property
    def Config(self) -> type[BaseModel]:  # noqa: N802 - implementations have a class here
        """The model of the properties in a runbook, validated when the run is planned."""
        ...

    def process(self, inputs: Sequence[Input], config: Any, ctx: Context) -> Json | Awaitable[Json]:
        """Return the content produced from `inputs`, in declared order."""
        ...


Component = Connector | Processor


def rereadable(component: object) -> bool:
    """Return whether a connector can list its source and read it again."""
    return hasattr(component, "catalogue") and hasattr(component, "read")


def list_name(component: object, inputs: Sequence[Input] = ()) -> str:
    """Return the key of the list that the records of a component belong to."""
    named = getattr(component, "streams", RECORDS)
    return str(named(inputs) if callable(named) else named)
