"""The backend port over a bucket: a log for each run, one for the store's own files, one for its
cache."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress

from waivern.errors import StoreError
from waivern.message import Json
from waivern.store.backend import Backend, FolderHandle
from waivern.store.backend_store import BackendStore
from waivern.store.layout import CACHE, RUNS
from waivern.store.objects import run_keys, run_log
from waivern.store.objects.bucket import Bucket
from waivern.store.objects.bucket_client import open_bucket
from waivern.store.objects.log_snapshot import image
from waivern.store.objects.object_cache import RangeCache
from waivern.store.objects.object_handles import TreeFile, TreeFolder, grouped
from waivern.store.objects.object_log import ObjectLog
from waivern.store.objects.object_tree import ROOT, TreeStatus
from waivern.store.objects.presence import Heartbeat
from waivern.store.objects.run_keys import FoundRun
from waivern.store.objects.run_log import RunLog
from waivern.store.objects.runs_folder import RunsFolder
from waivern.store.port import HeldFile

KNOWN_RUNS = 64
"""The runs whose trees are held in memory, apart from those that are open."""
SNAPSHOT_COMMITS = 16
WATCH_S = 1.0


class BucketBackend(Backend):
    """A store in a bucket. Several processes, on several machines, may use it at once."""

    watch_s = WATCH_S

    def __init__(self, bucket: Bucket) -> None:
        self.url = self.title = bucket.url
        self.bucket = bucket
        self.heartbeat = Heartbeat()
        self._cache = RangeCache()
        self._shared: dict[str, SharedLog] = {}
        self._runs: OrderedDict[str, RunLog] = OrderedDict()
        self._mutex = threading.RLock()
        self._checked = False
        self._listed: dict[str, FoundRun] = {}
        """The runs, as the last listing has shown them."""
        self._believed = threading.local()

    def open(self, name: str = ".", *, make: bool = False) -> FolderHandle:
        if make:
            self._check()
        if name == RUNS:
            return RunsFolder(self, f"{self.title}/{RUNS}")
        log = self._shared_log("root" if name == "." else CACHE, make=make)
        title = self.title if name == "." else f"{self.title}/{name}"
        return TreeFolder(log, log.tree.node(ROOT), title)

    def _shared_log(self, name: str, *, make: bool) -> SharedLog:
        with self._mutex:
            log = self._shared.get(name)
            if log is None or log.broken is not None or log.process != os.getpid():
                log = SharedLog(self.bucket, self._cache, name)
                log.load()
                self._shared[name] = log
            else:
                log.refresh()
            if not log.state.number:
                if not make:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.title)
                log.commit(begun=True)
            return log

    def _check(self) -> None:
        """Refuse a bucket that overwrites what it should only create, before anything is written.

        What an earlier process left half removed is removed on this occasion.
        """
        if self._checked:
            return
        key = f"probe/{secrets.token_hex(12)}"
        with suppress(FileExistsError):  # a repeated request whose first answer was lost
            self.bucket.create(key, b"1")
        try:
            self.bucket.create(key, b"2")
        except FileExistsError:
            self._checked = True
        finally:
            self.bucket.delete([key])
        if not self._checked:
            raise StoreError(
                f"{self.title} cannot keep runs: its server overwrites an object that is to be "
                "created only if there is none (If-None-Match: *), so two processes could write "
                "to one run",
                hint="use a server that supports conditional writes, or another store with --store",
            )
        run_log.sweep(self.bucket)

    def together(self) -> AbstractContextManager[None]:
        return grouped()

    def require(
        self,
        held: Sequence[HeldFile],
        runs: FolderHandle,  # noqa: ARG002
        check: Callable[[], None],
    ) -> None:
        for each in held:
            if isinstance(each.handle, TreeFile):  # why it is not what it was is known
                each.handle.check()
        check()

    # runs

    def unbegun(self, run_id: str) -> RunLog:
        """Return the log of a run that is in memory only."""
        return RunLog(self.bucket, self._cache, self.heartbeat, run_id)

    def remember(self, log: RunLog) -> None:
        """Let everyone in this process who opens the run use this log."""
        with self._mutex:
            self._runs[log.run_id] = log
            self._runs.move_to_end(log.run_id)
            idle = [run for run, each in self._runs.items() if not each.is_open]
            for run in idle[: max(0, len(self._runs) - KNOWN_RUNS)]:
                del self._runs[run]

    def forget(self, log: RunLog) -> None:
        """Forget a run that was removed."""
        with self._mutex:
            if self._runs.get(log.run_id) is log:
                del self._runs[log.run_id]

    def held(self, run_id: str) -> RunLog | None:
        """Return the log of a run that this process holds."""
        with self._mutex:
            log = self._runs.get(run_id)
        usable = log is not None and log.held is not None and log.process == os.getpid()
        return log if usable and not (log is None or log.state.gone) else None

    def run(self, run_id: str) -> RunLog:
        """Return the log of a run, up to date. Raises FileNotFoundError."""
        if (log := self.held(run_id)) is not None:
            return log
        believed: dict[str, FoundRun] = getattr(self._believed, "runs", {})
        if (found := believed.get(run_id)) is not None and found.keys.is_quiet:
            with suppress(FileNotFoundError):  # its snapshot was replaced
                return self._up_to_date(run_id, found)
        found = run_keys.find(self.bucket, run_id)
        log = self._up_to_date(run_id, found) if found else None
        if log is None or log.state.gone or not log.state.number:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), run_id)
        return log

    def _up_to_date(self, run_id: str, found: FoundRun) -> RunLog:
        with self._mutex:
            log = self._runs.get(run_id)
        if (
            log is None
            or log.name != found.log
            or log.broken is not None
            or log.process != os.getpid()
        ):
            log = RunLog(self.bucket, self._cache, self.heartbeat, run_id, found.log)
        log.advance(found.keys)
        self.remember(log)
        return log

    def list_runs(self) -> dict[str, FoundRun]:
        """Return the runs of the bucket as a listing shows them."""
        runs: dict[str, FoundRun] = {}
        for run_id, logs in run_keys.listed(self.bucket).items():
            if (found := run_keys.chosen(self.bucket, run_id, logs)) is not None:
                runs[run_id] = found
        self._listed = runs
        return runs

    def listed_status(self, run_id: str) -> TreeStatus | None:
        """Return a status that changes whenever anything of a run does, from the last listing.

        None if the run was not listed. Raises OSError if a writer may have changed it since.
        """
        if (found := self._listed.get(run_id)) is None:
            return None
        if not found.keys.is_quiet:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), run_id)
        newest = found.keys.snapshots[-1]
        number = int.from_bytes(newest.key.rpartition("/")[2].encode(), "big")
        return TreeStatus(stat.S_IFREG | 0o600, number, newest.size, 1, os.geteuid())

    @contextmanager
    def as_listed(self) -> Iterator[None]:
        self._believed.runs = self._listed
        try:
            yield
        finally:
            self._believed.runs = {}


def open_in_bucket(url: str) -> BackendStore:
    """Return the store in the bucket at a URL; no request is made yet. Raises UsageError."""
    return BackendStore(BucketBackend(open_bucket(url)))


class SharedLog(ObjectLog):
    """The log of what all processes that use a store write to: its history, its cache.

    Its snapshot is one object that is overwritten: an older one is as good, but for its age.
    """

    def __init__(self, bucket: Bucket, cache: RangeCache, name: str) -> None:
        super().__init__(bucket, cache, name, self._newest)

    def _newest(self) -> tuple[str, bytes] | None:
        try:
            return self._place, self.bucket.get(self._place)
        except FileNotFoundError:
            return None

    @property
    def _place(self) -> str:
        return f"snapshots/{self.name}"

    def commit(self, **more: Json) -> None:
        with self.mutex:
            super().commit(**more)
            if self.state.number - self.snapshot_number >= SNAPSHOT_COMMITS:
                with suppress(OSError):  # the log has everything
                    self.bucket.put(self._place, image(self.state, self.bytes, lambda _: False))
                    self.snapshot_number = self.state.number
