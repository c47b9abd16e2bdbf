"""The search for a module in one folder, and the names of folders and files in module names."""

from __future__ import annotations

from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES
from os import fsdecode, fsencode
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

_SUFFIXES = (*EXTENSION_SUFFIXES, ".py", *BYTECODE_SUFFIXES)


class FoundModule(NamedTuple):
    """A module in a folder."""

    path: Path
    """Its file; the folder of a package without `__init__.py`."""
    package: bool = False
    namespace: bool = False


def look(folder: Path, name: str) -> FoundModule | None:
    """Return the module of a quoted name in a folder, in the order in which Python looks."""
    name = unquoted(name)
    if not name or "/" in name or "\0" in name:
        return None
    inside = folder / name
    for suffix in _SUFFIXES:
        if (file := inside / f"__init__{suffix}").is_file():
            return FoundModule(file, package=True)
    for suffix in _SUFFIXES:
        if (file := folder / f"{name}{suffix}").is_file():
            return FoundModule(file)
    if name.endswith(".py") and inside.is_file():
        return FoundModule(inside)
    return FoundModule(inside, package=True, namespace=True) if inside.is_dir() else None


def quoted(text: str) -> str:
    """Return a path or file name as one part of a module name: without '.' and '~'."""
    return quote(fsencode(text), safe="/ ").replace(".", "%2E").replace("~", "%7E")


def unquoted(text: str) -> str:
    """Return what `quoted` was given."""
    return fsdecode(unquote_to_bytes(text)) if "%" in text else text
