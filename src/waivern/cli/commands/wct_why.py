"""`wct why`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option, opened, store_option
from waivern.cli.ui.screen import Screen, stdout
from waivern.errors import Exit, UsageError
from waivern.record.text_forms import clean

if TYPE_CHECKING:
    from waivern.message import Json
    from waivern.runs.artifact_reasons import ArtifactReason

SHOWN = 10
"""The reasons of an artifact that a terminal shows."""


@click.command(
    "why",
    short_help="Explain why an artifact was produced, cached or skipped.",
    epilog=examples("wct why @last/findings", "wct why @last/findings --json"),
)
@click.argument("reference", metavar="RUN/ARTIFACT")
@json_option
@store_option
def command(reference: str, as_json: bool, store: str | None) -> int:
    """Explain why an artifact was produced, restored, reused, cached or skipped.

    An artifact that was produced is compared with the last earlier run of the same runbook, part by
    part of its key: component, code, properties, rulesets, source and inputs. An input that changed
    is explained in turn. To a pipe, a line has the artifact, its outcome and one reason, separated
    by tabs.
    """
    from waivern.runs import queries
    from waivern.runs.artifact_reasons import explain_artifact, key_parts
    from waivern.runs.recorded_artifacts import meant
    from waivern.runs.run_references import find, split

    where = opened(store)
    run, artifact = split(reference)
    if not artifact:
        raise UsageError("no artifact is named", hint=f"use it as in `wct why {run}/findings`")
    record = queries.load(where, find(where, run))
    name = meant(record, artifact)
    found = explain_artifact(where, record, name)
    if as_json:
        about = {"run_id": record.metadata.run_id, **found.document()}
        print_document("why", {**about, "key": key_parts(record.steps[name])})
        return Exit.OK
    out = stdout()
    if out.tty:
        _show(out, found)
        _show_key(out, key_parts(record.steps[name]))
    else:
        _lines(out, found)
    return Exit.OK


def _lines(out: Screen, found: ArtifactReason) -> None:
    for reason in found.reasons:
        out.print("\t".join(map(clean, (found.artifact, found.outcome, reason))))
    for each in found.because:
        _lines(out, each)


def _show(out: Screen, found: ArtifactReason, depth: int = 0) -> None:
    indent = "  " * depth
    status = found.outcome if found.outcome != "produced" else "completed"
    out.print(
        f"{indent}{out.mark(status)} {out.paint(clean(found.artifact), 'bold')}  "
        f"{clean(found.outcome)}"
    )
    for reason in found.reasons[:SHOWN]:
        out.print(f"{indent}    {clean(reason)}")
    if (more := len(found.reasons) - SHOWN) > 0:
        out.print(f"{indent}    {more:,} more; `--json` lists them")
    for each in found.because:
        _show(out, each, depth + 1)


def _show_key(out: Screen, parts: dict[str, Json]) -> None:
    """Write the parts of the key on one line each, without the long ones."""
    if not parts:
        return
    out.print(f"\n{out.paint('key', 'bold')}")
    runtime = parts.get("runtime")
    if isinstance(runtime, dict):
        parts = {**parts, "runtime": ", ".join(f"{name} {v}" for name, v in runtime.items())}
    for name in ("component", "version", "runtime", "properties", "rulesets", "inputs"):
        value = parts.get(name)
        if name == "inputs" and isinstance(value, list):
            value = ", ".join(str(row[0]) for row in value if isinstance(row, list) and row)
        if value:
            out.print(clean(f"  {name:10}  {value}")[: max(20, out.width)])
