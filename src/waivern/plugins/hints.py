"""Small helps for hints."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return "did you mean 'x'?" for the known word most like `word`, if one is like it."""
    from difflib import get_close_matches

    folded = {name.casefold(): name for name in known}
    if close := get_close_matches(word[:80].casefold(), folded, n=1):
        return f"did you mean {folded[close[0]]!r}?"
    return None
