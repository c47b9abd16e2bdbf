"""Names and phrases as normalised words: `userEMails` and `e-mails` have the same word."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from waivern.detection.expressions import expression

_HUMPS = expression(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = expression(r"[^\W_]+")
_COUNTER = expression(r"(?<=[a-z]{3})\d{1,2}$")
UNSPACED = expression(r"[\u0e00-\u0eff\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""A letter of a script that puts no spaces between words, or endings directly on them."""
_NO_LETTERS = expression(r"(?:[^\w\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]|[\d_])+")
_LETTERS = bytes(
    code if chr(code).isascii() and chr(code).isalpha() else 0x20 for code in range(256)
)
_LETTERS_OR_OTHER = _LETTERS[:128] + bytes(range(128, 256))
_FIXED = (
    ("IPv", "ipv"),
    ("e-mail", "email"),
    ("E-mail", "email"),
    ("E-Mail", "email"),
    ("eMail", "email"),
)


@lru_cache(maxsize=20_000)
def words(name: str) -> tuple[str, ...]:
    """Return the words of a name or phrase: split at humps, lower case, no accents, singular."""
    if "ail" in name or "IPv" in name:
        for mark, plain in _FIXED:
            name = name.replace(mark, plain)
    if name.isascii():
        return tuple([word for token in _WORD.findall(name) for word in _words_of(token)])
    return _words_of.__wrapped__(_plain(name))


@lru_cache(maxsize=50_000)
def _words_of(token: str) -> tuple[str, ...]:
    """Return the words of a part of a name: texts consist of few different ones."""
    plain = token.isascii() and token.isalnum()
    if plain and (token[1:].islower() or (token.isupper() and token.isalpha())):
        return (singular(token.lower()),)  # without humps
    return tuple([singular(w.casefold()) for w in _WORD.findall(_HUMPS.sub(" ", token))])


class _Marks(dict[int, int | None]):
    """The marks that combine with the letter before them, as a table that leaves them out."""

    def __missing__(self, code: int) -> int | None:
        known = self[code] = None if unicodedata.category(chr(code)) == "Mn" else code
        return known


_MARKS = _Marks()


def fold(word: str) -> str:
    """Return a word in lower case and without accents."""
    return _plain(word).casefold()


def _plain(text: str) -> str:
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    return decomposed.translate(_MARKS)


def words_once(name: str) -> tuple[str, ...]:
    """Return the `words` of a name that is not likely to come again: it is not remembered."""
    if name.isascii() and name.isalnum() and "ail" not in name and "IPv" not in name:
        return _words_of(name)
    return words.__wrapped__(name)


def tokens_in(text: str) -> frozenset[str]:
    """Return the runs of letters in a text, each once."""
    if text.isascii():
        return frozenset(text.encode().translate(_LETTERS).decode().split())
    # Other scripts are looked at once a token: most texts have few characters of them.
    every = {*text.encode("utf-8", "replace").translate(_LETTERS_OR_OTHER).decode().split()}
    odd = [token for token in every if not token.isascii()]
    every.difference_update(odd)
    every.update(_NO_LETTERS.sub(" ", " ".join(odd)).split())
    return frozenset(every)


def words_of(tokens: Iterable[str], field: str | None = None) -> frozenset[str]:
    """Return the words of tokens, and of the name of a field, as terms have them."""
    every = tokens if field is None else (*tokens, field)
    return frozenset(word for token in every for word in words_once(token))


def singular(word: str) -> str:
    """Return a word in lower case without a counter and the ending of a plural."""
    if word[-1:].isdigit():
        word = _COUNTER.sub("", word)
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1]
