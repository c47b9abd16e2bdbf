"""The folder of all runs, which no log has: its names are those that the bucket lists.

A run that is being built is in memory; renaming it into its place puts it into the bucket. The
marks of holders beside the runs are not needed: nothing is staged where others could see it.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from waivern.store.backend import FileHandle, FolderEntry, FolderHandle, OpenMode
from waivern.store.layout import LOCK
from waivern.store.memory_backend import MemoryBackend
from waivern.store.objects.object_handles import TreeFile, TreeFolder
from waivern.store.objects.object_tree import ROOT, TreeNode, TreeStatus
from waivern.store.objects.run_log import RunLog, erase

if TYPE_CHECKING:
    from waivern.store.objects.bucket_backend import BucketBackend

HIDDEN = (".new-", ".trash-")


class RunLock(TreeFile):
    """The lock file of a run: to lock it is to claim the next epoch of the log."""

    __slots__ = ()

    def lock(self, *, exclusive: bool, wait: bool = False) -> bool:  # noqa: ARG002
        log = self._log
        assert isinstance(log, RunLog)
        if self._locked:
            return True
        if not exclusive:
            return log.is_free()
        if not log.claim():
            return False
        self._locked = True
        return True

    def _unlock(self, node: TreeNode) -> None:  # noqa: ARG002
        log = self._log
        assert isinstance(log, RunLog)
        if log.process == os.getpid():
            log.release()


class RunFolder(TreeFolder):
    """A folder of a run."""

    __slots__ = ()

    def _file(self, node: TreeNode, name: str) -> FileHandle:
        return (RunLock if name == LOCK else TreeFile)(self._log, node, name)


class RunsFolder(FolderHandle):
    """The folder of all runs."""

    __slots__ = ("_backend", "_building", "_closed", "_marks")

    def __init__(self, backend: BucketBackend, name: str) -> None:
        self.name = name
        self._backend = backend
        self._building: dict[str, RunLog] = {}
        self._marks = MemoryBackend().open()
        self._closed = False

    def stat(self, name: str = ".") -> TreeStatus:
        if name == ".":
            if self._closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF), self.name)
            return TreeStatus(stat.S_IFDIR | 0o700, ROOT, 0, 1, os.geteuid())
        run_id, _, path = name.partition("/")
        if path and (listed := self._backend.listed_status(run_id)) is not None:
            return listed
        with self.folder(run_id) as run:
            status = run.stat(path or ".")
        assert isinstance(status, TreeStatus)
        return status

    def sync(self) -> None:
        """Nothing is to be done: a run is in its place when it is begun."""

    def lock(self, *, exclusive: bool, wait: bool = False) -> bool:
        return wait or not exclusive  # nothing in it is half made, so nothing is swept

    def close(self) -> None:
        self._closed = True

    def folder(self, name: str, *, foreign: bool = False) -> FolderHandle:  # noqa: ARG002
        if name == ".":
            return RunsFolder(self._backend, self.name)
        return self._opened(self._backend.run(name))

    def _opened(self, log: RunLog) -> RunFolder:
        return RunFolder(log, log.tree.node(ROOT), f"{self.name}/{log.run_id}")

    def make_folder(self, name: str, *, durable: bool = True) -> FolderHandle:  # noqa: ARG002
        log = self._backend.unbegun(name)
        if name.startswith(HIDDEN):
            self._building[name] = log
        else:
            log.begin(name)
            self._backend.remember(log)
        return self._opened(log)

    def entries(self) -> list[FolderEntry]:
        return [FolderEntry(run_id, True, False) for run_id in sorted(self._backend.list_runs())]

    def open(self, name: str, mode: OpenMode) -> FileHandle:
        return self._marks.open(name, mode)

    def rename(self, old: str, new: str, to: FolderHandle | None = None) -> None:
        if to is not None and to is not self:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), old)
        if (log := self._building.pop(old, None)) is not None:
            log.begin(new)
            self._backend.remember(log)
            return
        log = self._backend.run(old)
        log.take_away()
        self._backend.forget(log)
        self._building[new] = log

    def unlink(self, name: str) -> None:
        self._marks.unlink(name)

    def rmdir(self, name: str) -> None:
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), name)

    def remove_tree(self, name: str) -> None:
        if (log := self._building.pop(name, None)) is None:
            log = self._backend.run(name)
            log.take_away()
            self._backend.forget(log)
        if log.begun:
            erase(self._backend.bucket, log.run_id, log.name)
