"""The comparison of a report: what changed since the previous run of the runbook."""

from __future__ import annotations

from waivern.pictures.elements import Child, Markup, element
from waivern.record.text_forms import clip, listed, short
from waivern.report.report_facts import ReportFacts
from waivern.report.report_parts import (
    bullets,
    category_word,
    command,
    paragraph,
    rest,
    row,
    section,
    table,
    utc,
)
from waivern.runs.findings_comparison import ComparedFinding, FindingOutcome
from waivern.runs.run_comparison import RunComparison

OUTCOMES = {
    FindingOutcome.NEW: "new",
    FindingOutcome.RESOLVED: "resolved",
    FindingOutcome.NOT_EXAMINED: "not examined any more",
    FindingOutcome.MOVED: "moved",
    FindingOutcome.UNCHANGED: "unchanged",
}
"""The outcomes in words, in the order of a report."""
LISTED, TYPES, TEXT = 25, 40, 120


def comparison_section(facts: ReportFacts) -> Markup | None:
    """Return what changed since the previous run; None if there is none."""
    found = facts.previous
    if found is None:
        why = f"The earlier run is not compared: {facts.incomparable}."
        note = paragraph(why if facts.incomparable else "", "note is-yellow")
        return section("changes", "Since the earlier run", note) if note else None
    before = found.before.metadata
    name = short(before.run_id)
    return section(
        "changes",
        "Since the earlier run",
        element("p", f"Compared with run {name} of {utc(before.started_at)}: {_counts(found)}."),
        element("p", "Test data is included in these numbers.", class_="quiet"),
        [
            element("p", clip(f"Note: {note}.", 400), class_="note is-yellow")
            for note in found.notes
        ],
        _definition(found),
        _types(found),
        [_list(found, each) for each in (FindingOutcome.NEW, FindingOutcome.RESOLVED)],
        _unexamined(found),
        element("p", "All of it, where the store is:"),
        command(f"wct diff {name} {facts.name}"),
    )


def comparison_sentence(facts: ReportFacts) -> str:
    """Return the comparison in one sentence; empty if there is none."""
    if facts.previous is None:
        return ""
    day = facts.previous.before.metadata.started_at[:10]
    return f"Since the run of {day}, test data included: {_counts(facts.previous)}."


def _counts(found: RunComparison) -> str:
    counts = found.findings.counts
    parts = [f"{counts[each]:,} {word}" for each, word in OUTCOMES.items() if counts[each]]
    special = found.findings.special[FindingOutcome.NEW]
    if special:
        parts[0] += f" ({special:,} of special categories)"
    return ", ".join(parts) or "no finding in either run"


def _definition(found: RunComparison) -> Child:
    """Return what differs in the runbook, its parameters, versions and coverage."""
    rows = [row(each.name, each.before, each.after) for each in found.facts if each.differs]
    before, after = (f"{each.percent} %" for each in found.coverages)
    if before != after:
        rows.append(row("coverage", before, after))
    if not rows:
        return element("p", "Runbook, parameters, versions and coverage are the same.")
    return table("Differences in what was run", ("", "Earlier run", "This run"), rows[-LISTED:])


def _types(found: RunComparison) -> Child:
    shown = [each for each in OUTCOMES if found.findings.counts[each]]
    changed = {
        name: counts
        for name, counts in found.findings.types.items()
        if any(counts[each] for each in OUTCOMES if each is not FindingOutcome.UNCHANGED)
    }
    if not changed:
        return element("p", "The findings are the same, type by type.")
    rows = [
        row(
            element("code", kind),
            category_word(category),
            *(f"{counts[each]:,}" if counts[each] else "" for each in shown),
            right=range(2, 2 + len(shown)),
        )
        for (category, kind), counts in sorted(changed.items())[:TYPES]
    ]
    headings = ("Type", "Category", *(OUTCOMES[each].capitalize() for each in shown))
    right = range(2, len(headings))
    found_more = rest(len(changed) - TYPES, "type")
    return [table("Changes by type", headings, rows, right), found_more]


def _list(found: RunComparison, outcome: FindingOutcome) -> Child:
    rows = found.findings.listed.get(outcome, [])
    if not rows:
        return None
    word = OUTCOMES[outcome].capitalize()
    headings = ("Type", "Category", "System", "Place", "Field", "Times")
    return [
        element("h3", word),
        table(f"{word} findings", headings, map(_finding, rows[:LISTED]), right=(5,)),
        rest(len(rows) - LISTED, "finding"),
    ]


def _finding(each: ComparedFinding) -> Markup:
    found = each.finding
    place = clip(found.item, TEXT, keep_end=True) + (f", {found.place}" if found.place else "")
    return row(
        element("code", clip(found.type, TEXT)),
        category_word(clip(found.category, TEXT)),
        clip(found.system, TEXT, keep_end=True),
        clip(place, 2 * TEXT),
        clip(found.field, TEXT),
        found.occurrences,
        right=(5,),
        **({"class_": "special"} if found.special else {}),
    )


def _unexamined(found: RunComparison) -> Child:
    """Return why findings of the previous run are neither there nor resolved."""
    rows = found.findings.listed.get(FindingOutcome.NOT_EXAMINED, [])
    if not rows:
        return None
    reasons: dict[str, list[str]] = {}
    for each in rows:
        reasons.setdefault(each.reason or "", []).append(each.finding.item or each.finding.system)
    texts = [f"{listed(dict.fromkeys(items), 4)}: {why}" for why, items in reasons.items()]
    heading = element("h3", "Not resolved, but not examined any more")
    return [heading, bullets([clip(text, 400) for text in texts], LISTED, "see `wct diff`")]
