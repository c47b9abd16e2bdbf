"""Lookups of components: which one does some work, what identifies its result, and what is known.

A run and a forecast look up the same here. No component works, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from waivern.engine import artifact_identity
from waivern.engine.artifact_identity import ComponentUse, Identity, KeyedHash, UnknownIdentity
from waivern.engine.cache import Cache, CacheHit, Readers
from waivern.engine.calls import CacheLookup, Call
from waivern.engine.stager import Stager
from waivern.errors import WaivernError
from waivern.message import Json
from waivern.planning.component_properties import configure
from waivern.planning.plan import Extract, Node, Transform
from waivern.plugins.catalogue import Catalogue
from waivern.plugins.component import Connector, Processor, list_name
from waivern.plugins.context import Context
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef

if TYPE_CHECKING:
    from waivern.engine.catalogue_origin import CatalogueOrigin
    from waivern.engine.source_listing import SourceMarks
    from waivern.engine.source_reader_identity import ListedInputs

Work = Extract | Transform


class ComponentLookups:
    """The lookups for the artifacts of one run or forecast. Thread-safe.

    `base` is the folder of the run's runbook; `context` returns a context for asking a component
    about an artifact, not for letting it work.
    """

    def __init__(
        self,
        store: RunStore,
        base: Path,
        environ: Mapping[str, str],
        catalogue: Catalogue,
        cache: Cache | None,
        stager: Stager,
        context: Callable[[Node], Context],
    ) -> None:
        self._store = store
        self._base = base
        self._environ = environ
        self._catalogue = catalogue
        self._cache = cache
        self._stager = stager
        self._context = context
        self._computes: dict[tuple[type[Work], str], Any] = {}
        """What components declare as `computes`, by kind of work and type."""
        self._began = datetime.fromisoformat(stager.now())

    def tool(self, work: Work) -> ComponentUse:
        """Return the component that does some work, configured."""
        component = self._component(work)
        config = configure(component.Config, work.properties, self._environ)
        return ComponentUse(component, config, self._catalogue.code)

    def _component(self, work: Work) -> Connector | Processor:
        if isinstance(work, Extract):
            return self._catalogue.load("connectors", work.type)
        return self._catalogue.load("processors", work.type)

    def identify(
        self,
        node: Node,
        tool: ComponentUse,
        inputs: tuple[ArtifactRef, ...],
        *,
        given: bool = False,
        listed: dict[str, Json] | None = None,
        sources: Callable[[], ListedInputs] | None = None,
    ) -> CacheLookup:
        """Return the identity under which a result is cached; `given`: data was handed over.

        `listed` identifies a source that was listed; any other one is asked for its fingerprint.
        `sources` returns the inputs that list sources; None if none does. Those that were not
        listed in this attempt are checked if results may be taken for them.
        """
        look = self._context(node)
        identity: Identity | UnknownIdentity
        if self._cache is None:
            identity = UnknownIdentity("the cache is off")
        elif given:
            identity = UnknownIdentity("it depends on data that was given to this run")
        else:
            readers = self._readers(node, sources)
            identity = self._cache.identify(node, tool, inputs, look, listed, readers)
            if sources and isinstance(identity, dict) and self._cache.knows(identity):
                return self._checked(CacheLookup(tool, look, identity), sources())
        return CacheLookup(tool, look, identity)

    def _checked(self, lookup: CacheLookup, inputs: ListedInputs) -> CacheLookup:
        """Return the lookup with the items of listed inputs that are not what was listed."""
        from waivern.engine.catalogue_check import changed_items

        try:
            found = {
                name: changed_items(
                    parts,
                    name,
                    lookup.look,
                    self._base,
                    self._catalogue,
                    self._environ,
                    self._began,
                )
                for name, parts in inputs.items()
            }
        except WaivernError as error:  # the component meets it, too
            return lookup._replace(identity=UnknownIdentity(f"not cached: {error.message}"))
        changed = {name: items for name, items in found.items() if items}
        if not changed:
            return lookup
        identity = artifact_identity.with_changes(cast(Identity, lookup.identity), changed)
        return lookup._replace(identity=identity)

    def list_ahead(
        self, node: Node, work: Work, tool: ComponentUse
    ) -> tuple[CatalogueOrigin, SourceMarks, CacheLookup] | None:
        """List a source as a run would, and store nothing; None if it is not read by reference."""
        if node.keep != "reference":
            return None
        from waivern.engine.catalogue_origin import CatalogueOrigin
        from waivern.engine.source_listing import SourceMarks, listed

        ctx, marks = self._context(node), SourceMarks(list_name(tool.component))
        for _ in marks.noting(listed(tool.component, tool.config, ctx)):
            continue
        now = self._stager.now()
        origin = CatalogueOrigin.of_work(work, ctx.base, self._base, node.on_change, now)
        origin = origin._replace(entries=marks.count)
        return origin, marks, self.identify(node, tool, (), listed=marks.document(ctx))

    def _readers(self, node: Node, sources: Callable[[], ListedInputs] | None) -> Readers | None:
        """Return what identifies the readers of the inputs that list sources."""
        if sources is None:
            return None
        from waivern.engine.source_reader_identity import readers_of  # most inputs list no source

        def context(folder: Path) -> Context:
            ctx = self._context(node)
            ctx.base = folder
            return ctx

        def readers(secret: KeyedHash) -> dict[str, Json]:
            found = sources()
            return readers_of(found, self._base, self._catalogue, self._environ, context, secret)

        return readers

    def find(self, node: Node, lookup: CacheLookup) -> CacheHit | None:
        """Return the cached result, if there is one and it is intact."""
        if self._cache is None or (known := lookup.known) is None:
            return None
        return self._cache.find(node.id, known)

    def lookup(
        self, node: Node, tool: ComponentUse, identity: Identity | UnknownIdentity
    ) -> CacheLookup:
        """Return the lookup of an identity that is known."""
        return CacheLookup(tool, self._context(node), identity)

    def computes(self, work: Work) -> bool:
        """Return whether the component that does some work says that it computes."""
        key = type(work), work.type
        if (computes := self._computes.get(key)) is None:  # asked for each artifact
            computes = self._computes[key] = getattr(self._component(work), "computes", False)
        return bool(computes(work.properties) if callable(computes) else computes)

    def waits(self, work: Work) -> bool:
        """Return whether the component that does some work says that it waits."""
        return bool(getattr(self._component(work), "waits", False))

    def input_bytes(self, call: Call) -> int:
        """Return the bytes of the sources that the inputs of a call come from, as far as known."""
        from waivern.engine.per_item import expected

        return expected(self._store.fetch(call.run_id, ref) for ref in call.inputs).total_size or 0

    def new_share(self, call: Call, lookup: CacheLookup | None) -> float:
        """Return the part of the inputs, from 0 to 1, without results that can be taken."""
        if self._cache is None or lookup is None or lookup.known is None:
            return 1.0
        try:
            index = self._cache.earlier_index(call.node, lookup.known)
            if index is None:
                return 1.0
            from waivern.engine.new_items import share_of_new

            return share_of_new(self._store, call, lookup.known, index)
        except WaivernError:  # the code that reads it for the work reports it
            return 1.0

    def code(self, lookup: CacheLookup) -> dict[str, Json]:
        """Return the digests of the code that the component runs, or why there are none."""
        return artifact_identity.code(lookup.tool, lookup.look, lookup.known)
