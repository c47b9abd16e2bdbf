"""What a component is. Nothing here has to be inherited: a class of this shape is enough."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

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

    `extract` may be a coroutine function; a plain one never runs on the event loop. It returns
    content without clock times, run ids or absolute paths, so that equal sources give equal
    artifacts. What it cannot read it reports with `ctx.skipped`; a ComponentError it raises is
    shown to people as it is.
    """

    name: str
    version: str
    Config: type[BaseModel]
    produces: SchemaRef

    def extract(self, config: BaseModel, ctx: Context) -> Json | Awaitable[Json]:
        """Return the content of the artifact."""
        ...


@runtime_checkable
class Processor(Protocol):
    """Produces an artifact from others; the same rules as for a connector."""

    name: str
    version: str
    Config: type[BaseModel]
    accepts: tuple[SchemaRef, ...] | None
    """The schemas an input may have; None where any will do."""
    produces: SchemaRef | None
    """None: the schema that all inputs share."""

    def process(
        self, inputs: Sequence[Input], config: BaseModel, ctx: Context
    ) -> Json | Awaitable[Json]:
        """Return the content made from `inputs`, which are in declared order."""
        ...


Component = Connector | Processor
