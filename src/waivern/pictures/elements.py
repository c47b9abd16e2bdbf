"""Elements of HTML and SVG, built from text that is escaped unless it is markup already.

No template language is needed, and no text can be forgotten: `element` makes control characters
and invisible ones visible, so that the text of a foreign run cannot reverse or hide what surrounds
it, and then escapes what HTML would interpret.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

from waivern.record.text_forms import clean, clip

LONGEST = 2000
"""The characters of a text that are shown."""
EMPTY = frozenset(("br", "col", "link", "meta"))
"""The elements of HTML without an end tag."""


class Markup(str):
    """Text that is HTML or SVG already, and not escaped again."""

    __slots__ = ()


Child: TypeAlias = str | int | Iterable["Child"] | None
"""A text, markup, nothing, or several of them."""
Attribute: TypeAlias = str | int | float | bool | None


def element(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """Return an element with its children.

    `class_` names the attribute `class`, and `aria_label` the attribute `aria-label`. An attribute
    that is None or False is omitted; one that is True has no value.
    """
    head = "".join([_attribute(key, value) for key, value in attributes.items()])
    if name in EMPTY:
        return Markup(f"<{name}{head}>")
    return Markup(f"<{name}{head}>{_join(children)}</{name}>")


def together(*children: Child) -> Markup:
    """Return several children without an element around them."""
    return Markup(_join(children))


def escaped(text: str) -> Markup:
    """Return a text as it may stand in an element or an attribute."""
    shown = clip(clean(text), LONGEST)
    return Markup(shown if shown.isalnum() else escape(shown))


def _join(children: Iterable[Child]) -> str:
    found: list[str] = []
    for child in children:
        if isinstance(child, Markup):
            found.append(child)
        elif isinstance(child, str):
            found.append(escaped(child))
        elif isinstance(child, int):
            found.append(f"{child:,}")
        elif child is not None:
            found.append(_join(child))
    return "".join(found)


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    key = name.rstrip("_").replace("_", "-")
    if value is True:
        return f' {key}=""'
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f' {key}="{value if isinstance(value, Markup) else escaped(text)}"'
