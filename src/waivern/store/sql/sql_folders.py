"""Open folders of a store in a database: rows of the table `files` that others have as parent."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from waivern.errors import IntegrityError
from waivern.store.backend import READ_LIMIT, FileHandle, FolderEntry, FolderHandle, OpenMode
from waivern.store.sql.database import Transaction
from waivern.store.sql.sql_files import (
    STATUS,
    SqlFile,
    SqlHandle,
    SqlStatus,
    put,
    put_all,
    status,
    system_error,
)

if TYPE_CHECKING:
    from waivern.store.port import FileStatus

_FIND = "SELECT id, folder, size, changed FROM files WHERE parent = ? AND name = ?"
_ADD = (
    "INSERT INTO files (parent, name, folder, size, changed) SELECT id, ?, ?, ?, ? FROM files "
    "WHERE id = ? AND folder = 1 ON CONFLICT (parent, name) DO NOTHING RETURNING id"
)
_WHOLE = "SELECT data FROM chunks WHERE file = ? ORDER BY at"
_LIST = "SELECT name, folder FROM files WHERE parent = ?"
_FIND_BOTH = (
    "SELECT parent, name, id, folder FROM files "
    "WHERE (parent = ? AND name = ?) OR (parent = ? AND name = ?)"
)
_MOVE = "UPDATE files SET parent = ?, name = ?, changed = ? WHERE id = ?"
_REMOVE = "DELETE FROM files WHERE id = ?"
_IS_EMPTY = "SELECT 1 FROM files WHERE parent = ? LIMIT 1"
_TOTAL = (
    "WITH RECURSIVE below (id, size) AS (SELECT id, size FROM files WHERE parent = ? UNION ALL "
    "SELECT f.id, f.size FROM files f JOIN below b ON f.parent = b.id) "
    "SELECT coalesce(sum(size), 0) FROM below"
)

TOGETHER = 64
"""The number of files that one statement creates."""


class SqlFolder(SqlHandle, FolderHandle):
    """An open folder of a database."""

    __slots__ = ()

    def sync(self) -> None:
        self.check_open()
        self.database.sync()

    # folders

    def folder(self, name: str, *, foreign: bool = False) -> SqlFolder:  # noqa: ARG002
        self.check_open()
        number = self.number
        if name != ".":
            number, folder, *_ = self._found(name)
            if not folder:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        return SqlFolder(self.database, number, f"{self.name}/{name}", self.fence)

    def make_folder(self, name: str, *, durable: bool = True) -> SqlFolder:
        with self.database.transaction(durable=durable), self.writing() as transaction:
            number = self._add(transaction, name, folder=True)
        return SqlFolder(self.database, number, f"{self.name}/{name}", self.fence)

    def _add(self, transaction: Transaction, name: str, *, folder: bool, size: int = 0) -> int:
        """Give a new file or folder its name. Raises FileExistsError, FileNotFoundError."""
        values = (name, int(folder), size, time.time_ns(), self.number)
        if added := transaction.rows(_ADD, *values):
            return int(added[0][0])
        if not transaction.rows(STATUS, self.number):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)

    def rmdir(self, name: str) -> None:
        with self.writing() as transaction:
            number, folder, *_ = self._found(name)
            if not folder:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
            if transaction.rows(_IS_EMPTY, number):
                raise system_error(errno.ENOTEMPTY, name)
            try:
                transaction.rows(_REMOVE, number)
            except OSError as error:
                if error.errno == errno.ESTALE:  # another process put something in meanwhile
                    raise system_error(errno.ENOTEMPTY, name) from error
                raise

    # names

    def _found(self, path: str) -> tuple[int, int, int, int]:
        """Return the row that a path leads to. Raises FileNotFoundError, NotADirectoryError."""
        row: tuple[int, int, int, int] = (self.number, 1, 0, 0)
        for name in path.split("/"):
            if not row[1]:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            statement = (STATUS, row[0]) if name == "." else (_FIND, row[0], name)
            found = self.database.rows(*statement)
            if not found:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            row = found[0]
        return row

    def entries(self) -> list[FolderEntry]:
        self.check_open()
        found = self.database.rows(_LIST, self.number)
        return sorted(FolderEntry(name, bool(folder), not folder) for name, folder in found)

    def stat(self, name: str = ".") -> FileStatus:
        if name == ".":
            return super().stat()
        self.check_open()
        return status(self.database, self._found(name))

    def look_at(self, paths: Iterable[str]) -> list[FileStatus | OSError | None]:
        wanted = [path.partition("/")[::2] for path in paths]
        below = {rest: self._look_below(rest) for rest in {rest for _, rest in wanted}}
        return [below[rest].get(name) for name, rest in wanted]

    def _look_below(self, path: str) -> dict[str, SqlStatus]:
        """Return the status of what has this path in a folder, by the name of each folder."""
        parts = path.split("/") if path else []
        tables, wanted = "files f0", [f"f0.parent = {self.number:d}"]
        for depth in range(1, len(parts) + 1):
            tables += f" JOIN files f{depth} ON f{depth}.parent = f{depth - 1}.id"
            wanted.append(f"f{depth}.name = ?")
        end = f"f{len(parts)}"
        statement = (  # nothing in it but numbers and the names of columns
            f"SELECT f0.name, {end}.id, {end}.folder, {end}.size, {end}.changed "  # noqa: S608
            f"FROM {tables} WHERE {' AND '.join(wanted)}"
        )
        rows = self.database.rows(statement, *parts)
        return {name: status(self.database, row) for name, *row in rows}

    def rename(self, old: str, new: str, to: FolderHandle | None = None) -> None:
        target = self if to is None else to
        assert isinstance(target, SqlFolder)
        target.check_open()
        with self.writing() as transaction:
            transaction.check(target.fence)
            if not transaction.hold(target.number):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), new)
            rows = transaction.rows(_FIND_BOTH, self.number, old, target.number, new)
            found = {(parent, name): (number, folder) for parent, name, number, folder in rows}
            if (moved := found.get((self.number, old))) is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), old)
            replaced = found.get((target.number, new))
            if replaced is not None and replaced != moved:
                if moved[1] or replaced[1]:
                    raise system_error(errno.ENOTEMPTY, new)
                transaction.rows(_REMOVE, replaced[0])
            transaction.rows(_MOVE, target.number, new, time.time_ns(), moved[0])

    def unlink(self, name: str) -> None:
        with self.writing() as transaction:
            if found := transaction.rows(_FIND, self.number, name):
                if found[0][1]:
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
                transaction.rows(_REMOVE, found[0][0])

    # files

    def open(self, name: str, mode: OpenMode) -> SqlFile:
        if mode == "new":
            return self.create(name, b"")
        self.check_open()
        try:
            number, folder, *_ = self._found(name)
        except FileNotFoundError:
            if mode == "read":
                raise
            try:
                number, folder = self.create(name, b"").number, 0
            except FileExistsError:  # another thread or process was quicker
                return self.open(name, mode)
        if folder:
            raise IntegrityError(f"{self.name}/{name} is not a regular file")
        return SqlFile(self.database, number, name, mode, self.fence)

    def create(self, name: str, data: bytes) -> SqlFile:
        with self.writing() as transaction:
            number = self._add(transaction, name, folder=False, size=len(data))
            put(transaction, number, 0, data)
        file = SqlFile(self.database, number, name, "new", self.fence)
        file.wrote(transaction)
        return file

    def read(self, name: str, limit: int = READ_LIMIT) -> bytes:
        before = 0
        while True:
            number, folder, size, _ = self._found(name)
            if folder:
                raise IntegrityError(f"{self.name}/{name} is not a regular file")
            if size > limit:
                raise IntegrityError(f"{self.name}/{name} has {size} bytes; the limit is {limit}")
            rows = self.database.rows(_WHOLE, number) if size else []
            data = b"".join(bytes(chunk) for (chunk,) in rows)
            if len(data) >= size:
                return data
            if number == before:  # else it was replaced between the two statements
                raise IntegrityError(f"{self.name}/{name} has lost {size - len(data)} bytes")
            before = number

    # several changes at once

    def create_all(self, files: Iterable[tuple[str, bytes]], created: list[FileHandle]) -> None:
        waiting = list(files)
        with self.database.transaction(durable=True), self.writing() as transaction:
            while waiting:
                group, waiting = waiting[:TOGETHER], waiting[TOGETHER:]
                numbers = self._add_files(transaction, group)
                put_all(transaction, [(numbers[name], data) for name, data in group])
                for name, _ in group:
                    file = SqlFile(self.database, numbers[name], name, "new", self.fence)
                    file.wrote(transaction)
                    created.append(file)

    def _add_files(
        self, transaction: Transaction, files: list[tuple[str, bytes]]
    ) -> dict[str, int]:
        """Give new files their names; return their numbers. Raises FileExistsError."""
        values, now = [], time.time_ns()
        for name, data in files:
            values += [self.number, name, 0, len(data), now]
        marks = ", ".join(["(?, ?, ?, ?, ?)"] * len(files))
        statement = (
            f"INSERT INTO files (parent, name, folder, size, changed) VALUES {marks} "  # noqa: S608
            "ON CONFLICT (parent, name) DO NOTHING RETURNING name, id"
        )
        added = transaction.rows(statement, *values)
        numbers: dict[str, int] = dict(added)
        for name, _ in files:
            if name not in numbers:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        return numbers

    def write_new(self, name: str, data: bytes) -> None:
        with self.database.transaction(durable=True):
            self.create(name, data).close()

    def replace(self, name: str, data: bytes, *, sync: bool = True) -> None:
        with self.database.transaction(durable=sync) as transaction:
            transaction.hold(self.number)
            self.unlink(name)
            self.create(name, data).close()

    def append(self, name: str, data: bytes, *, own_line: bool = False, sync: bool = False) -> None:
        with self.database.transaction(durable=sync):
            super().append(name, data, own_line=own_line, sync=sync)

    def total(self) -> int:
        self.check_open()
        return int(self.database.rows(_TOTAL, self.number)[0][0])
