"""The store on a local file system: runs as plain folders below `.waivern/runs`."""

from __future__ import annotations

import os

from waivern.files import absolute
from waivern.store.backend_store import BackendStore
from waivern.store.disk_backend import DiskBackend
from waivern.store.layout import file_path
from waivern.store.ownership import owners_of
from waivern.store.store_values import AttemptAddress


class LocalFilesystemStore(BackendStore):
    """A store on a local file system. `path` is created, readable by its owner only, when needed.

    `~` is a home folder; a relative path starts from the current folder, once and for all. A store
    that another account could have written is refused by every operation (RefusedError): what is
    in it must belong to the caller, to root or to the owner of `working_folder`. With `trust` it
    may belong to any account.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        trust: bool = False,
        working_folder: str | os.PathLike[str] = ".",
    ) -> None:
        self.path = os.path.normpath(absolute(path))
        owners = owners_of(self.path, os.fspath(working_folder), trust=trust)
        super().__init__(DiskBackend(self.path, owners))
        self.folder = self.path
        self._trust = trust
        self._working_folder = os.path.abspath(working_folder)

    def attempt(self, run_id: str) -> AttemptAddress | None:
        lease = self._leases.get(run_id)
        if lease is None:
            return None
        return AttemptAddress(
            f"file:{self.path}", self._trust, self._working_folder, run_id, lease.staging.name
        )


def is_run_folder(path: str) -> bool:
    """Return whether a folder is a run, of whatever store."""
    return os.path.exists(os.path.join(path, file_path("record", "run")))
