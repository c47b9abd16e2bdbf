"""The way to a store's folder on a file system, and the checks that nothing in it was planted."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress

from waivern.errors import IntegrityError, RefusedError
from waivern.store.backend import Backend, FolderHandle
from waivern.store.disk import DiskFolder, found_at, make_way, sync_way
from waivern.store.layout import CACHE, RUNS
from waivern.store.ownership import (
    ForeignOwnerError,
    Owners,
    check_folder,
    check_found,
    check_links,
    refused,
)
from waivern.store.port import identity

IGNORE = ".gitignore"
IGNORED = b"*\n!.gitignore\n"


class DiskBackend(Backend):
    """The folder at a path. It is opened anew for each use: runs and stores come and go."""

    def __init__(self, path: str, owners: Owners = None) -> None:
        self.url = self.title = self.path = path
        self._owners = owners
        self._checked: tuple[int, int] | None = None
        """The folder whose path was checked for links of accounts that are not trusted."""

    def open(self, name: str = ".", *, make: bool = False) -> FolderHandle:
        with ExitStack() as stack:
            root = stack.enter_context(self._root(make=make))
            if name == ".":
                stack.pop_all()
                return root
            return self._part(root, name, make=make)

    lasting = True

    def leads_to(self, path: str, folder: FolderHandle) -> bool:
        place = f"{self.path}/{path}"
        try:
            found = found_at(place)
            if identity(found) != identity(folder.stat()):
                return False
            check_found(found, place, self._owners, self.path)
        except (FileNotFoundError, NotADirectoryError, RefusedError):  # to open it shows which
            return False
        return True

    def changed_at(self, folder: FolderHandle, name: str) -> int | None:
        found = folder.look(name)
        return found.st_mtime_ns if isinstance(found, os.stat_result) else None

    def _root(self, *, make: bool) -> DiskFolder:
        """Open the store's folder; with `make` it is created if need be, and ignored by git."""
        if not make:
            return self._checked_root(repair=False)
        make_way(self.path)
        with ExitStack() as stack:
            root = stack.enter_context(self._checked_root(repair=True))
            if not root.read_if_any(IGNORE):  # created last: with it the store is durable
                root.ensure_folder(RUNS).close()
                root.sync()
                sync_way(self.path)
                root.append(IGNORE, IGNORED, sync=True)  # a crash leaves no more than a part
                root.sync()
            stack.pop_all()
        return root

    def _checked_root(self, *, repair: bool) -> DiskFolder:
        try:
            opened = DiskFolder.root(self.path, self._owners)
        except PermissionError:
            check_links(self.path, self._owners)
            check_found(os.stat(self.path), self.path, self._owners)
            raise
        with ExitStack() as stack:
            root = stack.enter_context(opened)
            check_folder(root.descriptor, self.path, self._owners, repair=repair)
            place = identity(root.stat())
            if self._checked != place:
                check_links(self.path, self._owners)
                self._check_parts(root)
                self._checked = place
            stack.pop_all()
        return root

    def _check_parts(self, root: DiskFolder) -> None:
        """Refuse all of a store of which a part is not trusted, before any of it is used."""
        for name in (RUNS, CACHE):
            with suppress(FileNotFoundError):
                found = root.stat(name)
                check_found(found, f"{self.path}/{name}", self._owners, self.path)

    def _part(self, root: DiskFolder, name: str, *, make: bool) -> FolderHandle:
        path = f"{self.path}/{name}"
        try:
            part = root.ensure_folder(name) if make else root.folder(name)
        except NotADirectoryError as error:
            raise IntegrityError(f"{path} is not a folder") from error
        except ForeignOwnerError as error:
            raise refused(self.path, f"is not all yours: {error.message}") from error
        assert isinstance(part, DiskFolder)
        try:
            check_folder(part.descriptor, path, self._owners, repair=make, store=self.path)
        except BaseException:
            part.close()
            raise
        return part

    def displaced(self, runs: FolderHandle) -> str | None:
        path = f"{self.path}/{RUNS}"
        try:
            there = os.stat(path)
        except PermissionError:  # of a folder above: an account that may look finds the store
            return None
        except OSError as error:
            return f"{path} is gone ({error.strerror})"
        if identity(there) != identity(runs.stat()):
            return f"another folder has taken the place of {path}"
        return None
