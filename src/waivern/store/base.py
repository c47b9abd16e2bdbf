"""The interface of a store: nine methods on artifacts, and the operations that runs need.

The nine are asynchronous and stateless. The others block, and the engine calls them from threads
of its own. Whatever changes a run goes through a `Lease`, so that "one writer per run" is a type.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, overload

from waivern.message import Json, Message, StreamKind
from waivern.store.journal_growth import GrownJournal, JournalPlace, grown
from waivern.store.journal_tail import JournalTail, WholeJournalTail
from waivern.store.store_values import (
    ArtifactRef,
    AttemptAddress,
    FileKind,
    InitialState,
    Journal,
    Owner,
    Receipt,
    RecordName,
    RunFile,
    RunIndex,
    Stamp,
)
from waivern.store.writers import Lease, LogSink, RecordSink


class ArtifactStore(ABC):
    """Stateless interface: run_id is passed to each operation."""

    @abstractmethod
    async def save(self, run_id: str, key: str, message: Message) -> None:
        """Store `message` under `key`, durably, replacing an earlier one."""

    @abstractmethod
    async def get(self, run_id: str, key: str) -> Message:
        """Return the message under `key`. Raises ArtifactNotFoundError."""

    @abstractmethod
    async def exists(self, run_id: str, key: str) -> bool:
        """Return whether there is a message under `key`."""

    @abstractmethod
    async def delete(self, run_id: str, key: str) -> None:
        """Remove the message under `key`; nothing happens if there is none."""

    @abstractmethod
    async def list_keys(self, run_id: str, prefix: str = "") -> list[str]:
        """Return the sorted keys that begin with `prefix`; the run's own records are no keys."""

    @abstractmethod
    async def list_runs(self) -> list[str]:
        """Return the sorted ids of all runs."""

    @abstractmethod
    async def clear(self, run_id: str) -> None:
        """Remove all messages of the run; its records stay."""

    @abstractmethod
    async def save_json(self, run_id: str, key: str, data: dict[str, Json]) -> None:
        """Store one of the run's records ('run', 'state'), replacing an earlier one."""

    @abstractmethod
    async def get_json(self, run_id: str, key: str) -> dict[str, Json]:
        """Return one of the run's records. Raises ArtifactNotFoundError."""


