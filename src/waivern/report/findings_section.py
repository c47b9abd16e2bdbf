"""The findings of a report: by category, by system, and the gravest one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from waivern.message import Json
from waivern.pictures.elements import Child, Markup, element, together
from waivern.record.text_forms import clip, counted, listed
from waivern.report.report_facts import ReportFacts
from waivern.report.report_parts import (
    bar,
    category_word,
    command,
    paragraph,
    rest,
    row,
    section,
    table,
)
from waivern.runs.findings_overview import FoundCount
from waivern.runs.recorded_findings import RecordedFinding

SYSTEMS, CATEGORIES = 40, 14
"""The rows and columns of the table by system and category."""
TYPES = 12
"""The types of a category."""
HEADINGS = ("Type", "Category", "Severity", "System", "Place", "Field", "Evidence", "Times")
TEXT = 120
"""The characters of a name in the list of findings."""
LIST_SIZE = 600_000
"""The characters of HTML that the list of findings may have; what does not fit is counted."""


def findings_section(facts: ReportFacts) -> Markup | None:
    """Return the findings of a run; None if it searched for none."""
    found = facts.findings.overview
    if not found.searched:
        return None
    if not found.findings:
        nothing = "No finding in what was examined; see what was not examined under Coverage."
        return section("findings", "Findings", element("p", nothing), _test_data(facts))
    about = (
        f"{counted(found.findings, 'finding')} with {counted(found.occurrences, 'occurrence')}. A"
        " finding is personal data of one type in one file or table, or a field that is named for"
        " it. Values are masked."
    )
    return section(
        "findings",
        "Findings",
        element("p", about),
        _test_data(facts),
        element("h3", "By category"),
        _by_category(facts),
        element("h3", "By system and category"),
        _by_system(facts),
        _list(facts),
    )


def _test_data(facts: ReportFacts) -> Markup | None:
    number = facts.findings.overview.test_data
    test = f"{counted(number, 'finding')} of test data, such as reserved addresses"
    return paragraph(f"{test}, not counted here." if number else "", "quiet")


def _by_category(facts: ReportFacts) -> Markup:
    found = facts.findings.overview
    most = max(each.findings for each in found.categories)
    types: dict[str, list[str]] = {}
    for each in found.types:
        types.setdefault(each.category, []).append(f"{each.name} {each.findings:,}")
    rows = [
        row(
            _category(each),
            each.findings,
            bar(each.findings / most, "red" if each.special else "cyan"),
            each.occurrences,
            each.severity,
            listed(types[each.name], TYPES),
            right=(1, 3),
        )
        for each in found.categories
    ]
    headings = ("Category", "Findings", "", "Occurrences", "Severity", "Types")
    return table("Findings by category", headings, rows, right=(1, 3))


def _category(each: FoundCount) -> Child:
    word = category_word(each.name)
    tag = element("span", "special category", class_="tag is-red")
    return (word, " ", tag) if each.special else word


def _by_system(facts: ReportFacts) -> Markup:
    """Return the number of findings of each system in each category; darker where it is larger."""
    found, counts = facts.findings.overview, facts.findings.by_system
    categories = [each.name for each in found.categories[:CATEGORIES]]
    most = max(counts.values(), default=1)
    rows = []
    for system in found.systems[:SYSTEMS]:
        cells = [
            element("td", f"{n:,}" if n else "", class_=f"right heat{_heat(n, most)}")
            for n in (counts[system.name, category] for category in categories)
        ]
        total = element("td", element("b", system.findings), class_="right")
        rows.append(element("tr", element("th", system.name, scope="row"), total, cells))
    headings = ("System", "All", *map(category_word, categories))
    return together(
        table("Findings by system and category", headings, rows, range(1, len(headings))),
        rest(len(found.systems) - SYSTEMS, "system"),
        rest(len(found.categories) - CATEGORIES, "category with the fewest findings"),
    )


def _heat(number: int, most: int) -> int:
    """Return the step of the colour scale, 0 to 4, each for four times as many as the last."""
    if not number:
        return 0
    return next((4 - n for n in range(3) if number * 4**n * 2 >= most), 1)


def _list(facts: ReportFacts) -> Markup:
    """Return the gravest findings, folded, and the command for the others."""
    rows, size = [], 0
    for finding in facts.findings.listed:
        each = _finding(finding)
        size += len(each)
        if size > LIST_SIZE:
            break
        rows.append(each)
    more = facts.findings.overview.findings - len(rows)
    title = (
        "All findings"
        if not more
        else f"The {len(rows):,} gravest findings, of {len(rows) + more:,}"
    )
    return element(
        "details",
        element("summary", title),
        table("Single findings", HEADINGS, rows, right=(7,)),
        _further(facts, more) if more else None,
        id="list",
    )


def _further(facts: ReportFacts, more: int) -> list[Markup]:
    artifacts = facts.findings.overview.artifacts
    typed = [f"wct inspect {facts.name}/{name} --full" for name in artifacts[:3]]
    return [element("p", f"{counted(more, 'further finding')}:"), *map(command, typed)]


def _finding(each: RecordedFinding) -> Markup:
    evidence = each.document.get("evidence")
    masked = evidence if isinstance(evidence, str) else ""
    place = clip(each.item, TEXT, keep_end=True)
    return row(
        clip(each.type, TEXT),
        category_word(clip(each.category, TEXT)),
        each.severity,
        clip(each.system, TEXT, keep_end=True),
        (place, _first_place(each.document)),
        clip(each.field, TEXT),
        element("code", clip(masked, TEXT)),
        each.occurrences,
        right=(7,),
        **({"class_": "special"} if each.special else {}),
    )


def _first_place(document: Mapping[str, Json]) -> str:
    """Return the line or row of the first occurrence."""
    places = document.get("locations")
    first = places[0] if isinstance(places, list) and places else None
    return "".join(_numbers(first)) if isinstance(first, dict) else ""


def _numbers(place: Mapping[str, Json]) -> Iterator[str]:
    for word in ("line", "row"):
        if isinstance(place.get(word), int):
            yield f", {word} {place[word]:,}"
