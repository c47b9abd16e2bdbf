"""Annotations of a run: the name, tags, note and pairs that its user records with it.

They are the `metadata` of `run.json` and of the history. Lists of runs read them for every run, so
their length and number are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from waivern.errors import UsageError
from waivern.ids import is_text
from waivern.message import Json

MOST_TAGS = 32
MOST_PAIRS = 32
LONGEST_NAME = 200
"""Characters of a name, of a tag and of a key."""
LONGEST_NOTE = 2_000
LONGEST_VALUE = 500


class Annotations(NamedTuple):
    """The annotations of a run; a text that is empty is none."""

    name: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    meta: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return type(self).__name__  # the texts may be personal

    @classmethod
    def of(cls, document: Mapping[str, Json]) -> Annotations:
        """Return the annotations in a document. Raises UsageError if one cannot be recorded."""
        odd = [key for key in document if key not in cls._fields]
        if odd:
            known = ", ".join(cls._fields)
            raise UsageError(
                f"a run has no annotation {str(odd[0])[:80]!r}",
                hint=f"use {known}; other values belong under 'meta'",
            )
        tags, meta = document.get("tags") or (), document.get("meta") or {}
        if isinstance(tags, str) or not isinstance(tags, Iterable):
            raise UsageError("'tags' must be a list of texts", hint="as in ['audit', '2026']")
        if not isinstance(meta, Mapping):
            raise UsageError("'meta' must be a mapping of texts", hint="as in {'ticket': 'P-17'}")
        name, note = document.get("name") or "", document.get("note") or ""
        return cls(name, tuple(tags), note, dict(meta)).checked()

    @classmethod
    def recorded(cls, metadata: Mapping[str, Json]) -> Annotations:
        """Return the annotations in a record of any origin, without what is none."""
        tags, meta = metadata.get("tags"), metadata.get("meta")
        pairs = meta.items() if isinstance(meta, dict) else ()
        return cls(
            _text(metadata.get("name")),
            tuple(filter(None, map(_text, tags))) if isinstance(tags, list) else (),
            _text(metadata.get("note")),
            {key: value for key, value in pairs if isinstance(value, str)},
        )

    @property
    def document(self) -> dict[str, Json]:
        """The annotations as `metadata`; what is empty is left out."""
        found: dict[str, Json] = {
            "name": self.name,
            "tags": list(self.tags),
            "note": self.note,
            "meta": dict(self.meta),
        }
        return {key: value for key, value in found.items() if value}

    def checked(self) -> Annotations:
        """Return the annotations, each tag once and sorted. Raises UsageError."""
        _check("name", self.name, LONGEST_NAME)
        _check("note", self.note, LONGEST_NOTE, lines=True)
        for tag in self.tags:
            _check("tag", tag, LONGEST_NAME)
            if not tag or tag != tag.strip() or "," in tag:
                raise UsageError(
                    f"{tag!r} cannot be a tag", hint="a tag has no comma and no space around it"
                )
        for key, value in self.meta.items():
            _check("key", key, LONGEST_NAME)
            if not key or key != key.strip() or "=" in key:
                raise UsageError(
                    f"{key!r} cannot be a key", hint="write KEY=VALUE, as in ticket=P-17"
                )
            _check(f"value of '{key}'", value, LONGEST_VALUE, lines=True)
        tags = tuple(sorted(set(self.tags)))
        for count, most, what in (
            (len(tags), MOST_TAGS, "tags"),
            (len(self.meta), MOST_PAIRS, "pairs"),
        ):
            if count > most:
                raise UsageError(
                    f"a run can have {most} {what}, not {count}", hint=f"omit {count - most}"
                )
        return self._replace(tags=tags)

    def redacted(self, redact: Callable[[str], str]) -> Annotations:
        """Return the annotations with the secrets in their texts replaced."""
        return Annotations(
            redact(self.name),
            tuple(sorted({redact(tag) for tag in self.tags})),
            redact(self.note),
            {redact(key): redact(value) for key, value in self.meta.items()},
        )


NO_ANNOTATIONS = Annotations()


def pair(text: str) -> tuple[str, str]:
    """Return key and value of a text KEY=VALUE. Raises UsageError."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"{text[:80]!r} is not KEY=VALUE", hint="as in ticket=P-17")
    return key, value


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _check(what: str, text: Json, longest: int, *, lines: bool = False) -> None:
    """Raise UsageError unless this is text that can be recorded and shown."""
    if not isinstance(text, str):
        raise UsageError(
            f"the {what} of a run must be a text, not of the type {type(text).__name__}",
            hint="put it in quotes",
        )
    if not is_text(text):
        raise UsageError(f"the {what} is not UTF-8", hint="write it in UTF-8")
    shown = text.replace("\n", " ").replace("\t", " ") if lines else text
    if not shown.isprintable():
        hint = "remove control characters" if lines else "write one line without control characters"
        raise UsageError(f"the {what} {text[:80]!r} cannot be recorded", hint=hint)
    if len(text) > longest:
        raise UsageError(
            f"the {what} has {len(text):,} characters; the limit is {longest:,}",
            hint="shorten it, or record a link to the text",
        )
