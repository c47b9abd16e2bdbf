"""The delivered outputs of a run, for the summary and the JSON document."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.cli.ui.screen import Screen
from waivern.message import Json
from waivern.record.status import ArtifactStatus
from waivern.record.text_forms import clean, near
from waivern.runs.output_delivery import DeliveredOutputs


def output_lines(out: Screen, outputs: DeliveredOutputs) -> Iterator[str]:
    """Yield the files that were written to the folder, removed from it, or are missing."""
    folder = near(outputs.folder)
    if outputs.pending:
        yield f"  output     nothing yet: {clean(folder)} is written when the run has ended"
        return
    for path in outputs.copied:
        yield f"  output     {clean(near(path))}"
    for path in outputs.removed:
        yield f"  output     {clean(near(path))} removed: it was written by an earlier run"
    for path in outputs.retained:
        yield (
            f"  output     {clean(near(path))} was written by an earlier run and edited since: "
            "it was not changed"
        )
    for name, status in outputs.missing.items():
        text = f"{clean(name)} is missing: {ArtifactStatus(status).label}"
        yield f"  output     {out.mark(status)} {text}"
    if not (outputs.copied or outputs.missing or outputs.error):
        yield "  output     nothing to copy: no artifact of the runbook has `output: true`"


def output_document(outputs: DeliveredOutputs | None) -> dict[str, Json]:
    """Return the same facts for programs."""
    if outputs is None:
        return {"outputs": [], "output": None}
    return {
        "outputs": [near(path) for path in outputs.copied],
        "output": {
            "folder": str(outputs.folder),
            "pending": outputs.pending,
            "missing": dict(outputs.missing),
            "removed": [near(path) for path in outputs.removed],
            "retained": [near(path) for path in outputs.retained],
            "error": outputs.error.message if outputs.error else None,
        },
    }
