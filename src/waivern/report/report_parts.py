"""The parts that several sections of a report consist of, and the words for what they show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from waivern.pictures.elements import Child, Markup, element, together
from waivern.record.status import UNKNOWN, looks
from waivern.record.text_forms import counted

_LOOKS = looks()
_WORDS = {
    "religion_belief": "religion or belief",
    "racial_ethnic_origin": "racial or ethnic origin",
    "political_opinion": "political opinion",
    "trade_union": "trade union membership",
    "sex_life_orientation": "sex life or orientation",
    "government_id": "official identifiers",
    "online_identifier": "online identifiers",
    "credentials": "passwords and keys",
    "children": "data of children",
    "criminal": "criminal offences",
}
"""Categories whose name is not the word for people."""


def category_word(category: str) -> str:
    """Return a category in words."""
    return _WORDS.get(category, category.replace("_", " "))


def plain(why: str) -> str:
    """Return a reason without the name of its class, which means nothing to most readers."""
    kind, _, message = why.partition(": ")
    return message if kind.isidentifier() and message else why


def section(name: str, title: str, *children: Child) -> Markup:
    """Return a section with a heading, which the contents link to."""
    heading = element("h2", title, id=name)
    return element("section", heading, children, aria_labelledby=name)


def paragraph(text: Child, class_: str | None = None) -> Markup | None:
    """Return a paragraph, if there is a text."""
    return element("p", text, class_=class_) if text else None


def rest(number: int, word: str) -> Markup | None:
    """Return the number of what is not shown, if anything is not."""
    return paragraph(f"{counted(number, word)} not shown." if number > 0 else "", "quiet")


def region(label: str, class_: str, *children: Child) -> Markup:
    """Return a part that scrolls by itself, with the keyboard too."""
    return element("div", children, class_=class_, tabindex=0, role="region", aria_label=label)


def table(
    label: str, headings: Sequence[str], rows: Iterable[Markup], right: Sequence[int] = ()
) -> Markup:
    """Return a table that scrolls by itself; the columns of numbers are `right`."""
    heads = [
        element("th", text, scope="col", class_="right" if number in right else None)
        if text
        else element("td")  # above bars, which repeat a number
        for number, text in enumerate(headings)
    ]
    body = element("tbody", together(rows))
    return region(label, "wide", element("table", element("thead", element("tr", heads)), body))


def row(first: Child, *others: Child, right: Sequence[int] = (), **attributes: str) -> Markup:
    """Return a row with a heading; the numbers of cells in `right` are of the whole row."""
    cells = [
        element("td", each, class_="right" if number in right else None)
        for number, each in enumerate(others, 1)
    ]
    return element("tr", element("th", first, scope="row"), cells, **attributes)


def bar(share: float, look: str = "cyan") -> Markup:
    """Return a bar that repeats the number beside it, as a part of a whole, 0 to 1."""
    width = max(4.0, round(1000 * min(share, 1.0), 1)) if share > 0 else 0.0
    track = element("rect", class_="track", width=1000, height=10)
    return element(
        "svg",
        track,
        element("rect", width=width, height=10) if width else None,
        class_=f"bar is-{look}",
        viewBox="0 0 1000 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def status(value: str, word: str | None = None) -> Markup:
    """Return a status as a symbol and in words."""
    look = _LOOKS.get(value, UNKNOWN)
    symbol = element("span", look.symbol, aria_hidden="true")
    text = f" {word or value.replace('_', ' ')}"
    return element("span", symbol, text, class_=f"status is-{look.colour or 'dim'}")


def facts(rows: Iterable[tuple[str, Child]]) -> Markup:
    """Return a list of named facts, without those that have no value."""
    return element(
        "dl",
        [
            element("div", element("dt", name), element("dd", value))
            for name, value in rows
            if value not in (None, "")
        ],
        class_="facts",
    )


def bullets(texts: Sequence[Child], most: int, rest: str) -> Markup:
    """Return a list of the first texts, and the number of the others."""
    more = len(texts) - most
    items = [element("li", each) for each in texts[:most]]
    return element("ul", items, element("li", f"{more:,} more: {rest}") if more > 0 else None)


def command(text: str) -> Markup:
    """Return a command line to copy."""
    return element("code", text, class_="command")


def utc(at: str | None) -> str:
    """Return a time for people; a text that is no time as it is."""
    text = at or ""
    if len(text) >= 20 and text[10] == "T" and text.endswith("Z"):
        return f"{text[:10]} {text[11:19]} UTC"
    return text
