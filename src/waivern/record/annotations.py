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


class AnnotationChange(NamedTuple):
    """A change of the annotations of a run, which applies to whatever they are by then."""

    name: str | None = None
    """The new name; empty: none; None: as it is."""
    add: tuple[str, ...] = ()
    """The tags to add."""
    remove: tuple[str, ...] = ()
    """The tags to remove."""
    note: str | None = None
    meta: Mapping[str, str] = {}
    """The pairs to set; one with an empty value is removed."""

    def __repr__(self) -> str:
        return type(self).__name__  # the texts may be personal

    def __bool__(self) -> bool:
        return self != AnnotationChange()

    @classmethod
    def of(cls, document: Mapping[str, Json]) -> AnnotationChange:
        """Return the change in a document. Raises UsageError if it is none."""
        fits = {"name": str, "add": list, "remove": list, "note": str, "meta": dict}
        for key, value in document.items():
            if key not in fits or not isinstance(value, fits[key]):
                raise UsageError(f"{str(key)[:80]!r} is no change of annotations")
        texts = [*document.get("add", ()), *document.get("remove", ())]
        if not all(isinstance(each, str) for each in [*texts, *document.get("meta", {}).values()]):
            raise UsageError("an annotation must be a text")
        return cls(**{**document, **{k: tuple(document.get(k, ())) for k in ("add", "remove")}})

    @property
    def document(self) -> dict[str, Json]:
        """The change as `of` reads it."""
        found = self._asdict() | {"add": list(self.add), "remove": list(self.remove)}
        return {key: value for key, value in found.items() if value is not None}

    def applied(self, old: Annotations) -> Annotations:
        """Return the annotations after the change. Raises UsageError if they cannot be recorded."""
        return Annotations(
            old.name if self.name is None else self.name,
            tuple(tag for tag in (*old.tags, *self.add) if tag not in self.remove),
            old.note if self.note is None else self.note,
            {key: value for key, value in {**old.meta, **self.meta}.items() if value},
        ).checked()

    def redacted(self, redact: Callable[[str], str]) -> AnnotationChange:
        """Return the change with the secrets in the texts that it adds replaced."""
        return self._replace(
            name=self.name and redact(self.name),
            add=tuple(map(redact, self.add)),
            note=self.note and redact(self.note),
            meta={redact(key): redact(value) for key, value in self.meta.items()},
        )


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
