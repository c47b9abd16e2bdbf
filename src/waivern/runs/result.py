"""The result of an attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from waivern.errors import Exit, WaivernError
from waivern.message import Json
from waivern.planning.plan import Plan
from waivern.record.coverage import RunCoverage, coverage
from waivern.record.execution_state import ExecutionState
from waivern.record.fold import RunRecord
from waivern.record.run_metadata import RunMetadata
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.record.step_record import StepRecord, ordered
from waivern.store.base import RunStore

if TYPE_CHECKING:
    from waivern.runs.completed_artifact import Artifact
    from waivern.runs.output_delivery import DeliveredOutputs


@dataclass(frozen=True)
class RunResult:
    """The result of one attempt at a run."""

    run_id: str
    status: RunStatus
    reason: str | None
    """`timeout`, a signal's name, `store`, `defect`, `cancel`, `fail_fast`; of a suspended run,
    what it waits for."""
    error: str | None
    """The first failure, in words for people."""
    exit_code: int
    """The code that `wct run` exits with."""
    record: RunRecord = field(repr=False)
    plan: Plan = field(repr=False)
    journal: dict[str, Json] = field(default_factory=dict)
    """`{count, head}`: what to keep elsewhere, for `wct runs verify --expect`."""
    nothing_to_do: bool = False
    policies: tuple[str, ...] = ()
    """The conditions of `fail_on` that hold, each with the values that decided."""
    warnings: tuple[str, ...] = ()
    """Problems that do not change the result of the run."""
    stuck: bool = False
    """A blocked thread was left behind: only `os._exit` ends the process."""
    outputs: DeliveredOutputs | None = None
    """The outcome of delivering the outputs; None unless a folder was given for them."""
    store: RunStore = field(kw_only=True, repr=False)

    @property
    def suspended(self) -> bool:
        """Whether a decision or data is needed to go on."""
        return self.status is RunStatus.SUSPENDED

    @property
    def suspended_at(self) -> str | None:
        """When it began to wait: RFC 3339, UTC; None unless it waits."""
        return self.metadata.suspended_at

    @property
    def waiting(self) -> tuple[str, ...]:
        """The artifacts that wait, sorted."""
        return self.state.suspended

    @property
    def metadata(self) -> RunMetadata:
        """The head of the run, as `run.json` has it."""
        return self.record.metadata

    @property
    def state(self) -> ExecutionState:
        """The artifacts by status, as `state.json` has them."""
        return self.record.state

    @cached_property
    def coverage(self) -> RunCoverage:
        """How much of the sources was examined, and what was not."""
        return coverage(self.record)

    @property
    def steps(self) -> list[StepRecord]:
        """A step for each artifact: those that were started in this order, then the others."""
        return ordered(self.record.steps.values())

    @property
    def aliases(self) -> Mapping[str, tuple[str, ...]]:
        """The aliases of artifacts: the outputs of children, the groups of `for_each`."""
        return {name: tuple(ids) for name, ids in self.record.aliases.items()}

    @cached_property
    def artifacts(self) -> Mapping[str, Artifact]:
        """The completed artifacts by id, and by each alias of a single one."""
        from waivern.runs.completed_artifact import Artifact  # `wct run` shows none

        found = {
            name: Artifact.of(self.store, self.run_id, step.completed)
            for name, step in self.record.steps.items()
            if step.completed and step.status is ArtifactStatus.COMPLETED
        }
        for name, ids in self.record.aliases.items():
            if len(ids) == 1 and ids[0] in found:
                found.setdefault(name, found[ids[0]])
        return MappingProxyType(found)


class RunFailed(WaivernError):  # noqa: N818 - says what happened, as RunFinished does
    """A run that did not complete: it failed, timed out, was cancelled or was interrupted."""

    def __init__(self, result: RunResult) -> None:
        why = result.error or (result.reason if result.status is RunStatus.INTERRUPTED else None)
        said = f": {why}" if why else ""
        hint = f"`wct inspect {result.run_id}` shows it; a resume produces only what is missing"
        word = "" if result.status is RunStatus.FAILED else "was "
        super().__init__(f"run {result.run_id} {word}{result.status}{said}", hint=hint)
        self.result = result
        self.exit_code = Exit(result.exit_code)

    def __reduce__(self) -> tuple[object, ...]:
        return RunFailed, (self.result,), {"__notes__": getattr(self, "__notes__", [])}
