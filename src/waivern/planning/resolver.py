"""The resolver: the port through which planning looks up what lies outside the runbook.

Lookups may wait for a remote store, so planning is asynchronous. They are requested in batches: all
children of one level at once, whatever their parents, and all reused artifacts at once; a resolver
that waits can make the lookups of a batch concurrently. Files and a local store answer without
waiting: planning then runs to its end without an event loop, whose start would take longer than
planning itself.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from waivern.errors import StoreError, WaivernError
from waivern.ids import ArtifactId
from waivern.language.producer_specs import ReuseSpec
from waivern.planning.child_runbooks import ChildFile, ChildFinder, ChildLookup, ChildReference
from waivern.planning.plan import Copy
from waivern.planning.reuse import ReuseLookup, ReuseSource

T = TypeVar("T")


class Resolver(ChildLookup, ReuseLookup, Protocol):
    """An asynchronous source of child runbooks and of references to other runs."""


class LocalLookups(ChildFinder, ReuseSource, Protocol):
    """A source that answers each lookup at once, or raises WaivernError."""


class LocalResolver:
    """A resolver over lookups that never wait."""

    def __init__(self, lookups: LocalLookups) -> None:
        self._lookups = lookups

    async def children(
        self, wanted: Sequence[ChildReference]
    ) -> Sequence[ChildFile | WaivernError]:
        """Return each child runbook, or the error of its lookup."""
        return [self._child(reference) for reference in wanted]

    async def copies(
        self, wanted: Mapping[ArtifactId, ReuseSpec]
    ) -> Mapping[ArtifactId, Copy | WaivernError]:
        """Return each artifact of another run, or the error of its lookup."""
        return {artifact: self._copy(artifact, source) for artifact, source in wanted.items()}

    def _child(self, reference: ChildReference) -> ChildFile | WaivernError:
        try:
            return self._lookups.child(*reference)
        except StoreError:  # a fault of the store, not of the runbook: planning ends
            raise
        except WaivernError as error:
            return error

    def _copy(self, artifact: ArtifactId, source: ReuseSpec) -> Copy | WaivernError:
        try:
            return self._lookups.reuse(artifact, source)
        except StoreError:
            raise
        except WaivernError as error:
            return error


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, without an event loop; return its result.

    A coroutine that waits would need a loop: that is a defect of the resolver, raised as
    RuntimeError.
    """
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise RuntimeError("a lookup waited, but planning runs without an event loop here")
