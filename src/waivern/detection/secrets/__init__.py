"""Secrets: keys, tokens and passwords, one record a type, one module a family.

A token of a distinctive form is a record in `tokens` or `cloud`, and nothing else has to be
changed. What is found by its surroundings has a finder of its own in the module of its family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from waivern.detection.prepared_text import Candidate, PreparedText
from waivern.detection.secrets import (
    cloud,
    hashes,
    passwords,
    private_keys,
    secret_fields,
    tokens,
)
from waivern.detection.secrets.secret import Secret, TokenFinder

_find_tokens = TokenFinder((*cloud.SECRETS, *tokens.SECRETS))


def _find_labelled(doc: PreparedText) -> Iterator[Candidate]:
    yield from passwords.find_passwords(doc)
    yield from secret_fields.find_in_fields(doc)


FINDERS: tuple[tuple[Callable[[PreparedText], Iterable[Candidate]], tuple[Secret, ...]], ...] = (
    (_find_tokens, (*cloud.SECRETS, *tokens.SECRETS)),
    (private_keys.find_keys, private_keys.SECRETS),
    (hashes.find_hashes, hashes.SECRETS),
    (_find_labelled, passwords.SECRETS),
)
"""Each finder and the types that it finds."""
WITHOUT_LABEL = frozenset((_find_tokens, hashes.find_hashes))
"""The finders that need nothing but the value."""
SECRETS: tuple[Secret, ...] = tuple(each for _, types in FINDERS for each in types)
