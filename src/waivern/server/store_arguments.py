"""The arguments of the operations of a remote store, checked as what a stranger sent."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from waivern.message import Json
from waivern.store.remote.frames import PART_BYTES

PATHS = 100_000
"""The number of paths that one operation may ask about."""
NAME_BYTES = 255
"""The longest name that a file system has."""
PATH_CHARACTERS = 8192
_PLAIN = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_LATEST = re.compile(r"runs/[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)
PLAIN_DEPTH = 2
"""The folders above this depth hold only what the layout of a store names: there a name has the
characters of an id. Below, a child runbook has the name that its author gave it."""

Check: TypeAlias = Callable[[Json], bool]


class BadOperationError(ValueError):
    """An operation that is none, or an argument that it cannot have."""


def _number(value: Json) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _count(value: Json) -> bool:
    return type(value) is int and 0 < value <= PART_BYTES


def _flag(value: Json) -> bool:
    return isinstance(value, bool)


def _name(value: Json) -> bool:
    return isinstance(value, str) and 0 < len(value) <= PATH_CHARACTERS


def _names(value: Json) -> bool:
    return isinstance(value, list) and 0 < len(value) <= 1000 and all(map(_name, value))


def _paths(value: Json) -> bool:
    return isinstance(value, list) and len(value) <= PATHS and all(map(_name, value))


def _part(value: Json) -> bool:
    return value in (".", "runs", "cache")


def _mode(value: Json) -> bool:
    return value in ("read", "new", "append", "lock")


def _target(value: Json) -> bool:
    return isinstance(value, str) and _LATEST.fullmatch(value) is not None


def _held(value: Json) -> bool:
    """Return whether this is a list of [folder, name, handle, device, inode, size or null]."""
    return isinstance(value, list) and len(value) <= 16 and all(map(_held_file, value))


def _held_file(value: Json) -> bool:
    if not isinstance(value, list) or len(value) != 6:
        return False
    folder, name, handle, device, inode, size = value
    numbers = all(type(each) is int for each in (device, inode))
    return _number(folder) and _name(name) and _number(handle) and numbers and _optional(size)


def _optional(value: Json) -> bool:
    return value is None or _number(value)


class StoreOperation(NamedTuple):
    """An operation: its arguments, and whether it changes the store."""

    arguments: Mapping[str, Check]
    changes: bool = True


_ON = {"on": _number}
_NAMED = {**_ON, "name": _name}
OPERATIONS: dict[str, StoreOperation] = {
    "root": StoreOperation({"new": _number, "name": _part, "make": _flag}, changes=False),
    "folder": StoreOperation({**_NAMED, "new": _number, "foreign": _flag}, changes=False),
    "make_folder": StoreOperation({**_NAMED, "new": _number, "durable": _flag}),
    "below": StoreOperation({**_ON, "names": _names, "new": _number}, changes=False),
    "make_below": StoreOperation({**_ON, "names": _names, "new": _number}),
    "entries": StoreOperation(_ON, changes=False),
    "names": StoreOperation(_ON, changes=False),
    "walk": StoreOperation(_ON, changes=False),
    "total": StoreOperation(_ON, changes=False),
    "stat": StoreOperation(_ON, changes=False),
    "stat_of": StoreOperation(_NAMED, changes=False),
    "look_at": StoreOperation({**_ON, "paths": _paths}, changes=False),
    "same_file": StoreOperation({**_NAMED, "handle": _number}, changes=False),
    "is_locked": StoreOperation(_NAMED, changes=False),
    "open": StoreOperation({**_NAMED, "new": _number, "mode": _mode}, changes=False),
    "rename": StoreOperation({**_ON, "old": _name, "name": _name, "to": _number}),
    "unlink": StoreOperation(_NAMED),
    "rmdir": StoreOperation(_NAMED),
    "remove": StoreOperation(_NAMED),
    "link": StoreOperation({**_NAMED, "target": _target, "staging": _number}),
    "begin_sync": StoreOperation(_ON),
    "sync": StoreOperation(_ON),
    "lock": StoreOperation({**_ON, "exclusive": _flag}, changes=False),
    "fence": StoreOperation({**_ON, "lock": _number}, changes=False),
    "close": StoreOperation(_ON, changes=False),
    "read": StoreOperation({**_ON, "count": _count, "at": _number}, changes=False),
    "read_file": StoreOperation({**_NAMED, "last": _flag, "count": _count}, changes=False),
    "write": StoreOperation({**_ON, "data": _number}),
    "truncate": StoreOperation({**_ON, "size": _number}),
    "digest": StoreOperation(_ON, changes=False),
    "copy": StoreOperation({**_ON, "source": _number}),
    "require": StoreOperation({"held": _held, "runs": _number}, changes=False),
}
"""Every operation by its name. Those that open something decide by their arguments whether they
change the store."""


def checked(document: Json, blobs: int) -> tuple[str, dict[str, Any]]:
    """Return an operation and its arguments. Raises BadOperationError."""
    if not isinstance(document, dict):
        raise BadOperationError("an operation is not a JSON object")
    arguments = dict(document)
    do = arguments.pop("do", None)
    operation = OPERATIONS.get(do) if isinstance(do, str) else None
    if operation is None or not isinstance(do, str):
        raise BadOperationError("there is no such operation")
    if arguments.keys() != operation.arguments.keys():
        raise BadOperationError(f"'{do}' has other arguments")
    for name, check in operation.arguments.items():
        if not check(arguments[name]):
            raise BadOperationError(f"'{name}' of '{do}' cannot have this value")
    if do == "write" and not arguments["data"] < blobs:
        raise BadOperationError("'data' of 'write' refers to no bytes")
    return do, arguments


def changes(do: str, arguments: Mapping[str, Any]) -> bool:
    """Return whether an operation changes the store."""
    if do == "open":
        return bool(arguments["mode"] != "read")
    if do == "root":
        return bool(arguments["make"])
    return OPERATIONS[do].changes or (do == "lock" and bool(arguments["exclusive"]))


def safe_name(name: str, depth: int, *, itself: bool = False) -> str:
    """Return a name in a folder of this depth. Raises OSError if nothing may have it.

    `itself` allows '.', the folder itself.
    """
    if name == "." and itself:
        return name
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = -1
    plain = depth >= PLAIN_DEPTH or _PLAIN.fullmatch(name)
    if size < 0 or not plain or name in (".", "..") or not _CONTROL.isdisjoint(name):
        raise OSError(errno.EINVAL, "this name is not allowed in a store")
    if size > NAME_BYTES:
        raise OSError(errno.ENAMETOOLONG, "the name is too long")
    return name


def safe_path(path: str, depth: int) -> str:
    """Return a path below a folder of this depth. Raises OSError if it leads elsewhere."""
    if path == ".":
        return path
    for below, name in enumerate(path.split("/")):
        safe_name(name, depth + below)
    return path


_CONTROL = frozenset(map(chr, range(32))) | {"/", "\x7f"}
