"""Rulesets that a user writes: they extend the shipped one, and are checked as a whole.

    name: acme                      # named in findings, and part of cache keys
    version: 1.2.0
    only: false                     # true: look for nothing but the types and fields below
    types:
      STAFF_NUMBER:                 # a new type: the form of its values, and its meaning
        category: employment
        patterns: ['E-\\d{6}']       # see waivern.detection.patterns for the syntax
        confidence: 0.5             # of a value without a label
        threshold: 0.5              # a value below this is dropped
        severity: high              # the category's, if not given
        trust: context              # own: a contrary label changes nothing
        samples: [E-000001]         # planted in each scan, to prove that the type is found
        terms: [staff number]       # labels that support it: +0.4
        hints: [number]             # labels that support it weakly: +0.25
        unless: [article]           # excludes a value that it directly precedes
      EMAIL_ADDRESS:                # a shipped type: more words, another threshold or meaning
        terms: [reply address]
    fields:
      employment: {terms: [badge id], weak: [grade]}
    categories:
      loyalty: {severity: low, special: false, articles: ["4(1)"]}
    unrelated: [article]            # labels of values that are not about a person
    neutral: [xyz]                  # labels that mean nothing

Only `name` and `version` are required. A term matches every spelling of its words: `badge id` also
matches badgeId and BADGE_IDS. With `only`, of the shipped types those under `types` are used, and
of the field names those under `fields`; the shipped categories, neutral and unrelated terms stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from waivern.detection.field_terms import LONGEST_TERM
from waivern.detection.patterns import PatternError, value_pattern
from waivern.detection.ruleset import (
    DEFAULT_VERSION,
    STEM_SIZES,
    Category,
    OwnSamples,
    Ruleset,
    category_of,
    field_terms,
    label_terms,
    load_ruleset,
    normalised,
    shipped,
    type_rule,
    type_terms,
)
from waivern.detection.word_splitting import fold, words
from waivern.diagnostics import Diagnostic, ValuePath
from waivern.errors import Exit, WaivernError
from waivern.yamldoc.runbook_codes import RunbookCode

MOST_PATTERNS = 200
"""The maximum for one ruleset: each pattern is another search of every text."""


MOST_SAMPLES = 5
"""The maximum for one type."""


class RulesetError(WaivernError):
    """Raised for an unusable ruleset, with all its problems; they have no position yet."""

    exit_code = Exit.INVALID

    def __init__(self, problems: tuple[Diagnostic, ...]) -> None:
        lines = [
            f"{'.'.join(map(str, problem.path)) or 'ruleset'}: {problem.message}"
            for problem in problems
        ]
        super().__init__("\n".join(lines), hint=problems[0].hint)
        self.problems = problems

    def __reduce__(self) -> tuple[object, ...]:
        return RulesetError, (self.problems,)


def extend_ruleset(document: Any, digest: str) -> Ruleset:
    """Return the shipped ruleset extended by a ruleset document.

    `document` has the form that this module describes; `digest` is the digest of its file. Raises
    RulesetError with every fault of the document.
    """
    document_of_base, _ = shipped("personal_data", DEFAULT_VERSION)
    base = load_ruleset()
    added = _checked(document, base)
    name, extends = added["name"], not added["only"]
    known = {**document_of_base["optional"], **document_of_base["types"]}
    rules = {kind: _joined(known.get(kind, {}), rule) for kind, rule in added["types"].items()}
    every = {**(document_of_base["types"] if extends else {}), **rules}
    return Ruleset(
        name=name,
        version=added["version"],
        digest=digest,
        types={
            **(base.types if extends else {}),
            **{kind: type_rule(kind, rule) for kind, rule in rules.items()},
        },
        categories={
            **base.categories,
            **{kind: category_of(kind, each) for kind, each in added["categories"].items()},
        },
        labels=label_terms(every, [*document_of_base["unrelated"], *added["unrelated"]]),
        hints=type_terms(every, "hints"),
        neutral=base.neutral | normalised(added["neutral"]),
        particles=base.particles,
        ambiguous=base.ambiguous,
        optional={kind: each for kind, each in base.optional.items() if kind not in rules},
        fields={**(base.fields if extends else {}), **field_terms(added["fields"], f"{name}/")},
        base=base,
        patterns=tuple(
            value_pattern(text, kind, rule.get("confidence", 0.5), f"{name}/{kind}")
            for kind, rule in rules.items()
            for text in rule.get("patterns", ())
        ),
        samples={
            kind: OwnSamples(tuple(rule["samples"]), _first_word(rule.get("terms", ())))
            for kind, rule in rules.items()
            if rule.get("samples")
        },
    )


def _first_word(terms: Iterable[str]) -> str:
    """Return the first term that is no beginning of words; empty if there is none."""
    return next((term for term in terms if not term.endswith("*")), "")


def _checked(document: Any, base: Ruleset) -> dict[str, Any]:
    """Return the document with its defaults, ready to be added to `base`. Raises RulesetError."""
    try:
        added = _Additions.model_validate(document)
    except ValidationError as error:
        raise RulesetError(tuple(map(_fault, error.errors(include_url=False)))) from error
    if faults := tuple(_faults(added, base)):
        raise RulesetError(faults)
    plain = added.model_dump(exclude_unset=True, exclude_none=True)
    categories: dict[str, Category | _Category] = {**base.categories, **added.categories}
    for rule in plain.get("types", {}).values():
        if "category" in rule:
            rule.setdefault("severity", categories[rule["category"]].severity)
    return {**_ABSENT, **plain}


def _joined(shipped: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule with lists joined and everything else as it was said last."""
    both = {
        key: [*shipped[key], *added[key]]
        for key in shipped.keys() & added.keys()
        if isinstance(added[key], list)
    }
    return {**shipped, **added, **both}


