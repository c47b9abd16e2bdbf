"""The command that continues a run, or decides what it waits for; for people to copy."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from waivern.record.fold import RunRecord
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.record.text_forms import short


class NextCommands(NamedTuple):
    """The commands that are useful next, for a run that is stored or not."""

    record: RunRecord
    resume: list[str]
    """The words that continue the run, with --store where that is needed."""
    stored: bool = True

    @classmethod
    def anywhere(cls, record: RunRecord, url: str) -> NextCommands:
        """Return the commands for a terminal in any folder."""
        run_id = record.metadata.run_id
        return cls(record, ["wct", "runs", "resume", run_id, "--store", url], url != "memory:")

    @property
    def resumable(self) -> bool:
        """Whether the run can be continued now."""
        status = self.record.metadata.status
        return self.stored and status not in (RunStatus.COMPLETED, RunStatus.RUNNING)

    @property
    def next(self) -> str:
        """The next command."""
        run = self.record.metadata
        if run.status == RunStatus.SUSPENDED and self.resumable:
            return next(iter(self.decisions.values()), shlex.join(self.resume))
        if self.resumable:
            again = ["--ask-again"] if self._refused else []
            return shlex.join([*self.resume, *again, *self._params])
        return shlex.join(["wct", "inspect", short(run.run_id), *self._at])

    @property
    def decisions(self) -> dict[str, str]:
        """The command for each artifact that waits; none if the run was not stored."""
        if not self.stored:
            return {}
        run, found = short(self.record.metadata.run_id), {}
        at = [*self._at, *self._params]
        for step in self.record.steps.values():
            if step.status is not ArtifactStatus.SUSPENDED:
                continue
            if step.gate:
                words = ["wct", "runs", "approve", f"{run}/{step.artifact}", *at]
                found[step.artifact] = shlex.join(words)
            else:
                words = ["wct", "runs", "resume", run, *at, "--data"]
                found[step.artifact] = f"{shlex.join(words)} KEY=VALUE"
        return found

    @property
    def _refused(self) -> bool:
        """Whether a gate was rejected or timed out, so that only a new decision helps."""
        steps = self.record.steps.values()
        failed = (step for step in steps if step.status is ArtifactStatus.FAILED)
        return any(step.artifact in self.record.decisions for step in failed)

    @property
    def needs_secrets(self) -> bool:
        """Whether secret parameters must be set again: they are not recorded."""
        return any(value is None for value in self.record.metadata.params.values())

    @property
    def _params(self) -> list[str]:
        return ["--params", "FILE"] if self.needs_secrets else []

    @property
    def _at(self) -> list[str]:
        return self.resume[self.resume.index("--store") :] if "--store" in self.resume else []
