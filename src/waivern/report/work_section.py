"""The work of a report: the graph of the artifacts and the timeline of the last attempt."""

from __future__ import annotations

from waivern.pictures.artifact_graph import outcome_word
from waivern.pictures.elements import Child, Markup, element
from waivern.pictures.graph_svg import graph_svg
from waivern.pictures.timeline import ROWS, timeline_svg
from waivern.record.status import ArtifactStatus
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import clip, counted, duration, listed
from waivern.report.report_facts import ReportFacts
from waivern.report.report_parts import (
    command,
    paragraph,
    plain,
    region,
    rest,
    row,
    section,
    status,
    table,
)

HEADINGS = ("Artifact", "Status", "Component", "Took", "Inputs", "Reason")
FAILURES = 20
STEPS = 60
"""The artifacts that are listed; of more, those that are not completed come first."""


def work_section(facts: ReportFacts) -> Markup:
    """Return how the results came about: failures, graph, timeline, artifacts."""
    return section(
        "work",
        "How the results were produced",
        _failures(facts),
        element("h3", "Graph"),
        _graph(facts),
        element("h3", "Timeline of the last attempt"),
        _timeline(facts),
        _artifacts(facts),
    )


def _failures(facts: ReportFacts) -> Child:
    failed = facts.steps(ArtifactStatus.FAILED)
    cards = [
        element(
            "div",
            element("h3", status("failed", step.artifact)),
            element("p", clip(_message(step), 1000)),
            class_="note is-red",
        )
        for step in failed[:FAILURES]
    ]
    return [*cards, rest(len(failed) - FAILURES, "failure")]


def _message(step: StepRecord) -> str:
    error = step.error
    return plain(f"{error.get('kind')}: {error.get('message')}") if error else "not recorded"


def _graph(facts: ReportFacts) -> Child:
    count = counted(len(facts.record.steps), "artifact")
    if facts.graph is None:
        if len(facts.record.steps) < 2:
            return element("p", "The run has one artifact.")
        text = f"The graph of {count} is too large to be legible here. This command draws it:"
        return [element("p", text), command(f"wct graph {facts.name} --format svg")]
    folded = any(box.is_group for box in facts.graph.boxes.values())
    label = f"Graph of {count}; the list below has the same facts"
    return [
        region(label, "wide graph", graph_svg(facts.graph)),
        paragraph("Artifacts in equal positions are one box." if folded else "", "quiet"),
    ]


def _timeline(facts: ReportFacts) -> Child:
    found = facts.timeline
    if not found.spans:
        return element("p", found.sentence)
    label = "Timeline of the last attempt; the sentence below has the critical path"
    return [
        region(label, "wide time", timeline_svg(found)),
        element("p", found.sentence, " ◆ marks it."),
        rest(len(found.spans) - ROWS, "shorter artifact"),
    ]


def _artifacts(facts: ReportFacts) -> Markup:
    done = ArtifactStatus.COMPLETED
    steps = sorted(facts.record.steps.values(), key=lambda step: step.status is done)
    more = len(steps) - STEPS
    inspect = command(f"wct inspect {facts.name}")
    further = [element("p", f"{more:,} more:"), inspect] if more > 0 else None
    return element(
        "details",
        element("summary", f"List of {counted(len(steps), 'artifact')}"),
        table("Table of artifacts", HEADINGS, map(_step, steps[:STEPS]), right=(3,)),
        further,
        id="artifacts",
    )


def _step(step: StepRecord) -> Markup:
    how = step.completed.how if step.completed else str(step.status)
    error = step.error or {}
    return row(
        step.artifact,
        status(how, outcome_word(how)),
        (step.component or "").partition(":")[2] or step.component,
        duration(step.duration_ms),
        clip(listed(step.inputs), 300),
        clip(str(error.get("message") or ""), 300),
        right=(3,),
    )
