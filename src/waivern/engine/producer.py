"""Call -> Receipt: loads the inputs, runs the component, stages what it returned.

Runs wherever the executor puts it; knows nothing of the plan, the journal or other artifacts.
"""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from waivern.clock import Clock
from waivern.engine import artifact_identity
from waivern.engine.artifact_identity import ComponentUse, Identity, UnknownIdentity
from waivern.engine.cache import Cache, CacheHit
from waivern.engine.call_tests import left_out, named_inputs
from waivern.engine.calls import (
    Awaiting,
    Call,
    Content,
    Failed,
    NotProduced,
    Outcome,
    Produced,
    Suspended,
    Working,
)
from waivern.engine.failures import failure
from waivern.engine.logs import RunLogs, no_log
from waivern.errors import ComponentError, WaivernError
from waivern.language.secrets import Secrets
from waivern.message import Json, Message
from waivern.planning.component_properties import configure
from waivern.planning.plan import (
    AskPeople,
    Copy,
    DefaultValue,
    Extract,
    LastRound,
    Node,
    NoValue,
    OutputPart,
    Transform,
)
from waivern.plugins.call_scope import CallScope
from waivern.plugins.capture import attributed
from waivern.plugins.catalogue import Catalogue
from waivern.plugins.component import Connector, Processor, Suspend, list_name, rereadable
from waivern.plugins.context import Context, SharedResults
from waivern.plugins.inputs import Input
from waivern.plugins.tally import Progress
from waivern.record.measure import measured
from waivern.record_stream import RecordStream
from waivern.store.base import ArtifactRef, RecordSink, RunStore

if TYPE_CHECKING:
    from waivern.engine.per_item import ItemResults
    from waivern.engine.source_reading import SourceMarks

_COUNTS = ("seen", "read", "skipped", "left_out")
"""What the journal has of a coverage record."""
MESSAGE_LIMIT = 4000
"""Characters of an error's text that are kept; its log has the rest."""


class CacheLookup(NamedTuple):
    """A component about to work, and the identity of what it would produce."""

    tool: ComponentUse
    look: Context
    """The context in which the component was asked for its part of the identity."""
    identity: Identity | UnknownIdentity


