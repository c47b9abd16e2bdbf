"""A survey of a folder: what in it a runbook could read, from names and first bytes only."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from waivern.files import NotAFileError, open_file
from waivern.ids import STORE, is_text

MOST = 50_000
"""Files that are looked at; a survey of more says so."""
TREES = {
    ".git": "history",
    ".hg": "history",
    ".svn": "history",
    "node_modules": "packages",
    "site-packages": "packages",
    ".venv": "packages",
    "venv": "packages",
    "__pycache__": "compiled code",
    ".tox": "packages",
    ".mypy_cache": "a cache",
    ".ruff_cache": "a cache",
    ".pytest_cache": "a cache",
}
"""Folders that programs fill, and with what; a first runbook does not read them."""
SOURCE = frozenset(
    [
        ".py",
        ".js",
        ".jsx",
        ".ts",
        ".tsx",
        ".java",
        ".kt",
        ".go",
        ".rb",
        ".php",
        ".cs",
        ".c",
        ".h",
        ".cc",
        ".cpp",
        ".hpp",
        ".rs",
        ".scala",
        ".swift",
        ".pl",
        ".sh",
        ".sql",
        ".vue",
        ".svelte",
        ".html",
        ".css",
        ".scss",
        ".tf",
    ]
)
"""Endings of source code."""
_DATABASES = frozenset([".db", ".sqlite", ".sqlite3", ".db3"])
_SQLITE = b"SQLite format 3\0"
_HEAD = 4096


@dataclass
class FolderSurvey:
    """The files of a folder by kind; paths are relative to it, with `/`."""

    text: int = 0
    """Text files that are no source code."""
    tables: int = 0
    """Of these, CSV and TSV files."""
    source: Counter[str] = field(default_factory=Counter)
    """Source code by ending."""
    databases: list[str] = field(default_factory=list)
    """SQLite databases."""
    unread: Counter[str] = field(default_factory=Counter)
    """Files that are neither, by ending."""
    trees: dict[str, str] = field(default_factory=dict)
    """Folders that are left out, by name, and what they hold."""
    complete: bool = True
    """Whether all files were looked at."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to read."""
        return not (self.text or self.source or self.databases)


def survey(folder: Path) -> FolderSurvey:
    """Return what a folder has. What cannot be opened is left out; links are not followed."""
    found, seen = FolderSurvey(), 0
    for at, folders, files in os.walk(folder):
        for name in sorted(folders):
            if name in TREES:
                found.trees[name] = TREES[name]
        folders[:] = sorted(each for each in folders if each not in TREES and each != STORE)
        for name in sorted(files):
            seen += 1
            if seen > MOST:
                found.complete = False
                return found
            if is_text(name):
                _classify(found, folder, Path(at) / name)
    return found


def _classify(found: FolderSurvey, folder: Path, path: Path) -> None:
    ending = path.suffix.lower()
    try:
        with open_file(path, follow=False) as file:
            head = file.read(_HEAD)
    except (NotAFileError, OSError, ValueError):
        return
    if head.startswith(_SQLITE):
        found.databases.append(path.relative_to(folder).as_posix())
    elif ending in _DATABASES or b"\0" in head.replace(b"\0\n", b""):
        found.unread[ending or "without an ending"] += 1
    elif ending in SOURCE:
        found.source[ending] += 1
    elif head:
        found.text += 1
        found.tables += ending in (".csv", ".tsv")
