"""The first screen of a report: what a board wants to know, in words and in four numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from waivern.pictures.elements import Child, Markup, element
from waivern.record import wording
from waivern.record.coverage import SourceCoverage, SourceOutcome
from waivern.record.measure import percent
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.record.text_forms import clip, counted, listed
from waivern.report.comparison_section import comparison_sentence
from waivern.report.report_facts import ReportFacts
from waivern.report.report_parts import bullets, category_word, command, plain
from waivern.runs.findings_overview import FoundCount

GAPS, DECISIONS = 5, 6
"""The sentences of a kind on the first screen."""
REASON = 160
NOT_SEARCHED = "not searched"
"""In place of a number of findings: it is not 0."""
PARTLY = "not all could be read"


def summary_section(facts: ReportFacts) -> Markup:
    """Return the summary of a run for readers who read nothing else."""
    decisions = [*_decisions(facts)]
    return element(
        "section",
        element("h2", "Summary", class_="hidden", id="summary"),
        _figures(facts, len(decisions)),
        element(
            "div",
            _answer("What was looked at", "looked", element("p", _looked_at(facts))),
            _answer("What was found", "found", [*_found(facts)]),
            _answer("What was not examined", "missing", _not_examined(facts)),
            _answer("What needs a decision", "decide", _decided(decisions)),
            class_="answers",
        ),
        aria_labelledby="summary",
    )


def _answer(title: str, name: str, *children: Child) -> Markup:
    return element("div", element("h3", title), children, class_=f"answer {name}")


class _Figure(NamedTuple):
    """A number of the first screen, and its meaning."""

    number: str
    meaning: str
    detail: str
    look: str


def _figures(facts: ReportFacts, decisions: int) -> Markup:
    """Return the four numbers."""
    figures = (_all(facts), _special(facts), _examined(facts), _open(decisions))
    items = [
        element(
            "li",
            element("b", each.number),
            element("span", each.meaning),
            element("small", clip(each.detail, 90)),
            class_=f"is-{each.look}",
        )
        for each in figures
    ]
    return element("ul", items, class_="figures")


def _all(facts: ReportFacts) -> _Figure:
    found = facts.findings.overview
    if not found.artifacts:
        if found.unread:
            return _Figure("not read", "findings of personal data", "see below", "yellow")
        detail = "the run did not search for any" if _ended(facts) else "not yet"
        return _Figure(NOT_SEARCHED, "for personal data", detail, "yellow")
    systems = f"in {counted(len(found.systems), 'system')}" if found.systems else "none found"
    detail, look = (f"{systems}; {PARTLY}", "yellow") if found.unread else (systems, "cyan")
    return _Figure(f"{found.findings:,}", "findings of personal data", detail, look)


def _special(facts: ReportFacts) -> _Figure:
    found = facts.findings.overview
    meaning = "of special categories"
    if not found.artifacts:
        number = "not read" if found.unread else NOT_SEARCHED
        return _Figure(number, "for special categories", "Art. 9, 10 and 8 GDPR", "dim")
    names = [category_word(each.name) for each in found.categories if each.special]
    if not names and found.unread:
        return _Figure("0", meaning, PARTLY, "yellow")
    if not names:
        return _Figure("0", meaning, "none of Art. 9, 10 or 8 GDPR", "green")
    return _Figure(f"{found.special:,}", meaning, listed(names, 3), "red")


def _examined(facts: ReportFacts) -> _Figure:
    sources, least = facts.coverage.counted, facts.coverage.least
    if least is None:
        return _Figure("no source", "to examine", "nothing comes from outside", "yellow")
    whole = sum(each.share == 1 for each in sources)
    number, meaning = f"{whole:,} of {len(sources):,}", "sources examined in full"
    if whole == len(sources):
        return _Figure(number, meaning, "nothing was missed", "green")
    detail = f"least: {least.artifact}, {facts.coverage.percent} %"
    return _Figure(number, meaning, detail, "red" if not least.share else "yellow")


def _ended(facts: ReportFacts) -> bool:
    """Return whether nothing more will be found unless the run is repeated."""
    return facts.record.metadata.status in (RunStatus.COMPLETED, RunStatus.CANCELLED)


def _open(decisions: int) -> _Figure:
    if not decisions:
        return _Figure("0", "things to decide", "nothing is open", "green")
    meaning = "thing to decide" if decisions == 1 else "things to decide"
    return _Figure(f"{decisions:,}", meaning, "see below", "yellow")


def _looked_at(facts: ReportFacts) -> str:
    counted_sources = facts.coverage.sources
    if not counted_sources:
        return "Nothing: no artifact of this run comes from a source."
    names = listed([each.artifact for each in counted_sources], 6)
    sources = counted(len(counted_sources), "source")
    amounts = wording.amounts(facts.coverage)
    return f"{sources}: {names}." + (f" {amounts[:1].upper()}{amounts[1:]}." if amounts else "")


def _found(facts: ReportFacts) -> Iterator[Markup]:
    found = facts.findings.overview
    if not found.searched:
        yet = "This run did not search for personal data."
        yield element("p", yet if _ended(facts) else "No search for personal data has ended yet.")
        return
    if not found.findings:
        which = "could be read" if found.unread else "was examined"
        nothing = f"No personal data in what {which}."
        yield element("p", nothing if found.artifacts else "Not known.")
    special = [each for each in found.categories if each.special]
    others = [each for each in found.categories if not each.special]
    if special:
        strong = element("strong", "Special categories: ")
        yield element("p", strong, _counts(special), ".")
    if others:
        yield element("p", "Also: " if special else "", _counts(others), ".")
    if found.systems:
        systems = ", ".join(f"{each.name} ({each.findings:,})" for each in found.systems[:4])
        place = f"; most in one place: {clip(found.items[0].name, 100, keep_end=True)}"
        yield element("p", f"Most in {systems}{place}.")
    if sentence := comparison_sentence(facts):
        yield element("p", sentence)
    if found.test_data:
        number = counted(found.test_data, "finding")
        yield element("p", f"{number} of test data, counted apart.", class_="quiet")


def _counts(counts: list[FoundCount]) -> str:
    return listed([f"{category_word(each.name)} ({each.findings:,})" for each in counts], 8)


def _not_examined(facts: ReportFacts) -> Child:
    gaps = [*_gaps(facts)]
    if not gaps:
        if not facts.coverage.sources:
            return element("p", "No source was read, so nothing is known about any.")
        return element("p", "Nothing: all that the runbook asks for was examined.", _proof(facts))
    return bullets(gaps, GAPS, "see Coverage")


def _proof(facts: ReportFacts) -> str:
    proofs = facts.coverage.proofs
    if not proofs or facts.coverage.recall != 1:
        return ""
    number = sum(each.values.planted for each in proofs)
    return f" The scan found all {number:,} samples that were planted to test it."


def _gaps(facts: ReportFacts) -> Iterator[str]:
    """Yield a sentence for each thing that was not examined, the largest gaps first."""
    for each in sorted(facts.coverage.counted, key=lambda source: source.share):
        if text := _source_gap(each):
            yield text
    for sample in facts.coverage.samples:
        if sample.at_most is not None:
            yield f"{wording.sample(sample)}."
    for gap in facts.coverage.gaps:
        yield f"{wording.gap(gap)}."
    for name, reason in facts.findings.overview.unread.items():
        yield f"The findings of {name} are not in this report: {clip(reason, REASON)}."
    for warning in facts.coverage.warnings:
        yield f"{warning}."


def _source_gap(each: SourceCoverage) -> str | None:
    """Return what was not examined of a source; None if all of it was."""
    if isinstance(each.outcome, ArtifactStatus):
        why = f": {clip(plain(each.why), REASON)}" if each.why else ""
        return f"The whole of {each.artifact}, which {each.outcome.clause}{why}."
    if each.outcome is SourceOutcome.UNKNOWN:
        return f"{each.artifact} does not report what it examined."
    if each.outcome is SourceOutcome.EMPTY:
        return f"{each.artifact} is empty: there was nothing to examine."
    if each.share == 1:
        return None
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in each.measure.reasons.items())
    parts = [wording.partial(part) for part in each.measure.partial[:3]]
    beside = "; ".join(filter(None, [reasons, *parts]))
    text = f"{each.artifact}: {percent(each.share)} % was examined"
    return f"{text} ({clip(beside, 2 * REASON)})." if beside else f"{text}."


def _decided(decisions: list[Markup]) -> Markup:
    if not decisions:
        return element("p", "Nothing.")
    return bullets(decisions, DECISIONS, "see the sections below")


def _decisions(facts: ReportFacts) -> Iterator[Markup]:
    """Yield what a person has to decide or do, the most urgent first."""
    run = facts.record.metadata
    for name, reason in facts.waiting.items():
        typed = facts.commands.decisions.get(name)
        yield _sentence(f"{name}:", clip(reason, 400), command(typed) if typed else None)
    if special := _unaccepted(facts, [e for e in facts.findings.overview.categories if e.special]):
        yield _sentence(
            f"{special} of special categories:",
            "confirm the legal basis (Art. 9, 10 or 8 GDPR), or remove the data.",
        )
    secrets = [each for each in facts.findings.overview.categories if each.name == "credentials"]
    if number := _unaccepted(facts, secrets):
        yield _sentence(f"{number} of passwords and keys:", "replace those that are in use.")
    yield from _overdue(facts)
    failed = facts.steps(ArtifactStatus.FAILED)
    if failed:
        names = listed([step.artifact for step in failed], 4)
        verb = "artifact" if len(failed) == 1 else "artifacts"
        yield _sentence(
            f"{len(failed):,} {verb} failed:", f"{names}. The results are missing.", _resume(facts)
        )
    elif run.status in (RunStatus.INTERRUPTED, RunStatus.RUNNING):
        yield _sentence(f"The run is {run.status}:", "this report is incomplete.", _resume(facts))


def _unaccepted(facts: ReportFacts, categories: list[FoundCount]) -> str:
    """Return how many findings of categories wait for a decision; empty if none does."""
    accepted = sum(facts.findings.accepted[each.name] for each in categories)
    waiting = sum(each.findings for each in categories) - accepted
    if waiting <= 0:
        return ""
    return counted(waiting, "finding") + (f" ({accepted:,} more accepted)" if accepted else "")


def _overdue(facts: ReportFacts) -> Iterator[Markup]:
    """Yield the reviews that have expired: findings to decide again, or to remove at last."""
    reviews = facts.reviews
    late = [r.decision for _, r in facts.findings.reviewed if reviews and not reviews.holds(r)]
    if number := late.count("accepted"):
        yield _sentence(f"{counted(number, 'acceptance')} expired:", "decide again.")
    if number := late.count("rejected"):
        yield _sentence(f"{counted(number, 'finding')} to be removed:", "the last day is over.")


def _resume(facts: ReportFacts) -> Markup | None:
    """Return the command that continues the run, if one does."""
    return command(facts.commands.next) if facts.commands.resumable else None


def _sentence(strong: str, *more: Child) -> Markup:
    return element("span", element("strong", strong), " ", more)
