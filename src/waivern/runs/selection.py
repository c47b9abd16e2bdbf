"""`--select` and `--exclude`: the artifacts of a plan that an attempt may produce. Pure.

An expression is an id, an alias or a pattern with `*`; or `result:<status>`, for the artifacts of
a run with this status. `+` before it selects all that it depends on, behind it all that depends on
it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from waivern.diagnostics import did_you_mean, shown
from waivern.errors import ArtifactNotFoundError, UsageError
from waivern.ids import ArtifactId
from waivern.planning.graph import dependents, descendants
from waivern.planning.plan import Node, Plan
from waivern.record.status import ArtifactStatus

Statuses = Callable[[str | None], Mapping[str, ArtifactStatus]]
"""Returns the statuses of a run's artifacts; None: of the resumed run. Raises WaivernError."""

_RESULT = r"(?s)result:(?P<status>[a-z_-]+)(?:@(?P<run>.+))?"


class Selection(NamedTuple):
    """The expressions of `--select` and `--exclude`."""

    select: tuple[str, ...] = ()
    """Nothing: everything."""
    exclude: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.select or self.exclude)

    def resolve(self, plan: Plan, statuses: Statuses) -> frozenset[ArtifactId]:
        """Return the artifacts that the expressions select.

        Raises ArtifactNotFoundError for what means nothing, UsageError if nothing is left.
        """
        chosen = _union(plan, self.select, statuses) if self.select else set(plan.nodes)
        left = chosen - _union(plan, self.exclude, statuses)
        if not left:
            raise UsageError(
                "nothing is selected: no artifact matches, or all that match are excluded",
                hint="`wct plan RUNBOOK` lists the artifacts; of a run, `wct inspect RUN` shows "
                "how they ended",
            )
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


def _union(plan: Plan, expressions: Iterable[str], statuses: Statuses) -> set[ArtifactId]:
    return {name for each in expressions for name in _meant(plan, each, statuses)}


def _meant(plan: Plan, expression: str, statuses: Statuses) -> set[ArtifactId]:
    core = expression.removeprefix("+").removesuffix("+")
    found = _named(plan, core, statuses)
    result = set(found)
    if expression.startswith("+"):
        needs = {name: _awaited(node) for name, node in plan.nodes.items()}
        result |= descendants({name: list(ids) for name, ids in needs.items()}, found)
    if expression.endswith("+") and len(expression) > 1:
        after = dependents({name: _awaited(node) for name, node in plan.nodes.items()})
        result |= descendants(after, found)
    return result


def _named(plan: Plan, core: str, statuses: Statuses) -> list[ArtifactId]:
    if match := re.fullmatch(_RESULT, core):
        return _standing(plan, match["status"].replace("-", "_"), match["run"], statuses)
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


def _what_fits(plan: Plan, core: str) -> str:
    """Return a hint for an expression that fits no artifact."""
    parts = [each for each in re.split(r"[,\s]+", core) if each]
    if len(parts) > 1:
        return "repeat the option, as in " + " ".join(f"--select {each}" for each in parts[:5])
    if core.startswith("result"):
        return "write result:<status> or result:<status>@RUN, as in result:failed@last"
    known = [*plan.nodes, *plan.aliases]
    return did_you_mean(core, known) or f"it has {_few(known)}"


def _standing(plan: Plan, status: str, run: str | None, statuses: Statuses) -> list[ArtifactId]:
    if status not in tuple(ArtifactStatus):
        known = ", ".join(f"result:{each}" for each in ArtifactStatus)
        raise UsageError(f"no artifact can be {shown(status)}", hint=f"there are {known}")
    found = statuses(run)
    return [name for name in plan.nodes if found.get(name) == status]


def _awaited(node: Node) -> tuple[ArtifactId, ...]:
    asked = (each for test in node.tests for each in test.statuses.values())
    return tuple(dict.fromkeys((*node.inputs, *node.after, *asked)))


def _few(names: list[str]) -> str:
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
