"""What a component is. Nothing here has to be inherited: a class of this shape is enough.

How a component is called: a coroutine function runs on an event loop that only components share; a
plain function never does, it runs on a thread, and if what it returns is awaitable, that is then
awaited on that loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from waivern.message import Json, SchemaRef
from waivern.plugins.context import Context


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a processor: the artifact it came from, its content, what that means."""

    key: str
    content: Json
    schema: SchemaRef


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
