"""Notifications that a gate waits: a command or a webhook, while the run continues.

A notification leaves the computer. It names the run, the gate, its question and the digests of what
it shows, and has no content of an artifact. It has a time limit, and redirections are not followed.
Whatever happens to it, the run is what it would be without: a failure is journaled, and a warning.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from waivern.errors import ComponentError
from waivern.language import template
from waivern.message import Json
from waivern.plugins import child_processes
from waivern.record.journal_events import (
    ArtifactSuspendedRecord,
    Event,
    GateNotifiedRecord,
    to_record,
)

if TYPE_CHECKING:
    from waivern.language.producer_specs import NotifySpec
    from waivern.runs.session import Session

LIMIT_S = 10.0
"""The time limit of a notification."""
INTERRUPTED_S = 0.5
"""The time that a notification has after the run was interrupted."""
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "TZ")
"""The variables of the environment that a command gets."""


class GateNotifier:
    """The notifications of one attempt. Its observer is called with the events of the run."""

    def __init__(self, session: Session, notify: Mapping[str, NotifySpec]) -> None:
        self._session = session
        self._notify = notify
        self._threads: list[threading.Thread] = []
        self._done: list[GateNotifiedRecord] = []

    def __call__(self, _seq: int, event: Event) -> None:
        """Notify people of a gate that begins to wait; of the same question only once."""
        if not isinstance(event, ArtifactSuspendedRecord) or not event.gate:
            return
        spec = self._notify.get(event.artifact)
        if spec is None or self._known(event):
            return
        work = threading.Thread(target=self._carry_out, args=(spec, event), daemon=True)
        self._threads.append(work)
        work.start()

    def _known(self, event: ArtifactSuspendedRecord) -> bool:
        """Return whether people were notified of this question on this content before."""
        return (event.asked, event.shown) == self._session.record.notified.get(event.artifact)

    def _carry_out(self, spec: NotifySpec, event: ArtifactSuspendedRecord) -> None:
        by = "command" if spec.command else "webhook"
        error: str | None = None
        try:
            body = json.dumps(self._body(event)).encode()
            environ = self._session.prepared.environ
            if spec.command:
                folder = self._session.plan.runbook.document.folder
                call_command(template.expand(list(spec.command), environ), body, folder)
            else:
                post(str(template.expand(spec.webhook, environ)), body)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the run continues
            error = str(fault) if isinstance(fault, ComponentError) else type(fault).__name__
        clock = self._session.options.clock
        self._done.append(
            GateNotifiedRecord(clock.now(), event.artifact, by, event.asked, event.shown, error)
        )

    def _body(self, event: ArtifactSuspendedRecord) -> dict[str, Json]:
        run = self._session.record.metadata
        decide = f"wct runs approve {run.run_id}/{event.artifact}"
        return {
            "schema": "wct.gate/1",
            "text": f"{run.runbook_name}: {event.reason} ({decide})",
            "run_id": run.run_id,
            "runbook": run.runbook_name,
            "gate": event.artifact,
            "question": event.reason,
            "shown": event.shown,
            "asked_at": event.at,
            "decide": decide,
        }

    def finish(
        self, hide: Callable[[str], str], *, interrupted: bool, writable: bool
    ) -> tuple[list[GateNotifiedRecord], list[str]]:
        """Wait for the notifications, and journal them; return their events and the warnings."""
        deadline = time.monotonic() + (INTERRUPTED_S if interrupted else LIMIT_S + 1)
        for work in self._threads:
            work.join(max(0.0, deadline - time.monotonic()))
        done, warnings = list(self._done), []
        lease, record = self._session.lease, self._session.record
        done = [e._replace(error=None if e.error is None else hide(e.error)) for e in done]
        if done and writable:
            lease.append([to_record(event) for event in done], sync=True)
            for event in done:
                record.apply(event)
            lease.project(record.metadata.document(), record.state.document(), sync=True)
        for event in done:
            if event.error is not None:
                why = f"people were not notified by {event.by} that '{event.artifact}' waits"
                warnings.append(f"{why}: {event.error}")
        if len(done) < len(self._threads):
            warnings.append("a notification of a gate had not ended when the run did")
        return done if writable else [], warnings


def call_command(argv: list[str], body: bytes, folder: Path) -> None:
    """Run an executable with the body on stdin. Raises ComponentError if it fails."""
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith("LC_")}
    try:
        process = subprocess.Popen(  # noqa: S603 - the runbook names it, as it names components
            argv,
            cwd=folder,
            env=kept,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise ComponentError(f"the command cannot be started: {error.strerror}") from error
    with child_processes.known(process.pid):
        try:
            process.communicate(body, LIMIT_S)
        except subprocess.TimeoutExpired:
            raise ComponentError(f"the command took more than {LIMIT_S:g} seconds") from None
        finally:
            child_processes.send(process.pid, signal.SIGKILL)  # what it left behind, too
            process.wait()
    if process.returncode:
        raise ComponentError(f"the command exited with {process.returncode}")


def post(url: str, body: bytes) -> None:
    """Post the body as JSON. Raises ComponentError; its text has no part of the address."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class NoRedirect(HTTPRedirectHandler):
        """A handler that follows no redirection: it could lead anywhere."""

        def redirect_request(self, *_args: object) -> None:
            return None

    try:
        parts = urlsplit(url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    except ValueError:
        raise ComponentError("the webhook is not an address") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ComponentError("the webhook must begin with https://")
    headers = {"content-type": "application/json", "user-agent": "waivern"}
    try:
        request = Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - checked
        with build_opener(NoRedirect).open(request, timeout=LIMIT_S):
            pass
    except HTTPError as error:
        raise ComponentError(f"the webhook answered with {error.code}") from None
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ComponentError(f"the webhook cannot be reached: {type(reason).__name__}") from None
