"""The request for a run: the runbook or the recorded run, and the conditions of the caller."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from waivern.language.models import Runbook
from waivern.message import Json
from waivern.record.annotations import NO_ANNOTATIONS, Annotations
from waivern.runs.run_params import NO_PARAMS, RequestedParams
from waivern.runs.selection import EVERYTHING, Selection

NO_DATA: Mapping[str, Json] = MappingProxyType({})


class RunRequest(NamedTuple):
    """A run that a caller asks for: a new one, the next attempt at one, or a replay of one."""

    source: str | Runbook | None = None
    """The path of a runbook, or a Runbook; None: the bytes that `run` recorded."""
    run: str | None = None
    """A reference to the run to resume, replay or decide on; None: a new run of `source`."""
    run_id: str | None = None
    """The id of the new run; None: a random one."""
    params: RequestedParams = NO_PARAMS
    selection: Selection = EVERYTHING
    data: Mapping[str, Json] = NO_DATA
    """The data for components that wait; `approved` in it decides on the gate, if one waits."""
    by: str = ""
    """The name of the person who decides so."""
    allow_changed: bool = False
    """Resume although the runbook, a child or a parameter has changed; rebuild what it touches."""
    force: bool = False
    """Resume although the run was cancelled."""
    annotations: Annotations = NO_ANNOTATIONS
    """The name, tags, note and pairs that a new run records."""
    ask_again: bool = False
    """Invalidate earlier decisions that are no artifact yet, so that their gates ask again."""

    def __repr__(self) -> str:
        return type(self).__name__  # the data may be personal, and parameters secrets

    @property
    def reference(self) -> str:
        """The reference to a recorded run. Raises ValueError if the request is for a new run."""
        if self.run is None:
            raise ValueError("the request names no run")
        return self.run
