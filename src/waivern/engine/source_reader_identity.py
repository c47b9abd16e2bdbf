"""The identity of what reads a listed source again: a part of the identity of each consumer.

The entries of a catalogue identify the data in the source. What a consumer receives also depends on
the connector that reads it: on its version, its code, and the properties that it reads by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from waivern.engine.artifact_identity import (
    ComponentUse,
    KeyedHash,
    code_digests,
    environment,
    repeatable,
)
from waivern.engine.catalogue_origin import CatalogueOrigin, ListedPart, connector_of
from waivern.errors import ComponentError
from waivern.message import Json, content_digest
from waivern.plugins.context import Context

if TYPE_CHECKING:
    from waivern.plugins.catalogue import Catalogue

ListedInputs: TypeAlias = Mapping[str, Sequence[ListedPart]]
"""The parts of the inputs that list sources, by the name of the input."""


def readers_of(
    inputs: ListedInputs,
    run_base: Path,
    components: Catalogue,
    environ: Mapping[str, str],
    context: Callable[[Path], Context],
    secret: KeyedHash,
) -> dict[str, Json]:
    """Return, for each input, `[reader, entries]` of each of its parts.

    An input whose parts are all read alike has one row without a number: it does not matter where
    one part ends and the next begins. `context` returns a context for asking a connector, with a
    base folder. Raises WaivernError if a connector cannot be identified.
    """

    def reader(origin: CatalogueOrigin) -> Json:
        ctx = context(origin.folder(run_base))
        return _reader(origin, ctx, components, environ, secret)

    found: dict[str, Json] = {}
    for name, parts in inputs.items():
        rows = [[reader(origin), origin.entries] for origin, _ in parts]
        alike = all(row[0] == rows[0][0] for row in rows)
        found[name] = [[rows[0][0], None]] if alike else rows
    return found


def reader_digests(readers: Mapping[str, Json]) -> dict[str, str]:
    """Return the digest of what reads each input, for the digests of its items."""
    return {name: content_digest(rows) for name, rows in readers.items()}


def _reader(
    origin: CatalogueOrigin,
    ctx: Context,
    components: Catalogue,
    environ: Mapping[str, str],
    secret: KeyedHash,
) -> dict[str, Json]:
    connector, config = connector_of(origin, components, environ)
    code = code_digests(ComponentUse(connector, config, components.code), ctx)
    if code[1] is None and getattr(connector, "code", None) is not None:
        raise ComponentError("the code that reads its source cannot be fingerprinted")
    names = getattr(connector, "read_properties", None)
    properties = {
        name: value for name, value in origin.properties.items() if names is None or name in names
    }
    return {
        "component": f"connector:{origin.connector}",
        "version": str(connector.version),
        "code": code,
        "properties": properties,
        "environment": environment(properties, environ, secret),
        "folder": None if repeatable(connector) else str(ctx.base),
    }
