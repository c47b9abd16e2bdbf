"""Rulesets: terms, thresholds and the law, read from a versioned file.

The module has the parts of a ruleset and the functions that read each part from a document. A
ruleset that a user writes is read by `additions`, with the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from waivern.detection.expressions import expression
from waivern.detection.field_terms import FieldTerm
from waivern.detection.identifiers import IDENTIFIERS
from waivern.detection.national_phones import PLANS
from waivern.detection.patterns import ValuePattern
from waivern.detection.secrets import SECRETS
from waivern.detection.text_words import Lexicon
from waivern.detection.word_splitting import UNSPACED, words
from waivern.errors import NotFoundError
from waivern.message import json_bytes, sha256

UNRELATED = "unrelated"
"""In place of a type: the label of a value that is not about a person."""

DEFAULT_VERSION = "1.0.0"
STEM_SIZES = range(4, 13)
"""The lengths that the beginning of a word may have, as in the term `telefon*`."""

Vocabulary = Mapping[str, frozenset[str]]
"""A normalised term to the names of the types that it labels.

`telefon*` labels them by every word that begins so: verbs and nouns have many endings.
"""


@dataclass(frozen=True, slots=True)
class TypeRule:
    """The rule for one type of value: its threshold, its severity and its category."""

    name: str
    category: str
    severity: str
    threshold: float
    trust: Literal["own", "context"]
    """`own`: the syntax is evidence enough; `context`: a contrary label lowers the confidence."""
    unless: frozenset[str]
    """Terms that exclude a value when they directly precede it."""


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of personal data in GDPR practice."""

    name: str
    severity: str
    special: bool
    """Art. 9, 10 or 8: it needs a legal ground of its own."""
    articles: tuple[str, ...]


class OwnSamples(NamedTuple):
    """Values of a type that only a user's ruleset has, and a label of theirs."""

    values: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Ruleset:
    """A ruleset, ready for use. `digest` is the digest of its file: it is part of cache keys."""

    name: str
    version: str
    digest: str
    types: Mapping[str, TypeRule]
    categories: Mapping[str, Category]
    labels: Vocabulary
    """Label terms to type names, or to UNRELATED."""
    hints: Vocabulary
    """Terms that support a type only weakly ('number')."""
    neutral: frozenset[str]
    particles: frozenset[str]
    """Terms that label a value as a key ('To: …') and say nothing in a sentence."""
    optional: Mapping[str, Mapping[str, Any]]
    """The documents of the types that are searched for only where they are named."""
    fields: Mapping[str, FieldTerm]
    ambiguous: frozenset[str]
    """Names of fields that programs use for other things: in code they count beside another."""
    base: Ruleset | None = None
    """The shipped ruleset that this one extends; rules of this one have ids '<name>/...'."""

    patterns: tuple[ValuePattern, ...] = ()
    """The forms of values of the types that are not shipped."""
    samples: Mapping[str, OwnSamples] = field(default_factory=dict)
    """Values of the types that are not shipped, which prove that these are found."""

    def naming(self, types: Iterable[str]) -> Ruleset:
        """Return the ruleset with those of its optional types that are named."""
        named = frozenset(self.optional).intersection(types)
        if not named:
            return self
        if named not in self._with_optional:
            self._with_optional[named] = _with_optional(self, named)
        return self._with_optional[named]

    @cached_property
    def _with_optional(self) -> dict[frozenset[str], Ruleset]:
        """The rulesets with optional types that were asked for."""
        return {}

    def named_by(self, seen: frozenset[str]) -> frozenset[str]:
        """Return the types one of whose terms consists of words that were seen, in any order."""
        begun = [word for word in seen if word[: STEM_SIZES.start] in self._beginnings]
        seen = seen.union(
            stem
            for word in begun
            for vocabulary in (self.labels, self.hints)
            if (stem := stem_of(word, vocabulary))
        )
        if unspaced := " ".join(filter(UNSPACED.search, seen)):
            seen = seen.union(term for term in self.unspaced if term in unspaced)
        return frozenset().union(
            *(
                types
                for word in seen & self._by_first_word.keys()
                for others, types in self._by_first_word[word]
                if others <= seen
            )
        )

    @cached_property
    def has_digits(self) -> bool:
        """Whether digits matter in a label: in those of the shipped ruleset they do not."""
        unless = (term for rule in self.types.values() for term in rule.unless)
        every = (*self.labels, *self.hints, *self.neutral, *self.particles, *unless)
        return any(map(str.isdigit, "".join(every)))

    @cached_property
    def lexicon(self) -> Lexicon:
        """The words that mean something to the rules."""
        return Lexicon((*self.labels, *self.hints), self._beginnings, self.fields)

    @cached_property
    def unspaced(self) -> tuple[str, ...]:
        """The terms in scripts without spaces, the longest first: they are found within words."""
        every = (*self.labels, *self.hints)
        return tuple(sorted(filter(UNSPACED.search, every), key=len, reverse=True))

    @cached_property
    def _beginnings(self) -> frozenset[str]:
        """The first letters of the terms that match all words that begin like them."""
        every = (*self.labels, *self.hints)
        return frozenset(term[: STEM_SIZES.start] for term in every if term.endswith("*"))

    @cached_property
    def thresholds(self) -> Mapping[str, float]:
        """The threshold of each type."""
        return {name: rule.threshold for name, rule in self.types.items()}

    @cached_property
    def may_end_term(self) -> Callable[[str], bool]:
        """Returns whether a word, or a part of it, may end a term of `labels` or `hints`."""
        every = (*self.labels, *self.hints)
        ends = frozenset(term.rpartition(" ")[2] for term in every)

        def may_end(word: str) -> bool:
            return (
                word in ends
                or without_suffix(word) in ends
                or any(stem_of(word, known) for known in (self.labels, self.hints))
            )

        return lru_cache(50_000)(may_end)

    @cached_property
    def _by_first_word(self) -> Mapping[str, list[tuple[frozenset[str], frozenset[str]]]]:
        """The first word of each term to its other words and the types that it labels."""
        found: dict[str, list[tuple[frozenset[str], frozenset[str]]]] = {}
        for term, types in (*self.labels.items(), *self.hints.items()):
            first, *others = term.split(" ")
            found.setdefault(first, []).append((frozenset(others), types))
        return found

    def version_of(self, rule: str) -> str:
        """Return the version of the ruleset that the rule with this id comes from."""
        own = self.base is None or rule.startswith(f"{self.name}/")
        return self.version if own or self.base is None else self.base.version


