"""What came from `${VAR}` must not be written anywhere: it is hidden by value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from waivern.message import Json

SHORTEST = 4
"""Characters; a shorter value would hide half of every text, and is no secret."""


class Secrets:
    """The values of the variables that a runbook uses; shows their names in their place."""

    def __init__(self, names: Iterable[str], environ: Mapping[str, str]) -> None:
        values = {environ[name]: name for name in names if len(environ.get(name, "")) >= SHORTEST}
        # longest first: one value may contain another
        self._values = sorted(values.items(), key=lambda item: -len(item[0]))

    def hide(self, text: str) -> str:
        """Return `text` with every value replaced by `${NAME}`."""
        for value, name in self._values:
            if value in text:
                text = text.replace(value, f"${{{name}}}")
        return text

    def hide_all(self, document: dict[str, Json]) -> dict[str, Json]:
        """Return a flat document with its texts hidden."""
        return {k: self.hide(v) if isinstance(v, str) else v for k, v in document.items()}
