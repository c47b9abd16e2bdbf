"""Patterns for paths, similar to those of .gitignore, matched in bounded time.

- A pattern without '/' fits a name at any depth: `*.csv`, `node_modules`.
- A pattern with '/' starts from the folder that is read: `src/*.py`, `/README.md`.
- `*` is any text within a name, `?` one character, `[abc]`, `[a-z]` and `[!a]` one of (not) these.
- `**` as a whole name is any number of folders: `**/test/*.py`, `docs/**`.
- A pattern that ends in '/' fits folders only. A folder that fits includes everything below it.

Upper and lower case differ. There is no negation and no escape: `[*]` is a star itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate

ANY_FOLDERS = None


@dataclass(frozen=True, slots=True)
class Glob:
    """A parsed pattern: a test for each name of a path, ANY_FOLDERS for `**`."""

    names: tuple[re.Pattern[str] | None, ...]
    folders_only: bool

    def fits(self, parts: tuple[str, ...], *, folder: bool) -> bool:
        """Return whether the pattern fits the whole path that consists of the names `parts`."""
        if self.folders_only and not folder:
            return False
        # To retry from the last '**' is enough, as with '*' in a text: never exponential.
        at = done = 0
        star = retry = -1
        while done < len(parts):
            if at < len(self.names) and self.names[at] is ANY_FOLDERS:
                star, retry = at, done
                at += 1
            elif at < len(self.names) and _fits(self.names[at], parts[done]):
                at, done = at + 1, done + 1
            elif star >= 0:
                retry += 1
                at, done = star + 1, retry
            else:
                return False
        return all(name is ANY_FOLDERS for name in self.names[at:])


def parse(pattern: str) -> Glob:
    """Parse a pattern. Raises ValueError, with the reason, if it could never fit."""
    if pattern.startswith("!"):
        raise ValueError("patterns are not negated; use include or exclude")
    body = pattern.rstrip("/")
    names = body.removeprefix("/").split("/")
    if not all(names):
        raise ValueError("a pattern needs a name between slashes")
    if any(name in (".", "..") for name in names):
        raise ValueError("'.' and '..' are never part of a path that is read")
    if names[-1] == "**":
        names.append("*")  # below a folder, not the folder itself
    if "/" not in body:
        names.insert(0, "**")
    return Glob(tuple(map(_name, names)), folders_only=pattern.endswith("/"))


def any_fits(globs: Iterable[Glob], parts: tuple[str, ...], *, folder: bool) -> bool:
    """Return whether one of the patterns fits the path that consists of the names `parts`."""
    return any(glob.fits(parts, folder=folder) for glob in globs)


def _name(name: str) -> re.Pattern[str] | None:
    # The standard translation has no backtracking between the stars of a name.
    return ANY_FOLDERS if name == "**" else re.compile(translate(name))


def _fits(test: re.Pattern[str] | None, name: str) -> bool:
    return test is not ANY_FOLDERS and test.match(name) is not None
