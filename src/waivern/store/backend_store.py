"""The run store, written once over the backend port: runs as folders of plain files."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import TYPE_CHECKING

from waivern.errors import ArtifactNotFoundError, RefusedError, RunNotFoundError, StoreError
from waivern.ids import SYSTEM, parse_run_id, segment_fault
from waivern.message import Json
from waivern.store import cache_index, layout, lock, run_index, store_id
from waivern.store.backend import Backend
from waivern.store.backend_artifacts import BackendArtifacts
from waivern.store.layout import EVENTS, refuse_newer
from waivern.store.os_errors import explained
from waivern.store.store_values import InitialState, Journal, Owner, RunIndex, Stamp
from waivern.store.writers import Lease

if TYPE_CHECKING:  # only writing needs it, and `wct runs` must be instant
    from waivern.store.lease import BackendLease

LATEST = "latest"
"""The link to the newest run."""
SETTLED_NS = 100_000_000
"""The age of a change at which a later one has another time in the file system."""
STAMPED = tuple(f"{SYSTEM}/{name}" for name in (layout.RUN, layout.STATE, EVENTS))
"""The records from which the row of a run is read."""


class BackendStore(BackendArtifacts):
    """A run store over a backend."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.backend = backend
        self._identity: str | None = None

    # runs, held and removed

    def begin(self, run_id: str, initial: InitialState, owner: Owner) -> Lease:
        from waivern.store import run_removal
        from waivern.store.lease import BackendLease

        name = parse_run_id(run_id)
        with explained(f"begin run {run_id}"), self._at.runs(make=True) as runs:
            run_removal.sweep(runs)
            with self._at.root(make=True) as root:
                if not root.may_link(LATEST):
                    raise StoreError(
                        f"{self._title}/{LATEST} is no link, and should lead to the newest run",
                        hint="a copy may have made a folder of it: remove it",
                    )
            if runs.has(name):
                raise _taken(run_id)
            with runs.shared():
                try:
                    lease = BackendLease.build(
                        self._at.backend, runs, name, initial, owner, self._forget
                    )
                except OSError as error:
                    if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                        raise
                    raise _taken(run_id) from error  # another process was quicker
        self._remember(lease)
        try:
            with explained("note the newest run"), self._at.root(make=True) as root:
                root.link_to(LATEST, f"{layout.RUNS}/{name}", lease.staging.folder)
        except BaseException:
            lease.release()
            raise
        return lease

    def lock(self, run_id: str, owner: Owner) -> Lease:
        from waivern.store import run_removal
        from waivern.store.lease import BackendLease

        name = parse_run_id(run_id)
        with ExitStack() as stack:
            stack.enter_context(explained(f"lock run {run_id}"))
            refuse_newer(stack.enter_context(self._at.system(name)), name)
            run = stack.enter_context(self._at.run(name))
            with self._at.runs() as runs:
                run_removal.sweep(runs)
                lease = BackendLease.acquire(self._at.backend, runs, run, name, owner, self._forget)
                try:
                    self._at.in_place(runs, run, name)
                except RunNotFoundError:
                    lease.release()
                    raise
        self._remember(lease)
        return lease

    def owner(self, run_id: str) -> Owner | None:
        with explained(f"look at run {run_id}"), self._at.system(run_id) as system:
            return lock.holder(system)

    def _remember(self, lease: BackendLease) -> None:
        self._leases[lease.run_id] = lease
        self._over.discard(lease.run_id)
        self._attempts.pop(lease.run_id, None)
        self._at.hold(lease.run_id, lease.run)

    def _forget(self, run_id: str) -> None:
        self._over.add(run_id)
        self._leases.pop(run_id, None)
        self._at.release(run_id)

    def remove(self, run_id: str, owner: Owner, before: Callable[[], None] = lambda: None) -> None:
        from waivern.store import run_removal

        name = parse_run_id(run_id)
        with explained(f"remove run {run_id}"):
            run_removal.remove(self._at, name, owner, before)

    def copy_run(self, source: BackendStore, run_id: str, owner: Owner) -> None:
        """Copy a run that is not running from another store.

        Raises RefusedError if there is a run of this id.
        """
        from waivern.store import run_copy

        with explained(f"copy run {run_id}"):
            run_copy.copy_run(source._at, self._at, run_id, owner)

    def leftovers(self) -> list[str]:
        """Return what a crash left beside the runs, and what the next run sweeps."""
        try:
            with explained(f"list the runs in {self._title}"), self._at.runs() as runs:
                return [name for name in runs.names() if name.startswith((".new-", ".trash-"))]
        except FileNotFoundError:
            return []

    def size(self, run_id: str) -> int:
        with explained(f"measure run {run_id}"), self._at.run(run_id) as run:
            return run.total()

    # what the runs of a store share

    def identity(self, *, make: bool = False) -> str | None:
        if self._identity is None:
            with (
                explained("open the store for writing" if make else "read the id of the store"),
                ExitStack() as stack,
            ):
                if make:
                    root = stack.enter_context(self._at.root(make=True))
                    self._identity = store_id.make(root)
                else:
                    with suppress(FileNotFoundError):
                        root = stack.enter_context(self._at.root())
                        self._identity = store_id.read(root)
        return self._identity

    def adopt(self, identity: str) -> None:
        """Take over the id of another store, whose runs are to be copied, unless there is one."""
        with explained("open the store for writing"), self._at.root(make=True) as root:
            self._identity = store_id.make(root, identity)

    def runs(self) -> list[str]:
        try:
            with explained(f"list the runs in {self._title}"), self._at.runs() as runs:
                return [name for name in runs.names() if segment_fault(name) is None]
        except FileNotFoundError:
            return []

    def indexed(self) -> RunIndex:
        moment = time.time_ns()
        try:
            with explained(f"list the runs in {self._title}"), self._at.runs() as runs:
                listed = [each for each in runs.entries() if segment_fault(each.name) is None]
                found: dict[str, Stamp | None] = dict.fromkeys(each.name for each in listed)
                real = [each.name for each in listed if each.is_folder]
                found |= run_index.stamps(runs, real, STAMPED)
            with explained("read the index"), self._at.root() as root:
                return RunIndex(found, run_index.read(root, found), moment)
        except FileNotFoundError:
            return RunIndex({}, {})

    def generation(self) -> Stamp | None:
        at = self._at.backend.changed_at
        try:
            with explained(f"look at {self._title}"), self._at.root() as root:
                # the holder of a run has a mark beside the runs: each attempt changes that folder
                runs, lines = at(root, layout.RUNS), at(root, layout.HISTORY) or 0
                size = root.size(layout.HISTORY) if lines else 0
        except FileNotFoundError:
            return None
        if runs is None or time.time_ns() - max(runs, lines) < SETTLED_NS:
            return None  # the clock of a file system is coarse: more may happen at this time
        return runs, lines, size

    def as_listed(self) -> AbstractContextManager[None]:
        return self._at.backend.as_listed()

    def index(self, seen: RunIndex, entries: Mapping[str, list[Json]]) -> None:
        with suppress(FileNotFoundError), explained("write the index"):
            with self._at.root() as root:
                if root.stat().st_uid == os.geteuid():  # else only its owner may
                    run_index.write(root, seen, entries)

    def remember(self, entries: Mapping[str, dict[str, Json]]) -> None:
        try:
            with explained("write the cache"), self._at.cache() as folder:
                cache_index.write(folder, entries, lambda: set(self.runs()))
        except FileNotFoundError as error:
            raise StoreError(f"the cache of {self._title} was removed meanwhile") from error

    def recall(self, key: str) -> dict[str, Json] | None:
        try:
            with explained("read the cache"), self._at.cache_to_read() as (folder, shards):
                return cache_index.read(folder, key, shards)
        except FileNotFoundError:
            return None

    def cache_secret(self, *, make: bool = True) -> bytes:
        try:
            with explained("read the key of the cache"), self._at.cache(make=make) as folder:
                return cache_index.secret(folder, make=make)
        except FileNotFoundError:
            raise ArtifactNotFoundError(f"{self._title} has no cache yet") from None

    def append_history(self, line: dict[str, Json]) -> None:
        from waivern.store import history_file

        with explained("write the history"), self._at.root(make=True) as root:
            history_file.append(root, line)

    def read_history(self, run_id: str | None = None) -> list[dict[str, Json]]:
        from waivern.store import history_file

        try:
            with explained("read the history"), self._at.root() as root:
                return history_file.read(root, run_id)
        except FileNotFoundError:
            return []

    def append_access(self, record: dict[str, Json]) -> None:
        from waivern.store import access_log

        with explained("write the access log"), self._at.root(make=True) as root:
            access_log.append(root, record)

    def read_access(self) -> Journal:
        from waivern.store import access_log

        try:
            with explained("read the access log"), self._at.root() as root:
                return access_log.read(root)
        except FileNotFoundError:
            return Journal(())

    async def aclose(self) -> None:
        """Nothing is held between calls but leases, and those are their holders'."""


def _taken(run_id: str) -> RefusedError:
    return RefusedError(
        f"there is a run {run_id} already, or another process is creating it",
        hint="choose another id",
    )
