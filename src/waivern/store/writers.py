"""The writers that a store hands out: an open log, a record sink, and the lease of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from types import TracebackType
from typing import Self

from waivern.message import Json
from waivern.record_stream import RecordStream
from waivern.store.store_values import Receipt


class LogSink(ABC):
    """An open log. One thread at a time writes; a forked child may write to the same one."""

    @abstractmethod
    def write(self, text: str) -> None:
        """Append to the log; readers see it at once, and it need not survive a power loss."""

    @abstractmethod
    def close(self) -> None:
        """Close it; closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class RecordSink(ABC):
    """The records of an artifact that is being produced, written where no reader sees them.

    One thread at a time writes. Nothing is on the disk while the records are few and small.
    """

    @abstractmethod
    def write(self, record: Json) -> None:
        """Append a record. Raises ComponentError if it is not JSON or too large, StoreError."""

    @abstractmethod
    def finish(self) -> list[Json] | RecordStream:
        """Return the records: a list if they are few and small, else a stream to be staged."""

    @abstractmethod
    def discard(self) -> None:
        """Remove what was written, unless it was finished and staged; twice is harmless."""


class Lease(ABC):
    """The right to write to one run, held until `release` or the end of the process."""

    @abstractmethod
    def append(self, records: Iterable[dict[str, Json]], *, sync: bool) -> None:
        """Append journal lines in order; with `sync` they, and all before, are durable after.

        A StoreError leaves the lease unusable for further lines: the tail may be torn.
        """

    @abstractmethod
    def publish(self, receipts: Iterable[Receipt], *, over: bool = False) -> None:
        """Make staged artifacts visible under their keys, durably.

        While streams are replaced, nothing is under the key. With `over` the earlier file stays
        until it is replaced: after a crash in between it describes streams that are other ones.
        """

    @abstractmethod
    def project(self, run: dict[str, Json], state: dict[str, Json], *, sync: bool) -> None:
        """Replace `run.json` and `state.json`; with `sync` durably, the journal's head in it.

        `journal` of `run.json` has `count` and `head` of the last sync, and `synced`: how many
        lines are durable now.
        """

    def project_progress(self, document: dict[str, Json] | None) -> None:  # noqa: B027
        """Replace the progress that readers of the live run see; None removes it.

        Nothing depends on it, and a store may ignore it. Any thread may call this.
        """

    @property
    @abstractmethod
    def head(self) -> dict[str, Json]:
        """`{count, head}` of the journal, as the last synced `run.json` has it."""

    @abstractmethod
    def replace_runbook(self, data: bytes) -> None:
        """Make another runbook the run's; those that ran before are retained beside it."""

    @abstractmethod
    def replace_children(self, children: Mapping[str, bytes]) -> None:
        """Make other children, by path, the run's; those that ran before are retained."""

    @abstractmethod
    def unpublish(self, keys: Iterable[str]) -> None:
        """Remove published artifacts, durably.

        This precedes the journal line that invalidates them: after a crash in between, a resume
        finds them missing and rebuilds them, and never trusts a file that was invalidated.
        """

    @abstractmethod
    def sweep(self, keys: Iterable[str]) -> None:
        """Remove these artifacts, which no event completes, and everything that is staged."""

    @abstractmethod
    def clear_requests(self, names: Collection[str] | None = None, *, keep: str = "") -> None:
        """Remove requests that have been granted, by name.

        Without names remove all, and what an earlier holder left, except those that begin with
        `keep`.
        """

    @abstractmethod
    def release(self) -> None:
        """Release the run; twice is harmless. By now the journal says how the attempt ended."""