class RunStore(ArtifactStore):
    """A store with the operations that runs need."""

    url: str
    """The URL or path that `open_store` opens to reach the same runs."""
    folder: str | None = None
    """The folder that holds the store; None if it is not on a disk."""
    watch_s: float = 0.2
    """The interval, in seconds, at which readers look for changes of other processes."""

    @abstractmethod
    def identity(self, *, make: bool = False) -> str | None:
        """Return the random id of the store, which its runs record; None if it has none yet.

        With `make` one is created. Raises IntegrityError if it is damaged.
        """

    # staging

    @abstractmethod
    def stage(self, run_id: str, key: str, message: Message) -> Receipt:
        """Write the message where no reader sees it; any thread or process may, at any time.

        It becomes durable when it is published. Its streams come from finished sinks of the same
        artifact, and are then taken over; any other stream is copied, and its digest checked
        (IntegrityError).
        """

    @abstractmethod
    def sink(self, run_id: str, key: str, name: str, *, kind: StreamKind = "records") -> RecordSink:
        """Open a sink for a stream of an artifact that is being produced.

        Of kind `records` it takes the records of the list `name` of the content: a few small ones
        are returned as a list, to be put into the content, more as `Message.records`. Of kind
        `items` it takes the index of the items: `finish` returns `Message.items`, or an empty list
        if there are none; `name` is then used in messages only.
        """

    def attempt(self, run_id: str) -> AttemptAddress | None:  # noqa: ARG002
        """Return the address of the attempt at a run that is held here.

        None: no other process can take part in it, as with a store in memory.
        """
        return None

    def join(self, address: AttemptAddress) -> None:
        """Take part in an attempt that another process holds: `stage` and `sink` write for it.

        They write for no later attempt at the run; from the end of this one on they raise
        StoreError. Small artifacts stay in memory: `export` returns them, for the holder. To join
        again forgets them.
        """
        raise NotImplementedError

    def export(self, run_id: str, staged: str) -> bytes | None:  # noqa: ARG002
        """Return a staged artifact that is in the memory of this process; None: it is in a file."""
        return None

    def accept(self, run_id: str, staged: str, data: bytes) -> None:
        """Take a staged artifact that another process has exported."""
        raise NotImplementedError

    @abstractmethod
    def fetch(self, run_id: str, ref: ArtifactRef, *, redacted: bool = False) -> Message:
        """Return exactly the artifact that `ref` refers to, published or staged.

        The records of a stream are read, and checked, when they are iterated. Raises
        IntegrityError if the stored bytes have another digest, ArtifactNotFoundError if there are
        none, RedactedError if its content or evidence was destroyed. With `redacted` what is left
        of such an artifact is returned, and its streams are whatever lies there.
        """

    @abstractmethod
    def verify(self, run_id: str, key: str, *, size: int, digest: str) -> str | None:
        """Return the fault of a published artifact ('missing', 'altered'); None if it has none.

        Its streams are checked too; a fault of them names them.
        """

    @abstractmethod
    def read_artifact(self, run_id: str, key: str) -> bytes | None:
        """Return the bytes of a published artifact's file, unchecked; None if there are none.

        Its streams are reached through `get` and `fetch`.
        """

    # journal

    @abstractmethod
    def read_journal(self, run_id: str, after: int = 0) -> Journal:
        """Return the lines of the journal that follow line `after`; all are checked.

        Raises IntegrityError, naming the line, if a durable one is bad.
        """

    def tail(self, run_id: str, after: int = 0) -> JournalTail:
        """Return the durable lines that follow line `after`, to be read on while the run is live.

        A store whose journal has lines that a power loss can take back, or that is slow to read
        whole, overrides this.
        """
        return WholeJournalTail(partial(self.read_journal, run_id), after)

    def read_on(self, run_id: str, place: JournalPlace | None = None) -> GrownJournal | None:
        """Return the valid lines that follow a place in the journal, and the place after them.

        Without a place, all lines, as `read_journal` checks them. None: what precedes the place is
        not what was read there, or may not be. A store that is slow to read a journal whole
        overrides this.
        """
        journal = self.read_journal(run_id)
        return grown(journal.lines, place)

    @abstractmethod
    def last_record(self, run_id: str) -> dict[str, Json] | None:
        """Return the journal's last record without reading the rest; None if the tail is torn."""

    @abstractmethod
    def read_record(self, run_id: str, record: RecordName) -> bytes:
        """Return the bytes of a record, unchecked. Raises ArtifactNotFoundError."""

    @abstractmethod
    def files(self, run_id: str) -> list[RunFile]:
        """Return everything that lies in a run, links and devices too, sorted by path."""

    @abstractmethod
    def file_path(self, kind: FileKind, name: str = "") -> str:
        """Return the path below the run's folder of an artifact, a record or a child."""

    @abstractmethod
    def is_intact(self, run_id: str, file: RunFile) -> bool:
        """Return whether an earlier runbook or child has the digest that its name has."""

    @property
    @abstractmethod
    def uncovered(self) -> tuple[str, ...]:
        """The paths of uncovered files, and of folders of such, which end with '/'."""

    @abstractmethod
    def read_runbook(self, run_id: str, digest: str) -> bytes:
        """Return the retained runbook with this digest. Raises IntegrityError if none has it."""

    @abstractmethod
    def read_child(self, run_id: str, path: str, digest: str) -> bytes:
        """Return the retained child with this path and digest.

        Raises IntegrityError if none has it.
        """

    # lock

    @abstractmethod
    def begin(self, run_id: str, initial: InitialState, owner: Owner) -> Lease:
        """Create a run, whole, and hold it. Raises RefusedError if the id is taken."""

    @abstractmethod
    def lock(self, run_id: str, owner: Owner) -> Lease:
        """Hold an existing run; a torn tail is cut. Raises RunLockedError, naming the owner."""

    @abstractmethod
    def owner(self, run_id: str) -> Owner | None:
        """Return the holder of the run; None if it is not held."""

    @overload
    async def list_runs(self) -> list[str]: ...
    @overload
    async def list_runs(
        self, status: str | None = None, runbook: str | None = None, limit: int | None = 50
    ) -> list[Any]: ...
    async def list_runs(
        self, status: str | None = None, runbook: str | None = None, limit: int | None = 50
    ) -> list[Any]:
        """Return the sorted ids of all runs; with a filter, the heads of the runs that match.

        The heads are those of `waivern.list_runs`: RunMetadata, newest first, at most `limit`.
        """
        from importlib import import_module

        from anyio import to_thread  # few programs need an event loop

        if status is None and runbook is None:
            return await to_thread.run_sync(self.runs)
        # by name: what a head means is above the store, which knows documents only
        heads = import_module("waivern.api.run_queries").list_runs
        return await to_thread.run_sync(partial(heads, status, runbook, limit, store=self))

    # reading without an event loop, for commands that must start quickly

    @abstractmethod
    def runs(self) -> list[str]:
        """As `list_runs`."""

    @abstractmethod
    def read_json(self, run_id: str, key: str) -> dict[str, Json]:
        """As `get_json`."""

    def indexed(self) -> RunIndex:
        """Return the runs, and the entries that `index` stored for those that are unchanged."""
        return RunIndex(dict.fromkeys(self.runs()), {})

    def generation(self) -> Stamp | None:
        """Return a value that changes whenever a run is created, removed, locked or released.

        It also changes with the history. Programs that look again and again read nothing while it
        stays the same. None: it is not known, or has changed just now.
        """
        return None

    def as_listed(self) -> AbstractContextManager[None]:
        """Let this thread read runs as the last call of `indexed` found them, if that is cheaper.

        It is for the rows of a list, which then show one moment.
        """
        return nullcontext()

    def index(self, seen: RunIndex, entries: Mapping[str, list[Json]]) -> None:
        """Store entries of runs that were read after `seen` was returned.

        Nothing depends on it: a store that stores nothing is only slower. Raises StoreError.
        """

    # logs, requests, pins

    @abstractmethod
    def log(self, run_id: str, key: str | None) -> LogSink:
        """Open an artifact's log for appending; without a key, the run's own.

        Nothing is created before the first write, which raises what the opening would.
        """

    @abstractmethod
    def read_log(self, run_id: str, key: str | None) -> str:
        """Return an artifact's log, or the run's own; empty if it has none."""

    @abstractmethod
    def log_path(self, run_id: str, key: str | None) -> str | None:
        """Return the absolute path of a log that exists; None if it is not on a disk."""

    @abstractmethod
    def request(self, run_id: str, name: str, document: dict[str, Json]) -> bool:
        """Leave a request to the holder of the run; return false if it was made before."""

    @abstractmethod
    def requests(self, run_id: str) -> dict[str, dict[str, Json]]:
        """Return the requests to the holder of the run, by name."""

    @abstractmethod
    def pinned(self, run_id: str) -> bool:
        """Return whether the run is protected from removal."""

    @abstractmethod
    def pin(self, run_id: str, document: dict[str, Json] | None) -> None:
        """Protect a run from removal, for a reason, of which the first stays; None ends it."""

    # the cache and the history

    @abstractmethod
    def remember(self, entries: Mapping[str, dict[str, Json]]) -> None:
        """Store cache entries under their keys, which are digests, replacing earlier ones.

        A crash may lose some: the runs that they refer to remain the truth.
        """

    @abstractmethod
    def recall(self, key: str) -> dict[str, Json] | None:
        """Return the cache entry under a key, unchecked; None if there is none."""

    @abstractmethod
    def cache_secret(self, *, make: bool = True) -> bytes:
        """Return the secret of the cache's keys, 32 random bytes, created if it is missing.

        Raises ArtifactNotFoundError if it is missing and may not be created.
        """

    @abstractmethod
    def append_history(self, line: dict[str, Json]) -> None:
        """Append a line to the store's history."""

    @abstractmethod
    def read_history(self, run_id: str | None = None) -> list[dict[str, Json]]:
        """Return the lines of the history that name a run, the oldest first.

        Without an id return all lines; one that is no JSON object is an empty one.
        """

    @abstractmethod
    def append_access(self, record: dict[str, Json]) -> None:
        """Append to the access log who is shown which source content, durably, before it is shown.

        Raises StoreError if it cannot be written, IntegrityError if its last line was altered.
        """

    @abstractmethod
    def read_access(self) -> Journal:
        """Return the access log, checked. Raises IntegrityError, naming the line."""

    @abstractmethod
    def remove(self, run_id: str, owner: Owner, before: Callable[[], None] = lambda: None) -> None:
        """Remove a run, whole; `before` is called with its lock held, while it is complete.

        Raises RunLockedError while it is held, and what `before` raises.
        """

    @abstractmethod
    def size(self, run_id: str) -> int:
        """Return the number of bytes in the files of a run."""

    @abstractmethod
    async def aclose(self) -> None:
        """Release what the store itself holds; its runs stay."""
