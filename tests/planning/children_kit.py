"""Runbooks of several files, planned as the service does it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from waivern.diagnostics import Diagnostic, InvalidError
from waivern.ids import ArtifactId
from waivern.language import loader
from waivern.language.params import Param
from waivern.language.producer_specs import ReuseSpec
from waivern.message import Json
from waivern.planning.child_runbooks import ChildFile
from waivern.planning.plan import Copy, Plan
from waivern.planning.planner import plan_at_once
from waivern.planning.resolver import LocalResolver
from waivern.plugins.catalogue import Catalogue
from waivern.runs.child_files import ChildFiles

CALL = "properties: {call: 'f.py:f'}"
SOURCE = f"source: {{type: python, {CALL}}}"
PROCESS = f"process: {{type: python, {CALL}}}"


class Outside:
    """Children on the disk, and one run to reuse from."""

    def __init__(self, folder: Path) -> None:
        self._files = ChildFiles(folder)

    def child(self, path: str, parent: str, templates: tuple[str, ...]) -> ChildFile:
        return self._files.child(path, parent, templates)

    def reuse(self, artifact: ArtifactId, source: ReuseSpec) -> Copy:
        return Copy(source.from_run, source.artifact, 3, "sha256:d", "sha256:c", "json/1.0.0")


class Books:
    """A folder of runbooks. In a text, SOURCE and PROCESS stand for some component's."""

    def __init__(self, folder: Path, catalogue: Catalogue | None = None) -> None:
        self.folder = folder
        self._catalogue = catalogue
        self.outside = Outside(folder)

    def write(self, **texts: str) -> Books:
        for name, text in texts.items():
            self.file(f"{name}.yaml", text)
        return self

    def file(self, path: str, text: str) -> Books:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        plain = dedent(text).replace("SOURCE", SOURCE).replace("PROCESS", PROCESS)
        place.write_text(plain)
        return self

    def plan(self, params: Mapping[str, Json] | None = None) -> Plan:
        def given(declared: Mapping[str, Param]) -> Mapping[str, Json]:
            defaults = {n: p.default for n, p in declared.items() if not p.required}
            return {**defaults, **(params or {})}

        draft = loader.examine(self.folder / "main.yaml", {}, given)
        return plan_at_once(draft, LocalResolver(self.outside), {}, catalogue=self._catalogue)

    def problems(self) -> tuple[Diagnostic, ...]:
        with pytest.raises(InvalidError) as raised:
            self.plan()
        return raised.value.problems

    def only(self) -> Diagnostic:
        (problem,) = self.problems()
        return problem


def at(problem: Diagnostic) -> str:
    """Return `file:line` of a problem."""
    assert problem.position is not None
    return f"{Path(problem.position.file).name}:{problem.position.line}"


def ids(plan: Plan) -> set[str]:
    return set(plan.nodes)


def inputs(plan: Plan, name: str) -> list[str]:
    return list(plan.nodes[ArtifactId(name)].inputs)