def _with_optional(rules: Ruleset, named: frozenset[str]) -> Ruleset:
    documents = {kind: rules.optional[kind] for kind in sorted(named)}
    terms = type_terms(documents, "terms")
    hints = type_terms(documents, "hints")
    return replace(
        rules,
        types={**rules.types, **{kind: type_rule(kind, each) for kind, each in documents.items()}},
        labels=_joined(rules.labels, terms),
        hints=_joined(rules.hints, hints),
        optional={kind: each for kind, each in rules.optional.items() if kind not in named},
    )


def _joined(one: Vocabulary, other: Vocabulary) -> Vocabulary:
    return {
        **one,
        **{term: one.get(term, frozenset()) | types for term, types in other.items()},
    }


@cache
def load_ruleset(name: str = "personal_data", version: str = DEFAULT_VERSION) -> Ruleset:
    """Return a shipped ruleset. Raises NotFoundError, naming the shipped versions."""
    document, digest = shipped(name, version)
    return Ruleset(
        name=document["name"],
        version=document["version"],
        digest=digest,
        types={name: type_rule(name, rule) for name, rule in document["types"].items()},
        categories={name: category_of(name, each) for name, each in document["categories"].items()},
        labels=label_terms(document["types"], document["unrelated"]),
        hints=type_terms(document["types"], "hints"),
        neutral=normalised(document["neutral"]),
        particles=normalised(document["particles"]),
        ambiguous=normalised(document["ambiguous"]),
        optional=document["optional"],
        fields=field_terms(document["fields"]),
    )


@cache
def shipped(name: str, version: str) -> tuple[dict[str, Any], str]:
    """Return the document of a shipped ruleset and its digest, with identifiers and secrets.

    Raises NotFoundError.
    """
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
    document = yaml.load(data, Loader=loader)  # noqa: S506 - a safe loader
    document["types"] |= {each.type: each.rule_document for each in IDENTIFIERS}
    document["types"] |= {each.type: each.rule_document for each in SECRETS}
    phone = document["types"]["PHONE_NUMBER"]
    document["optional"] |= {plan.type: phone for plan in PLANS}
    return document, sha256(data + json_bytes(document["types"]))


def category_of(name: str, entry: Mapping[str, Any]) -> Category:
    return Category(name, entry["severity"], entry.get("special", False), tuple(entry["articles"]))


def type_rule(name: str, rule: Mapping[str, Any]) -> TypeRule:
    return TypeRule(
        name=name,
        category=rule["category"],
        severity=rule["severity"],
        threshold=rule.get("threshold", 0.5),
        trust=rule.get("trust", "context"),
        unless=normalised(rule.get("unless", ())),
    )


def normalised(terms: Iterable[str]) -> frozenset[str]:
    return frozenset(" ".join(words(term)) for term in terms)


def label_terms(types: Mapping[str, Any], unrelated: Iterable[str]) -> Vocabulary:
    return {**_vocabulary((term, UNRELATED) for term in unrelated), **type_terms(types, "terms")}


def type_terms(types: Mapping[str, Any], key: str) -> Vocabulary:
    return _vocabulary((term, name) for name, rule in types.items() for term in rule.get(key, ()))


_SUFFIX = expression(
    r"(?<=..)(?:s?nummer[ns]?|s?num(?:me)?ret|numero|number|numer|s?nr|num|s?adresse|s?adress|adres|address)\Z"
)
"""What compounds of the European languages add to the word that says what a value is."""


@lru_cache(maxsize=20_000)
def without_suffix(word: str) -> str:
    """Return the first part of a compound such as `telefoonnummer`; the word if it is none."""
    return _SUFFIX.sub("", word)


def stem_of(word: str, vocabulary: Vocabulary) -> str | None:
    """Return the longest term of the form `telefon*` that a word begins with."""
    for size in reversed(STEM_SIZES[: max(0, len(word) - STEM_SIZES.start + 1)]):
        if (stem := f"{word[:size]}*") in vocabulary:
            return stem
    return None


def _spellings(term: str) -> tuple[str, str]:
    """Return the words of a term separated by spaces, and joined as in `dateofbirth`."""
    if term.endswith("*"):
        return term, term
    parts = words(term)
    return " ".join(parts), "".join(parts)


def _vocabulary(pairs: Iterable[tuple[str, str]]) -> Vocabulary:
    found: dict[str, frozenset[str]] = {}
    for term, name in pairs:
        for spelling in _spellings(term):
            found[spelling] = found.get(spelling, frozenset()) | {name}
    return found


def field_terms(
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
