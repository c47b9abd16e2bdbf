"""The project file `waivern.yaml`: what holds for all runbooks below its folder.

Read like a runbook, with everything that is wrong reported at once, but without pydantic: `wct
runs` reads it to know where the store is, and pydantic would cost more than all the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from waivern.diagnostics import Diagnostic, InvalidError, Position, Span, shown
from waivern.files import absolute, at_home, open_file
from waivern.language.project_form import check, listed
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode
from waivern.yamldoc.tree import read
from waivern.yamldoc.yaml_events import MAX_BYTES, YamlStop, decode, problem_at

if TYPE_CHECKING:
    from waivern.language.models import OnError

Backend: TypeAlias = Literal["filesystem", "memory"]


class Persistence(NamedTuple):
    """`persistence`: whether and where runs are kept."""

    enabled: bool = True
    backend: Backend = "filesystem"
    path: str | None = None
    """Absolute; None if the file does not say it."""

    @property
    def on_disk(self) -> bool:
        """Whether a run leaves a folder."""
        return self.enabled and self.backend == "filesystem"


class Retention(NamedTuple):
    """`retention`: what `wct runs prune` goes by where it is not told otherwise."""

    keep_last: int | None = None
    older_than: str | None = None
    """As `parse_age` reads it."""
    status: tuple[str, ...] = ()
    keep_failed: bool = False


_KEPT = Persistence()
_FOR_EVER = Retention()


@dataclass(frozen=True)
class Project:
    """A whole project file; None leaves a thing to its default."""

    document: YamlDocument
    tree: Mapping[str, Json] = field(repr=False)
    """The file as written."""
    persistence: Persistence = _KEPT
    max_concurrency: int | None = None
    executor: str | None = None
    retention: Retention = _FOR_EVER
    components: Mapping[str, Mapping[str, Json]] = field(default_factory=dict, repr=False)
    """Component -> base properties, over which a runbook's own are laid; as written."""
    component_paths: tuple[str, ...] = ()
    """Absolute folders of modules, each of which declares a component."""
    cache: bool | None = None
    on_error: OnError | None = None

    def position(self, *at: str) -> Position | None:
        """Return where the file says what is at `at`; None if it does not."""
        value: Json = self.tree
        for key in at:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            return None
        return self.document.problem(RunbookCode.VALUE, "", at, on="key").position


def load(path: str, statuses: Collection[str], *, called: str | None = None) -> Project:
    """Return the project in a file; `statuses` are those that a run can have.

    Problems name the file as `called`. Raises InvalidError if it cannot be read, or with everything
    that is wrong with it.
    """
    called = called or path
    folder = Path(absolute(path)).parent
    return parse(_bytes(path, called), path=called, folder=folder, statuses=statuses)


def parse(data: bytes, *, path: str, folder: Path, statuses: Collection[str]) -> Project:
    """Return the project in `data`, the bytes of the file at `path` in `folder`.

    Raises InvalidError with all problems.
    """
    document = YamlDocument(path, folder, data)
    tree, faults = _tree(data)
    problems = [document.locate(fault) for fault in faults]
    told = {problem.position for problem in problems}
    problems += [one for one in check(tree, document, statuses) if one.position not in told]
    if problems:
        raise InvalidError(problems)
    return _project(document, tree)


def _project(document: YamlDocument, tree: Mapping[str, Json]) -> Project:
    def section(name: str) -> dict[str, Json]:
        return {key: value for key, value in (tree.get(name) or {}).items() if value is not None}

    def below(path: str) -> str:
        return str(document.folder / at_home(path))

    kept, removed = section("persistence"), section("retention")
    if "path" in kept:
        kept["path"] = below(kept["path"])
    if "status" in removed:
        removed["status"] = tuple(listed(removed["status"]))
    return Project(
        document,
        tree,
        persistence=Persistence(**kept),
        max_concurrency=tree.get("max_concurrency"),
        executor=tree.get("executor"),
        retention=Retention(**removed),
        components={key: value or {} for key, value in (tree.get("components") or {}).items()},
        component_paths=tuple(map(below, tree.get("component_paths") or ())),
        cache=tree.get("cache"),
        on_error=tree.get("on_error"),
    )


# reading


def _bytes(path: str, called: str) -> bytes:
    try:
        with open_file(path) as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"cannot read {shown(called)}: {error.strerror or type(error).__name__}"
    hint = "it is the project file of this folder: mend it, or move it away"
    raise InvalidError([Diagnostic(RunbookCode.UNREADABLE, message, hint=hint)])


def _tree(data: bytes) -> tuple[dict[str, Json], list[Diagnostic]]:
    """Return the top-level mapping, empty if there is none, and what is wrong so far."""
    try:
        tree, faults = read(decode(data))
    except YamlStop as stop:
        return {}, [stop.problem]
    if isinstance(tree, dict):
        return tree, faults
    if tree is not None and not faults:
        message = "a project file must be a mapping"
        faults = [
            problem_at(RunbookCode.TYPE, message, Span(0, 0, 0, 0), "begin with 'persistence:'")
        ]
    return {}, faults
