"""The page of a report: one file, whose policy allows its own style and nothing else.

No script, no font, no picture is loaded; a browser that honours the policy refuses whatever a
hostile text would want to add.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from waivern.pictures.elements import Markup, element, together
from waivern.pictures.graph_svg import style
from waivern.record.text_forms import duration
from waivern.report.comparison_section import comparison_section
from waivern.report.coverage_section import coverage_section
from waivern.report.evidence_section import decisions_section, footer, provenance_section
from waivern.report.findings_section import findings_section
from waivern.report.report_facts import ReportFacts
from waivern.report.report_parts import paragraph, status, utc
from waivern.report.summary_section import summary_section
from waivern.report.work_section import work_section

_CONTENTS = {
    "findings": "Findings",
    "coverage": "Coverage",
    "changes": "Changes",
    "work": "Production",
    "decisions": "Decisions",
    "provenance": "Provenance",
}


def report_html(facts: ReportFacts) -> str:
    """Return the report as an HTML document."""
    sections = {
        "findings": findings_section(facts),
        "coverage": coverage_section(facts),
        "changes": comparison_section(facts),
        "work": work_section(facts),
        "decisions": decisions_section(facts),
        "provenance": provenance_section(facts),
    }
    shown = {name: each for name, each in sections.items() if each is not None}
    main = _head(facts), summary_section(facts), *shown.values(), footer()
    body = element(
        "body",
        element("a", "Skip to the content", class_="skip", href="#main"),
        _top(shown),
        element("main", main, id="main", tabindex=-1),
    )
    return f"<!doctype html>\n{element('html', _document_head(facts), body, lang='en')}\n"


def _top(shown: Iterable[str]) -> Markup:
    links = [element("a", _CONTENTS[name], href=f"#{name}") for name in shown]
    contents = element("nav", links, aria_label="Contents")
    return element("header", element("b", "Report on a run"), contents, class_="top")


def _head(facts: ReportFacts) -> Markup:
    run = facts.record.metadata
    began, took = utc(run.started_at), duration(run.duration_ms)
    again = f", attempt {len(run.attempts)}" if len(run.attempts) > 1 else ""
    about = f"Run {facts.name} of {began}, {run.called}, took {took}{again}"
    return together(
        element("h1", run.runbook_name, " ", status(run.status)),
        paragraph(facts.texts.get("description"), "lead"),
        element("p", about, class_="quiet"),
    )


def _document_head(facts: ReportFacts) -> Markup:
    css, policy = _style()
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("title", f"Report: {facts.record.metadata.runbook_name}"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("link", rel="icon", href="data:,"),
        element("style", css),
    )


@cache
def _style() -> tuple[Markup, str]:
    """Return the style sheet, and the policy that allows it by its hash."""
    own = (files(__package__) / "assets" / "report.css").read_text()
    css = style("palette") + style("graph") + own
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    allowed = f"style-src 'sha256-{digest}'; img-src data:"
    return Markup(css), f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
