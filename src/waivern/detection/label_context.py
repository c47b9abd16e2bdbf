"""Labels of values: the name of the field that a value is in, or the words before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

from waivern.detection.expressions import expression
from waivern.detection.field_terms import LONGEST_TERM
from waivern.detection.ruleset import (
    UNRELATED,
    Ruleset,
    Vocabulary,
    stem_of,
    without_suffix,
)
from waivern.detection.tables import Tables
from waivern.detection.text_words import TextWords
from waivern.detection.word_splitting import UNSPACED, words

_BEFORE = 80
_MOST_KNOWN = 10_000
"""The different beginnings of lines that are remembered."""
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_CELL_BEFORE = 400
_KEY_LENGTH = 48
_NEAR_WORDS = 9
_FIELD_WORDS = 60
_FAR_WORDS = 4
_SHORT = 3
"""The letters of a term that is likely to be another word in a sentence."""
_KEY_WORDS = 2
"""A key of more words is read as a phrase."""
_OPENERS = " \t\"'`([{<+*_"
_KEY_STOPS = set("\n,;{}\"'`<>=&?|:\t!")
_REMARK = expression(
    r" {1,2}(?:[(\[]([\w .]{2,24})[)\]]"
    r"|(?:is|was|es|est|ist|war|är|er|é|è|jest|este|on) ([\w '\u2019]{2,50}))"
    r"| ((?:[^\W\d_]{1,20} ){0,4}[^\W\d_]{1,20})[.,;!?)\n]"
)
"""A remark in brackets, what a sentence says that the value is, or its last words."""
_WORDS = expression(r"[^\W\d_]{1,20}(?: [^\W\d_]{1,20}){0,2}")
_BEHIND = 60
_TAGS = expression(r"<[^<>]{0,200}>")
_LAST_TAG = expression(r"<([A-Za-z][\w:.-]{0,40})(?:\s[^<>]{0,200})?>\s{0,80}\Z")
_CLAUSE = expression(  # a set of characters first: a search skips all others quickly
    r"[.!?;<>|\t\n\",)](?:(?<=\.)(?<![Nn]o\.)(?<![Nn]r\.)(?<![Tt]el\.)(?<![Gg]eb\.)(?<![Ee]xt\.)"
    r"(?<![Rr]ef\.)(?<!\b[A-Z]\.)(?<!\b[DMSHFdmshf]r\.)(?<!\b[MS]s\.)(?<!\bSt\.)(?<!\bMrs\.)"
    r"(?<!\bMme\.)(?<!\b[SD]ra\.)(?<!\bIng\.)(?<!\bSig\.)(?<!\bProf\.)(?<!\bDott\.)"
    r"\s(?![+(\d]|\Z)|(?<=[!?;])\s|(?<=[<>])=?\s|(?<=[;|\t\n\"])|(?<=,)(?=\S)|(?<=\))\s{0,2}[.;])"
)
_SENTENCE = expression(r"[.!?;]\s")
_CLOSED = expression(r"[}\]]")
_LIST_MARKS = ("'", '"', "`", "[")
_PLAIN_TAGS = frozenset(
    """
        a b i p td th tr li dd dt em div span strong code pre label input value string text item u
        s small font html body ul ol table tbody data entry field cell v c t
    """.split()  # noqa: SIM905
)


class Label(NamedTuple):
    """Words that may label a value, the nearest last."""

    words: tuple[str, ...]
    kind: Literal["field", "key", "words", "remark", "neighbours"]


class Verdict(NamedTuple):
    """The evidence of a label for one type: for it, against it, none, or for something else."""

    stance: Literal["for", "hint", "against", "foreign", "silent"]
    term: str | None = None


SILENT = Verdict("silent")
_NOTHING: frozenset[str] = frozenset()
_UNKNOWN: tuple[str | None, frozenset[str], int] = (None, _NOTHING, 0)


class Surroundings:
    """The labels in one text. Positions are looked up in ascending order."""

    def __init__(
        self, text: str, rules: Ruleset, field: str | None, known: TextWords | None = None
    ) -> None:
        self._text = text
        self._rules = rules
        self._field = Label(words(field)[-_FIELD_WORDS:], "field") if field else None
        self._tables = Tables(text, known)
        self._list: tuple[int, Label | None] = (-1, None)
        self._before: dict[str, tuple[Label, ...]] = {}
        """The labels that the text before a value says, on its line: lines of a log are alike."""
        self._silent: dict[str, bool] = {}
        self._columns: dict[str, tuple[Label, ...] | None] = {}
        self.bare = field is None
        """Whether the text comes without the name of a field."""
        self.column: str | None = None
        """The column of the value that was looked up last."""

    @cached_property
    def _alike(self) -> str:
        """The text with each digit as '0', if digits mean nothing in a label."""
        if self._rules.has_digits:
            return self._text
        return (
            self._text.encode("utf-8", "surrogatepass")
            .translate(_ZEROS)
            .decode("utf-8", "surrogatepass")
        )

    def labels(self, start: int, end: int) -> tuple[Label, ...]:
        """Return the labels of the value at [start, end), the strongest evidence first."""
        column = self.column = self._tables.column(start)
        cell = self._tables.cell
        if column and start == cell and (alone := self.labels_of_column(column)):
            return alone  # nothing precedes the value in its cell
        reach = _BEFORE if cell is None else _CELL_BEFORE
        near = self._near(start, max(cell or 0, start - reach), in_cell=cell is not None)
        found = list(near)
        if column:
            named = words(column)[-_FIELD_WORDS:]
            found.append(Label(named, "field"))
            if self._says_nothing(column) and (head := self._tables.row_head(start)):
                found.append(Label(words(head)[-_FIELD_WORDS:], "key"))
        if self._field:
            found.append(self._field)
        if not found or all(label.kind == "words" for label in found):
            found += self._behind(end)
        return tuple(found)

    def labels_of_cell(self, start: int) -> tuple[Label, ...] | None:
        """Return the labels of a value at the beginning of a cell, if the column alone says it."""
        column = self._tables.column(start)
        return self.labels_of_column(column) if column and start == self._tables.cell else None

    def labels_of_column(self, column: str) -> tuple[Label, ...] | None:
        """Return the labels of the values that are the beginnings of the cells of a column.

        None if its name says nothing, so that the head of the row matters, too.
        """
        if column in self._columns:
            return self._columns[column]
        found = None if self._says_nothing(column) else self.labels_of_name(column)
        self._columns[column] = found
        return found

    def labels_of_name(self, column: str) -> tuple[Label, ...]:
        """Return the labels that the name of a column is, also if it says nothing."""
        label = Label(words(column)[-_FIELD_WORDS:], "field")
        return (label, self._field) if self._field else (label,)

    def _near(self, start: int, floor: int, *, in_cell: bool) -> Iterator[Label]:
        """Yield the key directly before the value, or else the words.

        In a cell of a table, what is before the cell is not about the value: the column is.
        """
        text = self._text
        line = max(text.rfind("\n", floor, start) + 1, floor)
        before = text[line:start]
        if before.endswith(("\\t", "\\n")):
            before = before[:-2]
        alike = self._alike[line : line + len(before)]
        known = self._before.get(alike)
        if known is not None:
            yield from known
            return
        key = _key(alike)
        if key is not None:
            label = Label(words(key[0]), "key")
            if self._all_neutral(label.words):
                yield label
                yield from self._before_key(key[1], text[max(floor, start - _BEFORE) : line])
            else:
                yield self._remembered(alike, label)
        elif ("<" in before and ">" in before) or (not before.strip() and "</" in text[floor:line]):
            yield from self._markup(text[max(0, start - 2 * _BEFORE) : start])
        elif before[-1:] in _LIST_MARKS or before.rstrip(_OPENERS)[-1:] == ",":
            yield from self._in_list(start, before)
        elif before.strip(_OPENERS + "-"):
            for label in _spoken(alike, _CLAUSE):
                yield self._remembered(alike, label)
        elif not in_cell:
            yield from self._line_above(line)

    def _in_list(self, start: int, before: str) -> Iterator[Label]:
        """Yield the key of the list that a value is in, or the words before an unquoted one."""
        listed = self._list_key(start)
        if listed:
            yield Label(words(listed), "key")
        elif before[-1:] not in _LIST_MARKS:
            yield from _spoken(before, _CLAUSE)

    def _remembered(self, before: str, label: Label) -> Label:
        """Return the label of every value that a text precedes, and remember it."""
        if len(self._before) > _MOST_KNOWN:
            self._before.clear()
        self._before[before] = (label,)
        return label

    def _before_key(self, rest: str, above: str) -> Iterator[Label]:
        """Yield the text before a key that means nothing, on its line or above."""
        before = rest if rest.strip(_OPENERS + "-,") else above
        yield from _spoken(before.replace('"', " "), _CLOSED)

    def _markup(self, before: str) -> Iterator[Label]:
        tag = _LAST_TAG.search(before)
        if tag and tag.group(1).lower().rpartition(":")[2] not in _PLAIN_TAGS:
            yield Label(words(tag.group(1)), "key")
            return
        yield from _spoken(" ".join(_TAGS.sub(" ", before[before.find("<") :]).split()), _SENTENCE)

    def _line_above(self, line: int) -> Iterator[Label]:
        """Yield a label on a line of its own, or the key of a list of lines that begin with '-'."""
        text = self._text
        listed = text[line : line + 60].lstrip().startswith("-")
        begin, above = self._above(line)
        if listed and above.startswith("-") and not above.endswith(":"):
            label = self._list[1] if self._list[0] == begin else None
        elif above.endswith((":", "[", "(")):
            name = above.rstrip(":[( =\"'").rpartition("=")[2].strip(" \"'-")
            label = Label(words(name)[-_NEAR_WORDS:], "key")
        elif 0 < len(above) <= 40 and not any(c.isdigit() for c in above):
            label = Label(words(above), "words")
        else:
            label = None
        self._list = (line, label)
        if label:
            yield label

    def _above(self, line: int) -> tuple[int, str]:
        """Return where the line above begins, and its text."""
        floor = max(0, line - 400)
        begin = max(floor, self._text.rfind("\n", floor, max(0, line - 1)) + 1)
        return begin, self._text[begin:line].strip()

    def _list_key(self, start: int) -> str | None:
        """Return the key of the list that contains a quoted item."""
        near = self._text[max(0, start - 400) : start]
        bracket = max(near.rfind("["), near.rfind("("))
        if bracket < 0 or any(c in near[bracket:] for c in "]){}:="):
            return None
        key = _key(near[:bracket])
        if key is not None:
            return key[0]
        call = re.search(r"([A-Za-z_]\w{1,40})\Z", near[:bracket])
        return call.group(1) if call and near[bracket] == "(" else None

    def _behind(self, end: int) -> Iterator[Label]:
        """Yield a remark after the value: `415-555-0132 (mobile)`, `12345 is my badge number`."""
        after = self._alike[end : end + _BEHIND]
        if after[:1] == " ":
            remark = _REMARK.match(after)
            if remark:
                inside, said, last = remark.groups()
                yield Label(words(last or inside or said), "remark" if last else "words")
        elif UNSPACED.match(after) and (said := _WORDS.match(after)):
            yield Label(words(said.group()), "remark")

    def _says_nothing(self, column: str) -> bool:
        """Return whether no term is known in the name of a column."""
        known = self._silent.get(column)
        if known is None:
            label = Label(words(column)[-_FIELD_WORDS:], "field")
            known = self._silent[column] = evidence(label, self._rules).term is None
        return known

    def _all_neutral(self, found: tuple[str, ...]) -> bool:
        return all(word in self._rules.neutral or word.isdigit() for word in found)


def _spoken(before: str, breaks: re.Pattern[str]) -> Iterator[Label]:
    """Return the words since the last break."""
    cut = 0
    for each in breaks.finditer(before):
        cut = each.end()
    found = words(before[cut:])
    if found:
        yield Label(found[-_NEAR_WORDS:], "words")


def _key(before: str) -> tuple[str, str] | None:
    """Return the key that ends in ':', '=' or '=>' right before a value, and what precedes it."""
    rest = before.rstrip(_OPENERS)
    if rest.endswith("=>"):
        rest = rest[:-2]
    elif rest.endswith((":", "=", "\uff1a", "->")):
        rest = rest[:-1].rstrip(":=-")
    else:
        return None
    rest = rest.rstrip(" \t\"'`])*_")
    at = len(rest)
    while at > 0 and len(rest) - at < _KEY_LENGTH and rest[at - 1] not in _KEY_STOPS:
        at -= 1
    name = rest[at:].strip()
    return (name, rest[:at].rstrip()) if name else None


class Evidence(NamedTuple):
    """The evidence of a label for any type: the types that it names, and those that it hints at."""

    term: str | None
    """The known term that is nearest to the value."""
    names: frozenset[str]
    """The types that the term names, or UNRELATED."""
    others: frozenset[str]
    """The types that terms further away name, if the nearest one names a type."""
    mild: bool
    """Whether it says nothing against another type: it is far away, or may be another word."""
    hint: str | None
    hinted: frozenset[str]
    foreign: bool
    """Whether it is the name of a field in which no term is known."""

    def verdict(self, kind: str) -> Verdict:
        """Return the evidence for one type."""
        if self.term is not None:
            if kind in self.names or kind in self.others:
                return Verdict("for", self.term)
            if kind in self.hinted and UNRELATED not in self.names:
                return Verdict("hint", self.hint)
            return SILENT if self.mild else Verdict("against", self.term)
        if kind in self.hinted:
            return Verdict("hint", self.hint)
        return Verdict("foreign") if self.foreign else SILENT


def evidence(label: Label, rules: Ruleset) -> Evidence:
    """Return what a label says about any type: it is read once for all candidates at a place."""
    spoken = label.kind in ("words", "remark")
    phrase = spoken or len(label.words) > _KEY_WORDS
    passed_over = rules.particles if phrase else _NOTHING
    said = _separated(label.words, rules.unspaced)
    terms = _nearest_first(said, rules.labels, rules.may_end_term, passed_over)
    term, names, behind = next(terms, _UNKNOWN)
    others = _NOTHING
    if names and UNRELATED not in names:
        others = _NOTHING.union(*(each for _, each, _ in terms)) - {UNRELATED}
    hint, hinted, _ = next(_nearest_first(said, rules.hints, rules.may_end_term), _UNKNOWN)
    # `nas`, `pas` and `fin` are identifiers, and words of many languages
    other_word = len(term or "") <= _SHORT and UNRELATED not in names
    mild = label.kind == "remark" or (spoken and (behind >= _FAR_WORDS or other_word))
    foreign = not (term or spoken or all(w in rules.neutral or w.isdigit() for w in label.words))
    return Evidence(term, names, others, mild, hint, hinted, foreign)


JudgedLabel: TypeAlias = tuple[Verdict, Label | None]
"""A verdict, and the label that it is from; None: no label has one."""


def verdict_of(
    kind: str,
    labels: tuple[Label, ...],
    rules: Ruleset,
    heard: Callable[[Label], Evidence] | None = None,
) -> JudgedLabel | None:
    """Return the verdict of the nearest label that has one, and the label.

    None if a label excludes the value. `heard` is `evidence` with a memory.
    """
    last, of, unless = SILENT, None, rules.types[kind].unless
    for label in labels:
        if unless and denied(label, unless, rules.neutral):
            return None
        verdict = (heard(label) if heard else evidence(label, rules)).verdict(kind)
        if verdict.stance in ("for", "against"):
            return verdict, label
        if verdict.stance == "hint" or (verdict.stance == "foreign" and last is SILENT):
            last, of = verdict, label
    return last, of


def denied(label: Label, unless: frozenset[str], neutral: frozenset[str]) -> bool:
    """Return whether the label ends in a term that excludes the value."""
    rest = label.words
    while rest:
        sizes = range(1, min(len(rest), LONGEST_TERM) + 1)
        if any(" ".join(rest[-n:]) in unless for n in sizes):
            return True
        if rest[-1] not in neutral:
            return False
        rest = rest[:-1]
    return False


def _separated(found: tuple[str, ...], terms: tuple[str, ...]) -> tuple[str, ...]:
    """Return words with those of scripts without spaces split into the terms in them."""
    if all(map(str.isascii, found)):
        return found
    parts: list[str] = []
    for word in found:
        known = [term for term in terms if term in word] if UNSPACED.search(word) else []
        longest = [term for n, term in enumerate(known) if not any(term in k for k in known[:n])]
        parts += sorted(longest, key=word.rindex) or [word]
    return tuple(parts)


def _nearest_first(
    label: tuple[str, ...],
    vocabulary: Vocabulary,
    may_end: Callable[[str], bool],
    passed_over: frozenset[str] = _NOTHING,
) -> Iterator[tuple[str, frozenset[str], int]]:
    """Yield the known terms of a label with what they name, and how many words follow them.

    The one that ends nearest to the value comes first; of those that end there, the longest. Only
    words that `may_end` a term are looked at.
    """
    end = len(label)
    while end > 0:
        begin, term = _term_at(label, end, vocabulary, may_end, passed_over)
        if term:
            yield term, vocabulary[term], len(label) - end
        end = begin


def _term_at(
    label: tuple[str, ...],
    end: int,
    vocabulary: Vocabulary,
    may_end: Callable[[str], bool],
    passed_over: frozenset[str],
) -> tuple[int, str | None]:
    """Return where the longest term begins that ends there, and the term; None if none does."""
    word = label[end - 1]
    if not may_end(word):
        return end - 1, None
    for begin in range(max(0, end - LONGEST_TERM), end):
        term = " ".join(label[begin:end])
        if term in vocabulary and term not in passed_over:
            return begin, term
    if (part := without_suffix(word)) in vocabulary and part not in passed_over:
        return end - 1, part
    return end - 1, stem_of(word, vocabulary)
