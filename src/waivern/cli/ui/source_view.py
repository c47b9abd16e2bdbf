"""Source content on the screen: recorded in the access log before it is shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from waivern.cli.ui.json_output import json_text, print_document
from waivern.cli.ui.screen import stdout
from waivern.errors import Exit, RefusedError
from waivern.message import Json, Message
from waivern.record.fold import RunRecord
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import clean_lines
from waivern.record.wording import redacted
from waivern.store.base import RunStore

if TYPE_CHECKING:
    from waivern.runs.access import Viewer

DOCUMENT_BYTES = 8 << 20
"""The largest item that is printed as one JSON document."""


def show_item(
    store: RunStore,
    record: RunRecord,
    step: StepRecord,
    message: Message | None,
    item: str,
    *,
    base: str | None,
    trust_run: bool,
    by: str | None,
    as_json: bool,
) -> int:
    """Show one item of a source that an artifact lists: its text, or else its parts as JSON.

    With `as_json` all of it is one document. Raises RefusedError if that would be too large.
    """
    from waivern.runs.access import shown
    from waivern.runs.locate import find_project
    from waivern.runs.run_options import RunOptions

    if message is None or step.redacted:
        why = redacted(step.redacted) if step.redacted else f"it is {step.status}, not completed"
        raise RefusedError(
            f"artifact '{step.artifact}' of run {record.metadata.run_id} lists nothing: {why}",
            hint="a new run of its runbook lists the source again",
        )
    options = RunOptions(dict(os.environ), find_project(), base=base, trust_run=trust_run)
    viewer = _viewer()._replace(by=by) if by else _viewer()
    parts = shown(store, record, message, item, options, viewer)
    if as_json:
        document = {"run_id": record.metadata.run_id, "artifact": step.artifact, "item": item}
        print_document("item", document | {"parts": _bounded(parts)})
        return Exit.OK
    out = stdout()
    for part in parts:
        text = part.get("text") if isinstance(part, dict) else None
        if not isinstance(text, str):
            out.print(json_text(part))
        elif out.tty:  # a terminal would interpret control characters of the source
            out.print(clean_lines(text.removesuffix("\n")))
        else:
            out.stream.write(text)
    return Exit.OK


def _bounded(parts: Iterator[Json]) -> list[Json]:
    """Return all parts. Raises RefusedError if they are too large for one document."""
    found, size = [], 0
    for part in parts:
        found.append(part)
        size += len(json_text(part))
        if size > DOCUMENT_BYTES:
            raise RefusedError(
                f"the item is too large for one JSON document of {DOCUMENT_BYTES >> 20} MB",
                hint="omit --json: the parts are then printed one after the other",
            )
    return found


def note_accesses(store: RunStore, record: RunRecord, hidden: frozenset[str]) -> None:
    """Record that the person is shown all source content of a run that is not hidden."""
    for name, step in record.steps.items():
        note_access(store, record, step, when=name not in hidden)


def note_access(store: RunStore, record: RunRecord, step: StepRecord, *, when: bool) -> None:
    """Record that the person is shown content of a source, if the artifact holds any."""
    if when and step.held_bytes and record.vouched:
        from waivern.runs.access import note

        note(store, record, step.artifact, _viewer())


def _viewer() -> Viewer:
    from waivern.cli.ui.user import user_at_host
    from waivern.clock import Clock
    from waivern.runs.access import Viewer

    return Viewer(user_at_host(), Clock())
