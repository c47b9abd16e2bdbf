"""Runbook -> flat artifacts: children included, `for_each` and `repeat` expanded.

Ids do not depend on anything but the runbooks: `<directive>/<artifact>` in a child,
`<artifact>/<item>` of a `for_each`, `<artifact>/round-2` of a `repeat`, `<artifact>/<output>` of a
processor with named outputs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from waivern.diagnostics import shown
from waivern.errors import WaivernError
from waivern.ids import ArtifactId, segment_fault
from waivern.language.artifact_spec import ArtifactSpec, RepeatSpec
from waivern.language.models import RunbookDraft
from waivern.language.producer_specs import ChildSpec, GateSpec, ProcessSpec
from waivern.language.template import NAME
from waivern.message import Json
from waivern.planning import mapping
from waivern.planning.artifact_table import ArtifactTable
from waivern.planning.binding import with_item
from waivern.planning.child_runbooks import ChildLibrary, ChildLookup
from waivern.planning.inclusion import Includer
from waivern.planning.items import LoopItem, items
from waivern.planning.plan import OutputPart
from waivern.planning.plan_codes import PlanCode
from waivern.planning.plan_components import OUTPUT, RecordedComponent
from waivern.planning.repetition import ChildRounds, repeated
from waivern.planning.resolver import LocalResolver
from waivern.planning.scope import ChildInclusion, ConditionContext, Meaning, Name, Scope
from waivern.plugins.catalogue import Catalogue


async def flatten(
    root: RunbookDraft,
    children: ChildLookup,
    environ: Mapping[str, str],
    catalogue: Catalogue,
    recorded_components: Mapping[ArtifactId, RecordedComponent],
) -> ArtifactTable:
    """Return the flat artifacts of a runbook and its children, and what is wrong so far.

    Raises InvalidError at once if there is too much of either.
    """
    library = ChildLibrary(root, children, environ)
    table = ArtifactTable(root, library.documents)
    if not isinstance(children, LocalResolver):
        from waivern.planning.child_prefetch import prefetch  # lookups that wait are rare

        await prefetch(table.root, library, environ)
    for need in root.runbook.inputs.values():
        mapping.bind_default(table, table.root, need)
    await _Walk(table, Includer(table, library), environ, catalogue, recorded_components).walk(
        table.root
    )
    for scope in table.scopes:
        mapping.check(table, scope)
    table.report_collisions()
    return table


_PARAMETER = re.compile(r"\$\{params\.(" + NAME + r")\}", re.ASCII)


class _Walk:
    """A walk over the artifacts of a runbook, and of the children where they are included.

    Only what includes children waits for lookups; the rest is plain calls, for there may be very
    many artifacts.
    """

    def __init__(
        self,
        table: ArtifactTable,
        includer: Includer,
        environ: Mapping[str, str],
        catalogue: Catalogue,
        recorded_components: Mapping[ArtifactId, RecordedComponent],
    ) -> None:
        self._table = table
        self._includer = includer
        self._environ = environ
        self._catalogue = catalogue
        self._recorded = recorded_components
        self._outputs: dict[str, Sequence[str] | None] = {}
        """The named outputs of processors; None for one that is missing."""

    async def walk(self, scope: Scope) -> None:
        """Add the artifacts of a scope, and those of its children."""
        await self._includer.fetch(scope)
        for artifact in scope.runbook.artifacts.values():
            if isinstance(artifact.producer, ChildSpec):
                await self._children(scope, artifact, artifact.producer)
            elif artifact.for_each is None:
                self._expand(scope, artifact, "", None)
            else:
                items_ = self._items(scope, artifact)
                made = [self._one(scope, artifact, item) for item in items_]
                scope.names[artifact.id] = [meaning for each in made for meaning in each]

    def _expand(
        self, scope: Scope, artifact: ArtifactSpec, suffix: str, each: Json
    ) -> list[Meaning]:
        """Add what is declared, for one item; return the artifacts that its id resolves to."""
        table, id_ = self._table, ArtifactId(f"{scope.prefix}{artifact.id}{suffix}")
        match artifact.producer:
            case ProcessSpec() as process:
                if artifact.repeat:
                    repeated(table, scope, artifact, artifact.repeat, id_, each)
                else:
                    inputs = tuple((scope, name) for name in artifact.inputs)
                    table.add(scope, artifact, id_, inputs, each)
                self._parts(scope, artifact, process, id_, each)
            case GateSpec() as gate:
                shown_ = tuple((scope, name) for name in gate.show)
                table.add(scope, artifact, id_, shown_, each)
            case _:
                table.add(scope, artifact, id_, (), each)
        return [id_]

    # for_each

    def _items(self, scope: Scope, artifact: ArtifactSpec) -> list[LoopItem]:
        found: list[LoopItem] = []
        if isinstance(artifact.for_each, str):  # only checked: parameters have no values
            fault = _no_list(scope, artifact.for_each)
        else:
            found, fault = items(artifact.for_each)
        if fault:
            at = ("artifacts", artifact.id, "for_each")
            self._table.report(scope.problem(PlanCode.ITEMS, f"'{artifact.id}' {fault}", at))
        return found

    def _one(self, scope: Scope, artifact: ArtifactSpec, item: LoopItem) -> list[Meaning]:
        bound = self._bound(scope, artifact, item)
        return self._expand(scope, bound, f"/{item.label}", item.value) if bound else []

    def _bound(self, scope: Scope, artifact: ArtifactSpec, item: LoopItem) -> ArtifactSpec | None:
        """Return the declaration for one item; None if that is wrong."""
        bound, faults = with_item(artifact, item.value, self._environ)
        for fault in faults:
            self._table.report(scope.locate(fault.below("artifacts", artifact.id)))
        return bound

    # children

    async def _children(self, scope: Scope, artifact: ArtifactSpec, child: ChildSpec) -> None:
        """Include a child, or one for each item."""
        if artifact.for_each is None:
            id_ = ArtifactId(f"{scope.prefix}{artifact.id}")
            await self._include(ChildInclusion(scope, artifact, child, id_, None))
            return
        group: list[Meaning] = []
        for item in self._items(scope, artifact):
            made: list[Meaning] = []
            if (bound := self._bound(scope, artifact, item)) is not None:
                assert isinstance(bound.producer, ChildSpec)
                id_ = ArtifactId(f"{scope.prefix}{artifact.id}/{item.label}")
                directive = ChildInclusion(scope, bound, bound.producer, id_, item.value)
                made = await self._include(directive)
            scope.names[f"{artifact.id}/{item.label}"] = made
            group += made
        scope.names[artifact.id] = group

    async def _include(self, directive: ChildInclusion) -> list[Meaning]:
        """Include a child; return the artifacts that the directive's id resolves to."""
        repeat = directive.artifact.repeat
        return await (self._child_rounds(directive, repeat) if repeat else self._child(directive))

    async def _child(self, directive: ChildInclusion) -> list[Meaning]:
        inside = await self._inside(directive, f"{directive.id}/", {}, ())
        offers: dict[str, list[Meaning]] = {}
        if inside is not None:
            for out in mapping.offered(self._table, directive, inside):
                name = inside.runbook.outputs[out].artifact
                offers[out] = [(inside, name)]
                mapping.expose(self._table, directive, inside, name)
        return mapping.name_outputs(self._table, directive, offers)

    async def _child_rounds(self, directive: ChildInclusion, repeat: RepeatSpec) -> list[Meaning]:
        rounds = ChildRounds(self._table, directive, repeat)
        for n in range(1, repeat.max + 1):
            prefix = f"{directive.id}/round-{n}/"
            inside = await self._inside(directive, prefix, rounds.fed(), rounds.tests())
            if inside is None or not rounds.add(inside):
                return mapping.name_outputs(self._table, directive, {})
        return mapping.name_outputs(self._table, directive, rounds.results())

    async def _inside(
        self,
        directive: ChildInclusion,
        prefix: str,
        fed: Mapping[str, Name],
        tests: tuple[ConditionContext, ...],
    ) -> Scope | None:
        inside = await self._includer.include(directive, prefix, fed, tests)
        if inside is not None:
            await self.walk(inside)
        return inside

    # named outputs

    def _parts(
        self,
        scope: Scope,
        artifact: ArtifactSpec,
        process: ProcessSpec,
        id_: ArtifactId,
        each: Json,
    ) -> None:
        """Add the named outputs of a processor that has some."""
        outputs = self._named(process.type)
        if outputs is None:
            outputs = self._made(id_)
        if not outputs:
            return
        whole = ((scope, id_.removeprefix(scope.prefix)),)
        for output in outputs:
            if fault := segment_fault(output):
                message = f"output {shown(output)} of the processor '{process.type}' {fault}"
                at = ("artifacts", artifact.id, "process", "type")
                self._table.report(scope.problem(PlanCode.UNKNOWN_COMPONENT, message, at))
                continue
            part = ArtifactId(f"{id_}/{output}")
            self._table.add(scope, artifact, part, whole, each, work=OutputPart(output))

    def _made(self, id_: ArtifactId) -> Sequence[str]:
        """Return the named outputs that a run has of an artifact whose component may be missing."""
        names = [name for name, made in self._recorded.items() if made.component == OUTPUT]
        return [name.removeprefix(f"{id_}/") for name in names if name.rpartition("/")[0] == id_]

    def _named(self, type_: str) -> Sequence[str] | None:
        if type_ not in self._outputs:
            try:
                found = self._catalogue.load("processors", type_)
                self._outputs[type_] = tuple(getattr(found, "outputs", ()))
            except WaivernError:
                self._outputs[type_] = None  # reported when the artifact itself is planned
        return self._outputs[type_]


def _no_list(scope: Scope, reference: str) -> str | None:
    """Return why a `for_each` cannot use a reference; None if it can."""
    whole = _PARAMETER.fullmatch(reference)
    if whole is None:
        return f"has a `for_each` over {shown(reference)}, which is not a list"
    declared = scope.runbook.params.get(whole[1])
    if declared is None or declared.type in ("list", "object"):
        return None  # an undeclared one was reported when the runbook was read
    return f"has a `for_each` over parameter '{declared.name}', which is not a list"
