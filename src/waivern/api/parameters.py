"""What the verbs for programs are given beside what they are about: each argument is said here.

Each class is named after the verb that takes just these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias, TypedDict

from waivern.api.run_queries import Folder, Store
from waivern.message import Json

Texts: TypeAlias = str | Iterable[str]
"""One text, or several."""


class PlanTerms(TypedDict, total=False):
    """What every verb takes that reads a runbook."""

    params: Mapping[str, Json]
    """Values of the runbook's parameters, as from a file; of a run that is there, only secrets are
    needed, which are not kept."""
    store: Store
    """The store, its path or its URL; None: the one that `wct` uses in `project_root`."""
    project_root: Folder
    """From where upward `waivern.yaml` and the store are looked for; None: the current folder."""


class CacheTerms(PlanTerms, total=False):
    """Also what is made although it was made before."""

    cache: bool | None
    """Whether what was made of the same before is taken; None: what the project says, else yes."""
    refresh: Texts
    """Artifacts that are made again all the same."""


class ForecastTerms(CacheTerms, total=False):
    """Also where a run lies that is to go on."""

    base: Folder
    """With `resume`, the folder that relative paths of that run start from; None: it is found."""


class AttemptTerms(PlanTerms, total=False):
    """Also how a run is carried out, and when it counts as failed."""

    max_concurrency: int | None
    """How much at once; None: what the runbook says, else the project, else the default."""
    max_failures: int | None
    """After so many failures nothing more is started: 1 is `--fail-fast`. None: never."""
    min_coverage: float
    """The least percentage of the sources that must be examined; else `exit_code` is 6."""
    output: Folder
    """A folder that gets copies of the artifacts marked `output: true` when the run ends; the run
    keeps it for later attempts. None: the folder that an earlier attempt was given, if any."""
    fail_on: Texts
    """Conditions over `artifacts`, `status` and `params`. Those that hold at the end are the
    `policies` of the result, and make its `exit_code` 6."""


class KeptTerms(TypedDict, total=False):
    """What verbs take that run what a run kept."""

    base: Folder
    """The folder that its relative paths start from; None: it is found, or the verb is refused."""
    trust_run: bool
    """Whether code may be run that a run of another store names."""


class ReplayTerms(AttemptTerms, KeptTerms, total=False):
    """All of these."""


class ApproveTerms(CacheTerms, AttemptTerms, KeptTerms, total=False):
    """All of these."""


class RunTerms(CacheTerms, AttemptTerms, total=False):
    """Also what is made at all, in expressions as of `wct run --select`."""

    select: Texts
    """Make only these artifacts; none: all."""
    exclude: Texts
    """Do not make these."""


class ResumeTerms(RunTerms, KeptTerms, total=False):
    """Also what lets a run go on."""

    data: Mapping[str, Json]
    """For the components that wait; `{"approved": True}` in it decides on the gate, if one does."""
    by: str
    """In whose name that is decided."""
    allow_changed: bool
    """Although the runbook, a child or a parameter is not what it was."""
    force: bool
    """Although it was cancelled."""
    ask_again: bool
    """Gates begin anew."""
