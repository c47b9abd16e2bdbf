"""Child runbooks: found and read once, whoever includes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, Protocol

from waivern.errors import StoreError, WaivernError
from waivern.language.loader import draft as read
from waivern.language.models import RunbookDraft
from waivern.message import Json
from waivern.planning.arguments import arguments
from waivern.planning.scope import ChildInclusion
from waivern.yamldoc.document import YamlDocument

if TYPE_CHECKING:
    from waivern.language.params import Param


class ChildFile(NamedTuple):
    """A child runbook as it was found."""

    key: str
    """What tells it from every other child of the run: its path in `_system/children`."""
    folder: Path
    """Where its own relative paths start from."""
    data: bytes


class ChildFinder(Protocol):
    """Finds child runbooks."""

    def child(self, path: str, parent: str, templates: tuple[str, ...]) -> ChildFile:
        """Return the runbook that `path` means in the child `parent` ('' is the root runbook).

        Raises WaivernError if there is none that may be read.
        """
        ...


class ChildLibrary:
    """The children of one plan, as far as they have been asked for."""

    def __init__(
        self, root: RunbookDraft, children: ChildFinder, environ: Mapping[str, str]
    ) -> None:
        self.documents: dict[str, YamlDocument] = {}
        """What was read, by key."""
        self._children = children
        self._environ = environ
        self._templates = root.runbook.config.template_paths
        self._files: dict[tuple[str, str], ChildFile | WaivernError] = {}
        self._declared: dict[str, Mapping[str, Param]] = {}
        """The parameters of a child, by key; of one whose declarations are wrong, none."""
        self._drafts: dict[tuple[str, str], RunbookDraft | WaivernError] = {}
        """By key, and by the values of the parameters."""

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

    def draft(self, file: ChildFile, directive: ChildInclusion) -> RunbookDraft | WaivernError:
        """Read a child, once for all that include it with the same parameters."""
        key = self._key(file, directive)
        if key not in self._drafts:
            found = self._read(file, directive)
            self._drafts[self._key(file, directive)] = found
            return found
        return self._drafts[key]

    def _key(self, file: ChildFile, directive: ChildInclusion) -> tuple[str, str]:
        declared = self._declared.get(file.key)
        return file.key, repr(arguments(directive, declared).values) if declared else ""

    def _read(self, file: ChildFile, directive: ChildInclusion) -> RunbookDraft | WaivernError:
        def given(declared: Mapping[str, Param]) -> Mapping[str, Json]:
            self._declared[file.key] = declared
            return arguments(directive, declared).values

        document = YamlDocument(file.key, file.folder, file.data)
        document = self.documents.setdefault(file.key, document)
        try:
            return read(document, PurePosixPath(file.key).stem, self._environ, given)
        except WaivernError as error:
            return error
