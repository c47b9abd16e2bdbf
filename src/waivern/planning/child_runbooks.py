"""Child runbooks: found and read once, however many runbooks include them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, Protocol

from waivern.errors import WaivernError
from waivern.language.loader import draft as read
from waivern.language.models import RunbookDraft
from waivern.message import Json
from waivern.planning.arguments import arguments
from waivern.planning.scope import ChildInclusion
from waivern.yamldoc.document import YamlDocument

if TYPE_CHECKING:
    from waivern.language.params import Param


class ChildFile(NamedTuple):
    """A child runbook with its bytes."""

    key: str
    """Its key, which no other child of the run has: its path in `_system/children`."""
    folder: Path
    """The folder that its own relative paths start from."""
    data: bytes


class ChildReference(NamedTuple):
    """A reference to a child runbook, as it is declared."""

    path: str
    parent: str
    """The key of the child that includes it; '' for the root runbook."""
    templates: tuple[str, ...]
    """The `config.template_paths` of the root runbook."""


class ChildFinder(Protocol):
    """A finder of child runbooks that answers at once."""

    def child(self, path: str, parent: str, templates: tuple[str, ...]) -> ChildFile:
        """Return the runbook that a ChildReference resolves to.

        Raises WaivernError if there is none that may be read.
        """
        ...


class ChildLookup(Protocol):
    """A lookup of child runbooks that may wait."""

    async def children(
        self, wanted: Sequence[ChildReference]
    ) -> Sequence[ChildFile | WaivernError]:
        """Return each child runbook in this order, or the error of its lookup.

        Raises StoreError, which ends planning: it is no fault of the runbook.
        """
        ...


class ChildLibrary:
    """The children of one plan, as far as they have been looked up."""

    def __init__(self, root: RunbookDraft, lookup: ChildLookup, environ: Mapping[str, str]) -> None:
        self.documents: dict[str, YamlDocument] = {}
        """The documents of children, by key."""
        self._lookup = lookup
        self._environ = environ
        self._templates = root.runbook.config.template_paths
        self._files: dict[tuple[str, str], ChildFile | WaivernError] = {}
        self._declared: dict[str, Mapping[str, Param]] = {}
        """The parameters of a child, by key; of one whose declarations are wrong, none."""
        self._drafts: dict[tuple[str, str], RunbookDraft | WaivernError] = {}
        """By key, and by the values of the parameters."""

    async def fetch(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Look up children by path and parent, in one batch; those that are known are not."""
        unknown = [each for each in dict.fromkeys(wanted) if each not in self._files]
        if unknown:
            references = [ChildReference(path, by, self._templates) for path, by in unknown]
            found = await self._lookup.children(references)
            self._files.update(zip(unknown, found, strict=True))

    def file(self, path: str, parent: str) -> ChildFile | WaivernError:
        """Return a child that has been looked up, or the error of its lookup."""
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
        def bind_params(declared: Mapping[str, Param]) -> Mapping[str, Json]:
            self._declared[file.key] = declared
            return arguments(directive, declared).values

        document = YamlDocument(file.key, file.folder, file.data)
        document = self.documents.setdefault(file.key, document)
        try:
            return read(document, PurePosixPath(file.key).stem, self._environ, bind_params)
        except WaivernError as error:
            return error
