"""Safe forms of foreign text, and the short forms of numbers, times and ids for people."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from waivern.record.journal_events import ArtifactCompletedRecord

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ESCAPES = {"\t": "\\t", "\r": "\\r"}
FORMULA = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""Characters at the beginning of a cell at which a spreadsheet evaluates it (OWASP, "CSV
Injection"); the last four are the full-width forms."""
_BREAKS = re.compile(r"\n[ \t\n]*")


def clean(text: str) -> str:
    """Return `text` on one line, without characters that a terminal would interpret.

    A sign replaces line breaks. Other characters are escaped as in JSON, so that the meaning of a
    JSON text does not change: none of its values contains a line break.
    """
    if text.isprintable():
        return text
    return " ⏎ ".join("".join(map(_character, line)) for line in _BREAKS.split(text))


def clean_lines(text: str) -> str:
    """Return `text` as `clean` does, but with its line breaks."""
    return "\n".join(clean(line) for line in text.split("\n"))


def _character(c: str) -> str:
    if c.isprintable():
        return c
    if c in _ESCAPES:
        return _ESCAPES[c]
    units = c.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2))


def clip(text: str, width: int, *, keep_end: bool = False) -> str:
    """Return `text` cut to `width` characters, at its end or with `keep_end` at its beginning."""
    if len(text) <= width:
        return text
    return "…" + text[len(text) - width + 1 :] if keep_end else text[: width - 1] + "…"


def short(run_id: str) -> str:
    """Return the beginning of a random id, or all of an id that a person chose."""
    return run_id[:8] if _UUID.fullmatch(run_id) else run_id


def near(path: str | Path) -> str:
    """Return a path, relative to the current folder if it is below it."""
    from waivern.files import current_folder

    text, here = str(path), current_folder()
    return os.path.relpath(text, here) if text == here or text.startswith(f"{here}/") else text


def listed(names: Collection[str], most: int = 8) -> str:
    """Return 'a, b and 3 more': the first names, and the number of the others."""
    shown = ", ".join(islice(names, most))
    more = len(names) - most
    return f"{shown} and {more:,} more" if more > 0 else shown


def taken(done: ArtifactCompletedRecord) -> str:
    """Return 'from 1e8285c3' for a cached artifact, else nothing."""
    if done.how != "cached" or done.origin is None:
        return ""
    return f"from {clean(short(str(done.origin['run'])))}"


def duration(ms: int | None) -> str:
    """Return milliseconds as '7 ms', '1.2s', '2m 14s' or '3h 02m'."""
    if ms is None:
        return ""
    if ms < 1000:
        return f"{ms}ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f}s"
    minutes, seconds = divmod(ms // 1000, 60)
    if minutes < 60:
        return f"{minutes}m {seconds:02}s"
    return f"{minutes // 60}h {minutes % 60:02}m"


def size(count: int) -> str:
    """Return bytes as '812 B' or '1.4 MiB'."""
    if count < 1024:
        return f"{count} B"
    power = min((count.bit_length() - 1) // 10, 4)
    return f"{count / 1024**power:.1f} {'KMGT'[power - 1]}iB"


def ago(at: str, now: float) -> str:
    """Return how long before `now` (seconds since the epoch) a moment was."""
    from datetime import datetime

    try:
        seconds = now - datetime.fromisoformat(at).timestamp()
    except ValueError:
        return clean(at)
    return f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """Return a length of time in its largest unit: '3d', '2h', '5m' or '12s'."""
    whole = max(0, int(seconds))
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if whole >= length:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def counted(count: int, word: str) -> str:
    """Return '1 artifact', '2 artifacts'."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")
