"""Artifact-centric orchestration whose run folders cannot lie.

The names below are the library, as docs/reference/python.md describes it. Each is imported when it
is first used, so that `import waivern` costs nothing.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # importing it from typing would be the dearest line of `wct --version`
if TYPE_CHECKING:
    from waivern.api.async_functions import aapprove as aapprove
    from waivern.api.async_functions import aplan as aplan
    from waivern.api.async_functions import areplay as areplay
    from waivern.api.async_functions import aresume as aresume
    from waivern.api.async_functions import arun as arun
    from waivern.api.events import ArtifactCompleted as ArtifactCompleted
    from waivern.api.events import ArtifactFailed as ArtifactFailed
    from waivern.api.events import ArtifactProgress as ArtifactProgress
    from waivern.api.events import ArtifactRetried as ArtifactRetried
    from waivern.api.events import ArtifactSkipped as ArtifactSkipped
    from waivern.api.events import ArtifactStarted as ArtifactStarted
    from waivern.api.events import ArtifactSuspended as ArtifactSuspended
    from waivern.api.events import RunEvent as RunEvent
    from waivern.api.events import RunFinished as RunFinished
    from waivern.api.events import RunStarted as RunStarted
    from waivern.api.functions import approve as approve
    from waivern.api.functions import replay as replay
    from waivern.api.functions import resume as resume
    from waivern.api.functions import run as run
    from waivern.api.plans import forecast as forecast
    from waivern.api.plans import load as load
    from waivern.api.plans import plan as plan
    from waivern.api.run_history import RunHistory as RunHistory
    from waivern.api.run_queries import CorruptRunWarning as CorruptRunWarning
    from waivern.api.run_queries import delete_run as delete_run
    from waivern.api.run_queries import list_runs as list_runs
    from waivern.api.run_queries import load_run as load_run
    from waivern.api.run_queries import load_state as load_state
    from waivern.api.run_queries import load_steps as load_steps
    from waivern.api.run_queries import open_store as open_store
    from waivern.api.run_queries import redact_run as redact_run
    from waivern.api.stream import Stream as Stream
    from waivern.api.stream_functions import run_async as run_async
    from waivern.api.stream_functions import stream as stream
    from waivern.diagnostics import InvalidError as InvalidError
    from waivern.engine.decision_walk import Action as Action
    from waivern.errors import ArtifactNotFoundError as ArtifactNotFoundError
    from waivern.errors import ComponentError as ComponentError
    from waivern.errors import IntegrityError as IntegrityError
    from waivern.errors import NotFoundError as NotFoundError
    from waivern.errors import RedactedError as RedactedError
    from waivern.errors import RefusedError as RefusedError
    from waivern.errors import RunLockedError as RunLockedError
    from waivern.errors import RunNotFoundError as RunNotFoundError
    from waivern.errors import StoreError as StoreError
    from waivern.errors import UsageError as UsageError
    from waivern.errors import WaivernError as WaivernError
    from waivern.language.models import Runbook as Runbook
    from waivern.message import Message as Message
    from waivern.message import SchemaRef as SchemaRef
    from waivern.planning.child_runbooks import ChildReference as ChildReference
    from waivern.planning.plan import Plan as Plan
    from waivern.record.coverage import RunCoverage as RunCoverage
    from waivern.record.execution_state import ExecutionState as ExecutionState
    from waivern.record.run_metadata import RunMetadata as RunMetadata
    from waivern.record.run_summary import RunSummary as RunSummary
    from waivern.record.status import ArtifactStatus as ArtifactStatus
    from waivern.record.status import How as How
    from waivern.record.status import RunStatus as RunStatus
    from waivern.record.step_record import StepRecord as StepRecord
    from waivern.runs.completed_artifact import Artifact as Artifact
    from waivern.runs.forecaster import Forecast as Forecast
    from waivern.runs.redact import Redaction as Redaction
    from waivern.runs.remote_resolver import RemoteResolver as RemoteResolver
    from waivern.runs.result import RunFailed as RunFailed
    from waivern.runs.result import RunResult as RunResult
    from waivern.runs.resume import Decided as Decided
    from waivern.store.base import ArtifactStore as ArtifactStore
    from waivern.store.base import RunStore as RunStore
    from waivern.store.local import LocalFilesystemStore as LocalFilesystemStore
    from waivern.store.memory import AsyncInMemoryStore as AsyncInMemoryStore
    from waivern.store.remote.remote_http import RemoteHttpStore as RemoteHttpStore
    from waivern.store.sql.postgres_store import PostgresStore as PostgresStore
    from waivern.store.sql.sqlite_store import SqliteStore as SqliteStore

_HOMES = {
    "errors": (
        "ArtifactNotFoundError",
        "ComponentError",
        "IntegrityError",
        "NotFoundError",
        "RedactedError",
        "RefusedError",
        "RunLockedError",
        "RunNotFoundError",
        "StoreError",
        "UsageError",
        "WaivernError",
    ),
    "message": ("Message", "SchemaRef"),
    "planning.child_runbooks": ("ChildReference",),
    "planning.plan": ("Plan",),
    "diagnostics": ("InvalidError",),
    "record.coverage": ("RunCoverage",),
    "record.run_metadata": ("RunMetadata",),
    "record.run_summary": ("RunSummary",),
    "record.execution_state": ("ExecutionState",),
    "record.status": ("ArtifactStatus", "How", "RunStatus"),
    "record.step_record": ("StepRecord",),
    "language.models": ("Runbook",),
    "runs.resume": ("Decided",),
    "api.events": (
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
    "engine.decision_walk": ("Action",),
    "runs.forecaster": ("Forecast",),
    "runs.redact": ("Redaction",),
    "runs.remote_resolver": ("RemoteResolver",),
    "api.plans": ("forecast", "load", "plan"),
    "api.functions": ("approve", "replay", "resume", "run"),
    "api.async_functions": ("aapprove", "aplan", "areplay", "aresume", "arun"),
    "api.stream_functions": ("run_async", "stream"),
    "runs.completed_artifact": ("Artifact",),
    "runs.result": ("RunFailed", "RunResult"),
    "api.run_history": ("RunHistory",),
    "api.run_queries": (
        "CorruptRunWarning",
        "delete_run",
        "list_runs",
        "load_run",
        "load_state",
        "load_steps",
        "open_store",
        "redact_run",
    ),
    "api.stream": ("Stream",),
    "store.base": ("ArtifactStore", "RunStore"),
    "store.local": ("LocalFilesystemStore",),
    "store.sql.postgres_store": ("PostgresStore",),
    "store.sql.sqlite_store": ("SqliteStore",),
    "store.memory": ("AsyncInMemoryStore",),
    "store.remote.remote_http": ("RemoteHttpStore",),
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