class Producer:
    """The producer of the artifacts of one run. Thread-safe.

    `on_progress` is called with an artifact and its progress, from any thread.
    """

    def __init__(
        self,
        store: RunStore,
        base: Path,
        environ: Mapping[str, str],
        secrets: Secrets,
        clock: Clock,
        on_progress: Callable[[str, Progress], None] = lambda _artifact, _progress: None,
        cache: Cache | None = None,
        catalogue: Catalogue | None = None,
        logs: RunLogs | None = None,
    ) -> None:
        self._store = store
        self._base = base
        self._environ = environ
        self._secrets = secrets
        self._clock = clock
        self._on_progress = on_progress
        self._cache = cache
        self._catalogue = catalogue or Catalogue()
        self._memo = SharedResults()
        self._logs = logs or RunLogs(no_log)
        self._kept_in = None if store.folder is None else Path(store.folder)

    @contextmanager
    def recorded(self, call: Call, scope: CallScope) -> Iterator[None]:
        """Have what is printed here, and in the threads of `scope`, land in the artifact's log."""
        log = scope.output = self._logs.of(call.artifact)
        try:
            with attributed(log):
                yield
        finally:
            log.finish()

    def begin(self, call: Call, scope: CallScope) -> Outcome | Awaiting:
        """Do the call's work, as far as it goes without an event loop.

        What the component does there belongs to `scope`.
        """
        began = self._clock.monotonic()
        ctx = self._context(call)
        try:
            reason = left_out(call, partial(self._content, call), self._secrets.hide)
            if reason is not None:
                return NotProduced(self._presentable(reason))
            return self._made(call, ctx, began, scope)
        except BaseException as error:  # noqa: BLE001 - a component may raise anything, SystemExit too
            return self.failed(call, error, began)

    def _made(self, call: Call, ctx: Context, began: float, scope: CallScope) -> Outcome | Awaiting:
        match call.node.work:
            case Extract() | Transform() as work:
                return self._worked(call, work, ctx, began, scope)
            case Copy() as copy:
                return self._copy(call, copy, began)
            case AskPeople():
                if "decision" not in call.given:
                    return NotProduced("")  # its tests let it be; to ask people is the loop's to do
                return self._stage(call, Content(call.given["decision"]), None, began)
            case DefaultValue(content):
                return self._stage(call, Content(content), None, began)
            case NoValue(reason):
                return NotProduced(reason)
            case OutputPart(output):
                return self._part(call, output, began)
            case LastRound() as last:
                return self._last(call, last, began)

    def _worked(
        self, call: Call, work: Extract | Transform, ctx: Context, began: float, scope: CallScope
    ) -> Outcome | Awaiting:
        """Take a cached result, or let the component work."""
        with scope.entered():
            tool = self._tool(work)
            if by_reference(call.node, tool):
                return self._list(call, work, tool, ctx, began, scope)
            lookup = self.identify(call.node, work, call.inputs, given=bool(call.given))
        if (hit := self.find(call.node, lookup)) is not None:
            return self._restored(call, lookup, hit, began)
        with scope.entered():
            result = self._asked(call, lookup, ctx)
            if inspect.isgenerator(result) or inspect.isasyncgen(result):
                from waivern.engine import generators  # most components are none

                result = generators.drained(result, *self._sink(call, tool), scope.wanted)
        working = Working(call, ctx, began, tool, lookup.identity)
        if inspect.isawaitable(result):
            return Awaiting(working, result)
        return self._returned(working, result)

    def _list(
        self,
        call: Call,
        work: Extract | Transform,
        tool: ComponentUse,
        ctx: Context,
        began: float,
        scope: CallScope,
    ) -> Produced:
        """List a source that is read by reference. The list is its own fingerprint."""
        from waivern.engine.generators import drain
        from waivern.engine.source_reading import CatalogueOrigin, SourceMarks, listed

        node, marks = call.node, SourceMarks(list_name(tool.component))
        entries = marks.noting(listed(tool.component, tool.config, ctx))
        content = drain(entries, *self._sink(call, tool), scope.wanted)
        origin = CatalogueOrigin.of_work(work, self._folder(node), self._base, node.on_change)
        content = content._replace(catalogue=origin.document())
        given = bool(call.given)
        lookup = self.identify(node, work, (), given=given, listed=marks.document(ctx))
        hit = self.find(node, lookup)
        made = self._stage(call, content, ctx.coverage.document(), began)
        known = None if isinstance(lookup.identity, UnknownIdentity) else lookup.identity
        code = artifact_identity.code(tool, lookup.look, known["code"] if known else None)
        return made._replace(identity=known, origin=hit.origin if hit else None, code=code)

    def _sink(self, call: Call, tool: ComponentUse) -> tuple[RecordSink, str]:
        name = list_name(tool.component)
        return self._store.sink(call.run_id, call.artifact, name), name

    def _item_results(
        self, call: Call, lookup: CacheLookup, inputs: Iterable[Message]
    ) -> ItemResults:
        """Return what lets a component go item by item, with the results of an earlier run."""
        from waivern.engine.per_item import ItemResults, expected

        if self._cache is None or isinstance(lookup.identity, UnknownIdentity):
            return ItemResults(lambda: None, None, expected(inputs))
        earlier = partial(self._cache.earlier_items, call.node, lookup.identity, lookup.tool)
        sink = partial(self._store.sink, call.run_id, call.artifact, "items", kind="items")
        return ItemResults(earlier, sink, expected(inputs))

    # the cache: a run and a forecast look up the same

    def identify(
        self,
        node: Node,
        work: Extract | Transform,
        inputs: tuple[ArtifactRef, ...],
        *,
        given: bool = False,
        listed: dict[str, Json] | None = None,
    ) -> CacheLookup:
        """Return the identity under which a result is cached; `given`: data was handed over.

        `listed` identifies a source that was listed; any other one is asked for its fingerprint.
        """
        look, tool = self.context(node), self._tool(work)
        identity: Identity | UnknownIdentity
        if self._cache is None:
            identity = UnknownIdentity("the cache is off")
        elif given:
            identity = UnknownIdentity("it depends on data that was given to this run")
        else:
            identity = self._cache.identify(node, tool, inputs, look, listed)
        return CacheLookup(tool, look, identity)

    def list_ahead(
        self, node: Node, work: Extract | Transform
    ) -> tuple[SourceMarks, CacheLookup] | None:
        """List a source as a run would, and store nothing; None if it is not read by reference."""
        tool = self._tool(work)
        if not by_reference(node, tool):
            return None
        from waivern.engine.source_reading import SourceMarks, listed

        ctx, marks = self.context(node), SourceMarks(list_name(tool.component))
        for _ in marks.noting(listed(tool.component, tool.config, ctx)):
            continue
        return marks, self.identify(node, work, (), listed=marks.document(ctx))

    def find(self, node: Node, lookup: CacheLookup) -> CacheHit | None:
        """Return the cached result, if there is one and it is intact."""
        if self._cache is None or isinstance(lookup.identity, UnknownIdentity):
            return None
        return self._cache.find(node.id, lookup.identity)

    def _restored(self, call: Call, lookup: CacheLookup, hit: CacheHit, began: float) -> Produced:
        """Stage a cached result, with the coverage that the lookup has just recorded."""
        identity = cast(Identity, lookup.identity)
        coverage = lookup.look.coverage.document() or hit.message.extensions.get("coverage")
        made = self._stage(call, Content.of(hit.message), coverage, began)
        code = artifact_identity.code(lookup.tool, lookup.look, identity["code"])
        return made._replace(identity=identity, origin=hit.origin, code=code)

    def _asked(self, call: Call, lookup: CacheLookup, ctx: Context) -> Any:
        tool = lookup.tool
        if isinstance(call.node.work, Extract):
            return cast(Connector, tool.component).extract(tool.config, ctx)
        processor = cast(Processor, tool.component)
        found = [(name, self._store.fetch(call.run_id, ref)) for name, ref in named_inputs(call)]
        inputs = [self._input(name, message, ctx) for name, message in found]
        if getattr(processor, "reads_streams", False):
            ctx.item_results = self._item_results(call, lookup, [message for _, message in found])
        else:
            for one in inputs:
                _ = one.content  # read here: the component expects that nothing is left to read
        return processor.process(inputs, tool.config, ctx)

    def _returned(self, working: Working, result: Json) -> Produced:
        """Stage what a component returned."""
        call, ctx, began, tool, identity = working
        self._end_if_forked(call, 0)
        content = result if isinstance(result, Content) else Content(result)
        same = None
        if self._cache is not None and not isinstance(identity, UnknownIdentity) and not ctx.missed:
            again = self.context(call.node)
            same = self._cache.confirm(call.node, tool, call.inputs, again, identity)
        known = None if isinstance(identity, UnknownIdentity) else identity["code"]
        code = artifact_identity.code(tool, self.context(call.node), known)
        if (items := ctx.item_results) is not None:
            content = content._replace(items=items.finish())
        made = self._stage(call, content, ctx.coverage.document(), began)
        taken = None if items is None else items.document()
        return made._replace(identity=same, code=code, items=taken)

    def finish(self, awaited: Awaiting, content: Json) -> Outcome:
        """Stage what an awaited component returned."""
        try:
            return self._returned(awaited.working, content)
        except Exception as error:  # noqa: BLE001 - as in `begin`
            return self.failed(awaited.call, error, awaited.working.began)

    def failed(self, call: Call, error: BaseException, began: float) -> Failed | Suspended:
        """Turn what was raised into data; the traceback goes to the artifact's log."""
        if isinstance(error, Suspend):
            return Suspended(self._presentable(error.reason), self._ms_since(began))
        if not isinstance(error, WaivernError) or error.__cause__ is not None:
            self._log_traceback(call, error)
        self._end_if_forked(call, 1)
        return failure(error, self._presentable, self._ms_since(began))

    def _end_if_forked(self, call: Call, code: int) -> None:
        """End a child that the component forked and that came back here: its work has no reader."""
        if self._logs.forked:
            self._logs.of(call.artifact).finish()
            os._exit(code)

    def _content(self, call: Call, ref: ArtifactRef) -> Json:
        """Return the content of an input; a list that is too large to be held is a stream."""
        return self._store.fetch(call.run_id, ref).complete_content

    def _part(self, call: Call, output: str, began: float) -> Outcome:
        whole = self._content(call, call.inputs[0])
        content = whole.get(output) if isinstance(whole, dict) else None
        if isinstance(content, RecordStream):  # only a list within content can be in another file
            content = content.whole()
        if content is None:
            return NotProduced(f"'{call.inputs[0].key}' yielded nothing for '{output}'")
        return self._stage(call, Content(content), None, began)

    def _last(self, call: Call, last: LastRound, began: float) -> Outcome:
        result, rounds = self._store.fetch(call.run_id, call.inputs[-1]), len(call.inputs)
        missing = call.node.inputs[rounds:]
        if (
            last.led_by is None
            and (missing or not last.keep)
            and not last.until.evaluate(
                {"result": result.complete_content, "round": rounds, **last.scope}
            )
        ):
            message = f"'{last.until.text}' did not hold after {rounds} rounds"
            hint = "give it more rounds with 'max', or `otherwise: keep` to take the last one"
            if missing:  # for another reason than that it was not needed
                message += f", and '{missing[0]}' was not made"
                hint = f"`wct inspect {call.run_id}/{missing[0]}` says why"
            raise ComponentError(message, hint=hint)
        return self._stage(call, Content.of(result), None, began)

    def _presentable(self, text: str) -> str:
        """Return text without secrets that can be written: a file's name may hold no characters."""
        return _writable(self._secrets.hide(text)[:MESSAGE_LIMIT])

    def _redacted(self, text: str) -> str:
        """Return the whole text without secrets: where it is cut, two names could become one."""
        return _writable(self._secrets.hide(text))

    def _copy(self, call: Call, copy: Copy, began: float) -> Produced:
        ref = ArtifactRef(copy.artifact, copy.digest, copy.content_digest)
        source = self._store.fetch(copy.run, ref)
        coverage = source.extensions.get("coverage")
        content = Content.of(source)
        if content.catalogue is not None:  # it lies where the other run found it
            content = content._replace(catalogue={**content.catalogue, "below": None})
        made = self._stage(call, content, coverage, began)
        from waivern.engine import inherited_coverage  # most runs copy nothing

        examined = inherited_coverage.inherited(self._store, copy, source, self._memo)
        keep = made.keep or inherited_coverage.keep_of(self._store, copy, self._memo)
        return made._replace(origin=copy.origin, examined=examined, keep=keep)

    def _tool(self, work: Extract | Transform) -> ComponentUse:
        """Return the component that does some work, configured."""
        kind = "connectors" if isinstance(work, Extract) else "processors"
        component = self._catalogue.load(kind, work.type)
        config = configure(component.Config, work.properties, self._environ)
        return ComponentUse(component, config, self._catalogue.code)

    def _input(self, name: str, message: Message, ctx: Context) -> Input:
        """Open an artifact for the component that reads it."""
        source = None
        if "catalogue" in message.extensions:
            from waivern.engine.source_reading import source_of

            source = source_of(message, name, ctx, self._base, self._catalogue, self._environ)
        return Input(name, message.content, message.schema, message.records, source)

    def _stage(
        self, call: Call, content: Content, coverage: dict[str, Json] | None, began: float
    ) -> Produced:
        duration = self._ms_since(began)
        execution = {
            "status": "success",
            "error": None,
            "duration_seconds": duration / 1000,
            "origin": "child" if call.node.base else "parent",
            "alias": None,
        }
        extensions: dict[str, Json] = {"execution": execution, "coverage": coverage}
        if content.catalogue is not None:
            extensions["catalogue"] = content.catalogue
        message = Message(
            id=call.artifact,
            content=content.value,
            schema=call.node.schema,
            run_id=call.run_id,
            source=call.node.work.label,
            timestamp=self._clock.now(),
            extensions=extensions,
            records=content.records,
            items=content.items,
        )
        receipt = self._store.stage(call.run_id, call.artifact, message)
        counts = {name: coverage.get(name, 0) for name in _COUNTS} if coverage else None
        keep = "content" if isinstance(call.node.work, Extract) else None
        if content.catalogue is not None:
            keep = "reference"
        examined = _examined(call, coverage)
        return Produced(receipt, self._ms_since(began), counts, examined, keep=keep)

    def context(self, node: Node) -> Context:
        """Return a context for asking a component, not for letting it work."""
        return Context(
            node.id,
            self._folder(node),
            memo=self._memo,
            store_folder=self._kept_in,
            imports=self._catalogue.imports,
            redact=self._redacted,
            service=self._service,
        )

    def _context(self, call: Call) -> Context:
        artifact = call.artifact
        return Context(
            artifact,
            self._folder(call.node),
            self._logs.of(artifact).line,
            partial(self._on_progress, artifact),
            call.given,
            self._memo,
            self._kept_in,
            self._catalogue.imports,
            self._redacted,
            self._service,
        )

    def _service(self, name: str) -> Any:
        return self._catalogue.load("services", name)

    def _folder(self, node: Node) -> Path:
        return Path(node.base) if node.base else self._base

    def _log_traceback(self, call: Call, error: BaseException) -> None:
        log = self._logs.of(call.artifact)
        log.line("".join(traceback.format_exception(error)).rstrip())
        log.write_out()

    def _ms_since(self, began: float) -> int:
        return round((self._clock.monotonic() - began) * 1000)


def by_reference(node: Node, tool: ComponentUse) -> bool:
    """Return whether an artifact is a list of its source's items, which are read when needed."""
    return node.keep != "content" and rereadable(tool.component)


def _examined(call: Call, coverage: dict[str, Json] | None) -> dict[str, Json] | None:
    """Return what the journal keeps of a coverage record; a connector has one in any case."""
    work = call.node.work
    if not isinstance(work, Extract | Transform):
        return None
    if coverage is None and isinstance(work, Transform):
        return None
    names = {key: str(id_) for id_, key in zip(call.node.inputs, call.node.called, strict=True)}
    return measured(coverage, work.label, names)


def _writable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
