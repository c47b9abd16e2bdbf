"""The inclusion of a child runbook: found, checked against its parent, given a scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from waivern.diagnostics import Diagnostic, InvalidError, circle
from waivern.errors import WaivernError
from waivern.language import template
from waivern.language.models import RunbookDraft
from waivern.language.producer_specs import ChildSpec
from waivern.planning import condition_tests, mapping
from waivern.planning.arguments import arguments
from waivern.planning.artifact_table import ArtifactTable
from waivern.planning.child_runbooks import ChildFile, ChildLibrary
from waivern.planning.plan_codes import PlanCode
from waivern.planning.scope import ChildInclusion, ConditionContext, Name, Scope, included_by


class Includer:
    """A maker of the scopes of children, their inputs mapped; their artifacts are added later."""

    def __init__(self, table: ArtifactTable, library: ChildLibrary) -> None:
        self._table = table
        self._library = library
        self._root_key = Path(table.root.runbook.document.path or "").name
        self._most_depth = table.root.runbook.config.max_child_depth

    async def include(
        self,
        directive: ChildInclusion,
        prefix: str,
        fed: Mapping[str, Name],
        tests: tuple[ConditionContext, ...],
    ) -> Scope | None:
        """Return the scope of the child, whose ids start with `prefix`; None if there is none.

        `fed` are inputs that a round has from the one before, `tests` decide whether it is made.
        """
        await self._library.fetch([(directive.child.path, directive.scope.key)])
        file = self._file(directive)
        if file is None:
            return None
        draft = self._draft(directive, file)
        if draft is None:
            return None
        inside = self._scope(directive, draft, file.key, prefix, tests)
        self._table.scopes.append(inside)
        for problem in draft.problems:
            self._table.report(inside.qualify(problem))
        self._table.bound(directive.scope, directive.artifact)
        mapping.bind_inputs(self._table, directive, inside, fed)
        return inside

    async def fetch(self, scope: Scope) -> None:
        """Look up all children that a scope includes by a plain path, in one batch."""
        wanted = [
            (artifact.producer.path, scope.key)
            for artifact in scope.runbook.artifacts.values()
            if isinstance(artifact.producer, ChildSpec)
            and not template.references(artifact.producer.path)
        ]
        await self._library.fetch(wanted)

    def _file(self, directive: ChildInclusion) -> ChildFile | None:
        keys = (self._root_key, *directive.scope.keys)
        file = self._library.file(directive.child.path, directive.scope.key)
        if isinstance(file, WaivernError):
            (said,) = file.problems if isinstance(file, InvalidError) else (file,)
            self._report(directive, said.message, said.hint)
        elif file.key in keys:
            around = circle(keys[keys.index(file.key) :])
            message = f"runbooks include each other in a circle: {around}"
            self._report(directive, message, "each arrow reads 'includes'; remove one of them")
        elif len(keys) > self._most_depth:
            message = f"children are nested deeper than {self._most_depth}"
            hint = "raise `config.max_child_depth` of the root runbook, or include less deeply"
            self._report(directive, message, hint)
        else:
            return file
        return None

    def _draft(self, directive: ChildInclusion, file: ChildFile) -> RunbookDraft | None:
        found = self._library.draft(file, directive)
        if isinstance(found, RunbookDraft):
            for problem in arguments(directive, found.runbook.params).problems:
                self._table.report(problem)
            return found
        included = (included_by(directive.scope, directive.artifact), *directive.scope.included)
        problems: Sequence[Diagnostic] = getattr(found, "problems", ())
        for problem in problems:
            artifact = problem.artifact and f"{directive.id}/{problem.artifact}"
            self._table.report(problem._replace(artifact=artifact, included=included))
        if not problems:
            self._report(directive, found.message, found.hint)
        return None

    def _report(self, directive: ChildInclusion, message: str, hint: str | None) -> None:
        at = (*directive.at, "path")
        self._table.report(directive.scope.problem(PlanCode.CHILD, message, at, hint=hint))

    def _scope(
        self,
        directive: ChildInclusion,
        draft: RunbookDraft,
        key: str,
        prefix: str,
        tests: tuple[ConditionContext, ...],
    ) -> Scope:
        around, artifact = directive.scope, directive.artifact
        own = draft.runbook.config
        return Scope(
            draft.runbook,
            prefix,
            key,
            draft.faulty,
            sound=not draft.problems,
            by=(around, artifact),
            keys=(*around.keys, key),
            values=draft.values,
            on_error=own.on_error or ("fail" if artifact.on_error == "fail" else around.on_error),
            cache=own.cache if own.cache is not None else around.cache,
            keep=own.keep or around.keep,
            on_change=own.on_change or around.on_change,
            tests=(*around.tests, *tests, *condition_tests.asked_of(self._table, directive)),
            after=(*around.after, *((around, name) for name in artifact.after)),
            tolerated=around.tolerated or directive.optional,
        )
