"""The lines that say what a run found: special categories first, then where most was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from waivern.cli.ui.screen import Screen
from waivern.errors import WaivernError
from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import clean, clip, counted
from waivern.store.base import RunStore

if TYPE_CHECKING:
    from waivern.runs.findings_overview import FoundCount, RunFindingsOverview

COUNTED_BYTES = 64 << 20
"""The bytes of artifacts whose findings are counted at the end of a run: it takes a second."""
CATEGORIES = 6
"""The categories that have a line of their own."""
TYPES = 5
"""The types that the line of a category names."""
MOST = 3
"""The items that are named as those with most findings."""
LONGEST = 300
"""Characters of a line to a pipe."""
_HEAD = "  found      "
_BELOW = " " * len(_HEAD)


def found_lines(out: Screen, store: RunStore, record: RunRecord) -> Iterator[str]:
    """Yield what the artifacts of findings contain; nothing for a run that searched nothing."""
    steps = findings_steps(record)
    if not steps:
        return
    if sum(step.stored_bytes for step in steps) > COUNTED_BYTES:
        names = clip(clean(", ".join(step.artifact for step in steps)), 200)
        yield f"{_HEAD}too much to count here: `wct inspect RUN/ARTIFACT` shows it ({names})"
        return
    from waivern.runs.findings_overview import overview

    try:
        found = overview(store, record)
    except WaivernError as error:  # the run has ended as it has, whatever its store does now
        yield f"{_HEAD}cannot be read: {clip(clean(error.message), LONGEST)}"
        return
    yield from _overview(out, found)


def findings_steps(record: RunRecord) -> list[StepRecord]:
    """Return the completed artifacts of findings."""
    completed = [step for step in record.steps.values() if step.completed]
    if not completed:
        return []
    from waivern.message import SchemaRef
    from waivern.runs.recorded_findings import is_findings_schema

    found = []
    known: dict[str, bool] = {}
    for step in completed:
        schema = step.completed.schema if step.completed else ""
        if schema not in known:
            known[schema] = is_findings_schema(SchemaRef.parse(schema).name)
        if known[schema]:
            found.append(step)
    return found


def findings_document(store: RunStore, record: RunRecord) -> Json:
    """Return what was found; None if nothing was searched, it is too much or cannot be read."""
    steps = findings_steps(record)
    if not steps or sum(step.stored_bytes for step in steps) > COUNTED_BYTES:
        return None
    from waivern.runs.findings_overview import overview

    try:
        document = overview(store, record).document()
    except WaivernError:
        return None
    del document["coverage"]  # the summary has it
    return document


def _overview(out: Screen, found: RunFindingsOverview) -> Iterator[str]:
    room = max(30, out.width - len(_HEAD) - 1) if out.tty else LONGEST
    yield f"{_HEAD}{_headline(found)}"
    for category in found.categories[:CATEGORIES]:
        types = [each for each in found.types if each.category == category.name]
        mark = out.paint("!", "failed") if category.special else " "
        special = "  (special category)" if category.special else ""
        text = clean(f"{category.name:<18} {category.findings:>7,}  {_named(types, TYPES)}")
        yield f"           {mark} {clip(text, room - len(special))}{special}"
    if more := found.categories[CATEGORIES:]:
        rest = ", ".join(f"{each.name} {each.findings:,}" for each in more)
        yield f"{_BELOW}{clip(clean(rest), room)}"
    if found.items:
        places = ", ".join(f"{each.name} {each.findings:,}" for each in found.items[:MOST])
        yield f"  most in    {clip(clean(places), room)}"
    for name, reason in list(found.unread.items())[:MOST]:
        yield f"  not read   {clip(clean(f'{name}: {reason}'), 300)}"
    if (others := len(found.unread) - MOST) > 0:
        yield f"  not read   {counted(others, 'more artifact')} of findings"


def _headline(found: RunFindingsOverview) -> str:
    apart = f"; {found.test_data:,} more in test data" if found.test_data else ""
    if not found.findings:
        where = "no findings" if found.artifacts else "findings cannot be read"
        return f"{where} in what was examined{apart}" if found.artifacts else where
    parts = [counted(found.findings, "finding"), f"{found.occurrences:,} occurrences"]
    text = " with ".join(parts)
    if found.special:
        text += f"; {found.special:,} of special categories"
    return text + apart


def _named(counts: list[FoundCount], most: int) -> str:
    shown = ", ".join(f"{each.name} {each.findings:,}" for each in counts[:most])
    more = len(counts) - most
    return f"{shown} and {counted(more, 'more type')}" if more > 0 else shown
