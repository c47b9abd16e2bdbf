"""Finds components by entry point or in folders and loads one when it is named, not before.

A broken plugin fails the runbook that names it and no other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, cast, get_args, overload

from waivern.errors import NotFoundError, RefusedError, WaivernError
from waivern.plugins.component import Component, Connector, Processor
from waivern.plugins.folders import Module, Variable, modules
from waivern.plugins.identity import code_digest
from waivern.plugins.shapes import Kind, faults
from waivern.problems import did_you_mean


def names(kind: Kind) -> list[str]:
    """Return the names that can be loaded, sorted; no component is imported."""
    return sorted({*_scan(tuple(sys.path))[kind], *_local[kind]})


def add_paths(folders: Iterable[str | Path], *, within: str | Path) -> None:
    """Make the components in folders known to this process, beside those that are installed.

    Each folder must be inside `within`. To name one twice changes nothing. Raises RefusedError if a
    folder is elsewhere or cannot be read.
    """
    for module in modules(folders, within):
        for variable in module.variables():
            offers = _local[_KINDS[variable]].setdefault(module.name, {})
            offers[module.path] = _InFolder(module, variable)


@overload
def load(kind: Literal["connectors"], name: str) -> Connector: ...
@overload
def load(kind: Literal["processors"], name: str) -> Processor: ...
@overload
def load(kind: Kind, name: str) -> Component: ...
def load(kind: Kind, name: str) -> Component:
    """Return the component of this name; the same instance each time.

    Raises NotFoundError if no distribution and no folder offers it, RefusedError if several do, and
    WaivernError, naming which, if it cannot be imported or does not have the shape of a component.
    """
    offers = _offered(kind, name)
    if not offers:
        raise _unknown(kind, name)
    if len(offers) > 1:
        owners = " and ".join(sorted(offer.owner for offer in offers))
        raise RefusedError(
            f"{kind[:-1]} {name!r} is offered by {owners}",
            hint="take one of them away: a runbook must not depend on which is found first",
        )
    return _instance(kind, offers[0])


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
    def __hash__(self) -> int: ...


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
        return self.entry.load()


class _InFolder(NamedTuple):
    module: Module
    variable: Variable
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
        return self.module.load(self.variable)


_KINDS: dict[Variable, Kind] = {"connector": "connectors", "processor": "processors"}
_Offers = tuple[_Offer, ...]
_local: dict[Kind, dict[str, dict[Path, _InFolder]]] = {kind: {} for kind in get_args(Kind)}


def _offered(kind: Kind, name: str) -> _Offers:
    installed = _scan(tuple(sys.path))[kind].get(name, ())
    return (*installed, *_local[kind].get(name, {}).values())


@cache
def _scan(_path: tuple[str, ...]) -> dict[Kind, dict[str, _Offers]]:
    """Read the metadata of all distributions once for all kinds; again only if the path changes."""
    everything = entry_points()
    found: dict[Kind, dict[str, _Offers]] = {}
    for kind in get_args(Kind):
        by_name: dict[str, _Offers] = {}
        for entry in everything.select(group=f"waivern.{kind}"):
            by_name[entry.name] = (*by_name.get(entry.name, ()), _Installed(entry))
        found[kind] = by_name
    return found


@cache
def _instance(kind: Kind, offer: _Offer) -> Component:
    what = f"{kind[:-1]} {offer.name!r} of {offer.owner}"
    try:
        loaded = offer.load()
        component = loaded() if isinstance(loaded, type) else loaded
    except (Exception, SystemExit) as error:
        raise WaivernError(
            f"{what} cannot be loaded: {type(error).__name__}: {error}",
            hint=f"it is declared as {offer.place}; {offer.remedy}",
        ) from error
    if wrong := faults(kind, component):
        raise WaivernError(
            f"{what} is not a {kind[:-1]}: {', '.join(wrong)}",
            hint=f"{offer.place} must have the shape of waivern.plugins.component."
            f"{kind[:-1].capitalize()}",
        )
    found = cast(Component, component)
    code_digest(found)
    return found


def _unknown(kind: Kind, name: str) -> NotFoundError:
    others = [other for other in get_args(Kind) if other != kind and _offered(other, name)]
    known = names(kind)
    hints = [f"{name!r} is a {others[0][:-1]};"] if others else []
    hints += filter(None, [did_you_mean(name, known)])
    hints.append(f"{kind} installed here: {', '.join(known) or 'none'}")
    return NotFoundError(f"no {kind[:-1]} {name!r}", hint=" ".join(hints))
