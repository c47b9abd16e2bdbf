"""Child runbooks: found and read once, whoever includes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, Protocol

from waivern.errors import StoreError, WaivernError
from waivern.message import Json
from waivern.runbook.document import Document
from waivern.runbook.loader import draft as read
from waivern.runbook.model import Draft

if TYPE_CHECKING:
    from waivern.runbook.params import Param


class ChildFile(NamedTuple):
    """A child runbook as it was found."""

    key: str
    """What tells it from every other child of the run: its path in `_system/children`."""
    folder: Path
    """Where its own relative paths start from."""
    data: bytes


class Children(Protocol):
    """Finds child runbooks."""

    def child(self, path: str, parent: str, templates: tuple[str, ...]) -> ChildFile:
        """Return the runbook that `path` means in the child `parent` ('' is the root runbook).

        Raises WaivernError if there is none that may be read.
        """
        ...


class Library:
    """The children of one plan, as far as they have been asked for.

    Parameters that a child shares with the root runbook have the values that the run was given.
    """

    def __init__(self, root: Draft, children: Children, environ: Mapping[str, str]) -> None:
        self.documents: dict[str, Document] = {}
        """What was read, by key."""
        self._children = children
        self._environ = environ
        self._templates = root.runbook.settings.template_paths
        self._params = root.runbook.params
        self._values = root.values
        self._files: dict[tuple[str, str], ChildFile | WaivernError] = {}
        self._drafts: dict[str, Draft | WaivernError] = {}

    def file(self, path: str, parent: str) -> ChildFile | WaivernError:
        """Find a child, once for all that include it from there."""
        if (path, parent) not in self._files:
            try:
                found = self._children.child(path, parent, self._templates)
                self._files[path, parent] = found
            except StoreError:  # says nothing about the runbook
                raise
            except WaivernError as error:
                self._files[path, parent] = error
        return self._files[path, parent]

    def draft(self, file: ChildFile) -> Draft | WaivernError:
        """Read a child, once for all that include it."""
        if file.key not in self._drafts:
            document = Document(file.key, file.folder, file.data)
            self.documents[file.key] = document
            name = PurePosixPath(file.key).stem
            try:
                self._drafts[file.key] = read(document, name, self._environ, self._given)
            except WaivernError as error:
                self._drafts[file.key] = error
        return self._drafts[file.key]

    def _given(self, declared: Mapping[str, Param]) -> Mapping[str, Json]:
        """Return a child's parameters: those of the run by name, else their own defaults."""
        return {
            name: self._values.get(name, param.default)
            for name, param in declared.items()
            if self.says_the_same(param) and (name in self._values or not param.required)
        }

    def says_the_same(self, param: Param) -> bool:
        """Whether the root runbook says nothing else of a parameter: no secret may become open."""
        own = self._params.get(param.name)
        return own is None or (own.type, own.secret) == (param.type, param.secret)
