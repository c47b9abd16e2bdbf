"""Call -> Receipt: loads the inputs, runs the component, stages what it returned.

Runs wherever the executor puts it; knows nothing of the plan, the journal or other artifacts.
"""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

from waivern.clock import Clock
from waivern.engine import artifact_identity
from waivern.engine.artifact_identity import ComponentUse, Identity, UnknownIdentity
from waivern.engine.cache import Cache, CacheHit
from waivern.engine.calls import Awaiting, Call, Failed, NotProduced, Outcome, Produced, Suspended
from waivern.engine.logs import RunLogs, no_log
from waivern.errors import ComponentError, StoreError, WaivernError
from waivern.ids import ArtifactId
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
from waivern.plugins.component import Connector, Processor, Suspend
from waivern.plugins.context import Context, SharedResults
from waivern.plugins.inputs import Input
from waivern.record.measure import measured
from waivern.store.base import ArtifactRef, RunStore

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

    `on_progress` is called with (artifact, n, total), from any thread.
    """

    def __init__(
        self,
        store: RunStore,
        base: Path,
        environ: Mapping[str, str],
        secrets: Secrets,
        clock: Clock,
        on_progress: Callable[[str, int, int | None], None] = lambda _a, _n, _t: None,
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
            reason = self._left_out(call)
            return self._made(call, ctx, began, scope) if reason is None else NotProduced(reason)
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
                return self._stage(call, call.given["decision"], None, began)
            case DefaultValue(content):
                return self._stage(call, content, None, began)
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
            lookup = self.identify(call.node, work, call.inputs, given=bool(call.given))
        if (hit := self.find(call.node, lookup)) is not None:
            return self._restored(call, lookup, hit, began)
        with scope.entered():
            result = self._asked(call, lookup.tool, ctx)
        if inspect.isawaitable(result):
            return Awaiting(call, result, ctx, began, lookup.tool, lookup.identity)
        return self._returned(call, result, ctx, began, lookup.tool, lookup.identity)

    # the cache: a run and a forecast look up the same

    def identify(
        self,
        node: Node,
        work: Extract | Transform,
        inputs: tuple[ArtifactRef, ...],
        *,
        given: bool = False,
    ) -> CacheLookup:
        """Return the identity under which a result is cached; `given`: data was handed over."""
        look, tool = self.context(node), self._tool(work)
        identity: Identity | UnknownIdentity
        if self._cache is None:
            identity = UnknownIdentity("the cache is off")
        elif given:
            identity = UnknownIdentity("it depends on data that was given to this run")
        else:
            identity = self._cache.identify(node, tool, inputs, look)
        return CacheLookup(tool, look, identity)

    def find(self, node: Node, lookup: CacheLookup) -> CacheHit | None:
        """Return the cached result, if there is one and it is intact."""
        if self._cache is None or isinstance(lookup.identity, UnknownIdentity):
            return None
        return self._cache.find(node.id, lookup.identity)

    def _restored(self, call: Call, lookup: CacheLookup, hit: CacheHit, began: float) -> Produced:
        """Stage a cached result, with the coverage that the lookup has just recorded."""
        identity = cast(Identity, lookup.identity)
        coverage = lookup.look.coverage.document() or hit.message.extensions.get("coverage")
        made = self._stage(call, hit.message.content, coverage, began)
        code = artifact_identity.code(lookup.tool, lookup.look, identity["code"])
        return made._replace(identity=identity, origin=hit.origin, code=code)

    def _asked(self, call: Call, tool: ComponentUse, ctx: Context) -> Json | Awaitable[Json]:
        if isinstance(call.node.work, Extract):
            return cast(Connector, tool.component).extract(tool.config, ctx)
        inputs = self._inputs(call)
        return cast(Processor, tool.component).process(inputs, tool.config, ctx)

    def _returned(
        self,
        call: Call,
        content: Json,
        ctx: Context,
        began: float,
        tool: ComponentUse,
        identity: Identity | UnknownIdentity,
    ) -> Produced:
        """Stage what a component returned."""
        self._end_if_forked(call, 0)
        same = None
        if self._cache is not None and not isinstance(identity, UnknownIdentity):
            again = self.context(call.node)
            same = self._cache.confirm(call.node, tool, call.inputs, again, identity)
        known = None if isinstance(identity, UnknownIdentity) else identity["code"]
        code = artifact_identity.code(tool, self.context(call.node), known)
        made = self._stage(call, content, ctx.coverage.document(), began)
        return made._replace(identity=same, code=code)

    def finish(self, awaited: Awaiting, content: Json) -> Outcome:
        """Stage what an awaited component returned."""
        try:
            call, _, ctx, began, tool, identity = awaited
            return self._returned(call, content, ctx, began, tool, identity)
        except Exception as error:  # noqa: BLE001 - as in `begin`
            return self.failed(awaited.call, error, awaited.began)

    def failed(self, call: Call, error: BaseException, began: float) -> Failed | Suspended:
        """Turn what was raised into data; the traceback goes to the artifact's log."""
        if isinstance(error, Suspend):
            return self._waits(error, began)
        duration = self._ms_since(began)
        store = isinstance(error, StoreError)
        if isinstance(error, WaivernError):
            message, hint = error.message or "no message", error.hint
            if error.__cause__ is not None:
                self._log_traceback(call, error)
        else:
            message, hint = _said(error) or "no message", None
            self._log_traceback(call, error)
        self._end_if_forked(call, 1)
        kind = self._presentable(type(error).__name__)
        message = self._presentable(message)
        hint = self._presentable(hint) if hint else None
        classes = type(error).__mro__
        kinds = tuple(each.__name__ for each in classes)
        kinds += tuple(f"{each.__module__}.{each.__qualname__}" for each in classes)
        return Failed(kind, message, hint, duration, store, kinds)

    def _end_if_forked(self, call: Call, code: int) -> None:
        """End a child that the component forked and that came back here: its work has no reader."""
        if self._logs.forked:
            self._logs.of(call.artifact).finish()
            os._exit(code)

    def _waits(self, wait: Suspend, began: float) -> Suspended:
        return Suspended(self._presentable(wait.reason), self._ms_since(began))

    def _left_out(self, call: Call) -> str | None:
        """Return why the artifact is left out, if its tests say so."""
        if not call.node.tests or "decision" in call.given:
            return None
        contents = {key: lambda ref=ref: self._content(call, ref) for key, ref in _named(call)}
        for test in call.node.tests:
            scope = {
                **test.scope,
                "inputs": {
                    name: contents[name]()
                    for root, name in test.condition.references
                    if root == "inputs" and name in contents
                },
                "status": {name: call.statuses[id_] for name, id_ in test.statuses.items()},
            }
            if test.result is not None:
                scope["result"] = self._content(call, call.results[test.result])
            if test.condition.evaluate(scope) != test.holds:
                word = "does not hold" if test.holds else "holds"
                said = test.condition.explain(scope, self._secrets.hide)
                return self._presentable(f"{test.condition.text} {word} ({said})")
        return None

    def _content(self, call: Call, ref: ArtifactRef) -> Json:
        return self._store.fetch(call.run_id, ref).content

    def _part(self, call: Call, output: str, began: float) -> Outcome:
        whole = self._content(call, call.inputs[0])
        content = whole.get(output) if isinstance(whole, dict) else None
        if content is None:
            return NotProduced(f"'{call.inputs[0].key}' yielded nothing for '{output}'")
        return self._stage(call, content, None, began)

    def _last(self, call: Call, last: LastRound, began: float) -> Outcome:
        content, rounds = self._content(call, call.inputs[-1]), len(call.inputs)
        missing = call.node.inputs[rounds:]
        if (
            last.led_by is None
            and (missing or not last.keep)
            and not last.until.evaluate({"result": content, "round": rounds, **last.scope})
        ):
            message = f"'{last.until.text}' did not hold after {rounds} rounds"
            hint = "give it more rounds with 'max', or `otherwise: keep` to take the last one"
            if missing:  # for another reason than that it was not needed
                message += f", and '{missing[0]}' was not made"
                hint = f"`wct inspect {call.run_id}/{missing[0]}` says why"
            raise ComponentError(message, hint=hint)
        return self._stage(call, content, None, began)

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
        made = self._stage(call, source.content, coverage, began)
        from waivern.engine.inherited_coverage import inherited  # most runs copy nothing

        examined = inherited(self._store, copy, source, self._memo)
        return made._replace(origin=copy.origin, examined=examined)

    def _tool(self, work: Extract | Transform) -> ComponentUse:
        """Return the component that does some work, configured."""
        kind = "connectors" if isinstance(work, Extract) else "processors"
        component = self._catalogue.load(kind, work.type)
        config = configure(component.Config, work.properties, self._environ)
        return ComponentUse(component, config, self._catalogue.code)

    def _inputs(self, call: Call) -> list[Input]:
        messages = [(name, self._store.fetch(call.run_id, ref)) for name, ref in _named(call)]
        return [Input(key, message.content, message.schema) for key, message in messages]

    def _stage(
        self, call: Call, content: Json, coverage: dict[str, Json] | None, began: float
    ) -> Produced:
        duration = self._ms_since(began)
        execution = {
            "status": "success",
            "error": None,
            "duration_seconds": duration / 1000,
            "origin": "child" if call.node.base else "parent",
            "alias": None,
        }
        message = Message(
            id=call.artifact,
            content=content,
            schema=call.node.schema,
            run_id=call.run_id,
            source=call.node.work.label,
            timestamp=self._clock.now(),
            extensions={"execution": execution, "coverage": coverage},
        )
        receipt = self._store.stage(call.run_id, call.artifact, message)
        counts = {name: coverage.get(name, 0) for name in _COUNTS} if coverage else None
        return Produced(receipt, self._ms_since(began), counts, _examined(call, coverage))

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
        artifact, log = call.artifact, self._logs.of(call.artifact).line

        def progress(n: int, total: int | None) -> None:
            self._on_progress(artifact, n, total)

        return Context(
            artifact,
            self._folder(call.node),
            log,
            progress,
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


def _named(call: Call) -> list[tuple[str, ArtifactRef]]:
    """Return the inputs that there are, by what their reader calls them."""
    called = dict(zip(call.node.inputs, call.node.called, strict=True))
    return [(called[ArtifactId(ref.key)], ref) for ref in call.inputs]


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


def _said(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"sys.exit({'' if error.code is None else repr(error.code)}) was called"
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - an error that cannot say what it is, is one all the same
        return ""
