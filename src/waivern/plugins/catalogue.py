"""The catalogue of components of one project: installed ones, and those in folders of its own.

A component is found by entry point or by file name, and is loaded when it is named, not before: a
broken one fails the runbook that names it and no other. Two catalogues share nothing, so two
projects in one process do not see each other's components.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, cast, get_args, overload

from waivern.diagnostics import did_you_mean
from waivern.errors import NotFoundError, RefusedError, WaivernError
from waivern.plugins.component import Component, Connector, Processor
from waivern.plugins.component_folders import ComponentModule, ComponentOutline, Variable, modules
from waivern.plugins.component_shape import Kind, faults
from waivern.plugins.fingerprint import Fingerprints
from waivern.plugins.installed_code import importing
from waivern.plugins.missing_modules import next_step, told
from waivern.plugins.module_folders import ModuleFolders


class Catalogue:
    """The components that a project can name. Thread-safe.

    `folders` must be inside the folder `within`, links followed. Raises RefusedError if one is
    elsewhere or cannot be read.
    """

    def __init__(self, folders: Iterable[str | Path] = (), *, within: str | Path = "/") -> None:
        self.imports = ModuleFolders()
        """The modules of the folders that its user's code is in."""
        self._fingerprints = Fingerprints()
        self._local: dict[Kind, dict[str, dict[Path, _InFolder]]] = {}
        self._loaded: dict[tuple[Kind, str], Component] = {}
        self._offers: dict[int, _Offer] = {}
        """The offer of each loaded component, by the identity of the component."""
        self._lock = threading.RLock()  # a module may name another component
        for kind in get_args(Kind):
            self._local[kind] = {}
        for module in modules(folders, within):
            for variable in module.variables():
                offers = self._local[_KINDS[variable]].setdefault(module.name, {})
                offers[module.path] = _InFolder(module, variable, self.imports)

    def names(self, kind: Kind) -> list[str]:
        """Return the names that can be loaded, sorted; no component is imported."""
        return sorted({*_installed()[kind], *self._local[kind]})

    def installed(self, kind: Kind) -> frozenset[str]:
        """Return the names of installed components."""
        return frozenset(_installed()[kind])

    def close(self) -> None:
        """Forget the modules of the user's folders; the components stay usable."""
        self.imports.close()

    def owner(self, kind: Kind, name: str) -> str:
        """Return who offers a component: a distribution with its version, or a file.

        Raises NotFoundError and RefusedError as `load` does; no component is imported.
        """
        return self._offer(kind, name).owner

    def outlines(self, kind: Kind) -> dict[str, ComponentOutline]:
        """Return what the files of the project's folders say about their components, by name.

        Nothing is run.
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
    def load(self, kind: Kind, name: str) -> Component: ...
    def load(self, kind: Kind, name: str) -> Component:
        """Return the component of this name; the same instance each time.

        Raises NotFoundError if no distribution and no folder offers it, RefusedError if several do,
        and WaivernError, naming which, if it cannot be imported or does not have the shape of a
        component.
        """
        with self._lock:
            loaded = self._loaded.get((kind, name))
            if loaded is None:
                offer = self._offer(kind, name)
                loaded = self._loaded[kind, name] = _instance(kind, offer)
                self._offers[id(loaded)] = offer
            return loaded

    def code(self, component: Component) -> str:
        """Return the digest of the code that a component is, with what it imports from its folder.

        Raises UncertainError if the code that runs cannot be fingerprinted.
        """
        offer = self._offers.get(id(component))
        if isinstance(offer, _InFolder):
            folder = offer.module.folder(self.imports)
            return self._fingerprints.of_file(folder, offer.module.path)
        return self._fingerprints.of_class(type(component))

    def _offer(self, kind: Kind, name: str) -> _Offer:
        offers = self._offered(kind, name)
        if not offers:
            raise self._unknown(kind, name)
        if len(offers) > 1:
            owners = " and ".join(sorted(offer.owner for offer in offers))
            raise RefusedError(
                f"{kind[:-1]} {name!r} is offered by {owners}",
                hint="remove one of them: a runbook must not depend on which is found first",
            )
        return offers[0]

    def _offered(self, kind: Kind, name: str) -> tuple[_Offer, ...]:
        installed = _installed()[kind].get(name, ())
        return (*installed, *self._local[kind].get(name, {}).values())

    def _unknown(self, kind: Kind, name: str) -> NotFoundError:
        others = [other for other in get_args(Kind) if other != kind and self._offered(other, name)]
        known = self.names(kind)
        hints = [f"{name!r} is a {others[0][:-1]};"] if others else []
        hints += filter(None, [did_you_mean(name, known)])
        hints.append(f"{kind} installed here: {', '.join(known) or 'none'}")
        return NotFoundError(f"no {kind[:-1]} {name!r}", hint=" ".join(hints))


class _Offer(Protocol):
    """Something that says it has a component."""

    @property
    def name(self) -> str: ...
    @property
    def owner(self) -> str:
        """Return whose it is: a distribution with its version, or a file."""

    @property
    def place(self) -> str:
        """Return where it says that the component is."""

    @property
    def remedy(self) -> str: ...
    def load(self) -> object: ...


class _Installed(NamedTuple):
    entry: EntryPoint
    remedy: str = "reinstall or update that distribution"

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def owner(self) -> str:
        dist = self.entry.dist
        return f"{dist.name} {dist.version}" if dist else "an unnamed distribution"

    @property
    def place(self) -> str:
        return f"'{self.entry.value}'"

    def load(self) -> object:
        return importing(self.entry.module, self.entry.load)


class _InFolder(NamedTuple):
    module: ComponentModule
    variable: Variable
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


_KINDS: dict[Variable, Kind] = {"connector": "connectors", "processor": "processors"}


def _installed() -> dict[Kind, dict[str, tuple[_Offer, ...]]]:
    return _scan(tuple((path, _changed_at(path)) for path in sys.path))


def _changed_at(path: str) -> int | None:
    try:
        return Path(path or ".").stat().st_mtime_ns
    except OSError:
        return None


@lru_cache(maxsize=4)
def _scan(_path: tuple[tuple[str, int | None], ...]) -> dict[Kind, dict[str, tuple[_Offer, ...]]]:
    """Read the metadata of all distributions, for all kinds; again only if a folder changes."""
    everything = entry_points()
    found: dict[Kind, dict[str, tuple[_Offer, ...]]] = {}
    for kind in get_args(Kind):
        by_name: dict[str, tuple[_Offer, ...]] = {}
        for entry in everything.select(group=f"waivern.{kind}"):
            by_name[entry.name] = (*by_name.get(entry.name, ()), _Installed(entry))
        found[kind] = by_name
    return found


def _called(kind: Kind, offer: _Offer) -> str:
    return f"{kind[:-1]} {offer.name!r} of {offer.owner}"  # the owner's metadata is slow to read


def _instance(kind: Kind, offer: _Offer) -> Component:
    try:
        loaded = offer.load()
        component = loaded() if isinstance(loaded, type) else loaded
    except (Exception, SystemExit) as error:
        raise WaivernError(
            f"{_called(kind, offer)} cannot be loaded: {told(error)}",
            hint=f"it is declared as {offer.place}; {next_step(error) or offer.remedy}",
        ) from error
    if wrong := faults(kind, component):
        raise WaivernError(
            f"{_called(kind, offer)} is not a {kind[:-1]}: {', '.join(wrong)}",
            hint=f"{offer.place} must have the shape of waivern.plugins.component."
            f"{kind[:-1].capitalize()}",
        )
    return cast(Component, component)
