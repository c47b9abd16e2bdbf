"""The result of a recorded attempt, read from the journal after it has ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from waivern.errors import Exit
from waivern.message import Json
from waivern.record.coverage import RunCoverage, coverage
from waivern.record.status import RunStatus

if TYPE_CHECKING:
    from waivern.record.fold import RunRecord
    from waivern.store.base import RunStore

_BY_REASON = {
    "timeout": Exit.TIMEOUT,
    "store": Exit.STORE,
    "integrity": Exit.INTEGRITY,
    "SIGINT": Exit.INTERRUPTED,
    "SIGTERM": Exit.TERMINATED,
    "SIGHUP": Exit.HANGUP,
}
_BY_STATUS = {
    RunStatus.COMPLETED: Exit.OK,
    RunStatus.FAILED: Exit.FAILED,
    RunStatus.CANCELLED: Exit.FAILED,
    RunStatus.SUSPENDED: Exit.SUSPENDED,
    RunStatus.INTERRUPTED: Exit.INTERRUPTED,
    RunStatus.RUNNING: Exit.OK,
}


@dataclass(frozen=True)
class RecordedResult:
    """The facts about an attempt that another process carried out.

    Policies, warnings and the delivery of outputs belong to the command that ran it: they are not
    recorded, and empty here.
    """

    record: RunRecord = field(repr=False)
    journal: dict[str, Json]
    """`{count, head}`."""
    plan: None = None
    nothing_to_do: bool = False
    policies: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    stuck: bool = False
    outputs: None = None

    @property
    def run_id(self) -> str:
        return self.record.metadata.run_id

    @property
    def status(self) -> RunStatus:
        return self.record.metadata.status

    @property
    def reason(self) -> str | None:
        """The reason of the end, as `RunResult` has it; None if the process died."""
        attempts = self.record.metadata.attempts
        reason = attempts[-1].get("reason") if attempts else None
        return reason if isinstance(reason, str) else None

    @property
    def error(self) -> str | None:
        return self.record.metadata.error

    @property
    def exit_code(self) -> Exit:
        """The code that the command exited with, policies apart; 130 if its process died."""
        if self.status in (RunStatus.FAILED, RunStatus.INTERRUPTED):
            return _BY_REASON.get(self.reason or "", _BY_STATUS[self.status])
        return _BY_STATUS[self.status]

    @cached_property
    def coverage(self) -> RunCoverage:
        """How much of the sources was examined, and what was not."""
        return coverage(self.record)


def recorded_result(store: RunStore, record: RunRecord) -> RecordedResult:
    """Return the result of the last attempt at a run."""
    head: dict[str, Json] = {"count": record.count, "head": ""}
    if record.vouched:
        last = store.read_journal(record.metadata.run_id).lines[-1]
        head = {"count": last.seq, "head": last.hash}
    return RecordedResult(record, head)
