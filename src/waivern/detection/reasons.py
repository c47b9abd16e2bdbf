"""Reasons of a match: the parts of its confidence, and the label that it was judged by."""

from __future__ import annotations

from typing import NamedTuple

from waivern.detection.label_context import Label
from waivern.message import Json


class Reasons(NamedTuple):
    """The parts that add up to the confidence of a match."""

    form: float
    """What its form and the checks that hold are worth alone."""
    label_effect: float
    """What the label adds to that."""
    alone: float
    """What it gains because the text is nothing but values."""
    threshold: float
    """What the sum has to reach: the limit of the type or of the search, if that is higher."""
    stance: str
    """`for`, `hint`, `against`, `foreign` or `silent`: what the label says about the type."""
    term: str | None
    """The known term in the label, as the ruleset has it."""
    label: Label | None
    """The label, whose words are from the text that was searched; None if none has a meaning."""

    def document(self) -> dict[str, Json]:
        """Return the reasons without anything from the text: only the parts that are not empty."""
        place = self.label.kind if self.label is not None and self.stance != "silent" else None
        parts: dict[str, Json] = {
            "form": round(self.form, 2),
            "label": round(self.label_effect, 2),
            "alone": round(self.alone, 2),
            "threshold": round(self.threshold, 2),
            "stance": self.stance if place else None,
            "term": self.term if place else None,
            "place": place,
            "words": self._words_between() if place else None,
        }
        return {name: part for name, part in parts.items() if part or name == "form"}

    def _words_between(self) -> int | None:
        """Return how many words of the label follow the term."""
        if self.label is None or not self.term:
            return None
        last = self.term.rpartition(" ")[2].removesuffix("*")
        for behind, word in enumerate(reversed(self.label.words)):
            if word.startswith(last):
                return behind
        return None
