"""Call -> Receipt: loads the inputs, runs the component, stages what it returned.

Runs wherever the executor puts it; knows nothing of the plan, the journal or other artifacts.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waivern.clock import Clock
from waivern.engine.cache import Cache
from waivern.engine.call_tests import left_out
from waivern.engine.calls import (
    Awaiting,
    Call,
    Content,
    Failed,
    NotProduced,
    Outcome,
    Produced,
    Suspended,
)
from waivern.engine.component_calls import ComponentCalls
from waivern.engine.failures import failure
from waivern.engine.logs import RunLogs, no_log
from waivern.engine.stager import Stager
from waivern.errors import ComponentError, IntegrityError, WaivernError
from waivern.language.secrets import Secrets
from waivern.message import Json
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
from waivern.plugins.catalogue import Catalogue
from waivern.plugins.component import Suspend
from waivern.plugins.context import Context, SharedResults
from waivern.plugins.tally import Progress
from waivern.record_stream import RecordStream
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef

if TYPE_CHECKING:
    from waivern.engine.site import Site

MESSAGE_LIMIT = 4000
"""Characters of an error's text that are kept; its log has the rest."""


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
        self.store = store
        self._base = base
        self._secrets = secrets
        self._clock = clock
        self.on_progress = on_progress
        self._catalogue = catalogue or Catalogue()
        self._memo = SharedResults()
        self.logs = logs or RunLogs(no_log)
        self._store_folder = None if store.folder is None else Path(store.folder)
        self._stager = Stager(store, clock)
        self.components = ComponentCalls(
            store,
            base,
            environ,
            self._catalogue,
            cache,
            self._stager,
            self._asking,
            partial(self._end_if_forked, code=0),
        )
        """The calls of components, of which a forecast uses the lookups."""
        self._environ = environ
        self._cache = cache

    def site(self, run_id: str) -> Site | None:
        """Return what another process needs for the calls of a run; None if none can have them."""
        from waivern.engine.site import Site, working_folder

        address = self.store.attempt(run_id)
        if address is None:
            return None
        cache, catalogue = self._cache, self._catalogue
        return Site(
            address,
            str(self._base),
            working_folder(),
            self._environ,
            os.environ,
            self._secrets.names,
            catalogue.folders,
            catalogue.within,
            cache is not None,
            () if cache is None else tuple(cache.refresh),
        )

    def begin(self, call: Call, scope: CallScope) -> Outcome | Awaiting:
        """Do the call's work, as far as it goes without an event loop.

        What the component does there belongs to `scope`.
        """
        began = self._clock.monotonic()
        ctx = self._context(call)
        try:
            if call.node.tests and "decision" not in call.given:
                reason = left_out(call, partial(self._content, call), self._secrets.hide)
                if reason is not None:
                    return NotProduced(self._presentable(reason))
            return self._made(call, ctx, began, scope)
        except BaseException as error:  # noqa: BLE001 - a component may raise anything, SystemExit too
            return self.failed(call, error, began)

    def _made(self, call: Call, ctx: Context, began: float, scope: CallScope) -> Outcome | Awaiting:
        match call.node.work:
            case Extract() | Transform() as work:
                return self.components.work(call, work, ctx, began, scope)
            case Copy() as copy:
                return self._copy(call, copy, began)
            case AskPeople():
                if "decision" not in call.given:
                    return NotProduced("")  # its tests let it be; to ask people is the loop's to do
                return self._stager.stage(call, Content(call.given["decision"]), None, began)
            case DefaultValue(content):
                return self._stager.stage(call, Content(content), None, began)
            case NoValue(reason):
                return NotProduced(reason)
            case OutputPart(output):
                return self._part(call, output, began)
            case LastRound() as last:
                return self._last(call, last, began)

    def finish(self, awaited: Awaiting, content: Json) -> Outcome:
        """Stage what an awaited component returned."""
        try:
            return self.components.returned(awaited.working, content)
        except Exception as error:  # noqa: BLE001 - as in `begin`
            return self.failed(awaited.call, error, awaited.working.began)

    def failed(self, call: Call, error: BaseException, began: float) -> Failed | Suspended:
        """Turn what was raised into data; the traceback goes to the artifact's log."""
        if isinstance(error, Suspend):
            return Suspended(self._presentable(error.reason), self._stager.ms_since(began))
        if not isinstance(error, WaivernError) or error.__cause__ is not None:
            self._log_traceback(call, error)
        self._end_if_forked(call, code=1)
        return failure(error, self._presentable, self._stager.ms_since(began))

    def _end_if_forked(self, call: Call, *, code: int) -> None:
        """End a child that the component forked and that came back here: its work has no reader."""
        if self.logs.forked:
            self.logs.of(call.artifact).finish()
            os._exit(code)

    def _content(self, call: Call, ref: ArtifactRef) -> Json:
        """Return the content of an input; a list that is too large to be held is a stream."""
        return self.store.fetch(call.run_id, ref).complete_content

    def _part(self, call: Call, output: str, began: float) -> Outcome:
        whole = self._content(call, call.inputs[0])
        content = whole.get(output) if isinstance(whole, dict) else None
        if isinstance(content, RecordStream):  # only a list within content can be in another file
            content = content.whole()
        if content is None:
            return NotProduced(f"'{call.inputs[0].key}' yielded nothing for '{output}'")
        return self._stager.stage(call, Content(content), None, began)

    def _last(self, call: Call, last: LastRound, began: float) -> Outcome:
        result, rounds = self.store.fetch(call.run_id, call.inputs[-1]), len(call.inputs)
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
        return self._stager.stage(call, Content.of(result), None, began)

    def _presentable(self, text: str) -> str:
        """Return text without secrets that can be written: a file's name may hold no characters."""
        return _writable(self._secrets.hide(text)[:MESSAGE_LIMIT])

    def _redacted(self, text: str) -> str:
        """Return the whole text without secrets: where it is cut, two names could become one."""
        return _writable(self._secrets.hide(text))

    def _copy(self, call: Call, copy: Copy, began: float) -> Produced:
        ref = ArtifactRef(copy.artifact, copy.digest, copy.content_digest)
        source = self.store.fetch(copy.run, ref)
        coverage = source.extensions.get("coverage")
        content = Content.of(source)
        if (content.catalogue is not None) != (copy.keep == "reference"):
            raise IntegrityError(
                f"the journal of run {copy.run} and the file of '{copy.artifact}' differ in "
                "whether it lists a source",
                hint=f"`wct inspect {copy.run}` shows where the run comes from",
            )
        if content.catalogue is not None:  # it lies where the other run found it
            from waivern.engine.catalogue_origin import in_another_run

            content = content._replace(catalogue=in_another_run(source))
        made = self._stager.stage(call, content, coverage, began)
        from waivern.engine.inherited_coverage import inherited  # most runs copy nothing

        examined = inherited(self.store, copy, source, self._memo)
        return made._replace(origin=copy.origin, examined=examined, keep=copy.keep)

    def _asking(self, node: Node) -> Context:
        """Return a context for asking a component, not for letting it work."""
        return Context(
            node.id,
            self._folder(node),
            memo=self._memo,
            store_folder=self._store_folder,
            imports=self._catalogue.imports,
            redact=self._redacted,
            service=self._service,
        )

    def _context(self, call: Call) -> Context:
        artifact = call.artifact
        return Context(
            artifact,
            self._folder(call.node),
            self.logs.of(artifact).line,
            partial(self.on_progress, artifact),
            call.given,
            self._memo,
            self._store_folder,
            self._catalogue.imports,
            self._redacted,
            self._service,
        )

    def _service(self, name: str) -> Any:
        return self._catalogue.load("services", name)

    def _folder(self, node: Node) -> Path:
        return Path(node.base) if node.base else self._base

    def _log_traceback(self, call: Call, error: BaseException) -> None:
        log = self.logs.of(call.artifact)
        log.line("".join(traceback.format_exception(error)).rstrip())
        log.write_out()


def _writable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
