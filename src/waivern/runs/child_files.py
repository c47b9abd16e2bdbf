"""Finding child runbooks: beside the one that includes them, or in a folder of templates."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from waivern.diagnostics import shown
from waivern.errors import NotFoundError, RefusedError, WaivernError
from waivern.files import at_home
from waivern.language.loader import read_bytes
from waivern.message import sha256
from waivern.planning.child_runbooks import ChildFile

TEMPLATES = "template_paths:"
"""What keys of children from template folders begin with: `template_paths:<number>/<path>`."""


class ChildFiles:
    """The children of a runbook in `folder`, as they lie on the disk now.

    A child may lie anywhere below the root runbook's folder or a folder of templates, links
    followed: what is linked from outside is not a part of either.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def child(self, path: str, parent: str, templates: tuple[str, ...]) -> ChildFile:
        """Return the runbook that `path` means in the child `parent`.

        Raises RefusedError if the path leads out, NotFoundError if there is nothing.
        """
        tried = []
        for place, key in places(self._folder, path, parent, templates):
            if not os.path.lexists(place):
                tried.append(str(place.parent))
                continue
            top = _tops(self._folder, templates)[_above(key)]
            if not Path(os.path.realpath(place)).is_relative_to(os.path.realpath(top)):
                raise RefusedError(
                    f"{shown(path)} leads out of the folder that it lies in",
                    hint="put the child below the runbook's folder or in config.template_paths",
                )
            return ChildFile(key, place.parent, read_bytes(place))
        looked = " and ".join(dict.fromkeys(tried))
        raise NotFoundError(f"no child runbook {shown(path)}", hint=f"looked for it in {looked}")


def places(
    folder: Path, path: str, parent: str, templates: tuple[str, ...]
) -> list[tuple[Path, str]]:
    """Return where a child of the runbook in `folder` may lie, the first first, and its key there.

    Raises RefusedError if the path leads out.
    """
    relative, tops = _relative(path), _tops(folder, templates)
    beside = PurePosixPath(parent).parent / relative if parent else relative
    keys = [str(beside), *(f"{name}/{relative}" for name in tops if name)]
    return [(tops[_above(key)] / PurePosixPath(key).relative_to(_above(key)), key) for key in keys]


def changed(
    folder: Path, templates: tuple[str, ...], recorded: Iterable[Mapping[str, str]]
) -> list[str]:
    """Return the keys of recorded children whose files are not as they were.

    `recorded` has `path`, the key, and `sha256` of each.
    """
    tops, found = _tops(folder, templates), []
    for each in recorded:
        above = _above(each["path"])
        try:
            place = tops[above] / PurePosixPath(each["path"]).relative_to(above)
            same = sha256(read_bytes(place)) == each["sha256"]
        except (WaivernError, KeyError):
            same = False
        found += [] if same else [each["path"]]
    return found


def _tops(folder: Path, templates: tuple[str, ...]) -> dict[str, Path]:
    """Return the folders that bound children, by what the keys of those in them begin with."""
    named = {
        f"{TEMPLATES}{number}": folder / at_home(each) for number, each in enumerate(templates, 1)
    }
    return {"": folder, **named}


def _above(key: str) -> str:
    """Return the part of a key that names a folder of templates; '' if it is none of theirs."""
    return key.partition("/")[0] if key.startswith(TEMPLATES) else ""


def _relative(path: str) -> PurePosixPath:
    """Return a child's path. Raises RefusedError if it could lead out of where it lies."""
    pure = PurePosixPath(path)
    odd = pure.is_absolute() or ".." in pure.parts or not pure.name
    if odd or "\0" in path or pure.parts[0].startswith(TEMPLATES):
        raise RefusedError(
            f"{shown(path)} is not the path of a child runbook",
            hint="write it relative to this runbook, without '..'",
        )
    return pure
