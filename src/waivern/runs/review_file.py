"""Writing of the file of reviews: everything else in it stays as it is, comments too.

The text is edited where it must be, and the result is read again before it replaces the file: what
cannot be edited safely is refused, with the lines to add by hand.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from waivern.diagnostics import InvalidError
from waivern.errors import RefusedError, StoreError
from waivern.runs.finding_reviews import FindingReview, parse_reviews
from waivern.yamldoc.positions import Positions

HEAD = """\
# Findings that people have reviewed: `wct findings accept` and `reject` write this file.
# An accepted finding may stay until the date; a rejected one must be removed by then.
findings:
"""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-./@,()'")
"""The characters that a text without quotes may have."""


def record_reviews(path: str, reviews: Iterable[FindingReview]) -> None:
    """Add reviews to a file, or replace those of the same findings; create it if it is missing.

    Raises InvalidError if the file is wrong, RefusedError if it cannot be edited, StoreError if it
    cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        data = target.read_bytes() if target.exists() else HEAD.encode()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    for review in reviews:
        data = _with(data, review, path)
    _replace(target, data, path)


def _with(data: bytes, review: FindingReview, path: str) -> bytes:
    known = parse_reviews(data, path)
    text = data.decode("utf-8-sig")
    same = [
        n for n, each in enumerate(known) if (each.id, each.system) == (review.id, review.system)
    ]
    edited = _changed(text, same[0], review) if same else _added(text, review)
    if edited is not None:
        expected = [*known, review]
        if same:
            expected = [review if n == same[0] else each for n, each in enumerate(known)]
        result = edited.encode()
        try:
            if parse_reviews(result, path) == expected:
                return result
        except InvalidError:
            pass
    raise RefusedError(
        f"{path} has a form that is not edited automatically",
        hint="write this entry by hand:\n" + "".join(_entry(review, "  ")),
    )


def _added(text: str, review: FindingReview) -> str | None:
    """Return the text with an entry at the end of its list."""
    text = text if not text or text.endswith("\n") else f"{text}\n"
    place = Positions(text).find(("findings",))
    if place is None or place.key is None:
        return f"{text}findings:\n{''.join(_entry(review, '  '))}"
    indent = "  "
    if place.inside:
        first = place.inside[0].value
        line = text[: first.start].rpartition("\n")[2]
        indent = line[: len(line) - len(line.lstrip())]
    else:  # nothing, `null`, or `[]`, of which a position has only the beginning
        start = place.value.start
        closing = text.find("]", start) + 1 if text[start : start + 1] == "[" else 0
        text = text[:start].rstrip(" ") + text[closing or place.value.end :]
        text = text if text.endswith("\n") else f"{text}\n"
    return f"{text}{''.join(_entry(review, indent))}"


def _entry(review: FindingReview, indent: str) -> list[str]:
    lines = [f"{key}: {_scalar(value)}" for key, value in review.document().items()]
    return [f"{indent}{'- ' if n == 0 else '  '}{line}\n" for n, line in enumerate(lines)]


def _changed(text: str, number: int, review: FindingReview) -> str | None:
    """Return the text with other values in the entry of a number."""
    place = Positions(text).find(("findings", number))
    if place is None or not place.inside:
        return None
    edits = []
    for key, value in review.document().items():
        part = place.inside.get(key)
        if part is None:
            first = next(iter(place.inside.values()))
            if first.key is None:
                return None
            end = text.find("\n", first.value.end)
            at = len(text) if end < 0 else end
            edits.append((at, at, f"\n{' ' * first.key.column}{key}: {_scalar(value)}"))
            continue
        written = text[part.value.start : part.value.end]
        kept = written.rstrip()
        if "\n" in kept:
            return None
        edits.append((part.value.start, part.value.start + len(kept), _scalar(value)))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _scalar(text: str) -> str:
    """Return a text as a YAML scalar on one line."""
    plain = text.strip() == text and text[:1].isalnum() and _PLAIN.issuperset(text)
    words = text.lower() in ("null", "true", "false", "yes", "no", "on", "off")
    number = text.replace(".", "").replace("_", "").isdigit()
    if plain and not words and not number and not text[:1].isdigit():
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _replace(target: Path, data: bytes, path: str) -> None:
    """Replace a file by a whole one: a full disk leaves the earlier one as it is."""
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
