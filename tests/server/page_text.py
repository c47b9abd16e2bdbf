"""The HTML of a page as a test looks at it: its text, its links, and what a policy forbids."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from unicodedata import category

EMPTY = {"meta", "link", "input", "br", "img", "hr"}


@dataclass
class PageText:
    """What a page has, once it was read whole."""

    text: str = ""
    links: list[str] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)
    """The labels of the boxes in the graph."""
    inputs: dict[str, list[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """Elements that are not nested well, and what the policy or a screen reader cannot bear."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = PageText()
        self._open: list[str] = []
        self._ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._check(tag, values)
        if "href" in values and tag == "a":
            self.page.links.append(values["href"])
            if "node" in values.get("class", ""):
                self.page.boxes.append(values["aria-label"])
        if tag in ("input", "button"):
            self.page.inputs.setdefault(values.get("name", ""), []).append(values.get("value", ""))
        if tag not in EMPTY:
            self._open.append(tag)

    def _check(self, tag: str, values: dict[str, str]) -> None:
        faults = self.page.faults
        faults += [f"{tag} has {name}" for name in values if name == "style" or name[:2] == "on"]
        for name in ("href", "src", "action"):
            if not values.get(name, "/").startswith(("/", "data:,", "#")) and values[name]:
                faults.append(f"{tag} leads to {values[name]}")
        if (mine := values.get("id")) is not None:
            faults += [f"id {mine} twice"] if mine in self._ids else []
            self._ids.add(mine)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._check(tag, {name: value or "" for name, value in attrs})

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.page.faults.append(f"</{tag}> is out of place")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("script", "style") and data.strip():
            self.page.faults.append(f"<{self._open[-1]}> has text")
        self.page.text += data


def read_page(body: bytes) -> PageText:
    """Return what a page has."""
    reader = _Reader()
    reader.feed(body.decode())
    reader.close()
    page = reader.page
    page.faults += [f"<{tag}> is not closed" for tag in reader._open]
    odd = {c for c in page.text if category(c) in ("Cc", "Cf", "Cs", "Co") and c != "\n"}
    page.faults += [f"{c!r} is not escaped" for c in sorted(odd)]
    page.text = " ".join(page.text.split())
    return page
