"""What is looked for: terms, thresholds and the law, read from a versioned ruleset file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from waivern.detection.words import words
from waivern.errors import NotFoundError

UNRELATED = "unrelated"
"""Stands among the types for what a label says when it is not about a person."""

DEFAULT_VERSION = "1.0.0"
LONGEST_TERM = 5

Vocabulary = Mapping[str, frozenset[str]]
"""A normalised term to the names it stands for."""


@dataclass(frozen=True, slots=True)
class TypeRule:
    """How one type of value is judged and what it means."""

    name: str
    category: str
    severity: str
    threshold: float
    trust: Literal["own", "context"]
    """`own`: the syntax speaks for itself; `context`: a label that says otherwise counts."""
    unless: frozenset[str]
    """Terms right before a value that say it is something else after all."""


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of personal data in GDPR practice."""

    name: str
    severity: str
    special: bool
    """Art. 9, 10 or 8: needs a ground of its own."""
    articles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """What a field name stands for. A `weak` term needs a second signal."""

    term: str
    category: str
    weak: bool


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A ruleset, ready for use. `digest` is of its file, so a cache can tell two apart."""

    name: str
    version: str
    digest: str
    types: Mapping[str, TypeRule]
    categories: Mapping[str, Category]
    labels: Vocabulary
    """Terms of labels to type names, or UNRELATED."""
    hints: Vocabulary
    """Terms that speak for a type only a little ('number')."""
    neutral: frozenset[str]
    fields: Mapping[str, FieldTerm]


@cache
def load_ruleset(name: str = "personal_data", version: str = DEFAULT_VERSION) -> Ruleset:
    """Return a shipped ruleset. Raises NotFoundError, naming the shipped versions."""
    folder = files(__package__).joinpath("rulesets")
    known = {
        f"{kind.name} {file.name.removesuffix('.yaml')}": file
        for kind in folder.iterdir()
        for file in kind.iterdir()
    }
    file = known.get(f"{name} {version}")
    if file is None:
        raise NotFoundError(
            f"no ruleset {name} {version}", hint=f"shipped are: {', '.join(sorted(known))}"
        )
    return _parse(file.read_bytes())


def _parse(data: bytes) -> Ruleset:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: dict[str, Any] = yaml.load(data, Loader=loader)  # noqa: S506 - a safe loader
    types = {name: _type_rule(name, rule) for name, rule in document["types"].items()}
    labels = [(term, UNRELATED) for term in document["unrelated"]]
    labels += [(term, name) for name, rule in document["types"].items() for term in rule["terms"]]
    hints = [
        (term, name) for name, rule in document["types"].items() for term in rule.get("hints", ())
    ]
    return Ruleset(
        name=document["name"],
        version=document["version"],
        digest="sha256:" + hashlib.sha256(data).hexdigest(),
        types=types,
        categories={
            name: Category(
                name, entry["severity"], entry.get("special", False), tuple(entry["articles"])
            )
            for name, entry in document["categories"].items()
        },
        labels=_vocabulary(labels),
        hints=_vocabulary(hints),
        neutral=frozenset(" ".join(words(term)) for term in document["neutral"]),
        fields=_field_terms(document["fields"]),
    )


def _type_rule(name: str, rule: dict[str, Any]) -> TypeRule:
    return TypeRule(
        name=name,
        category=rule["category"],
        severity=rule["severity"],
        threshold=rule.get("threshold", 0.5),
        trust=rule.get("trust", "context"),
        unless=frozenset(" ".join(words(term)) for term in rule.get("unless", ())),
    )


def _spellings(term: str) -> tuple[str, str]:
    """The words of a term apart, and run together as in `dateofbirth`."""
    parts = words(term)
    return " ".join(parts), "".join(parts)


def _vocabulary(pairs: Iterable[tuple[str, str]]) -> Vocabulary:
    found: dict[str, frozenset[str]] = {}
    for term, name in pairs:
        for spelling in _spellings(term):
            held = found.get(spelling, frozenset())
            if name != UNRELATED or not held:
                found[spelling] = (held - {UNRELATED}) | {name}
    return found


def _field_terms(document: dict[str, dict[str, list[str]]]) -> dict[str, FieldTerm]:
    found: dict[str, FieldTerm] = {}
    for category, entry in document.items():
        for kind in ("weak", "terms"):
            for term in entry.get(kind, ()):
                apart, together = _spellings(term)
                for spelling in (apart, together):
                    found.setdefault(spelling, FieldTerm(apart, category, kind == "weak"))
    return found
