"""The catalogue of one project: entries of every kind, installed or in the project's folders.

An entry is found by entry point or by file name, and is loaded only when it is named: a broken one
fails the runbook that names it and no other. Two catalogues share nothing, so two projects in one
process do not see each other's components.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from waivern.errors import WaivernError
from waivern.kinds import KINDS, Entry, MissingExtraError, installed, only
from waivern.plugins.component import Component, Connector, Processor
from waivern.plugins.component_folders import ComponentModule, ComponentOutline, modules
from waivern.plugins.component_shape import faults
from waivern.plugins.fingerprint import Fingerprints
from waivern.plugins.installed_code import importing
from waivern.plugins.missing_modules import describe, next_step
from waivern.plugins.module_folders import ModuleFolders

if TYPE_CHECKING:
    from waivern.kinds import Offer


class Catalogue:
    """The entries that a project can name. Thread-safe.

    `folders` must be inside the folder `within`, links followed. Raises RefusedError if one is
    elsewhere or cannot be read.
    """

    def __init__(self, folders: Iterable[str | Path] = (), *, within: str | Path = "/") -> None:
        self.folders, self.within = tuple(map(str, folders)), str(within)
        self.imports = ModuleFolders()
        """The modules of the folders with the user's code."""
        self._fingerprints = Fingerprints()
        self._local: dict[str, dict[str, dict[Path, _InFolder]]] = {kind: {} for kind in KINDS}
        self._loaded: dict[tuple[str, str], tuple[Any, Offer]] = {}
        # A module that is being loaded may name another component: the same thread comes again.
        self._lock = threading.RLock()
        for module in modules(self.folders, within):
            for kind in module.kinds():
                offers = self._local[kind.name].setdefault(module.name, {})
                offers[module.path] = _InFolder(module, kind.singular, self.imports)

    def names(self, kind: str) -> list[str]:
        """Return the names that can be loaded, sorted; nothing is imported."""
        return sorted(self._offered(kind))

    def installed(self, kind: str) -> frozenset[str]:
        """Return the names of installed entries."""
        return frozenset(installed(kind))

    def close(self) -> None:
        """Remove the modules of the user's folders; the loaded components stay usable."""
        self.imports.close()

    def owner(self, kind: str, name: str) -> str:
        """Return who offers an entry: a distribution with its version, or a file.

        Raises NotFoundError and RefusedError as `load` does; nothing is imported.
        """
        return self._offer(kind, name).owner

    def outlines(self, kind: str) -> dict[str, ComponentOutline]:
        """Return the outlines of the components in the project's folders, by name.

        They are read from the text of the files; no code is run.
        """
        found = {}
        for name, offers in sorted(self._local[kind].items()):
            for offer in offers.values():
                if (outline := offer.module.outline(offer.variable)) is not None:
                    found[name] = outline
        return found

    @overload
    def load(self, kind: Literal["connectors"], name: str) -> Connector: ...
    @overload
    def load(self, kind: Literal["processors"], name: str) -> Processor: ...
    @overload
    def load(self, kind: str, name: str) -> Any: ...
    def load(self, kind: str, name: str) -> Any:
        """Return the entry of this kind and name; the same instance each time.

        Raises NotFoundError if no distribution and no folder offers it, RefusedError if several do,
        and WaivernError, naming which, if it cannot be imported or does not have the shape of its
        kind.
        """
        if (known := self._loaded.get((kind, name))) is not None:
            return known[0]  # without the lock: each artifact asks several times
        with self._lock:
            if (kind, name) not in self._loaded:
                offer = self._offer(kind, name)
                self._loaded[kind, name] = _instance(kind, offer), offer
            return self._loaded[kind, name][0]

    def code(self, component: Component) -> str:
        """Return the digest of a component's code, with what it imports from its folder.

        Raises UncertainError if the code that runs cannot be fingerprinted.
        """
        for loaded, offer in list(self._loaded.values()):
            if loaded is component and isinstance(offer, _InFolder):
                folder = offer.module.folder(self.imports)
                return self._fingerprints.of_file(folder, offer.module.path)
        return self._fingerprints.of_class(type(component))

    def _offer(self, kind: str, name: str) -> Offer:
        return only(kind, name, self._offered)

    def _offered(self, kind: str) -> Mapping[str, tuple[Offer, ...]]:
        found: dict[str, tuple[Offer, ...]] = dict(installed(kind))
        for name, offers in self._local[kind].items():
            found[name] = (*found.get(name, ()), *offers.values())
        return found


class _InFolder(NamedTuple):
    module: ComponentModule
    variable: str
    imports: ModuleFolders
    remedy: str = "the error is in that file"

    @property
    def name(self) -> str:
        return self.module.name

    @property
    def owner(self) -> str:
        return str(self.module.path)

    @property
    def place(self) -> str:
        return f"'{self.variable}'"

    def load(self) -> object:
        return self.module.load(self.variable, self.imports)


def _called(kind: str, offer: Offer) -> str:
    # the owner's metadata is slow to read: only for a message
    return f"{KINDS[kind].singular} {offer.name!r} of {offer.owner}"


def _load(offer: Offer) -> Any:
    if isinstance(offer, Entry):  # remember its files as they are when they are imported
        return importing(offer.point.module, offer.load)
    return offer.load()


def _instance(kind: str, offer: Offer) -> Any:
    rule = KINDS[kind]
    try:
        loaded = _load(offer)
        found = loaded() if rule.instantiated and isinstance(loaded, type) else loaded
    except MissingExtraError:
        raise
    except (Exception, SystemExit) as error:
        raise WaivernError(
            f"{_called(kind, offer)} cannot be loaded: {describe(error)}",
            hint=f"it is declared as {offer.place}; {next_step(error) or offer.remedy}",
        ) from error
    if wrong := faults(rule, found):
        raise WaivernError(
            f"{_called(kind, offer)} is not {rule.noun}: {', '.join(wrong)}",
            hint=f"{offer.place} must implement {rule.protocol}",
        )
    return found
