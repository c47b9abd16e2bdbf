"""The kinds of things that a distribution or a project can add, and the installed entries of each.

A kind is one row of `KINDS`. The catalogue of a project, the listings of `wct`, "did you mean" and
the messages about missing and broken entries iterate the table. An installed entry is an entry
point of the group `waivern.<kind>`.

The metadata of distributions is slow to read, so it is read when an entry is looked up, never when
this module is imported.
"""

import os
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from waivern.errors import NotFoundError, RefusedError, UsageError, WaivernError

if TYPE_CHECKING:  # a protocol takes longer to be defined than all the rest of this module
    from importlib.metadata import EntryPoint
    from typing import Protocol

    class Offer(Protocol):
        """An entry that is found but not imported: installed, or in a folder of the project."""

        @property
        def name(self) -> str: ...
        @property
        def owner(self) -> str:
            """Who offers it: a distribution with its version, or a file."""

        @property
        def place(self) -> str:
            """Where the owner declares it."""

        @property
        def remedy(self) -> str:
            """What to do if it is broken."""

        def load(self) -> Any: ...


class MissingExtraError(UsageError):
    """An entry needs an extra of its distribution that is not installed; the hint installs it."""


AnOffer = TypeVar("AnOffer", bound="Offer")


class Kind(NamedTuple):
    """A kind of entry: how it is found, what it must have, and how it is listed."""

    name: str
    """In the plural, as in the entry-point group `waivern.<name>` and the command `wct <name>`."""
    singular: str
    shape: Mapping[str, str]
    """Attribute to the check that it must pass, by its name in `component_shape.CHECKS`."""
    protocol: str
    """Where the shape is documented."""
    in_folders: bool = False
    """A file in a folder of the project can declare one, in a variable named like `singular`."""
    instantiated: bool = True
    """An entry that is a class is called without arguments; otherwise the class is the entry."""
    listing: str | None = None
    """The help text of `wct <name>`; None if there is no such command."""

    @property
    def group(self) -> str:
        return f"waivern.{self.name}"

    @property
    def noun(self) -> str:
        """The singular with its article."""
        return f"{'an' if self.singular[0] in 'aeiou' else 'a'} {self.singular}"


_COMPONENT = {"name": "text", "version": "text", "Config": "model"}

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "connectors",
            "connector",
            _COMPONENT | {"produces": "schema", "extract": "method"},
            "waivern.plugins.component.Connector",
            in_folders=True,
            listing="List the components that produce artifacts from sources.",
        ),
        Kind(
            "processors",
            "processor",
            _COMPONENT | {"accepts": "schemas?", "produces": "schema?", "process": "method"},
            "waivern.plugins.component.Processor",
            in_folders=True,
            listing="List the components that produce artifacts from others.",
        ),
        Kind(
            "exporters",
            "exporter",
            _COMPONENT | {"file_name": "text", "export": "method"},
            "waivern.runs.exporter.Exporter",
            in_folders=True,
            listing="List the formats that runs are exported to.",
        ),
        Kind(
            "rulesets",
            "ruleset",
            {"read_bytes": "method"},
            "the path of a YAML file",
        ),
        Kind("stores", "store", {}, "waivern.store.opening.StoreOpener", instantiated=False),
        Kind("executors", "executor", {}, "waivern.engine.executor.Executor", instantiated=False),
        Kind("services", "service", {}, "any object"),
    )
}
"""Every kind by name. A new kind is a row here and the protocol that it names."""


class Entry(NamedTuple):
    """An installed entry: declared by a distribution, and not imported yet."""

    point: "EntryPoint"
    remedy: str = "reinstall or update that distribution"

    @property
    def name(self) -> str:
        return self.point.name

    @property
    def owner(self) -> str:
        """The distribution with its version. Its metadata is slow to read."""
        dist = self.point.dist
        return f"{dist.name} {dist.version}" if dist else "an unnamed distribution"

    @property
    def place(self) -> str:
        """Where the distribution declares it."""
        return f"'{self.point.value}'"

    def load(self) -> Any:
        """Import the entry and return it. Raises whatever its module raises.

        Raises MissingExtraError if the entry needs an extra that is not installed.
        """
        try:
            return self.point.load()
        except ModuleNotFoundError as error:
            dist = self.point.dist
            if not self.point.extras or dist is None:
                raise
            extras = ",".join(self.point.extras)
            raise MissingExtraError(
                f"{self.name!r} needs the extra {extras!r} of {dist.name}: {error}",
                hint=f"`{sys.executable} -m pip install '{dist.name}[{extras}]'`",
            ) from error


def installed(kind: str) -> Mapping[str, tuple[Entry, ...]]:
    """Return the installed entries of a kind by name; several if several distributions offer it."""
    return _scan(tuple((path, _changed_at(path)) for path in sys.path))[kind]


def entry(kind: str, name: str) -> Entry:
    """Return the installed entry of this kind and name; nothing of it is imported.

    Raises NotFoundError, with the names that are known, if no distribution offers it, and
    RefusedError if several do.
    """
    return only(kind, name, installed)


def load(kind: str, name: str) -> Any:
    """Import the installed entry of this kind and name, and return it.

    Raises as `entry` does, and UsageError that names the distribution if its module fails.
    """
    found = entry(kind, name)
    try:
        return found.load()
    except WaivernError:
        raise
    except Exception as error:
        raise UsageError(
            f"{KINDS[kind].singular} {name!r} of {found.owner} cannot be imported: "
            f"{type(error).__name__}: {error}",
            hint=found.remedy,
        ) from error


def only(
    kind: str, name: str, offered: Callable[[str], Mapping[str, tuple[AnOffer, ...]]]
) -> AnOffer:
    """Return the one offer of this kind and name, of those that `offered` returns for a kind.

    Raises as `entry` does if there is none, or several.
    """
    known = offered(kind)
    offers = known.get(name, ())
    if len(offers) > 1:
        owners = " and ".join(sorted(offer.owner for offer in offers))
        raise RefusedError(
            f"{KINDS[kind].singular} {name!r} is offered by {owners}",
            hint="remove one of them: a runbook must not depend on which is found first",
        )
    if not offers:
        from waivern.diagnostics import did_you_mean

        others = [other for other in KINDS if other != kind and name in offered(other)]
        hints = [f"{name!r} is {KINDS[others[0]].noun};"] if others else []
        hints += filter(None, [did_you_mean(name, sorted(known))])
        hints.append(f"{kind} installed here: {', '.join(sorted(known)) or 'none'}")
        raise NotFoundError(f"no {KINDS[kind].singular} {name!r}", hint=" ".join(hints))
    return offers[0]


def _changed_at(path: str) -> int | None:
    try:
        return os.stat(path or ".").st_mtime_ns  # noqa: PTH116 - pathlib is slow to import
    except OSError:
        return None


@lru_cache(maxsize=4)
def _scan(_path: tuple[tuple[str, int | None], ...]) -> dict[str, dict[str, tuple[Entry, ...]]]:
    """Read the metadata of all distributions, for all kinds; again only if a folder changes."""
    from importlib.metadata import entry_points

    everything = entry_points()
    found: dict[str, dict[str, tuple[Entry, ...]]] = {}
    for kind in KINDS.values():
        by_name = found[kind.name] = {}
        for point in everything.select(group=kind.group):
            by_name[point.name] = (*by_name.get(point.name, ()), Entry(point))
    return found
