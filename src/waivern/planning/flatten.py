"""Runbook -> flat artifacts: children taken in, `for_each` and `repeat` written out. Pure.

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
from waivern.language.models import (
    ArtifactSpec,
    ChildSpec,
    GateSpec,
    ProcessSpec,
    RepeatSpec,
    RunbookDraft,
)
from waivern.language.template import NAME
from waivern.message import Json
from waivern.planning import mapping
from waivern.planning.artifact_table import ArtifactTable
from waivern.planning.binding import with_item
from waivern.planning.child_runbooks import ChildFinder, ChildLibrary
from waivern.planning.inclusion import Includer
from waivern.planning.items import LoopItem, items
from waivern.planning.plan import OutputPart
from waivern.planning.plan_codes import PlanCode
from waivern.planning.plan_components import OUTPUT, RecordedComponent
from waivern.planning.repetition import ChildRounds, repeated
from waivern.planning.scope import ChildInclusion, ConditionContext, Meaning, Name, Scope
from waivern.plugins.catalogue import Catalogue


def flatten(
    root: RunbookDraft,
    children: ChildFinder,
    environ: Mapping[str, str],
    catalogue: Catalogue,
    kept: Mapping[ArtifactId, RecordedComponent],
) -> ArtifactTable:
    """Return the flat artifacts of a runbook and its children, and what is wrong so far.

    Raises InvalidError at once if there is too much of either.
    """
    library = ChildLibrary(root, children, environ)
    flats = ArtifactTable(root, library.documents)
    for need in root.runbook.inputs.values():
        mapping.give_default(flats, flats.root, need)
    _Walk(flats, Includer(flats, library), environ, catalogue, kept).walk(flats.root)
    for scope in flats.scopes:
        mapping.check(flats, scope)
    flats.tell_collisions()
    return flats


_PARAMETER = re.compile(r"\$\{params\.(" + NAME + r")\}", re.ASCII)


class _Walk:
    """Goes through the artifacts of a runbook, and of the children where they are included."""

    def __init__(
        self,
        flats: ArtifactTable,
        includer: Includer,
        environ: Mapping[str, str],
        catalogue: Catalogue,
        kept: Mapping[ArtifactId, RecordedComponent],
    ) -> None:
        self._flats = flats
        self._includer = includer
        self._environ = environ
        self._catalogue = catalogue
        self._kept = kept
        self._outputs: dict[str, Sequence[str] | None] = {}
        """The named outputs of processors; None for one that is missing."""

    def walk(self, scope: Scope) -> None:
        for artifact in scope.runbook.artifacts.values():
            if artifact.for_each is None:
                self._expand(scope, artifact, "", None)
            else:
                self._for_each(scope, artifact)

    def _expand(
        self, scope: Scope, artifact: ArtifactSpec, suffix: str, each: Json
    ) -> list[Meaning]:
        """Write out what is declared, for one item; return what its id means."""
        flats, id_ = self._flats, ArtifactId(f"{scope.prefix}{artifact.id}{suffix}")
        match artifact.producer:
            case ChildSpec() as child:
                directive = ChildInclusion(scope, artifact, child, id_, each)
                if artifact.repeat:
                    return self._child_rounds(directive, artifact.repeat)
                return self._child(directive)
            case ProcessSpec() as process:
                if artifact.repeat:
                    repeated(flats, scope, artifact, artifact.repeat, id_, each)
                else:
                    inputs = tuple((scope, name) for name in artifact.inputs)
                    flats.add(scope, artifact, id_, inputs, each)
                self._parts(scope, artifact, process, id_, each)
            case GateSpec() as gate:
                shown_ = tuple((scope, name) for name in gate.show)
                flats.add(scope, artifact, id_, shown_, each)
            case _:
                flats.add(scope, artifact, id_, (), each)
        return [id_]

    # for_each

    def _for_each(self, scope: Scope, artifact: ArtifactSpec) -> None:
        group: list[Meaning] = []
        for item in self._items(scope, artifact):
            made = self._one(scope, artifact, item)
            if isinstance(artifact.producer, ChildSpec):
                scope.names[f"{artifact.id}/{item.label}"] = made
            group += made
        scope.names[artifact.id] = group

    def _items(self, scope: Scope, artifact: ArtifactSpec) -> list[LoopItem]:
        found: list[LoopItem] = []
        if isinstance(artifact.for_each, str):  # only checked: parameters have no values
            fault = _no_list(scope, artifact.for_each)
        else:
            found, fault = items(artifact.for_each)
        if fault:
            at = ("artifacts", artifact.id, "for_each")
            self._flats.tell(scope.problem(PlanCode.ITEMS, f"'{artifact.id}' {fault}", at))
        return found

    def _one(self, scope: Scope, artifact: ArtifactSpec, item: LoopItem) -> list[Meaning]:
        bound, faults = with_item(artifact, item.value, self._environ)
        for fault in faults:
            self._flats.tell(scope.locate(fault.below("artifacts", artifact.id)))
        return self._expand(scope, bound, f"/{item.label}", item.value) if bound else []

    # children

    def _child(self, directive: ChildInclusion) -> list[Meaning]:
        inside = self._inside(directive, f"{directive.id}/", {}, ())
        given: dict[str, list[Meaning]] = {}
        if inside is not None:
            for out in mapping.offered(self._flats, directive, inside):
                name = inside.runbook.outputs[out].artifact
                given[out] = [(inside, name)]
                mapping.expose(self._flats, directive, inside, name)
        return mapping.give(self._flats, directive, given)

    def _child_rounds(self, directive: ChildInclusion, repeat: RepeatSpec) -> list[Meaning]:
        rounds = ChildRounds(self._flats, directive, repeat)
        for n in range(1, repeat.max + 1):
            prefix = f"{directive.id}/round-{n}/"
            inside = self._inside(directive, prefix, rounds.fed(), rounds.tests())
            if inside is None or not rounds.add(inside):
                return mapping.give(self._flats, directive, {})
        return mapping.give(self._flats, directive, rounds.given())

    def _inside(
        self,
        directive: ChildInclusion,
        prefix: str,
        fed: Mapping[str, Name],
        tests: tuple[ConditionContext, ...],
    ) -> Scope | None:
        inside = self._includer.include(directive, prefix, fed, tests)
        if inside is not None:
            self.walk(inside)
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
                self._flats.tell(scope.problem(PlanCode.UNKNOWN_COMPONENT, message, at))
                continue
            part = ArtifactId(f"{id_}/{output}")
            self._flats.add(scope, artifact, part, whole, each, work=OutputPart(output))

    def _made(self, id_: ArtifactId) -> Sequence[str]:
        """Return the named outputs that a run has of an artifact whose component may be missing."""
        names = [name for name, made in self._kept.items() if made.component == OUTPUT]
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
    """Say why there can be nothing for each of a parameter, or None if there can."""
    whole = _PARAMETER.fullmatch(reference)
    if whole is None:
        return f"is for each of {shown(reference)}, which is no list"
    declared = scope.runbook.params.get(whole[1])
    if declared is None or declared.type in ("list", "object"):
        return None  # that it is not declared was told when the runbook was read
    return f"is for each of parameter '{declared.name}', which is no list"
