"""The words of a text, block by block: what decides which searches a text is worth.

Texts consist of few different words, and of these few mean anything to a ruleset. So a text is cut
into its runs of letters once, each run is judged once in a process, and a search for a word looks
at the blocks alone that have it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from waivern.detection.expressions import expression
from waivern.detection.field_terms import FieldTerm, named_field
from waivern.detection.people import address_fields, addresses, name_fields, persons
from waivern.detection.word_splitting import UNSPACED, tokens_in, words_once

_BLOCK = 1 << 14
"""The characters of a block; it ends between two runs."""
_MOST_KNOWN = 200_000
"""The different runs that are remembered."""
_ANCHORS = name_fields.ANCHORS | address_fields.ANCHORS | address_fields.LABELS
_WORDS_OF_SQL = frozenset({"insert", "stdin"})
_MAIL = "mail"
"""A part of `e-mail`, which is one word to `words` and two runs of letters."""
_SIGNALS = (
    persons.SPELLED | addresses.SPELLED | frozenset("insert INSERT Insert copy COPY Copy".split())  # noqa: SIM905
)
_ODD_SIGNALS = expression(
    b"|".join(word.encode() for word in sorted(_SIGNALS, reverse=True) if not word.isascii())
)
_RUN = b"-_"
_WHOLE = expression(rb"[A-Za-z0-9_-]+")
_IDENTIFIER = expression(rb"[A-Za-z_][A-Za-z0-9_-]{1,50}")


def _run_table() -> bytes:
    """Return the table that leaves letters and marks of names, and makes each digit '0'."""
    table = bytearray(b" " * 256)
    for code in range(256):
        if code >= 128 or chr(code).isalpha() or code in _RUN:
            table[code] = code
        elif chr(code).isdigit():
            table[code] = ord("0")
    return bytes(table)


_RUNS = _run_table()
_ASCII_RUNS = _RUNS[:128] + b" " * 128
_LETTERS = bytes(code if chr(code).isalpha() and code < 128 else 0x20 for code in range(256))


class Lexicon:
    """The words that mean something to a ruleset, with a memory of the words that were judged.

    `labels` are the terms of its labels, `beginnings` the first letters of its stems, `fields` the
    terms of its names of fields.
    """

    def __init__(
        self,
        labels: Iterable[str],
        beginnings: Collection[str],
        fields: Mapping[str, FieldTerm],
    ) -> None:
        self._terms = fields
        self._count = any(map(str.isdigit, "".join(fields)))
        """Whether digits may matter in a name: in those of the shipped ruleset they do not."""
        self._labels = _ANCHORS | _WORDS_OF_SQL | {w for term in labels for w in term.split(" ")}
        self._beginnings = frozenset(beginnings)
        self._size = max(map(len, self._beginnings), default=0)
        self._fields = {_MAIL} | {word for term in fields for word in term.split(" ")}
        self._spellings = {
            spelling for word in self._labels | self._fields for spelling in _spellings(word)
        }
        self._tokens: dict[str, _Token] = {}
        self._silent: set[str] = set()
        """The tokens that have no words that mean something."""
        self._runs: dict[bytes, _Run] = {}
        self._silent_runs: set[bytes] = set()

    def seen(self, tokens: frozenset[str]) -> frozenset[str]:
        """Return the words of runs of letters that mean something."""
        if len(self._silent) > _MOST_KNOWN:
            self._silent.clear()
            self._tokens.clear()
        return frozenset().union(*(self._token(each).words for each in tokens - self._silent))

    def _token(self, token: str) -> _Token:
        known = self._tokens.get(token)
        if known is None:
            known = self._tokens[token] = self._judged(token)
            if not known.words:
                self._silent.add(token)
        return known

    def _judged(self, token: str) -> _Token:
        lower = token.lower()
        plain = token.isascii() and (token[1:].islower() or token.isupper())
        if plain and lower not in self._spellings and lower[: self._size] not in self._beginnings:
            words: tuple[str, ...] = ()
        else:
            words = words_once(token)
        told = [word for word in words if self._means(word)]
        if _ANY_PART.search(lower):
            told += (f"{_PART}{part}" for part in PARTS if part in lower)
        of_field = not self._fields.isdisjoint(words)
        return _Token(tuple(told), of_field) if told or of_field else _SILENT

    def _means(self, word: str) -> bool:
        if word in self._labels or word[: self._size] in self._beginnings:
            return True
        return not word.isascii() and UNSPACED.search(word) is not None  # terms are within it

    def telling(self, runs: set[bytes]) -> tuple[list[bytes], frozenset[str]]:
        """Return the names of fields in runs, each digit as a '0', and the words of signals."""
        if len(self._silent_runs) + len(self._runs) > _MOST_KNOWN:
            self._silent_runs.clear()
            self._runs.clear()
        new = runs - self._silent_runs
        self._judge(new - self._runs.keys())
        told = [self._runs[run] for run in self._runs.keys() & new]
        return (
            [name for each in told for name in each.fields],
            frozenset(word for each in told for word in each.signals),
        )

    def _judge(self, runs: set[bytes]) -> None:
        """Judge runs that are new. Most of them are one word that means nothing."""
        tokens = {*b" ".join(runs).translate(_LETTERS).decode().split()}
        silent = {each for each in tokens if each not in _SIGNALS and not self._token(each)[1]}
        simple = {each.encode() for each in silent} & runs
        self._silent_runs |= simple
        for run in runs - simple:
            told = self._run(run)
            if told.fields or told.signals:
                self._runs[run] = told
            else:
                self._silent_runs.add(run)

    def _run(self, run: bytes) -> _Run:
        tokens = run.translate(_LETTERS).decode().split()
        signals = [token for token in tokens if token in _SIGNALS]
        if not run.isascii():
            signals += (found.decode() for found in _ODD_SIGNALS.findall(run))
        uncertain = self._count and b"0" in run
        of_field = False
        for token in tokens:
            of_field |= self._token(token).of_field
        if not (of_field or uncertain):
            return _Run([], signals)
        names = filter(_IDENTIFIER.fullmatch, _WHOLE.findall(run))
        fields = [name for name in names if uncertain or named_field(name.decode(), self._terms)]
        return _Run(fields, signals)


class _Token(NamedTuple):
    """A run of letters: its words that mean something, and whether fields have one of its words."""

    words: tuple[str, ...]
    of_field: bool


_SILENT = _Token((), of_field=False)


class _Run(NamedTuple):
    """A run of letters, digits and marks: the names of fields, and the words of signals in it.

    In few scripts it has several.
    """

    fields: list[bytes]
    signals: list[str]


PARTS = (
    "pass",
    "pwd",
    "secret",
    "token",
    "api",
    "access",
    "accountkey",
    "basic",
    "curl",
    "pbkdf",
    "scrypt",
)
"""Parts of words that a search asks for, in lower case."""


_PART = "*"
_ANY_PART = expression("|".join(PARTS))


def _spellings(word: str) -> Iterator[str]:
    """Yield all that has a word as its singular."""
    yield from (word, f"{word}s", f"{word}es")
    if word.endswith("y"):
        yield f"{word[:-1]}ies"


class WordBlock(NamedTuple):
    """The characters [start, end) of a text."""

    start: int
    end: int
    fields: list[bytes]
    """The names of fields in it; each digit in them is a '0'."""
    signals: frozenset[str]
    """The words in it that names and addresses stand beside."""


class TextWords:
    """The words of one text."""

    def __init__(self, text: str, lexicon: Lexicon) -> None:
        self.text = text
        self._lexicon = lexicon

    @property
    def spelled(self) -> frozenset[str]:
        """The runs of letters in the text, each once, as they are spelled."""
        return self._read[0]

    @cached_property
    def seen(self) -> frozenset[str]:
        """The words of the text that mean something to the ruleset."""
        return self._lexicon.seen(self.spelled)

    def seen_with(self, field: str | None) -> frozenset[str]:
        """Return the words of the text and of the name of its field."""
        return self.seen if field is None else self.seen.union(words_once(field))

    @property
    def longest(self) -> int:
        """The bytes of the longest run."""
        return self._read[2]

    @cached_property
    def parts(self) -> frozenset[str]:
        """The `PARTS` of words that the text has."""
        return frozenset(word[1:] for word in self.seen if word[:1] == _PART)

    def places_of(self, word: str, literal: str) -> Iterator[int]:
        """Yield where a literal begins, without overlaps; `word` is a word in it."""
        text, size, done = self.text, len(literal), 0
        if word not in self.spelled:
            return
        for block in self.blocks:
            if word in block.signals:
                stop = block.end + size
                at = text.find(literal, max(done, block.start - size), stop)
                while at >= 0:
                    yield at
                    done = at + size
                    at = text.find(literal, done, stop)

    @property
    def blocks(self) -> list[WordBlock]:
        """The blocks of the text."""
        return self._read[1]

    @cached_property
    def raw(self) -> bytes:
        """One byte a character, '?' for what is not ASCII."""
        return self.text.encode("ascii", "replace")

    @cached_property
    def runs(self) -> bytes:
        """Names and numbers, each digit as '0'; what is between them as spaces."""
        return self.raw.translate(_ASCII_RUNS)

    @cached_property
    def _read(self) -> tuple[frozenset[str], list[WordBlock], int]:
        text, plain, found = self.text, self.text.isascii(), set[bytes]()
        blocks = []
        for start, end in _cuts(text, self.runs):
            if plain or text[start:end].isascii():
                runs = set(self.runs[start:end].split())
            else:
                part = text[start:end].encode("utf-8", "replace")
                runs = set(part.translate(_RUNS).split())
            found |= runs
            blocks.append(WordBlock(start, end, *self._lexicon.telling(runs)))
        longest = max(map(len, found), default=0)
        return tokens_in(b" ".join(found).decode()), blocks, longest


def _cuts(text: str, runs: bytes) -> Iterator[tuple[int, int]]:
    """Yield the starts and the ends of the blocks of a text, which end between two runs."""
    start, size = 0, len(runs)
    while start < size:
        end = runs.find(b" ", start + _BLOCK)
        while end >= 0 and not text[end].isascii():  # it may be a letter
            end = runs.find(b" ", end + 1)
        end = size if end < 0 else end
        yield start, end
        start = end
