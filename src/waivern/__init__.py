"""Artifact-centric orchestration whose run folders cannot lie.

The names below are the library, as docs/python.md describes it. Each is imported when it is first
used, so that `import waivern` costs nothing.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # importing it from typing would be the dearest line of `wct --version`
if TYPE_CHECKING:
    from waivern.errors import ArtifactNotFoundError as ArtifactNotFoundError
    from waivern.errors import ComponentError as ComponentError
    from waivern.errors import IntegrityError as IntegrityError
    from waivern.errors import NotFoundError as NotFoundError
    from waivern.errors import RefusedError as RefusedError
    from waivern.errors import RunLockedError as RunLockedError
    from waivern.errors import RunNotFoundError as RunNotFoundError
    from waivern.errors import StoreError as StoreError
    from waivern.errors import UsageError as UsageError
    from waivern.errors import WaivernError as WaivernError
    from waivern.message import Message as Message
    from waivern.message import SchemaRef as SchemaRef
    from waivern.planning.plan import Plan as Plan
    from waivern.problems import InvalidError as InvalidError
    from waivern.record.coverage import RunCoverage as RunCoverage
    from waivern.record.run import RunMetadata as RunMetadata
    from waivern.record.state import ExecutionState as ExecutionState
    from waivern.record.status import ArtifactStatus as ArtifactStatus
    from waivern.record.status import How as How
    from waivern.record.status import RunStatus as RunStatus
    from waivern.record.step import StepRecord as StepRecord
    from waivern.runbook.model import Runbook as Runbook
    from waivern.service.again import Decided as Decided
    from waivern.service.events import ArtifactCompleted as ArtifactCompleted
    from waivern.service.events import ArtifactFailed as ArtifactFailed
    from waivern.service.events import ArtifactProgress as ArtifactProgress
    from waivern.service.events import ArtifactRetried as ArtifactRetried
    from waivern.service.events import ArtifactSkipped as ArtifactSkipped
    from waivern.service.events import ArtifactStarted as ArtifactStarted
    from waivern.service.events import ArtifactSuspended as ArtifactSuspended
    from waivern.service.events import RunEvent as RunEvent
    from waivern.service.events import RunFinished as RunFinished
    from waivern.service.events import RunStarted as RunStarted
    from waivern.service.foreseer import Action as Action
    from waivern.service.foreseer import Forecast as Forecast
    from waivern.service.library import approve as approve
    from waivern.service.library import forecast as forecast
    from waivern.service.library import load as load
    from waivern.service.library import plan as plan
    from waivern.service.library import replay as replay
    from waivern.service.library import resume as resume
    from waivern.service.library import run as run
    from waivern.service.library import run_async as run_async
    from waivern.service.library import stream as stream
    from waivern.service.result import Artifact as Artifact
    from waivern.service.result import RunFailed as RunFailed
    from waivern.service.result import RunResult as RunResult
    from waivern.service.shelf import CorruptRunWarning as CorruptRunWarning
    from waivern.service.shelf import delete_run as delete_run
    from waivern.service.shelf import list_runs as list_runs
    from waivern.service.shelf import load_run as load_run
    from waivern.service.shelf import load_state as load_state
    from waivern.service.shelf import load_steps as load_steps
    from waivern.service.stream import Stream as Stream
    from waivern.service.terms import ApproveTerms as ApproveTerms
    from waivern.service.terms import ForecastTerms as ForecastTerms
    from waivern.service.terms import PlanTerms as PlanTerms
    from waivern.service.terms import ReplayTerms as ReplayTerms
    from waivern.service.terms import ResumeTerms as ResumeTerms
    from waivern.service.terms import RunTerms as RunTerms
    from waivern.store.base import ArtifactStore as ArtifactStore
    from waivern.store.base import RunStore as RunStore
    from waivern.store.opening import open_store as open_store

_HOMES = {
    "errors": (
        "ArtifactNotFoundError",
        "ComponentError",
        "IntegrityError",
        "NotFoundError",
        "RefusedError",
        "RunLockedError",
        "RunNotFoundError",
        "StoreError",
        "UsageError",
        "WaivernError",
    ),
    "message": ("Message", "SchemaRef"),
    "planning.plan": ("Plan",),
    "problems": ("InvalidError",),
    "record.coverage": ("RunCoverage",),
    "record.run": ("RunMetadata",),
    "record.state": ("ExecutionState",),
    "record.status": ("ArtifactStatus", "How", "RunStatus"),
    "record.step": ("StepRecord",),
    "runbook.model": ("Runbook",),
    "service.again": ("Decided",),
    "service.events": (
        "ArtifactCompleted",
        "ArtifactFailed",
        "ArtifactProgress",
        "ArtifactRetried",
        "ArtifactSkipped",
        "ArtifactStarted",
        "ArtifactSuspended",
        "RunEvent",
        "RunFinished",
        "RunStarted",
    ),
    "service.foreseer": ("Action", "Forecast"),
    "service.library": (
        "approve",
        "forecast",
        "load",
        "plan",
        "replay",
        "resume",
        "run",
        "run_async",
        "stream",
    ),
    "service.result": ("Artifact", "RunFailed", "RunResult"),
    "service.shelf": (
        "CorruptRunWarning",
        "delete_run",
        "list_runs",
        "load_run",
        "load_state",
        "load_steps",
    ),
    "service.stream": ("Stream",),
    "service.terms": (
        "ApproveTerms",
        "ForecastTerms",
        "PlanTerms",
        "ReplayTerms",
        "ResumeTerms",
        "RunTerms",
    ),
    "store.base": ("ArtifactStore", "RunStore"),
    "store.opening": ("open_store",),
}
"""Module to the public names that are defined there."""


if not TYPE_CHECKING:  # a type checker would believe in any name

    def __getattr__(name: str) -> object:
        for home, names in _HOMES.items():
            if name in names:
                from importlib import import_module

                value = getattr(import_module(f"waivern.{home}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module 'waivern' has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["__version__", *(name for names in _HOMES.values() for name in names)]
