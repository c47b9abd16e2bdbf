"""Call -> Receipt: loads the inputs, runs the component, stages what it returned.

Runs wherever the executor puts it; knows nothing of the plan, the journal or other artifacts.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from waivern.clock import Clock
from waivern.engine.calls import Awaiting, Call, Failed, Outcome, Produced
from waivern.errors import StoreError, WaivernError
from waivern.message import Json, Message
from waivern.planning.plan import Copy, Extract, Transform
from waivern.planning.properties import configure
from waivern.plugins import registry
from waivern.plugins.component import Input, Processor
from waivern.plugins.context import Context
from waivern.runbook.secrets import Secrets
from waivern.store.base import ArtifactRef, RunStore

MESSAGE_LIMIT = 4000
"""Characters of an error's text that are kept; its log has the rest."""


class Producer:
    """Makes artifacts of one run. Thread-safe.

    `on_progress` is told (artifact, n, total), from any thread.
    """

    def __init__(
        self,
        store: RunStore,
        base: Path,
        environ: Mapping[str, str],
        secrets: Secrets,
        clock: Clock,
        on_progress: Callable[[str, int, int | None], None] = lambda _a, _n, _t: None,
    ) -> None:
        self._store = store
        self._base = base
        self._environ = environ
        self._secrets = secrets
        self._clock = clock
        self._on_progress = on_progress

    def begin(self, call: Call) -> Outcome | Awaiting:
        """Do the call's work, as far as it goes without an event loop."""
        began = self._clock.monotonic()
        ctx = self._context(call)
        try:
            if isinstance(call.work, Copy):
                return self._copy(call, call.work, began)
            result = self._work(call, call.work, ctx)
            if inspect.isawaitable(result):
                return Awaiting(call, result, ctx, began)
            return self._stage(call, cast(Json, result), ctx.coverage.document(), began)
        except BaseException as error:  # noqa: BLE001 - a component may raise anything, SystemExit too
            return self.failed(call, error, began)

    def finish(self, awaited: Awaiting, content: Json) -> Outcome:
        """Stage what an awaited component returned."""
        try:
            coverage = awaited.ctx.coverage.document()
            return self._stage(awaited.call, content, coverage, awaited.began)
        except Exception as error:  # noqa: BLE001 - as in `begin`
            return self.failed(awaited.call, error, awaited.began)

    def failed(self, call: Call, error: BaseException, began: float) -> Failed:
        """Turn what was raised into data; the traceback goes to the artifact's log."""
        duration = self._ms_since(began)
        store = isinstance(error, StoreError)
        if isinstance(error, WaivernError):
            message, hint = error.message, error.hint
        else:
            message, hint = _said(error) or "no message", self._log_traceback(call, error)
        kind = type(error).__name__
        message = self._presentable(message)
        hint = self._presentable(hint) if hint else None
        return Failed(kind, message, hint, duration, store)

    def _presentable(self, text: str) -> str:
        """Return text without secrets that can be written: a file's name may hold no characters."""
        hidden = self._secrets.hide(text)[:MESSAGE_LIMIT]
        return hidden.encode(errors="backslashreplace").decode()

    def _copy(self, call: Call, copy: Copy, began: float) -> Produced:
        ref = ArtifactRef(copy.artifact, copy.digest, copy.content_digest)
        source = self._store.fetch(copy.run, ref)
        coverage = source.extensions.get("coverage")
        return self._stage(call, source.content, coverage, began)

    def _work(self, call: Call, work: Extract | Transform, ctx: Context) -> object:
        match work:
            case Extract(type_, _, properties):
                connector = registry.load("connectors", type_)
                config = configure(connector.Config, properties, self._environ)
                return connector.extract(config, ctx)
            case Transform(type_, _, properties):
                processor: Processor = registry.load("processors", type_)
                config = configure(processor.Config, properties, self._environ)
                return processor.process(self._inputs(call), config, ctx)

    def _inputs(self, call: Call) -> list[Input]:
        messages = [(ref.key, self._store.fetch(call.run_id, ref)) for ref in call.inputs]
        return [Input(key, message.content, message.schema) for key, message in messages]

    def _stage(
        self, call: Call, content: Json, coverage: dict[str, Json] | None, began: float
    ) -> Produced:
        duration = self._ms_since(began)
        execution = {
            "status": "success",
            "error": None,
            "duration_seconds": duration / 1000,
            "origin": "parent",
            "alias": None,
        }
        message = Message(
            id=call.artifact,
            content=content,
            schema=call.schema,
            run_id=call.run_id,
            source=call.work.label,
            timestamp=self._clock.now(),
            extensions={"execution": execution, "coverage": coverage},
        )
        receipt = self._store.stage(call.run_id, call.artifact, message)
        counts = {k: coverage[k] for k in ("seen", "read", "skipped")} if coverage else None
        return Produced(receipt, self._ms_since(began), counts)

    def _context(self, call: Call) -> Context:
        artifact, secrets = call.artifact, self._secrets

        def log(line: str) -> None:
            self._store.write_log(call.run_id, artifact, secrets.hide(line) + "\n")

        def progress(n: int, total: int | None) -> None:
            self._on_progress(artifact, n, total)

        return Context(artifact, self._base, log, progress)

    def _log_traceback(self, call: Call, error: BaseException) -> str | None:
        """Keep the traceback in the artifact's log; say so if that failed."""
        text = "".join(traceback.format_exception(error))
        try:
            self._store.write_log(call.run_id, call.artifact, self._secrets.hide(text))
        except (WaivernError, OSError) as trouble:
            return f"its traceback is lost: {trouble}"
        return None

    def _ms_since(self, began: float) -> int:
        return round((self._clock.monotonic() - began) * 1000)


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error that cannot say what it is, is one all the same
        return ""
