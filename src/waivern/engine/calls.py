"""What goes to an executor, and what comes back: small, and picklable."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeAlias

from waivern.message import Json, SchemaRef
from waivern.planning.plan import Work
from waivern.plugins.context import Context
from waivern.store.base import ArtifactRef, Receipt


@dataclass(frozen=True, slots=True)
class Call:
    """Make one artifact."""

    run_id: str
    artifact: str
    work: Work
    inputs: tuple[ArtifactRef, ...]
    schema: SchemaRef


@dataclass(frozen=True, slots=True)
class Produced:
    """The artifact is staged."""

    receipt: Receipt
    duration_ms: int
    coverage: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The artifact could not be made."""

    kind: str
    """The class of the error, or 'timeout'."""
    message: str
    hint: str | None
    duration_ms: int
    store: bool = False
    """The store could not write: nothing else will fare better."""

    @property
    def error(self) -> dict[str, Json]:
        return {"kind": self.kind, "message": self.message, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class Awaiting:
    """The component has begun and has to be awaited; never leaves the process."""

    call: Call
    result: Awaitable[Json]
    ctx: Context
    began: float


Outcome: TypeAlias = Produced | Failed
