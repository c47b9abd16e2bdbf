"""The components that artifacts are made by: found, given their properties. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

from waivern.diagnostics import Diagnostic, did_you_mean, shown
from waivern.errors import WaivernError
from waivern.ids import ArtifactId
from waivern.language.artifact_spec import RetrySpec
from waivern.language.template import names
from waivern.message import Json
from waivern.planning.artifact_table import ArtifactTable, FlatArtifact
from waivern.planning.component_properties import Path, faults
from waivern.planning.defaults import ProjectDefaults, laid_over
from waivern.planning.plan_codes import PlanCode
from waivern.plugins.catalogue import Catalogue
from waivern.plugins.component import Component

OUTPUT = "output"
Kind: TypeAlias = Literal["connectors", "processors"]
PART = {"connectors": "source", "processors": "process"}
"""Where a declaration names its component."""


class RecordedComponent(NamedTuple):
    """The component that made a completed artifact, as its run recorded it."""

    component: str
    """`connector:<type>`, `processor:<type>`; `output` if it is one of several."""
    version: str | None
    schema: str


NOTHING_MADE: Mapping[ArtifactId, RecordedComponent] = MappingProxyType({})


class PlanComponents:
    """Finds components, each once, and checks that they accept their properties."""

    def __init__(
        self,
        table: ArtifactTable,
        environ: Mapping[str, str],
        defaults: ProjectDefaults,
        catalogue: Catalogue,
        recorded_components: Mapping[ArtifactId, RecordedComponent],
    ) -> None:
        self._table = table
        self._environ = environ
        self._defaults = defaults
        self._catalogue = catalogue
        self._recorded = recorded_components
        self._found: dict[tuple[Kind, str], Component] = {}

    def check_defaults(self) -> None:
        """Check that the components whose properties the project sets exist."""
        for name in self._defaults.components:
            catalogue = self._catalogue
            known = [*catalogue.names("connectors"), *catalogue.names("processors")]
            if name not in known and not any(
                made.component.partition(":")[2] == name for made in self._recorded.values()
            ):
                message = f"waivern.yaml has properties for {shown(name)}: no such component"
                hint = did_you_mean(name, known)
                problem = Diagnostic(PlanCode.UNKNOWN_COMPONENT, message, hint=hint)
                if (file := self._defaults.document) is not None:
                    at = ("components", name)
                    problem = file.problem(problem.code, message, at, on="key", hint=hint)
                self._table.record(problem)

    def find(self, flat: FlatArtifact, kind: Kind, name: str) -> Component | None:
        """Return the component of that name; None if there is none.

        That is a problem, unless the artifact has been made.
        """
        try:
            component = self._found.get((kind, name)) or self._catalogue.load(kind, name)
        except WaivernError as error:
            if self.made(flat, kind, name) is not None:
                return None
            at = (PART[kind], "type")
            problem = flat.problem(PlanCode.UNKNOWN_COMPONENT, error.message, at, hint=error.hint)
            self._table.record(problem)
            return None
        self._found[kind, name] = component
        return component

    def made(self, flat: FlatArtifact, kind: Kind, name: str) -> RecordedComponent | None:
        """Return by what the artifact was made, if it was by the component of that name."""
        made = self._recorded.get(flat.id)
        return made if made and made.component == f"{kind[:-1]}:{name}" else None

    def output(self, flat: FlatArtifact) -> RecordedComponent | None:
        """Return by what one of several outputs was made, if it was."""
        made = self._recorded.get(flat.id)
        return made if made and made.component == OUTPUT else None

    def properties(self, name: str, own: Mapping[str, Json]) -> Mapping[str, Json]:
        """Return the properties of a runbook, laid over what the project says."""
        base = self._defaults.components.get(name)
        return laid_over(base, own) if base else own

    def fit(
        self,
        flat: FlatArtifact,
        kind: Kind,
        name: str,
        component: Component,
        own: Mapping[str, Json],
        properties: Mapping[str, Json],
    ) -> bool:
        """Return whether the component takes the properties and has the services that it requires.

        Reports each that is wrong, at its position in the runbook or in the project's file. `own`
        are the properties that the runbook gives.
        """
        has_services = self._has_services(flat, kind, component)
        if flat.scope.runbook.params and any(
            name not in self._environ for name in names(properties) if name.startswith("params.")
        ):
            return has_services  # validation only: the values of secrets are not known
        fit = has_services
        for path, on_key, message, hint in faults(component.Config, properties, self._environ):
            of_project = not _leads(path, own) and _leads(path, properties)
            on: Literal["key", "value"] = "key" if on_key else "value"
            advice = hint or f"`wct {kind} {component.name}` lists its properties"
            said, at = f"{component.name}: {message}", (PART[kind], "properties", *path)
            if of_project and (file := self._defaults.document) is not None:
                at = ("components", name, *path)
                self._table.record(file.problem(PlanCode.PROPERTY, said, at, on=on, hint=advice))
            else:
                if of_project:
                    said, at = f"{said} (in waivern.yaml)", (PART[kind], "type")
                self._table.record(flat.problem(PlanCode.PROPERTY, said, at, on=on, hint=advice))
            fit = False  # also if that was reported for another item already
        return fit

    def _has_services(self, flat: FlatArtifact, kind: Kind, component: Component) -> bool:
        """Return whether each required service is installed; report the others."""
        available = True
        for service in getattr(component, "requires", ()):
            try:
                self._catalogue.owner("services", service)
            except WaivernError as error:
                message = f"{component.name} requires the service {shown(service)}: {error.message}"
                at = (PART[kind], "type")
                self._table.record(flat.problem(PlanCode.SERVICE, message, at, hint=error.hint))
                available = False
        return available


def _leads(path: Path, properties: Json) -> bool:
    """Return whether there is something at `path`."""
    for part in path:
        if isinstance(properties, Mapping):
            if part not in properties:
                return False
            properties = properties[part]
        else:
            return True  # within a list, which is of one of them as a whole
    return True


def own_retry(component: Component | None) -> RetrySpec | None:
    """Return the retry terms that a component declares for itself."""
    declared: Mapping[str, Any] | None = getattr(component, "retry", None)
    if not declared:
        return None
    on = declared.get("on", ())
    return RetrySpec.model_construct(
        **{**declared, "on": (on,) if isinstance(on, str) else tuple(on)}
    )
