"""The components that artifacts are made by: found, given their properties. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from waivern.errors import WaivernError
from waivern.message import Json
from waivern.planning.codes import Code
from waivern.planning.flats import Flat, Flats
from waivern.planning.properties import faults
from waivern.plugins import registry
from waivern.plugins.component import Component
from waivern.runbook.env import names
from waivern.runbook.model import Retry
from waivern.runbook.project import laid_over

Kind: TypeAlias = Literal["connectors", "processors"]
_PART = {"connectors": "source", "processors": "process"}
"""Where a declaration names its component."""


class Components:
    """Finds components, each once, and sees that they take the properties they are given."""

    def __init__(
        self,
        flats: Flats,
        environ: Mapping[str, str],
        defaults: Mapping[str, Mapping[str, Json]],
    ) -> None:
        self._flats = flats
        self._environ = environ
        self._defaults = defaults
        self._found: dict[tuple[Kind, str], Component] = {}

    def find(self, flat: Flat, kind: Kind, name: str) -> Component | None:
        """Return the component of that name; None, and a problem, if there is none."""
        try:
            component = self._found.get((kind, name)) or registry.load(kind, name)
        except WaivernError as error:
            at = (_PART[kind], "type")
            problem = flat.problem(Code.UNKNOWN_COMPONENT, error.message, at, hint=error.hint)
            self._flats.report(problem)
            return None
        self._found[kind, name] = component
        return component

    def properties(self, name: str, own: Mapping[str, Json]) -> Mapping[str, Json]:
        """Return the properties of a runbook, laid over what the project says."""
        base = self._defaults.get(name)
        return laid_over(base, own) if base else own

    def fit(
        self, flat: Flat, kind: Kind, component: Component, properties: Mapping[str, Json]
    ) -> bool:
        """Return whether the component takes the properties; report each that it does not."""
        if flat.scope.runbook.params and any(
            name not in self._environ for name in names(properties) if name.startswith("params.")
        ):
            return True  # the runbook is only looked at: what a secret will be is not known
        before = len(self._flats.problems)
        for path, on_key, message, hint in faults(component.Config, properties, self._environ):
            at, said = (_PART[kind], "properties", *path), f"{component.name}: {message}"
            on: Literal["key", "value"] = "key" if on_key else "value"
            self._flats.report(flat.problem(Code.PROPERTY, said, at, on=on, hint=hint))
        return len(self._flats.problems) == before


def own_retry(component: Component | None) -> Retry | None:
    """Return the retry terms that a component declares for itself."""
    declared: Mapping[str, Any] | None = getattr(component, "retry", None)
    if not declared:
        return None
    on = declared.get("on", ())
    return Retry(**{**declared, "on": (on,) if isinstance(on, str) else tuple(on)})
