"""The part of a backend that all stores in a database have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import cast

from waivern.store.backend import Backend, FolderHandle
from waivern.store.port import HeldFile
from waivern.store.sql.database import ROOT, Database
from waivern.store.sql.sql_files import SqlHandle
from waivern.store.sql.sql_folders import SqlFolder


class SqlBackend(Backend):
    """The place of a store in a database; a subclass opens it."""

    delays = True
    database: Database | None = None
    """The database that was opened last."""

    def opened(self, *, make: bool) -> Database:
        """Open the database; with `make` it has its tables, durably. Raises FileNotFoundError."""
        raise NotImplementedError

    def open(self, name: str = ".", *, make: bool = False) -> FolderHandle:
        root = SqlFolder(self.opened(make=make), ROOT, self.title)
        if name == ".":
            return root
        return root.ensure_folder(name) if make else root.folder(name)

    @contextmanager
    def together(self) -> Iterator[None]:
        with nullcontext() if self.database is None else self.database.transaction():
            yield

    def require(
        self, held: Sequence[HeldFile], runs: FolderHandle, check: Callable[[], None]
    ) -> None:
        handles = [cast("SqlHandle", each.handle) for each in held]
        marks = ", ".join("?" * len(held))
        rows = cast("SqlFolder", runs).database.rows(
            f"SELECT id, parent, name, size FROM files WHERE id IN ({marks})",  # noqa: S608 - '?'
            *[handle.number for handle in handles],
        )
        there = {number: (parent, name, size) for number, parent, name, size in rows}
        for each, handle in zip(held, handles, strict=True):
            parent, name, size = there.get(handle.number, (None, None, None))
            found = (parent, name) == (cast("SqlFolder", each.folder).number, each.name)
            if not (found and each.size in (None, size) and handle.is_usable()):
                check()
                return
        if self.displaced(runs) is not None:
            check()
