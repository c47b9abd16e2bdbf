"""The stance of a column's name on the types of values, known before any value is read.

In a dense table most cells hold nothing that their column could be taken for. What a value at the
beginning of a cell may be depends on the name of the column alone, so a finder asks once for each
column and passes over the cells that could not yield a match.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from waivern.detection.delimited import line_of_names
from waivern.detection.label_context import Evidence, Label, Surroundings, evidence, verdict_of
from waivern.detection.ruleset import Ruleset
from waivern.detection.word_splitting import words

Stance = Literal["for", "hint", "against", "foreign", "silent", "excluded"]
_WEAKEST = 0.5
"""The lowest threshold for which a type that the column speaks against is out of the question."""


class LabelledColumn:
    """The stances of one column."""

    def __init__(self, labels: tuple[Label, ...], rules: Ruleset, *, speaks: bool = True) -> None:
        self.labels = labels
        self.speaks = speaks
        """Whether a term is known in its name."""
        self._rules = rules
        self._stances: dict[str, Stance] = {}
        self._excluded: dict[int, bool] = {}
        self._heard: dict[Label, Evidence] = {}

    def stance(self, kind: str) -> Stance:
        """Return what the column says about values of a type."""
        known = self._stances.get(kind)
        if known is None:
            judged = verdict_of(kind, self.labels, self._rules, self._hear)
            known = self._stances[kind] = "excluded" if judged is None else judged[0].stance
        return known

    def _hear(self, label: Label) -> Evidence:
        heard = self._heard.get(label)
        if heard is None:
            heard = self._heard[label] = evidence(label, self._rules)
        return heard

    def excludes(self, kind: str) -> bool:
        """Return whether no value of the type can be certain enough, if it is less than 0.9."""
        rule = self._rules.types.get(kind)
        if rule is None or rule.threshold < _WEAKEST:
            return False
        stance = self.stance(kind)
        return stance == "excluded" or (stance == "against" and rule.trust == "context")

    def excludes_all(self, kinds: tuple[str, ...]) -> bool:
        """Return whether it excludes each of the types, which live as long as the process."""
        known = self._excluded.get(id(kinds))
        if known is None:
            known = self._excluded[id(kinds)] = all(map(self.excludes, kinds))
        return known

    @cached_property
    def excludes_context(self) -> bool:
        """Whether it excludes each type whose values need a label, or the lack of one."""
        rules = self._rules.types.items()
        return all(self.excludes(kind) for kind, rule in rules if rule.trust == "context")

    def supports(self, kind: str) -> bool:
        """Return whether a value that needs a label can be certain enough."""
        rule = self._rules.types.get(kind)
        if rule is None:
            return False
        return rule.threshold < _WEAKEST or self.stance(kind) in ("for", "hint")


class ColumnStances:
    """The columns of a text that begins with a line of names over rows."""

    def __init__(self, text: str, rules: Ruleset, field: str | None) -> None:
        self._around = Surroundings(text, rules, field)
        self._rules = rules
        self._columns: dict[tuple[Label, ...], LabelledColumn] = {}

    @classmethod
    def of(cls, text: str, rules: Ruleset, field: str | None) -> ColumnStances | None:
        """Return the columns of a text; None for one that begins otherwise."""
        return cls(text, rules, field) if line_of_names(text, 0) else None

    def named(self, name: str) -> LabelledColumn:
        """Return the column with this name."""
        labels = self._around.labels_of_column(name)
        if labels is None:
            return LabelledColumn(self._around.labels_of_name(name), self._rules, speaks=False)
        return self._columns.setdefault(labels, LabelledColumn(labels, self._rules))

    def of_neighbours(self, term: str) -> LabelledColumn:
        """Return the column whose values show that `term` would be its name."""
        return LabelledColumn((Label(words(term), "neighbours"),), self._rules)

    def at(self, start: int) -> LabelledColumn | None:
        """Return the column of the cell that begins at `start`; None: elsewhere, or unknown."""
        labels = self._around.labels_of_cell(start)
        if labels is None:
            return None
        known = self._columns.get(labels)
        if known is None:
            known = self._columns[labels] = LabelledColumn(labels, self._rules)
        return known
