"""What is looked for: terms, thresholds and the law, read from a versioned ruleset file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from waivern.detection.patterns import ValuePattern, value_pattern
from waivern.detection.word_splitting import words
from waivern.errors import NotFoundError
from waivern.message import sha256

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
    rule: str
    """The id of the rule that it is part of."""


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
    base: Ruleset | None = None
    """The shipped one that this one adds to; its rules have ids that begin with '<name>/'."""

    patterns: tuple[ValuePattern, ...] = ()
    """What values look like of the types that are not shipped."""

    def version_of(self, rule: str) -> str:
        """Return the version of the ruleset that the rule with this id comes from."""
        own = self.base is None or rule.startswith(f"{self.name}/")
        return self.version if own or self.base is None else self.base.version


@cache
def load_ruleset(name: str = "personal_data", version: str = DEFAULT_VERSION) -> Ruleset:
    """Return a shipped ruleset. Raises NotFoundError, naming the shipped versions."""
    document, digest = _shipped(name, version)
    return Ruleset(
        name=document["name"],
        version=document["version"],
        digest=digest,
        types={name: _type_rule(name, rule) for name, rule in document["types"].items()},
        categories={name: _category(name, each) for name, each in document["categories"].items()},
        labels=_labels(document["types"], document["unrelated"]),
        hints=_terms(document["types"], "hints"),
        neutral=_plain(document["neutral"]),
        fields=_field_terms(document["fields"]),
    )


def extend_ruleset(document: Any, digest: str) -> Ruleset:
    """Return the shipped ruleset with what a person's ruleset document adds to it.

    `document` has the form that `waivern.detection.additions` describes; `digest` is of the file
    that it was read from. Raises RulesetError with all that is wrong with it.
    """
    from waivern.detection.additions import checked

    shipped, _ = _shipped("personal_data", DEFAULT_VERSION)
    base = load_ruleset()
    added = checked(document, base)
    name, kept = added["name"], not added["only"]
    rules = {
        kind: _joined(shipped["types"].get(kind, {}), rule) for kind, rule in added["types"].items()
    }
    every = {**(shipped["types"] if kept else {}), **rules}
    return Ruleset(
        name=name,
        version=added["version"],
        digest=digest,
        types={
            **(base.types if kept else {}),
            **{kind: _type_rule(kind, rule) for kind, rule in rules.items()},
        },
        categories={
            **base.categories,
            **{kind: _category(kind, each) for kind, each in added["categories"].items()},
        },
        labels=_labels(every, [*shipped["unrelated"], *added["unrelated"]]),
        hints=_terms(every, "hints"),
        neutral=base.neutral | _plain(added["neutral"]),
        fields={**(base.fields if kept else {}), **_field_terms(added["fields"], f"{name}/")},
        base=base,
        patterns=tuple(
            value_pattern(text, kind, rule.get("confidence", 0.5), f"{name}/{kind}")
            for kind, rule in rules.items()
            for text in rule.get("patterns", ())
        ),
    )


@cache
def _shipped(name: str, version: str) -> tuple[dict[str, Any], str]:
    """Return the document of a shipped ruleset and the digest of its file."""
    import yaml

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
    data = file.read_bytes()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(data, Loader=loader), sha256(data)  # noqa: S506 - a safe loader


def _joined(shipped: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule with lists joined and everything else as it was said last."""
    both = {
        key: [*shipped[key], *added[key]]
        for key in shipped.keys() & added.keys()
        if isinstance(added[key], list)
    }
    return {**shipped, **added, **both}


def _category(name: str, entry: Mapping[str, Any]) -> Category:
    return Category(name, entry["severity"], entry.get("special", False), tuple(entry["articles"]))


def _type_rule(name: str, rule: Mapping[str, Any]) -> TypeRule:
    return TypeRule(
        name=name,
        category=rule["category"],
        severity=rule["severity"],
        threshold=rule.get("threshold", 0.5),
        trust=rule.get("trust", "context"),
        unless=_plain(rule.get("unless", ())),
    )


def _plain(terms: Iterable[str]) -> frozenset[str]:
    return frozenset(" ".join(words(term)) for term in terms)


def _labels(types: Mapping[str, Any], unrelated: Iterable[str]) -> Vocabulary:
    return {**_vocabulary((term, UNRELATED) for term in unrelated), **_terms(types, "terms")}


def _terms(types: Mapping[str, Any], key: str) -> Vocabulary:
    return _vocabulary((term, name) for name, rule in types.items() for term in rule.get(key, ()))


def _spellings(term: str) -> tuple[str, str]:
    """The words of a term apart, and run together as in `dateofbirth`."""
    parts = words(term)
    return " ".join(parts), "".join(parts)


def _vocabulary(pairs: Iterable[tuple[str, str]]) -> Vocabulary:
    found: dict[str, frozenset[str]] = {}
    for term, name in pairs:
        for spelling in _spellings(term):
            found[spelling] = found.get(spelling, frozenset()) | {name}
    return found


def _field_terms(
    document: Mapping[str, Mapping[str, list[str]]], prefix: str = ""
) -> dict[str, FieldTerm]:
    found: dict[str, FieldTerm] = {}
    for category, entry in document.items():
        for kind in ("weak", "terms"):
            for term in entry.get(kind, ()):
                apart, together = _spellings(term)
                meant = FieldTerm(apart, category, kind == "weak", f"{prefix}field.{category}")
                for spelling in (apart, together):
                    found.setdefault(spelling, meant)
    return found
