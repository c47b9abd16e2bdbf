"""Conditions: the small language of `when`, `repeat.until` and `--fail-on`.

Read when a runbook is loaded, evaluated while it runs, without `eval`: it ends soon whatever it is
given, and touches nothing but the values in its scope. `docs/reference/conditions.md` describes
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from waivern.language.conditions import parser
from waivern.language.conditions.budget import MAX_STEPS, EvaluationError
from waivern.language.conditions.evaluation import Evaluation
from waivern.language.conditions.explanation import MAX_LENGTH
from waivern.language.conditions.explanation import explain as _explain
from waivern.language.conditions.syntax import MAX_DEPTH, MAX_TEXT, ConditionError, ConditionNode

if TYPE_CHECKING:
    from waivern.diagnostics import Diagnostic
    from waivern.message import Json
    from waivern.shapes import Shape

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "MAX_STEPS",
    "MAX_TEXT",
    "Condition",
    "ConditionError",
    "EvaluationError",
]


@dataclass(frozen=True, slots=True)
class Condition:
    """A question about params, artifacts and how they went, with the answer true or false.

    Two conditions of the same text are equal.
    """

    text: str
    references: frozenset[tuple[str, str]] = field(compare=False, repr=False)
    """What it looks at, such as ("inputs", "findings") or ("status", "child/scan").

    Of the roots params, inputs, status and artifacts; a name within `exists` is among them.
    """
    _tree: ConditionNode = field(compare=False, repr=False)
    untold: frozenset[tuple[str, str]] = field(default=frozenset(), compare=False, repr=False)
    """Of what it looks at, that of which nothing is shown: ("inputs", "staff"), ("result", "")."""

    @classmethod
    def parse(cls, text: str, roots: frozenset[str]) -> Self:
        """Read a condition that may begin its paths with `roots`. Raises ConditionError."""
        tree, references = parser.parse(text, roots)
        return cls(text, references, tree)

    def evaluate(self, scope: Mapping[str, Json]) -> bool:
        """Return the answer; `scope` gives each root its value. Raises EvaluationError.

        Only what `references` names has to be in the scope.
        """
        return Evaluation(self.text, scope).truth(self._tree)

    def faults(self, roots: Mapping[tuple[str, str], Shape]) -> list[Diagnostic]:
        """Return what can never be, with what its names are: ("inputs", "findings") -> shape.

        A root without names, such as `result`, is ("result", "").
        """
        from waivern.language.conditions.shape_check import ShapeCheck

        shapes = ShapeCheck(self.text, roots)
        shapes.boolean(self._tree)
        return list(shapes.faults)

    def keeping(self, untold: Iterable[tuple[str, str]]) -> Self:
        """Return the same condition, which shows nothing of these."""
        return replace(self, untold=self.untold.union(untold))

    def explain(self, scope: Mapping[str, Json], hide: Callable[[str], str]) -> str:
        """Return the values that decided, such as "count(inputs.scan.findings) = 0".

        At most MAX_LENGTH characters in one line. A value is shown only where it comes from params,
        status and round, or is said of content, as a count, a sum or an answer is; none that
        stands in content is, and nothing of what is `untold`. `hide` takes out
        secrets (`Secrets.hide`), and sees all that is shown before it is shortened. Raises
        EvaluationError, as `evaluate` does.
        """
        return _explain(self._tree, self.text, scope, hide, self.untold)
