"""The WordPiece tokenizer of BERT models, as a `tokenizer.json` describes it.

A text is split into words at spaces and marks, and each word into the longest pieces that the
vocabulary has. The words keep their places in the text, so entities have exact offsets.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple


class UnsupportedTokenizerError(ValueError):
    """Raised for a tokenizer of another kind than WordPiece."""


class Word(NamedTuple):
    """A word at characters [start, end) of a text, and the ids of its pieces."""

    start: int
    end: int
    ids: tuple[int, ...]


class WordPiece:
    """A tokenizer; `begin`, `end` and `pad` are the ids of its special tokens."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read a `tokenizer.json`. Raises UnsupportedTokenizerError."""
        model, normalizer = document.get("model") or {}, document.get("normalizer") or {}
        if model.get("type", "WordPiece") != "WordPiece" or "vocab" not in model:
            raise UnsupportedTokenizerError("the tokenizer is not WordPiece")
        if normalizer.get("type", "BertNormalizer") != "BertNormalizer":
            raise UnsupportedTokenizerError("the normalizer is not that of BERT")
        self._vocabulary: Mapping[str, int] = model["vocab"]
        self._prefix: str = model.get("continuing_subword_prefix", "##")
        self._longest: int = model.get("max_input_chars_per_word", 100)
        self._lower: bool = normalizer.get("lowercase", True)
        accents = normalizer.get("strip_accents")
        self._strip: bool = self._lower if accents is None else accents
        self._chinese: bool = normalizer.get("handle_chinese_chars", True)
        self._unknown = self._id(model.get("unk_token", "[UNK]"))
        self.begin, self.end = self._id("[CLS]"), self._id("[SEP]")
        self.pad = self._vocabulary.get("[PAD]", 0)
        self._pieces = lru_cache(maxsize=50_000)(self._split)

    def _id(self, token: str) -> int:
        found = self._vocabulary.get(token)
        if found is None:
            raise UnsupportedTokenizerError(f"the vocabulary has no token {token}")
        return found

    def words(self, text: str) -> list[Word]:
        """Return the words of a text, without the special tokens."""
        found = (
            Word(start, end, self._pieces(text[start:end])) for start, end in self._places(text)
        )
        return [word for word in found if word.ids]

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the start and the end of each word."""
        start = -1
        for at, char in enumerate(text):
            alone = _is_mark(char) or (self._chinese and _is_chinese(char))
            if start >= 0 and (alone or _is_space(char)):
                yield start, at
                start = -1
            if alone:
                yield at, at + 1
            elif start < 0 and not _is_space(char):
                start = at
        if start >= 0:
            yield start, len(text)

    def _normal(self, word: str) -> str:
        if word.isascii() and word.isprintable():
            return word.lower() if self._lower else word
        word = "".join(char for char in word if not _is_control(char))
        if self._strip:
            decomposed = unicodedata.normalize("NFD", word)
            word = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
        return word.lower() if self._lower else word

    def _split(self, word: str) -> tuple[int, ...]:
        """Return the ids of the longest pieces of a word; a word without any is unknown."""
        rest = self._normal(word)
        if len(rest) > self._longest:
            return (self._unknown,)
        ids: list[int] = []
        while rest:
            prefix = self._prefix if ids else ""
            size = next(
                (n for n in range(len(rest), 0, -1) if prefix + rest[:n] in self._vocabulary), 0
            )
            if not size:
                return (self._unknown,)
            ids.append(self._vocabulary[prefix + rest[:size]])
            rest = rest[size:]
        return tuple(ids)


def _is_space(char: str) -> bool:
    return char in " \t\n\r" or unicodedata.category(char) == "Zs"


def _is_control(char: str) -> bool:
    return char == "\ufffd" or (char not in "\t\n\r" and unicodedata.category(char).startswith("C"))


def _is_mark(char: str) -> bool:
    if char.isascii():
        return char.isprintable() and not char.isalnum() and char != " "
    return unicodedata.category(char).startswith("P")


def _is_chinese(char: str) -> bool:
    code = ord(char)
    return code >= _FIRST_CHINESE and any(low <= code <= high for low, high in _CHINESE)


_CHINESE = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2EBEF),
    (0x2F800, 0x2FA1F),
)
_FIRST_CHINESE = 0x3400
