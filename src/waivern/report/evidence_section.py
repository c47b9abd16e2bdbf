"""The evidence of a report: decisions of people, provenance, and how to verify all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from waivern import __version__
from waivern.message import Json
from waivern.pictures.elements import Child, Markup, element
from waivern.record.journal_events import ArtifactSuspendedRecord, GateDecidedRecord
from waivern.record.text_forms import clip, size
from waivern.report.report_facts import ReportFacts
from waivern.report.report_parts import (
    category_word,
    command,
    paragraph,
    rest,
    row,
    section,
    status,
    table,
    utc,
)
from waivern.report.report_parts import facts as named

LISTED = 100


def decisions_section(facts: ReportFacts) -> Markup | None:
    """Return what people decided at gates and about findings; None if there is nothing."""
    gates, reviews = _gates(facts), _reviews(facts)
    return section("decisions", "Decisions", gates, reviews) if gates or reviews else None


def _gates(facts: ReportFacts) -> Child:
    if not facts.record.decisions:
        return None
    rows = []
    for name, events in facts.record.decisions.items():
        asked = [each for each in events if isinstance(each, ArtifactSuspendedRecord)]
        question = asked[-1].reason if asked else ""
        decided = [each for each in events if isinstance(each, GateDecidedRecord)]
        rows += [_decision(name, question, each) for each in decided[-LISTED:]]
        if name in facts.waiting and asked:
            shown = _shown(asked[-1].shown)
            rows.append(row(name, question, status("suspended", "open"), "", "", shown))
    headings = ("Gate", "Question", "Decision", "By", "When, and note", "On these artifacts")
    about = "A decision at a gate holds for the files with these digests, and for no others."
    return [element("p", about), table("Questions and decisions", headings, rows)]


def _reviews(facts: ReportFacts) -> Child:
    """Return the findings that people have accepted or rejected."""
    found, reviews = facts.findings.reviewed, facts.reviews
    if not found or reviews is None:
        return None
    rows = []
    for finding, review in found[:LISTED]:
        holds = reviews.holds(review)
        word = review.decision if holds else f"{review.decision}, expired"
        look = "completed" if review.decision == "accepted" and holds else "failed"
        place = clip(finding.place, 120, keep_end=True)
        shown = f"{category_word(finding.category)}, {finding.type}"
        rows.append(
            row(
                clip(shown, 120),
                place,
                status(look, word),
                clip(review.owner, 120),
                review.until.isoformat(),
                clip(review.reason, 400),
            )
        )
    headings = ("Finding", "Place", "Decision", "Owner", "Until", "Reason")
    heading = element("h3", "Reviewed findings")
    return [
        heading,
        table("Reviewed findings", headings, rows),
        rest(len(found) - LISTED, "finding"),
    ]


def _decision(name: str, question: str, each: GateDecidedRecord) -> Markup:
    word = status("completed", "approved") if each.approved else status("failed", "rejected")
    note = f"{utc(each.at)}{f': {each.note}' if each.note else ''}"
    return row(name, clip(question, 400), word, each.by, clip(note, 400), _shown(each.shown))


def _shown(shown: dict[str, str]) -> Child:
    return [
        element("div", name, " ", element("code", digest.removeprefix("sha256:")[:16]))
        for name, digest in [*shown.items()][:LISTED]
    ]


def provenance_section(facts: ReportFacts) -> Markup:
    """Return where the results come from, and how a reader checks that nothing was changed."""
    run = facts.record.metadata
    doubt = [
        "" if facts.record.vouched else "This run has no journal: nothing proves its content.",
        "This run comes from another store." if facts.foreign else "",
    ]
    return section(
        "provenance",
        "Provenance",
        [paragraph(text, "note is-yellow") for text in doubt],
        named(
            (
                ("Run", element("code", run.run_id)),
                ("Runbook", f"{run.called}, version {run.runbook_version}"),
                ("Runbook hash", element("code", run.runbook_hash)),
                ("Started", utc(run.started_at)),
                ("Ended", utc(run.completed_at or run.updated_at)),
                ("Journal", f"{facts.lines:,} lines" if facts.lines else None),
                ("Head of the journal", element("code", facts.head) if facts.head else None),
                ("Rulesets", ", ".join(facts.findings.overview.rulesets)),
                ("Replay of", run.replay_of),
                ("Cancelled by", run.cancelled_by),
                ("Name of the run", facts.annotations.name),
                ("Tags", ", ".join(facts.annotations.tags)),
                ("Note", facts.annotations.note),
                *_texts(facts),
                *_parameters(run.params),
                *_held(facts),
            )
        ),
        _verification(facts),
        element("h3", "Attempts"),
        _attempts(facts),
    )


def _verification(facts: ReportFacts) -> Child:
    """Return how a reader checks the run; nothing can be checked without a journal."""
    if not facts.head:
        return None
    about = (
        "The head is a hash over all lines of the journal, and the journal has the digest of every"
        " artifact. Where the store is, this command checks that the run is the one described here:"
    )
    verify = f"wct runs verify {facts.name} --expect {facts.head[:16]}"
    return [element("h3", "Verify this report"), element("p", about), command(verify)]


def _texts(facts: ReportFacts) -> Iterator[tuple[str, str]]:
    """Yield the texts for people in the runbook that are not at the head of the report."""
    for name, text in facts.texts.items():
        if name not in ("name", "description"):
            yield name.capitalize(), clip(text, 1000)


def _parameters(params: dict[str, Json]) -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        text = "secret, not recorded" if value is None else json.dumps(value, ensure_ascii=False)
        yield f"Parameter {name}", clip(text, 400)


def _held(facts: ReportFacts) -> Iterator[tuple[str, str]]:
    for name, count in [*facts.record.held.items()][:LISTED]:
        yield "Holds source content", f"{name}, {size(count)}"
    for name, at in [*facts.record.redacted.items()][:LISTED]:
        yield "Redacted", f"{name}, {utc(at)}"


def _attempts(facts: ReportFacts) -> Markup:
    rows = [
        row(
            number,
            utc(_text(each, "started_at")),
            utc(_text(each, "ended_at")),
            status(_text(each, "status") or str(facts.record.metadata.status)),
            clip(_text(each, "reason"), 300),
            f"waivern {_text(each, 'waivern')}, Python {_text(each, 'python')}",
        )
        for number, each in enumerate(facts.record.metadata.attempts[-LISTED:], 1)
    ]
    return table(
        "Table of attempts", ("Attempt", "Started", "Ended", "Status", "Reason", "Versions"), rows
    )


def _text(attempt: dict[str, Json], name: str) -> str:
    value = attempt.get(name)
    return "" if value is None else str(value)


def footer() -> Markup:
    """Return the last line of a report."""
    text = f"Written by wct {__version__}. This file loads nothing and runs nothing."
    printed = "The lists of single findings and artifacts are in the file, and not in print."
    return element(
        "footer",
        element("p", text, class_="quiet"),
        element("p", printed, class_="quiet in-print"),
    )
