"""The findings of one call of `personal_data`, collected from matches."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from waivern.detection import Match, NamedField, Ruleset, redact, scan
from waivern.detection.ruleset import FieldTerm
from waivern.message import Json

_NUMBER = re.compile(r"\d(?:[ .\-/]?\d){8,}")
"""Nine digits and more may be a personal number; versions and dates have fewer."""
_DIGIT = re.compile(r"\d")


def field_type(term: FieldTerm) -> str:
    """Return the type of the findings of a field name."""
    return term.term.replace(" ", "_")


def _starred(number: re.Match[str]) -> str:
    return _DIGIT.sub("*", number[0])


class DetectionSettings(Protocol):
    """The part of the properties that decides what is reported."""

    @property
    def min_confidence(self) -> float: ...
    @property
    def types(self) -> tuple[str, ...] | None: ...
    @property
    def field_names(self) -> bool: ...
    @property
    def max_locations(self) -> int: ...


@dataclass(slots=True)
class FindingsReport:
    """The collector of findings: it turns matches into findings."""

    rules: Ruleset
    config: DetectionSettings
    findings: list[dict[str, Any]] = field(default_factory=list)
    _seen: Counter[tuple[str, ...]] = field(default_factory=Counter)
    _shown: dict[str, str] = field(default_factory=dict)

    def scan(self, text: str, name: str | None = None) -> list[Match]:
        return scan(
            text,
            self.rules,
            field=name,
            types=self.config.types,
            min_confidence=self.config.min_confidence,
        )

    def shown(self, name: str) -> str:
        """Return a path, column or key as it may be shown: some contain values themselves."""
        if name not in self._shown:
            self._shown[name] = _NUMBER.sub(_starred, redact(name, self.rules))
        return self._shown[name]

    def value(
        self,
        match: Match,
        evidence: str,
        source: str,
        name: str,
        locations: list[Json],
        **more: Json,
    ) -> None:
        """Add a finding of a value; `source` and `name` (column, key) are as shown."""
        rule = self.rules.types[match.type]
        self._add(
            (match.type, match.rule, source, name, evidence),
            kind="value",
            type=match.type,
            category=rule.category,
            confidence=match.confidence,
            severity="info" if match.sample else rule.severity,
            test_data=match.sample,
            rule=match.rule,
            evidence=evidence,
            validators=list(match.validators),
            terms=list(match.terms),
            locations=locations,
            **more,
        )

    def field(
        self, named: NamedField, data: bool, source: str, locations: list[Json], **more: Json
    ) -> None:
        """Add a finding of a field name, if its confidence suffices."""
        confidence = 0.5 if named.term.weak else 0.7 + 0.1 * named.whole + 0.1 * data
        if not self.config.field_names or confidence < self.config.min_confidence:
            return
        kind, name = field_type(named.term), self.shown(named.name)
        self._add(
            (kind, "field_name", source, name, name),
            kind="field_name",
            type=kind,
            category=named.term.category,
            confidence=round(confidence, 2),
            severity=self.rules.categories[named.term.category].severity,
            test_data=False,
            rule=named.term.rule,
            evidence=name,
            validators=[],
            terms=[named.term.term],
            locations=locations,
            **more,
        )

    def _add(self, identity: tuple[str, ...], *, rule: str, category: str, **rest: Json) -> None:
        ordinal = self._seen[identity]
        self._seen[identity] += 1
        basis = "\x1f".join((*identity, str(ordinal)))
        means = self.rules.categories[category]
        self.findings.append(
            {
                "id": hashlib.sha256(basis.encode("utf-8", "replace")).hexdigest()[:32],
                "category": category,
                **rest,
                "special_category": means.special,
                "articles": list(means.articles),
                "rule": {"id": rule, "version": self.rules.version_of(rule)},
            }
        )

    def content(self) -> Json:
        return {
            "ruleset": _identity(self.rules),
            **_counted(self.findings),
        }


def _counted(findings: list[dict[str, Any]]) -> dict[str, Json]:
    return {
        "summary": {
            "findings": len(findings),
            "by_type": _counts(findings, "type"),
            "by_category": _counts(findings, "category"),
        },
        "findings": findings,
    }


def joined(contents: Sequence[Json]) -> Json:
    """Return several contents as one; where rulesets differ, each finding names its own.

    `ruleset` is then `rulesets`, each of them once.
    """
    rulesets: list[Json] = []
    findings: list[Json] = []
    for content in contents:
        own = content["rulesets"] if "rulesets" in content else [content["ruleset"]]
        rulesets += [each for each in own if each not in rulesets]
    for content in contents:
        named = {} if len(rulesets) < 2 else {"ruleset": content.get("ruleset")}
        findings += [{**named, **finding} for finding in content["findings"]]
    which = {"rulesets": rulesets} if len(rulesets) > 1 else {"ruleset": rulesets[0]}
    return {**which, **_counted(findings)}


def _identity(rules: Ruleset) -> dict[str, Json]:
    identity = {"name": rules.name, "version": rules.version, "digest": rules.digest}
    return identity | ({"extends": _identity(rules.base)} if rules.base else {})


def _counts(findings: list[dict[str, Any]], key: str) -> dict[str, int]:
    return dict(sorted(Counter(finding[key] for finding in findings).items()))
