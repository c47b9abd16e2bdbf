"""The right to write to one run, and the order in which its files are written."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack, suppress
from weakref import WeakSet

from waivern.errors import IntegrityError, StoreError
from waivern.ids import SYSTEM
from waivern.message import Json, json_bytes, sha256
from waivern.store import journal, lock, staging
from waivern.store.backend import (
    Backend,
    FolderHandle,
)
from waivern.store.layout import (
    CHILDREN,
    EVENTS,
    JOURNAL_BYTES,
    PROGRESS,
    RECORD_BYTES,
    REQUESTS,
    RUN,
    RUNBOOK,
    STATE,
    kept_child_name,
    kept_name,
    next_attempt,
    read_anchor,
)
from waivern.store.possession import Possession
from waivern.store.publishing import Publisher, there
from waivern.store.staging import OwnStaging, new_token
from waivern.store.store_values import InitialState, Owner, Receipt
from waivern.store.writers import Lease


class BackendLease(Lease):
    """A held run: its folder, its lock, the end of its journal."""

    def __init__(
        self,
        run_id: str,
        backend: Backend,
        runs: FolderHandle,
        run: FolderHandle,
        system: FolderHandle,
        held: lock.HeldLock,
        chain: journal.JournalChain,
        staging: OwnStaging,
        mark: str,
        on_release: Callable[[str], None],
        *,
        found: bool,
    ) -> None:
        self.run_id = run_id
        self.run = run
        self.staging = staging
        self.artifacts = Publisher(run, staging, found=found, threads=not backend.delays)
        self._backend = backend
        self._system = system
        self._runs = runs.folder(".")
        self._mark = mark
        self._held = held
        self._chain = chain
        self._anchor = journal.JournalAnchor(chain.durable, chain.head)
        self._on_release = on_release
        self._broken = False
        self._released = False
        self._events = self._system.open(EVENTS, "append")
        self._written_bytes = self._events.stat().st_size
        self._possession = Possession(backend, self._runs, run_id, run, self._system)
        self._possession.add(self._system, lock.NAME, held.file)
        self._possession.add(self._system, EVENTS, self._events)
        with backend.together():
            for opened in (run, system, staging.folder, self._events):
                opened.fenced_by(held.file)
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
        hidden, token = f".new-{run_id}", new_token()
        chain = journal.JournalChain()
        lines = chain.extend(initial.records)
        chain.mark_durable()
        head = {"count": chain.count, "head": chain.head, "synced": chain.durable}
        with ExitStack() as stack:
            mark = staging.mark(runs, run_id, token)  # durable with the name of the run
            stack.callback(runs.unlink, mark)
            run = runs.make_folder(hidden)
            stack.callback(run.close)
            system = run.make_folder(SYSTEM)
            stack.callback(system.close)
            held = lock.acquire(system, run_id, owner)
            stack.callback(held.release)
            with backend.together():
                system.write_new(RUNBOOK, initial.runbook)
                _write_children(system, initial.children)
                system.write_new(EVENTS, lines)
                system.write_new(STATE, json_bytes(initial.state))
                system.write_new(RUN, json_bytes({**initial.run, "journal": head}))
                system.sync()
            own = OwnStaging(run_id, system, 1, token)
            runs.rename(hidden, run_id)
            runs.sync()
            lease = cls(
                run_id, backend, runs, run, system, held, chain, own, mark, on_release, found=False
            )
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
        """Lock an existing run, remove what was staged, and cut a torn tail of the journal.

        A crash may have left both.
        """
        token = new_token()
        with ExitStack() as stack:
            own = run.folder(".")
            stack.callback(own.close)
            system = own.folder(SYSTEM)
            stack.callback(system.close)
            held = lock.acquire(system, run_id, owner)
            stack.callback(held.release)
            mark = staging.mark(runs, run_id, token)
            stack.callback(runs.unlink, mark)
            runs.sync()  # the run's own name too: its first holder may have died before it could
            staging.remove_earlier(system)
            staging.remove_other_marks(runs, run_id, mark)
            data = system.read_if_any(EVENTS, JOURNAL_BYTES) or b""
            reading = journal.read(data, read_anchor(system))
            with system.open(EVENTS, "append") as events:
                if reading.fault:
                    events.cut(reading.valid_bytes)
                else:  # what a process wrote before it was killed need not be on the disk yet
                    events.sync()
            last = reading.lines[-1] if reading.lines else None
            chain = journal.JournalChain(last.seq, last.hash) if last else journal.JournalChain()
            area = OwnStaging(run_id, system, next_attempt(system), token)
            lease = cls(
                run_id, backend, runs, own, system, held, chain, area, mark, on_release, found=True
            )
            stack.pop_all()
        return lease

    def append(self, records: Iterable[dict[str, Json]], *, sync: bool) -> None:
        if self._broken:
            raise StoreError("the journal cannot be written any more", hint="resume the run")
        with there("write the journal"), self._backend.together():
            self.check()
            lines = self._chain.extend(records)
            self._broken = True  # until all of it succeeded
            if lines:
                self._events.write(lines)
                self._written_bytes += len(lines)
            if sync:
                self._events.sync()
        if sync:
            self._chain.mark_durable()
        self._broken = False

    def publish(self, receipts: Iterable[Receipt], *, over: bool = False) -> None:
        receipts = list(receipts)
        try:
            with self._backend.together():
                self.check()
                self.artifacts.publish(receipts, over=over)
        except OSError as error:
            raise self.artifacts.failure(receipts, error) from error
        self.artifacts.release_held(receipts)

    def project(self, run: dict[str, Json], state: dict[str, Json], *, sync: bool) -> None:
        with there("write the run's state"), self._backend.together():
            self.check()
            if sync:
                self._anchor = journal.JournalAnchor(self._chain.durable, self._chain.head)
            # run.json last: it says how the run ended, and until then a crash leaves it running,
            # that is interrupted and resumable
            self._system.replace(STATE, json_bytes(state), sync=sync)
            journal_head = self.head | {"synced": self._chain.durable}
            self._system.replace(RUN, json_bytes({**run, "journal": journal_head}), sync=sync)

    def project_progress(self, document: dict[str, Json] | None) -> None:
        self.check()
        with there("write the run's progress"):
            if document is None:
                self._system.unlink(PROGRESS)
            else:
                self._system.replace(PROGRESS, json_bytes(document), sync=False)

    @property
    def head(self) -> dict[str, Json]:
        return {"count": self._anchor.lines, "head": self._anchor.head}

    def replace_runbook(self, data: bytes) -> None:
        self.check()
        with there("keep the runbook"):
            before = self._system.read(RUNBOOK, RECORD_BYTES)
            if before != data:  # the earlier one first: attempts that ran it refer to its bytes
                self._system.replace(kept_name(sha256(before)), before)
                self._system.replace(RUNBOOK, data)

    def replace_children(self, children: Mapping[str, bytes]) -> None:
        self.check()
        with there("keep the child runbooks"):
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
        self.artifacts.unpublish(keys)

    def sweep(self, keys: Iterable[str]) -> None:
        self.check()
        self.artifacts.sweep(keys)

    def clear_requests(self, names: Collection[str] | None = None, *, keep: str = "") -> None:
        if names is not None and not names:
            return
        with there("remove requests"):
            if names is None:
                self._system.unlink(PROGRESS)  # of a holder that was killed
            try:
                requests = self._system.folder(REQUESTS)
            except FileNotFoundError:
                return
            with requests:
                for name in requests.names() if names is None else (f"{n}.json" for n in names):
                    if not (keep and name.startswith(keep)):
                        requests.unlink(name)

    def abandon(self) -> None:
        """Close everything in a forked child: only the parent may write to the run."""
        if self._released:
            return
        self._released = self._broken = True
        self._on_release(self.run_id)
        self.artifacts.forget()
        self.staging.forget()
        for opened in (self._events, self._system, self.run, self._possession):
            with suppress(OSError):
                opened.close()

    def release(self) -> None:
        if self._released:
            return
        self._released = True
        with ExitStack() as closing:  # all of it happens, also if an interrupt breaks in
            # the lock is released last but for the folders: nothing of the run may still be open
            # for writing when the next holder comes
            for close in (
                self._possession.close,
                self.run.close,
                self._held.release,
                self._system.close,
                self._events.close,
            ):
                closing.callback(_quietly, close)
            self._on_release(self.run_id)
            self.artifacts.close()
            self._remove_staged()

    def _remove_staged(self) -> None:
        """Remove what is staged; after an error the mark leaves that to the next process."""
        with suppress(OSError, IntegrityError):
            self.staging.end()
            self._runs.unlink(self._mark)


def _quietly(close: Callable[[], None]) -> None:
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
