"""Finding child runbooks: beside the one that includes them, or in a folder of templates."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from waivern.errors import NotFoundError, RefusedError
from waivern.planning.flatten import ChildFile
from waivern.problems import shown
from waivern.runbook.loader import read_bytes

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
        relative = _relative(path)
        tried = []
        for top, key in self._places(relative, parent, templates):
            place = top / PurePosixPath(key).relative_to(_above(key))
            if not os.path.lexists(place):
                tried.append(str(place.parent))
                continue
            real, inside = place.resolve(), top.resolve()
            if not real.is_relative_to(inside):
                raise RefusedError(
                    f"{shown(path)} leads out of the folder that it lies in",
                    hint="put the child below the runbook's folder or in config.template_paths",
                )
            return ChildFile(key, place.parent, read_bytes(place))
        looked = " and ".join(dict.fromkeys(tried))
        raise NotFoundError(f"no child runbook {shown(path)}", hint=f"looked for it in {looked}")

    def _places(
        self, relative: PurePosixPath, parent: str, templates: tuple[str, ...]
    ) -> list[tuple[Path, str]]:
        """Return where the child may lie: the folder that bounds it, and its key there."""
        tops = {"": self._folder}
        for number, template in enumerate(templates, 1):
            tops[f"{TEMPLATES}{number}"] = self._folder / template
        above = _above(parent)
        beside = PurePosixPath(parent).parent / relative if parent else relative
        places = [(tops[above], str(beside))]
        places += [(tops[name], f"{name}/{relative}") for name in tops if name]
        return places


def _above(key: str) -> str:
    """Return the part of a key that names a folder of templates; '' if it is none of theirs."""
    return key.partition("/")[0] if key.startswith(TEMPLATES) else ""


def _relative(path: str) -> PurePosixPath:
    """Return a child's path. Raises RefusedError if it could lead out of where it lies."""
    pure = PurePosixPath(path)
    odd = pure.is_absolute() or ".." in pure.parts or not pure.name
    if odd or "\0" in path or path.startswith(TEMPLATES):
        raise RefusedError(
            f"{shown(path)} is not the path of a child runbook",
            hint="write it relative to this runbook, without '..'",
        )
    return pure
