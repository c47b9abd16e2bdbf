"""The right to write to one run, and the order in which its files are written."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from weakref import WeakSet

from waivern.errors import StoreError
from waivern.ids import SYSTEM
from waivern.message import Json, json_bytes, sha256
from waivern.store import artifact_files, journal, lock
from waivern.store.artifact_files import Staged, staged_stream
from waivern.store.backend import (
    Backend,
    FileHandle,
    FolderHandle,
    explained,
    failure,
)
from waivern.store.base import InitialState, Lease, Owner, Receipt
from waivern.store.layout import (
    CHILDREN,
    EVENTS,
    JOURNAL_BYTES,
    RECORD_BYTES,
    REQUESTS,
    RUN,
    RUNBOOK,
    STATE,
    kept_child_name,
    kept_name,
    read_anchor,
)
from waivern.store.possession import Possession
from waivern.store.syncers import Syncers

HELD_BYTES = 1 << 15
"""A larger artifact is written by the thread that produced it: the lease would make the others of
its group wait."""
HELD = 2048
"""The number of artifacts that are held in memory at most."""
WAVE = 64
"""Files that are written before they are synced; twice as many are open at once, of the 1,024 that
a process usually may have."""


@contextmanager
def _there(what: str) -> Iterator[None]:
    """Turn system errors into StoreErrors, a missing file too: a held run has all its files."""
    try:
        with explained(what):
            yield
    except FileNotFoundError as error:
        raise failure(what, error) from error


class BackendLease(Lease):
    """A held run: its folder, its lock, the end of its journal."""

    def __init__(
        self,
        run_id: str,
        backend: Backend,
        runs: FolderHandle,
        run: FolderHandle,
        held: lock.HeldLock,
        chain: journal.JournalChain,
        on_release: Callable[[str], None],
        *,
        found: bool,
    ) -> None:
        self.run_id = run_id
        self.run = run
        self._unwritten: dict[str, bytes] = {}
        """Small artifacts, staged in memory; `publish` writes and syncs them in a group."""
        self._written: dict[str, str] = {}
        """Artifacts staged in files of their own and not published yet, each with its key."""
        self._streamed: set[str] = set()
        """The artifacts of which this lease has published streams."""
        self._found = found
        """Whether an earlier holder may have published streams."""
        self._syncers = Syncers()
        self._held = held
        self._chain = chain
        self._anchor = journal.JournalAnchor(chain.durable, chain.head)
        self._on_release = on_release
        self._broken = False
        self._released = False
        self._named: set[str] = set()
        """The folders of artifacts whose names are durable."""
        self._system = run.folder(SYSTEM)
        self._events = self._system.open(EVENTS, "append")
        self._written_bytes = self._events.stat().st_size
        self._possession = Possession(backend, runs.folder("."), run_id, run, self._system)
        self._possession.add(self._system, lock.NAME, held.file)
        self._possession.add(self._system, EVENTS, self._events)
        _leases.add(self)

    def check(self) -> None:
        """Raise IntegrityError if the run was taken from this lease, StoreError after its release.

        It precedes each write: a holder that lost its run would damage that of the next one.
        """
        if self._released:
            raise StoreError(f"run {self.run_id} is over: nothing more is written")
        self._possession.check(self._events, self._written_bytes)

    @classmethod
    def build(
        cls,
        backend: Backend,
        runs: FolderHandle,
        run_id: str,
        initial: InitialState,
        owner: Owner,
        on_release: Callable[[str], None],
    ) -> BackendLease:
        """Build a run beside the others, whole and locked, then rename it into place."""
        hidden = f".new-{run_id}"
        chain = journal.JournalChain()
        lines = chain.extend(initial.records)
        chain.mark_durable()
        head = {"count": chain.count, "head": chain.head}
        with ExitStack() as stack:
            run = runs.make_folder(hidden)
            stack.callback(run.close)
            with run.make_folder(SYSTEM) as system:
                held = lock.acquire(system, run_id, owner)
                stack.callback(held.release)
                system.write_new(RUNBOOK, initial.runbook)
                _write_children(system, initial.children)
                system.write_new(EVENTS, lines)
                system.write_new(STATE, json_bytes(initial.state))
                system.write_new(RUN, json_bytes({**initial.run, "journal": head}))
                system.sync()
            runs.rename(hidden, run_id)
            runs.sync()
            lease = cls(run_id, backend, runs, run, held, chain, on_release, found=False)
            stack.pop_all()
        return lease

    @classmethod
    def acquire(
        cls,
        backend: Backend,
        runs: FolderHandle,
        run: FolderHandle,
        run_id: str,
        owner: Owner,
        on_release: Callable[[str], None],
    ) -> BackendLease:
        """Lock an existing run, and cut the torn tail that a crash may have left."""
        with ExitStack() as stack:
            own = run.folder(".")
            stack.callback(own.close)
            with own.folder(SYSTEM) as system:
                held = lock.acquire(system, run_id, owner)
                stack.callback(held.release)
                data = system.read_if_any(EVENTS, JOURNAL_BYTES) or b""
                reading = journal.read(data, read_anchor(system))
                with system.open(EVENTS, "append") as events:
                    if reading.fault:
                        events.cut(reading.valid_bytes)
                    else:  # what a process wrote before it was killed need not be on the disk yet
                        events.sync()
            last = reading.lines[-1] if reading.lines else None
            chain = journal.JournalChain(last.seq, last.hash) if last else journal.JournalChain()
            lease = cls(run_id, backend, runs, own, held, chain, on_release, found=True)
            stack.pop_all()
        return lease

    def hold(self, staged: str, data: bytes) -> bool:
        """Hold a small artifact's bytes until they are published; return whether there was room.

        One thread that writes many files costs a third of many threads that write one each:
        Python may switch threads between any two system calls.
        """
        if len(data) > HELD_BYTES or len(self._unwritten) >= HELD:
            return False
        self._unwritten[staged] = data
        return True

    def adopt(self, staged: str, key: str) -> bool:
        """Record a file that another thread staged; return whether it may still be published."""
        self._written[staged] = key
        return not self._released

    def held(self, staged: str) -> bytes | None:
        """Return the bytes of a staged artifact that is not written yet."""
        return self._unwritten.get(staged)

    def append(self, records: Iterable[dict[str, Json]], *, sync: bool) -> None:
        if self._broken:
            raise StoreError("the journal cannot be written any more", hint="resume the run")
        self.check()
        lines = self._chain.extend(records)
        self._broken = True  # until all of it succeeded
        with _there("write the journal"):
            if lines:
                self._events.write(lines)
                self._written_bytes += len(lines)
            if sync:
                self._events.sync()
                self._chain.mark_durable()
        self._broken = False

    def publish(self, receipts: Iterable[Receipt]) -> None:
        self.check()
        by_folder: dict[str, list[Receipt]] = defaultdict(list)
        for receipt in receipts:
            by_folder[receipt.key.rpartition("/")[0]].append(receipt)
        for path, together in by_folder.items():
            parents = path.split("/") if path else []
            with _there("publish artifacts"), self.run.below(parents, make=True) as folder:
                self._write(folder, together)
                # only now that its bytes are durable does a file get its name, or a power loss
                # could leave an empty artifact; one sync then makes all names durable
                for receipt in together:
                    self._put(folder, receipt)
                folder.sync()
                self._sync_names(parents)
            for receipt in together:
                self._unwritten.pop(receipt.staged, None)
                self._written.pop(receipt.staged, None)
                for kind in receipt.streams:
                    self._written.pop(staged_stream(receipt.staged, kind), None)

    def _put(self, folder: FolderHandle, receipt: Receipt) -> None:
        """Give a staged artifact its name, and those of its streams before."""
        if receipt.streams or self._found or receipt.key in self._streamed:
            staged = Staged(folder, receipt.staged, receipt.streams)
            artifact_files.put(self.run, receipt.key, staged, each_step=False)
            self._streamed.add(receipt.key)
        else:  # nothing is there that describes streams
            folder.rename(receipt.staged, receipt.key.rpartition("/")[2] + ".json")

    def _write(self, folder: FolderHandle, receipts: list[Receipt]) -> None:
        """Write what is held in memory, durably: one wave is written as another is synced."""
        durable: list[Callable[[], None]] = []
        try:
            for start in range(0, len(receipts), WAVE):
                created = self._created(folder, receipts[start : start + WAVE])
                durable.append(self._syncers.sync(created))
                if len(durable) > 1:
                    self._wait(durable)
        finally:
            while durable:
                self._wait(durable)

    def _wait(self, durable: list[Callable[[], None]]) -> None:
        with _there("write artifacts"):
            durable.pop(0)()

    def _created(self, folder: FolderHandle, receipts: list[Receipt]) -> list[FileHandle]:
        """Create the files of those that are held in memory; they are to be synced and closed."""
        files: list[FileHandle] = []
        held = [(each, data) for each in receipts if (data := self.held(each.staged)) is not None]
        try:
            folder.create_all(((each.staged, data) for each, data in held), files)
        except BaseException as error:
            for file in files:
                file.close()
            if not isinstance(error, OSError):
                raise
            key = held[len(files)][0].key  # the first one that is not complete
            failed = failure(f"write artifact '{key}'", error)
            failed.artifact = key
            raise failed from error
        return files

    def _sync_names(self, parents: list[str]) -> None:
        """Make the names of folders durable: the thread that created them may not have yet."""
        for depth in range(len(parents)):
            path = "/".join(parents[: depth + 1])
            if path not in self._named:
                with self.run.below(parents[:depth]) as above:
                    above.sync()
                self._named.add(path)

    def project(self, run: dict[str, Json], state: dict[str, Json], *, sync: bool) -> None:
        self.check()
        if sync:
            self._anchor = journal.JournalAnchor(self._chain.durable, self._chain.head)
        with _there("write the run's state"):
            # run.json last: it says how the run ended, and until then a crash leaves it running,
            # that is interrupted and resumable
            self._system.replace(STATE, json_bytes(state), sync=sync)
            self._system.replace(RUN, json_bytes({**run, "journal": self.head}), sync=sync)

    @property
    def head(self) -> dict[str, Json]:
        return {"count": self._anchor.lines, "head": self._anchor.head}

    def replace_runbook(self, data: bytes) -> None:
        self.check()
        with _there("keep the runbook"):
            before = self._system.read(RUNBOOK, RECORD_BYTES)
            if before != data:  # the earlier one first: attempts that ran it refer to its bytes
                self._system.replace(kept_name(sha256(before)), before)
                self._system.replace(RUNBOOK, data)

    def replace_children(self, children: Mapping[str, bytes]) -> None:
        self.check()
        with _there("keep the child runbooks"):
            with suppress(FileNotFoundError), self._system.folder(CHILDREN) as root:
                self._put_aside(root, "", children)
            _write_children(self._system, children)

    def _put_aside(self, folder: FolderHandle, prefix: str, children: Mapping[str, bytes]) -> None:
        """Retain, under other names, the files in a folder that differ from `children`."""
        for name in folder.names():
            if folder.has_folder(name):
                with folder.folder(name) as inner:
                    self._put_aside(inner, f"{prefix}{name}/", children)
            elif (data := folder.read(name, RECORD_BYTES)) != children.get(prefix + name):
                self._system.replace(kept_child_name(sha256(data)), data)
                folder.unlink(name)
                folder.sync()

    def unpublish(self, keys: Iterable[str]) -> None:
        self.check()
        for key in keys:
            with _there(f"withdraw '{key}'"):
                artifact_files.remove(self.run, key)

    def _remove(self, parents: list[str], name: str, what: str) -> None:
        with (
            _there(what),
            suppress(FileNotFoundError),  # its folder is gone, and all in it
            self.run.below(parents) as folder,
        ):
            folder.unlink(name)
            folder.sync()

    def sweep(self, keys: Iterable[str]) -> None:
        self.check()
        self._unwritten.clear()  # of calls that were cut off: it is never published
        with _there("remove invalidated artifacts"):
            found: dict[str, list[str]] = defaultdict(list)
            for path in artifact_files.leftovers([path for path, _ in self.run.walk()], keys):
                folder_path, _, name = path.rpartition("/")
                found[folder_path].append(name)
            for folder_path, names in found.items():
                with self.run.below(folder_path.split("/") if folder_path else []) as folder:
                    for name in names:
                        folder.unlink(name)
                    folder.sync()  # or a power loss brings them back when the run has ended

    def clear_requests(self) -> None:
        with _there("remove requests"):
            try:
                requests = self._system.folder(REQUESTS)
            except FileNotFoundError:
                return
            with requests:
                for name in requests.names():
                    requests.unlink(name)

    def abandon(self) -> None:
        """Close everything in a forked child: only the parent may write to the run."""
        if self._released:
            return
        self._released = self._broken = True
        self._on_release(self.run_id)
        self._unwritten.clear()
        self._written.clear()
        for opened in (self._events, self._system, self.run, self._possession):
            with suppress(OSError):
                opened.close()

    def release(self) -> None:
        if self._released:
            return
        self._released = True
        for staged, key in list(self._written.items()):  # of abandoned calls
            with suppress(StoreError):
                self._remove(key.split("/")[:-1], staged, f"remove what was left of '{key}'")
        self._on_release(self.run_id)
        self._unwritten.clear()
        self._syncers.close()
        # the lock is released last but for the folders: nothing of the run may still be open for
        # writing when the next holder comes
        for close in (
            self._events.close,
            self._system.close,
            self._held.release,
            self.run.close,
            self._possession.close,
        ):
            with suppress(OSError):  # a component may have closed it already
                close()


_leases: WeakSet[BackendLease] = WeakSet()


def _after_fork() -> None:
    for lease in list(_leases):
        lease.abandon()


os.register_at_fork(after_in_child=_after_fork)


def _write_children(system: FolderHandle, children: Mapping[str, bytes]) -> None:
    if not children:
        return
    with system.ensure_folder(CHILDREN) as root:
        for path, data in sorted(children.items()):
            *parents, name = path.split("/")
            with root.below(parents, make=True) as folder:
                before = folder.read_if_any(name, RECORD_BYTES)
                if before is None:
                    folder.write_new(name, data)
                    folder.sync()
                elif before != data:  # of an attempt that was cut off before it began
                    folder.replace(name, data)
