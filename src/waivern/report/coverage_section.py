"""The coverage of a report: how much of each source was examined, with statistical bounds."""

from __future__ import annotations

from waivern.pictures.elements import Markup, element
from waivern.record import wording
from waivern.record.coverage import SourceCoverage, SourceOutcome
from waivern.record.measure import UNITS, percent
from waivern.record.text_forms import clip
from waivern.report.report_facts import ReportFacts
from waivern.report.report_parts import bar, bullets, paragraph, plain, rest, row, section, table

SOURCES, SAMPLES = 100, 30
"""The sources and the samples that are listed."""
REASONS = 400


def coverage_section(facts: ReportFacts) -> Markup:
    """Return the coverage of a run."""
    found = facts.coverage
    if not found.sources:
        return section("coverage", "Coverage", element("p", "This run has no source."))
    ordered = sorted(found.sources, key=lambda each: (each.share, each.artifact))
    headings = ("Source", "Examined", "", "Amount", "Not examined, and why", "Left out on purpose")
    least = f"The coverage of a run is that of its least covered source: {wording.headline(found)}."
    return section(
        "coverage",
        "Coverage",
        element("p", least),
        table("Coverage by source", headings, map(_source, ordered[:SOURCES]), right=(1,)),
        rest(len(ordered) - SOURCES, "source"),
        _gaps(facts),
        _samples(facts),
        _proofs(facts),
        [element("p", text, class_="note is-yellow") for text in found.warnings[:20]],
    )


def _source(each: SourceCoverage) -> Markup:
    found, share = each.measure, float(each.share)
    left_out = each.outcome is SourceOutcome.LEFT_OUT
    amounts = {UNITS.get(found.unit, "items"): found.items} if found.items else {}
    amounts |= found.units
    known = [f"{n.examined:,} of {n.known:,} {unit}" for unit, n in amounts.items()]
    reasons = [f"{count:,} {reason}" for reason, count in found.reasons.items()]
    parts = [wording.partial(part) for part in found.partial]
    why = [plain(each.why or ""), *reasons, *parts]
    if not any(why) and each.reach < 1:
        why = ["not by every detector: see below"]
    purpose = [f"{count:,} {reason}" for reason, count in found.left_out_reasons.items()]
    return row(
        each.artifact,
        "left out" if left_out else f"{percent(each.share)} %",
        None if left_out else bar(share, "green" if share == 1 else "yellow"),
        ", ".join(known) or str(each.outcome).replace("_", " "),
        clip("; ".join(filter(None, why)), REASONS),
        clip(", ".join(purpose), REASONS),
        right=(1,),
    )


def _gaps(facts: ReportFacts) -> Markup | None:
    gaps = [wording.gap(each) for each in facts.coverage.gaps]
    if not gaps:
        return None
    heading = element("h3", "Detectors that did not examine everything")
    return element("div", heading, bullets(gaps, SOURCES, "see `wct inspect`"))


def _samples(facts: ReportFacts) -> Markup | None:
    samples = facts.coverage.samples
    if not samples:
        return None
    bounded = any(each.at_most is not None for each in samples[:SAMPLES])
    return element(
        "div",
        element("h3", "Tables of which a part was examined"),
        bullets([wording.sample(each) for each in samples], SAMPLES, "see `wct inspect`"),
        paragraph(f"Bound: {wording.assumption()}." if bounded else "", "quiet"),
    )


def _proofs(facts: ReportFacts) -> Markup | None:
    proofs = facts.coverage.proofs
    if not proofs:
        return None
    about = "Each scan receives samples among the data, to prove that it finds such values."
    return element(
        "div",
        element("h3", "Proof that the scans can see"),
        element("p", about, class_="quiet"),
        bullets([each.sentence for each in proofs], 20, "see `wct inspect`"),
    )
