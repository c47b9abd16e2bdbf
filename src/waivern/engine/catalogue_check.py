"""Catalogues of earlier attempts and runs: which items are no longer what was listed.

A search would find out, because it reads. Where results are taken from the cache, nothing is read:
then the items are checked, so that both give the same result and the same coverage. A connector may
know which items were certainly not touched; the others are read, and their digests checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from waivern.engine.catalogue_origin import ListedPart
from waivern.engine.source_reading import reader_of
from waivern.plugins.context import Context

if TYPE_CHECKING:
    from waivern.plugins.catalogue import Catalogue


def changed_items(
    parts: Iterable[ListedPart],
    name: str,
    ctx: Context,
    run_base: Path,
    components: Catalogue,
    environ: Mapping[str, str],
    since: datetime,
) -> frozenset[str]:
    """Return the names of the items that a search could not read as they were listed.

    `name` is the input that has them, `since` the beginning of the attempt: what was listed after
    that is not checked again. Raises WaivernError if the source cannot be read at all.
    """
    found = set()
    for part in parts:
        origin = part.origin._replace(on_change="skip")  # all are named
        listed_at = None if origin.listed_at is None else datetime.fromisoformat(origin.listed_at)
        if listed_at is not None and listed_at >= since:
            continue
        if origin.folder(run_base) != Path(origin.base):
            listed_at = None  # other files, which may be older than the list
        apart = Context(ctx.artifact, ctx.base, imports=ctx.imports, service=ctx.service)
        reader = reader_of(origin, name, apart, run_base, components, environ)
        for item in reader.items(reader.touched(part.entries(), listed_at)):
            missed = apart.missed
            for _ in item.read():
                pass
            if apart.missed > missed:
                found.add(item.name)
    return frozenset(found)
