"""The resolver that a program supplies: lookups that wait for a remote store, before local ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from waivern.errors import StoreError, WaivernError
from waivern.ids import ArtifactId
from waivern.language.producer_specs import ReuseSpec
from waivern.planning.child_runbooks import ChildFile, ChildReference
from waivern.planning.plan import Copy
from waivern.planning.resolver import Resolver
from waivern.runs.child_files import places

RemoteChild: TypeAlias = bytes | WaivernError | None
"""The bytes of a child runbook, the error of its lookup, or None: look for a file."""
RemoteRun: TypeAlias = str | WaivernError | None
"""The id of a run, the error of its lookup, or None: resolve the reference in the store."""


class RemoteResolver(Protocol):
    """An asynchronous source of child runbooks, and of the runs that `reuse` refers to.

    Both methods are awaited in the event loop of the caller. Each receives all that can be looked
    up at this point in one batch, so that it can make the lookups concurrently. A WaivernError that
    is *returned* is reported with the position in the runbook, beside all other problems; one that
    is *raised* ends planning.
    """

    async def find_children(self, wanted: Sequence[ChildReference]) -> Sequence[RemoteChild]:
        """Return each child runbook, in the order of the references.

        The relative paths in a child start from the folder in which its file would be.
        """
        ...

    async def find_runs(self, wanted: Sequence[str]) -> Sequence[RemoteRun]:
        """Return the run for each `reuse: {from_run: …}`, in the order of the references.

        It must be in the store that the new run uses: its artifact is verified and read there.
        """
        ...


class RemoteFirst:
    """A resolver that consults a RemoteResolver first, and a local one for what that lacks."""

    def __init__(self, remote: RemoteResolver, local: Resolver, folder: Path) -> None:
        self._remote = remote
        self._local = local
        self._folder = folder
        """The folder of the root runbook."""

    async def children(
        self, wanted: Sequence[ChildReference]
    ) -> Sequence[ChildFile | WaivernError]:
        """Return each child runbook, or the error of its lookup."""
        at = {reference: self._place(reference) for reference in wanted}
        asked = [each for each, place in at.items() if not isinstance(place, WaivernError)]
        answers = await self._remote.find_children(asked) if asked else ()
        _check_count(answers, asked)
        remote = dict(zip(asked, answers, strict=True))
        missing = [each for each, answer in remote.items() if answer is None]
        local = await self._local.children(missing) if missing else ()
        found = dict(zip(missing, local, strict=True))
        return [found.get(each) or _child(at[each], remote.get(each)) for each in wanted]

    async def copies(
        self, wanted: Mapping[ArtifactId, ReuseSpec]
    ) -> Mapping[ArtifactId, Copy | WaivernError]:
        """Return each artifact of another run, or the error of its lookup."""
        asked = list(dict.fromkeys(source.from_run for source in wanted.values()))
        answers = await self._remote.find_runs(asked)
        _check_count(answers, asked)
        runs = dict(zip(asked, answers, strict=True))
        found: dict[ArtifactId, Copy | WaivernError] = {}
        known: dict[ArtifactId, ReuseSpec] = {}
        for id_, source in wanted.items():
            run = runs[source.from_run]
            if isinstance(run, WaivernError):
                found[id_] = run
            else:
                known[id_] = source if run is None else source.model_copy(update={"from_run": run})
        return {**found, **(await self._local.copies(known) if known else {})}

    def _place(self, reference: ChildReference) -> tuple[Path, str] | WaivernError:
        """Return the path that the child's file would have, and its key there."""
        try:
            return places(self._folder, *reference)[0]
        except WaivernError as error:
            return error


def _check_count(answers: Sequence[object], asked: Sequence[object]) -> None:
    if len(answers) != len(asked):
        raise StoreError(
            f"the resolver returned {len(answers)} answers to {len(asked)} references",
            hint="return one answer for each reference, in the same order",
        )


def _child(place: tuple[Path, str] | WaivernError, answer: RemoteChild) -> ChildFile | WaivernError:
    if isinstance(place, WaivernError):
        return place
    path, key = place
    assert answer is not None  # looked up locally
    return answer if isinstance(answer, WaivernError) else ChildFile(key, path.parent, answer)
