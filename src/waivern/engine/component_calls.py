"""Calls of components: what a connector or processor is handed, and what becomes of its result."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from waivern.engine import artifact_identity
from waivern.engine.artifact_identity import ComponentUse
from waivern.engine.cache import Cache, CacheHit
from waivern.engine.call_tests import named_inputs
from waivern.engine.calls import Awaiting, CacheLookup, Call, Content, Outcome, Produced, Working
from waivern.engine.component_lookups import ComponentLookups, Work
from waivern.engine.stager import Stager
from waivern.message import Json, Message, StreamKind
from waivern.planning.plan import Extract, Node
from waivern.plugins.call_scope import CallScope
from waivern.plugins.catalogue import Catalogue
from waivern.plugins.component import Connector, Processor, list_name
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input
from waivern.store.base import RunStore
from waivern.store.writers import RecordSink

if TYPE_CHECKING:
    from typing import Protocol

    from waivern.engine.per_item import ItemResults
    from waivern.engine.source_reader_identity import ListedInputs

_VALUES = frozenset({dict, list, str, int, float, bool, type(None), Content})
"""Types of results that are neither generators nor awaitable, which most components return."""


if TYPE_CHECKING:  # creating a Protocol is slow

    class WorkElsewhere(Protocol):
        """A place other than the current thread where components work, as in another process."""

        def __call__(
            self, call: Call, tool: ComponentUse, lookup: CacheLookup | None
        ) -> Outcome | None:
            """Carry out a call; None: it is to be carried out here.

            `lookup` is None for a source that is listed, whose list is its own fingerprint.
            """
            ...


class ComponentCalls(ComponentLookups):
    """The calls of the components of one run. Thread-safe.

    `on_return` is called when a component has returned; the rest is as for lookups.
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
        on_return: Callable[[Call], None],
    ) -> None:
        super().__init__(store, base, environ, catalogue, cache, stager, context)
        self._on_return = on_return
        self.elsewhere: WorkElsewhere | None = None
        """Where components may work instead of here; an executor sets it."""
        self.item_results: Callable[..., ItemResults] | None = None
        """Makes what lets a component go item by item; None: `ItemResults`."""

    def work(
        self, call: Call, work: Work, ctx: Context, began: float, scope: CallScope
    ) -> Outcome | Awaiting:
        """Take a cached result, or let the component work, here or elsewhere."""
        lookup: CacheLookup | None = None
        with scope.entered():
            tool = self.tool(work)
            if call.node.keep != "reference":
                sources = self._sources(call)
                lookup = self.identify(
                    call.node, tool, call.inputs, given=bool(call.given), sources=sources
                )
        if lookup is not None and (hit := self.find(call.node, lookup)) is not None:
            return self._restored(call, lookup, hit, began)
        if self.elsewhere is not None and (outcome := self.elsewhere(call, tool, lookup)):
            return outcome
        if lookup is not None:
            return self.carry_out(call, lookup, ctx, began, scope)
        with scope.entered():
            return self._list(call, work, tool, ctx, began, scope)

    def carry_out(
        self, call: Call, lookup: CacheLookup, ctx: Context, began: float, scope: CallScope
    ) -> Produced | Awaiting:
        """Let the component work in this process."""
        with scope.entered():
            result, name = self._asked(call, lookup, ctx, scope)
            if type(result) not in _VALUES and (
                inspect.isgenerator(result) or inspect.isasyncgen(result)
            ):
                from waivern.engine import generators  # most components are none

                result = generators.drained(
                    result, self._sink(call, scope, name), name, scope.wanted
                )
        working = Working(call, ctx, began, lookup)
        if type(result) not in _VALUES and inspect.isawaitable(result):
            return Awaiting(working, result)
        return self.returned(working, result)

    def follow(self, call: Call, lookup: CacheLookup, ctx: Context, scope: CallScope) -> None:
        """Let the component work on what `ctx.item_results` yields, and drop its result."""
        with scope.entered():
            result, _ = self._asked(call, lookup, ctx, scope)
            if inspect.isgenerator(result):
                for _ in result:
                    pass

    def _list(
        self,
        call: Call,
        work: Work,
        tool: ComponentUse,
        ctx: Context,
        began: float,
        scope: CallScope,
    ) -> Produced:
        """List a source that is read by reference. The list is its own fingerprint."""
        from waivern.engine.catalogue_origin import CatalogueOrigin
        from waivern.engine.generators import drain
        from waivern.engine.source_listing import SourceMarks, listed

        node, marks, now = call.node, SourceMarks(list_name(tool.component)), self._stager.now()
        entries = marks.noting(listed(tool.component, tool.config, ctx))
        name = list_name(tool.component)
        content = drain(entries, self._sink(call, scope, name), name, scope.wanted)
        origin = CatalogueOrigin.of_work(work, ctx.base, self._base, node.on_change, now)
        content = content._replace(catalogue=origin.document())
        given = bool(call.given)
        lookup = self.identify(node, tool, (), given=given, listed=marks.document(ctx))
        hit = self.find(node, lookup)
        code = self.code(lookup)
        return self._stager.stage(
            call,
            content,
            ctx.coverage.document(),
            began,
            identity=lookup.known,
            origin=hit.origin if hit else None,
            code=code,
        )

    # inputs and results

    def _sources(self, call: Call) -> Callable[[], ListedInputs] | None:
        """Return what opens the inputs that list sources; None if none does."""
        if not any(ref.lists_source for ref in call.inputs):
            return None
        lists = [(name, ref) for name, ref in named_inputs(call) if ref.lists_source]
        from waivern.engine.catalogue_origin import parts_of

        return lambda: {
            name: list(parts_of(self._store.fetch(call.run_id, ref))) for name, ref in lists
        }

    def _sink(
        self, call: Call, scope: CallScope, name: str, kind: StreamKind = "records"
    ) -> RecordSink:
        """Open a sink; what it has when the call ends is discarded, unless it was staged."""
        sink = self._store.sink(call.run_id, call.artifact, name, kind=kind)
        scope.discards += (sink.discard,)
        return sink

    def _item_results(
        self,
        call: Call,
        scope: CallScope,
        lookup: CacheLookup,
        inputs: Iterable[Message],
        name: str,
    ) -> ItemResults:
        """Return what lets a component go item by item, with the results of an earlier run."""
        from waivern.engine.per_item import ItemResults, expected
        from waivern.engine.source_reader_identity import reader_digests

        results, totals = self.item_results or ItemResults, partial(expected, inputs)
        if self._cache is None or lookup.known is None:
            return results(lambda: None, None, totals, name)
        readers = reader_digests(lookup.known.get("readers", {}))
        earlier = partial(self._cache.earlier_items, call.node, lookup.known, name)
        sink = partial(self._sink, call, scope, "items", "items")
        changed = {
            name: frozenset(items) for name, items in lookup.known.get("changed", {}).items()
        }
        return results(earlier, sink, totals, name, readers, changed)

    def _restored(self, call: Call, lookup: CacheLookup, hit: CacheHit, began: float) -> Produced:
        """Stage a cached result, with the coverage that the lookup has just recorded."""
        coverage = lookup.look.coverage.document() or hit.message.extensions.get("coverage")
        content = Content.of(hit.message)
        if content.catalogue is not None and (joined := self._joined(call, lookup.tool)):
            content = content._replace(catalogue=joined[2])  # equal entries may lie elsewhere now
        code = self.code(lookup)
        return self._stager.stage(
            call, content, coverage, began, identity=lookup.known, origin=hit.origin, code=code
        )

    def _asked(
        self, call: Call, lookup: CacheLookup, ctx: Context, scope: CallScope
    ) -> tuple[Any, str]:
        """Let the component work; also return the key of the list that its records belong to."""
        tool = lookup.tool
        if isinstance(call.node.work, Extract):
            extracted = cast(Connector, tool.component).extract(tool.config, ctx)
            return extracted, list_name(tool.component)
        if (joined := self._joined(call, tool)) is not None:
            from waivern.engine.generators import drain

            name, entries, origins = joined
            one_by_one = (entry for entry in entries)
            content = drain(one_by_one, self._sink(call, scope, name), name, lambda: True)
            return content._replace(catalogue=origins), name
        processor = cast(Processor, tool.component)
        inputs, messages = [], []
        for name, ref in named_inputs(call):
            message = self._store.fetch(call.run_id, ref)
            messages.append(message)
            inputs.append(self._input(name, message, ctx, lists=ref.lists_source))
        listed = list_name(processor, inputs)
        if getattr(processor, "reads_streams", False):
            ctx.open_item_results = partial(
                self._item_results, call, scope, lookup, messages, listed
            )
        else:
            for one in inputs:
                _ = one.content  # read here: the component expects that nothing is left to read
        return processor.process(inputs, tool.config, ctx), listed

    def _joined(
        self, call: Call, tool: ComponentUse
    ) -> tuple[str, Iterator[Json], dict[str, Json]] | None:
        """Return the list that a processor joins from those of listed sources; None: it does not.

        The data is not read for it, so that no copy of it comes into the store.
        """
        if not getattr(tool.component, "joins_catalogues", False):
            return None
        if not (call.inputs and all(ref.lists_source for ref in call.inputs)):
            return None
        from waivern.engine.catalogue_origin import joined

        return joined([self._store.fetch(call.run_id, ref) for ref in call.inputs])

    def _input(self, name: str, message: Message, ctx: Context, *, lists: bool) -> Input:
        """Open an artifact for the component that reads it; `lists`: it lists a source."""
        source = None
        if lists:
            from waivern.engine.source_reading import source_of

            source = source_of(message, name, ctx, self._base, self._catalogue, self._environ)
        return Input(name, message.content, message.schema, message.records, source)

    def returned(self, working: Working, result: Json) -> Produced:
        """Stage what a component returned."""
        call, ctx, began, lookup = working
        self._on_return(call)
        if ctx.missed and not ctx.coverage.read:  # it reports nothing: what it got, it examined
            ctx.coverage.add(ctx.delivered.snapshot())
        content = result if isinstance(result, Content) else Content(result)
        known, same = lookup.known, None
        if self._cache is not None and known is not None and not ctx.missed:
            readers = self._readers(call.node, self._sources(call))
            same = self._cache.confirm(
                call.node, lookup.tool, call.inputs, lookup.look, known, readers
            )
        code = artifact_identity.code(lookup.tool, lookup.look, known)
        taken = None
        if (items := ctx.item_results) is not None:
            content = content._replace(items=items.finish(content.value, content.records))
            taken = items.document()
        coverage = ctx.coverage.document()
        return self._stager.stage(
            call,
            content,
            coverage,
            began,
            identity=same,
            code=code,
            items=taken,
            holds=ctx.holds_source,
        )
