"""A reader of reports that checks what a browser would tolerate: nesting, policy, foreign code."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

EMPTY = ("br", "link", "meta")
LINKS = ("href", "src", "xlink:href", "action", "srcset", "data")


class ReportReader(HTMLParser):
    """The elements, texts and links of a report."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.policy = self.style = ""
        self.feed(page)
        self.close()
        assert self.open == [], "an element is not closed"

    @property
    def text(self) -> str:
        """The text that a reader sees, on one line."""
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in EMPTY:
            self.open.append(tag)
        self.tags.add(tag)
        found = dict(attrs)
        assert len(found) == len(attrs), f"an attribute of {tag} is there twice"
        self.attributes |= found.keys()
        self.links += [found[name] or "" for name in LINKS if name in found and tag != "path"]
        self.ids += [found["id"] or ""] if "id" in found else []
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.texts.append(data)

    def check(self) -> None:
        """Check that the page is one file whose policy allows its style and nothing else."""
        digest = base64.b64encode(hashlib.sha256(self.style.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in self.policy
        assert self.policy.startswith("default-src 'none'")
        assert "unsafe" not in self.policy
        assert not self.tags & {"script", "iframe", "object", "embed", "img", "form", "base"}
        assert not [name for name in self.attributes if name.startswith("on") or name == "style"]
        assert all(link.startswith("#") or link == "data:," for link in self.links)
        assert {link[1:] for link in self.links if link.startswith("#")} <= set(self.ids)
        assert len(self.ids) == len(set(self.ids))
        assert "url(" not in self.style
        assert "@import" not in self.style