def _term(text: str) -> str:
    found = words(text)
    if "*" in text:
        raise ValueError("a '*' can only stand at the end of `terms` and `hints` of types")
    if not found:
        raise ValueError("a term needs a letter or a digit")
    if len(found) > LONGEST_TERM:
        raise ValueError(f"a term has at most {LONGEST_TERM} words, this one has {len(found)}")
    return text


def _label(text: str) -> str:
    if not text.endswith("*"):
        return _term(text)
    beginning = text[:-1]
    if len(beginning) not in STEM_SIZES or not beginning.isalnum() or beginning != fold(beginning):
        raise ValueError(
            f"before a '*' stands the beginning of one word, {STEM_SIZES.start} to "
            f"{STEM_SIZES.stop - 1} small letters without accents"
        )
    return text


def _pattern(text: str) -> str:
    try:
        value_pattern(text, "", 0, "")
    except PatternError as error:
        raise ValueError(f"{error}; {error.hint}") from error
    return text


_Term = Annotated[str, Field(max_length=100), AfterValidator(_term)]
_Label = Annotated[str, Field(max_length=100), AfterValidator(_label)]
_Sample = Annotated[str, Field(min_length=1, max_length=256)]
_Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
_Type = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
_Share = Annotated[float, Field(ge=0, le=1)]
_Severity = Literal["info", "low", "medium", "high"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _TypeRule(_Strict):
    category: str | None = None
    severity: _Severity | None = None
    threshold: _Share | None = None
    confidence: _Share | None = None
    trust: Literal["own", "context"] | None = None
    patterns: list[Annotated[str, AfterValidator(_pattern)]] = []
    terms: list[_Label] = []
    hints: list[_Label] = []
    samples: Annotated[list[_Sample], Field(max_length=MOST_SAMPLES)] = []
    unless: list[_Term] = []


class _Category(_Strict):
    severity: _Severity
    special: bool = False
    articles: list[Annotated[str, Field(max_length=20)]]


class _Fields(_Strict):
    terms: list[_Term] = []
    weak: list[_Term] = []


class _Additions(_Strict):
    name: _Word
    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$")]
    only: bool = False
    types: dict[_Type, _TypeRule] = {}
    categories: dict[_Word, _Category] = {}
    fields: dict[str, _Fields] = {}
    unrelated: list[_Term] = []
    neutral: list[_Term] = []


_ABSENT: dict[str, Any] = {
    "only": False,
    "types": {},
    "categories": {},
    "fields": {},
    "unrelated": [],
    "neutral": [],
}
_PARTS: dict[str, type[BaseModel]] = {
    "types": _TypeRule,
    "categories": _Category,
    "fields": _Fields,
}


def _problem(
    path: ValuePath, message: str, hint: str | None = None, on: Literal["key", "value"] = "value"
) -> Diagnostic:
    return Diagnostic(RunbookCode.VALUE, message, path, hint, on)


def _fault(error: Any) -> Diagnostic:
    at = tuple(error["loc"])
    if at[-1:] == ("[key]",):
        at = at[:-1]
    model = _PARTS.get(str(at[0]), _Additions) if len(at) > 1 else _Additions
    allowed = "allowed here: " + ", ".join(model.model_fields)
    match error["type"]:
        case "extra_forbidden":
            return _problem(at, f"unknown key {str(at[-1])[:80]!r}", allowed, on="key")
        case "missing":
            return _problem(at[:-1], f"{str(at[-1])!r} is required")
        case "string_pattern_mismatch":
            return _problem(at, "not a valid name", _NAMES.get(str(at[0])), on="key")
        case _:
            message, _, hint = error["msg"].removeprefix("Value error, ").partition("; ")
            return _problem(at, message[:1].lower() + message[1:], hint or None)


_NAMES = {
    "name": "lower-case letters, digits, '_' and '-', a letter first, at most 64",
    "categories": "lower-case letters, digits, '_' and '-', a letter first, at most 64",
    "types": "capital letters, digits and '_', a letter first, at most 64",
    "version": "such as 1.0.0: letters, digits and . + - _",
}


def _faults(added: _Additions, base: Ruleset) -> Iterator[Diagnostic]:
    """Yield each contradiction to the shipped ruleset."""
    if added.name == base.name:
        yield _problem(("name",), f"{base.name!r} is the shipped ruleset", "give it another name")
    known = {**base.categories, **added.categories}
    hint = f"known are: {', '.join(known)}; others have to stand under `categories`"
    for category in added.fields:
        if category not in known:
            at = ("fields", category)
            yield _problem(at, f"no category {category[:80]!r}", hint, on="key")
    for name, rule in added.types.items():
        if rule.category is not None and rule.category not in known:
            yield _problem(("types", name, "category"), f"no category {rule.category[:80]!r}", hint)
        yield from _type_faults(
            ("types", name), rule, shipped=name in {*base.types, *base.optional}
        )
    if sum(len(rule.patterns) for rule in added.types.values()) > MOST_PATTERNS:
        yield _problem(
            ("types",), f"more than {MOST_PATTERNS} patterns", "join some of them with '|'"
        )


def _type_faults(at: tuple[str, str], rule: _TypeRule, *, shipped: bool) -> Iterator[Diagnostic]:
    if shipped:
        for key in sorted({"patterns", "confidence", "samples"} & rule.model_fields_set):
            hint = "a value that it does not find needs a type of its own"
            yield _problem((*at, key), "values of a shipped type are found by code", hint, on="key")
    elif rule.category is None:
        yield _problem(at, "'category' is required for a new type", on="key")
    elif not rule.patterns:
        hint = "give it `patterns`; words alone belong under `fields`"
        yield _problem(at, "nothing finds values of this type", hint, on="key")
    else:
        yield from _sample_faults(at, rule)


def _sample_faults(at: tuple[str, str], rule: _TypeRule) -> Iterator[Diagnostic]:
    """Yield each sample that has none of the forms of its type."""
    forms = [value_pattern(text, "", 0, "").expression for text in rule.patterns]
    for number, sample in enumerate(rule.samples):
        if not any(form.fullmatch(sample) for form in forms):
            hint = "write a value that one of its patterns matches as a whole"
            yield _problem((*at, "samples", number), "no pattern of the type matches it", hint)
