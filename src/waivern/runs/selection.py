"""`--select` and `--exclude`: the artifacts of a plan that an attempt may produce. Pure.

An expression is an id, an alias or a pattern with `*`; `tag:<tag>`; `result:<status>`, for the
artifacts of a run with this status; or `state:changed`, for those whose definition is not that of
a run. `+` before it selects all that it depends on, behind it all that depends on it; a number
beside the `+` limits the steps. Commas and blanks separate several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, Protocol

from waivern.diagnostics import did_you_mean, shown
from waivern.errors import ArtifactNotFoundError, UsageError
from waivern.ids import ArtifactId
from waivern.planning.changes import changes
from waivern.planning.graph import dependents
from waivern.planning.plan import Node, Plan
from waivern.record.status import ArtifactStatus

_RESULT = r"(?s)result:(?P<status>[a-z_-]+)(?:@(?P<run>.+))?"
_STATE = r"(?s)state:(?P<state>[a-z_-]+)(?:@(?P<run>.+))?"
_STEPS = r"(?s)(?:(?P<before>\d*)\+)?(?P<core>.+?)(?:\+(?P<after>\d*))?"


class RecordedRuns(Protocol):
    """The records of runs, for selections that refer to one. Raises WaivernError."""

    def statuses(self, run: str | None) -> Mapping[str, ArtifactStatus]:
        """Return the statuses of the artifacts of a run; None: of the resumed run."""
        ...

    def nodes(self, run: str | None) -> Mapping[ArtifactId, Node]:
        """Return the plan of a run; None: of the resumed run, or of the newest of the runbook."""
        ...


class Selection(NamedTuple):
    """The expressions of `--select` and `--exclude`."""

    select: tuple[str, ...] = ()
    """Nothing: everything."""
    exclude: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.select or self.exclude)

    def resolve(self, plan: Plan, runs: RecordedRuns) -> frozenset[ArtifactId]:
        """Return the artifacts that the expressions select.

        Raises ArtifactNotFoundError for what means nothing, UsageError if nothing is left.
        """
        chosen = _union(plan, self.select, runs) if self.select else set(plan.nodes)
        left = chosen - _union(plan, self.exclude, runs)
        if not left:
            why = "no artifact matches, or all that match are excluded"
            hint = "`wct plan RUNBOOK` lists the artifacts; of a run, `wct inspect RUN` shows how "
            hint += "they ended"
            if any("state:changed" in each for each in self.select):
                why = "no definition has changed"
                hint = "run it without --select: what is unchanged comes from the cache"
            raise UsageError(f"nothing is selected: {why}", hint=hint)
        return frozenset(left)


EVERYTHING = Selection()


def refuse_starved(
    plan: Plan, only: frozenset[ArtifactId], there: Iterable[str], words: str = "--select"
) -> None:
    """Raise UsageError if a selected artifact needs one that is neither selected nor there."""
    have = {*only, *there}
    for name, node in plan.nodes.items():
        if name not in only:
            continue
        if lacking := [each for each in _awaited(node) if each not in have]:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise UsageError(
                f"'{name}' is selected, but not what it depends on: '{lacking[0]}'{more}",
                hint=f"{words} '+{name}' selects all that it depends on",
            )


def _union(plan: Plan, expressions: Iterable[str], runs: RecordedRuns) -> set[ArtifactId]:
    parts = (part for each in expressions for part in re.split(r"[,\s]+", each) if part)
    return {name for part in parts for name in _meant(plan, part, runs)}


def _meant(plan: Plan, expression: str, runs: RecordedRuns) -> set[ArtifactId]:
    match = re.fullmatch(_STEPS, expression)
    assert match is not None, "it is not empty"
    found = _named(plan, match["core"], runs)
    result = set(found)
    if match["before"] is not None:
        needs = {name: _awaited(node) for name, node in plan.nodes.items()}
        result |= _within(needs, found, match["before"])
    if match["after"] is not None:
        after = dependents({name: _awaited(node) for name, node in plan.nodes.items()})
        result |= _within(after, found, match["after"])
    return result


def _within(
    after: Mapping[ArtifactId, Sequence[ArtifactId]], roots: Iterable[ArtifactId], steps: str
) -> set[ArtifactId]:
    """Return the roots and what follows them in this many steps; an empty text: in any number."""
    found = set(roots)
    front, left = found, int(steps) if steps else len(after)
    while front and left > 0:
        front = {each for name in front for each in after[name]} - found
        found |= front
        left -= 1
    return found


def _named(plan: Plan, core: str, runs: RecordedRuns) -> list[ArtifactId]:
    if match := re.fullmatch(_RESULT, core):
        return _standing(plan, match["status"].replace("-", "_"), match["run"], runs)
    if match := re.fullmatch(_STATE, core):
        return _changed(plan, match["state"], match["run"], runs)
    if core.startswith("tag:"):
        return _tagged(plan, core.removeprefix("tag:"))
    if core in plan.aliases:
        return list(plan.aliases[core])
    if any(sign in core for sign in "*?["):
        found = [name for name in plan.nodes if fnmatchcase(name, core)]
        for alias, ids in plan.aliases.items():
            found += ids if fnmatchcase(alias, core) else ()
    else:
        found = [name for name in plan.nodes if name == core]
    if not found:
        raise ArtifactNotFoundError(
            f"no artifact of the runbook matches {shown(core)}", hint=_what_fits(plan, core)
        )
    return found


def _tagged(plan: Plan, pattern: str) -> list[ArtifactId]:
    found = [
        name
        for name, node in plan.nodes.items()
        if any(fnmatchcase(tag, pattern) for tag in node.tags)
    ]
    if not found:
        known = sorted({tag for node in plan.nodes.values() for tag in node.tags})
        hint = f"the runbook has the tags {_few(known)}" if known else "add `tags: [...]` to some"
        raise ArtifactNotFoundError(
            f"no artifact of the runbook has the tag {shown(pattern)}",
            hint=did_you_mean(pattern, known) or hint,
        )
    return found


def _changed(plan: Plan, state: str, run: str | None, runs: RecordedRuns) -> list[ArtifactId]:
    """Return the artifacts that are new, or whose definition is not that of the run.

    There may be none: then nothing has changed.
    """
    if state != "changed":
        raise UsageError(f"no artifact can be {shown(state)}", hint="there is state:changed")
    found = {change.artifact for change in changes(runs.nodes(run), plan.nodes)}
    return [name for name in plan.nodes if name in found]


def _what_fits(plan: Plan, core: str) -> str:
    """Return a hint for an expression that fits no artifact."""
    if core.startswith("state"):
        return "write state:changed or state:changed@RUN"
    if core.startswith("result"):
        return "write result:<status> or result:<status>@RUN, as in result:failed@last"
    known = [*plan.nodes, *plan.aliases]
    return did_you_mean(core, known) or f"it has {_few(known)}"


def _standing(plan: Plan, status: str, run: str | None, runs: RecordedRuns) -> list[ArtifactId]:
    if status not in tuple(ArtifactStatus):
        known = ", ".join(f"result:{each}" for each in ArtifactStatus)
        raise UsageError(f"no artifact can be {shown(status)}", hint=f"there are {known}")
    found = runs.statuses(run)
    return [name for name in plan.nodes if found.get(name) == status]


def _awaited(node: Node) -> tuple[ArtifactId, ...]:
    asked = (each for test in node.tests for each in test.statuses.values())
    return tuple(dict.fromkeys((*node.inputs, *node.after, *asked)))


def _few(names: list[str]) -> str:
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
