"""The lookups of all child runbooks, level by level, before they are included.

Inclusion is a walk in depth, because the order of artifacts follows from it: it would look up the
children of one parent after those of another. Where a lookup waits for a remote store, this walk in
breadth comes first. It requests what all runbooks of one level include in one batch, and reports
nothing: inclusion finds the answers in the library, and everything that is wrong with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from waivern.ids import ArtifactId
from waivern.language.models import RunbookDraft
from waivern.language.producer_specs import ChildSpec
from waivern.planning.binding import with_item
from waivern.planning.child_runbooks import ChildFile, ChildLibrary
from waivern.planning.items import items
from waivern.planning.scope import ChildInclusion, Scope

MOST_DRAFTS = 10_000
"""Children that are read in advance; more, of a runbook that expands too far, are not needed."""


async def prefetch(root: Scope, library: ChildLibrary, environ: Mapping[str, str]) -> None:
    """Look up the children of a runbook and theirs, one batch for each level."""
    seen: set[int] = set()
    level = [root]
    for _depth in range(root.runbook.config.max_child_depth):
        inclusions = [each for scope in level for each in _inclusions(scope, environ)]
        if not inclusions:
            return
        await library.fetch([(each.child.path, each.scope.key) for each in inclusions])
        level = [inside for each in inclusions if (inside := _inside(each, library, seen))]


def _inclusions(scope: Scope, environ: Mapping[str, str]) -> Iterator[ChildInclusion]:
    """Yield what a scope includes, as far as that is certain and right."""
    for artifact in scope.runbook.artifacts.values():
        child = artifact.producer
        if not isinstance(child, ChildSpec):
            continue
        if artifact.for_each is None:
            yield ChildInclusion(scope, artifact, child, artifact.id, None)
        elif not isinstance(artifact.for_each, str):
            for item in items(artifact.for_each)[0]:
                bound, _faults = with_item(artifact, item.value, environ)
                if bound is not None and isinstance(bound.producer, ChildSpec):
                    id_ = ArtifactId(f"{artifact.id}/{item.label}")
                    yield ChildInclusion(scope, bound, bound.producer, id_, item.value)


def _inside(inclusion: ChildInclusion, library: ChildLibrary, seen: set[int]) -> Scope | None:
    """Return the scope of a child; None if it cannot be read, or its children are known."""
    file = library.file(inclusion.child.path, inclusion.scope.key)
    if not isinstance(file, ChildFile) or len(seen) >= MOST_DRAFTS:
        return None
    draft = library.draft(file, inclusion)
    if not isinstance(draft, RunbookDraft) or id(draft) in seen:  # the library holds them all
        return None
    seen.add(id(draft))
    by = (inclusion.scope, inclusion.artifact)
    return Scope(draft.runbook, key=file.key, by=by, values=draft.values)
