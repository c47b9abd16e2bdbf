"""What the measured artifacts are: 200 bytes of text, from nothing or from whatever came before."""

from __future__ import annotations

TEXT = "x" * 200


def make() -> str:
    return TEXT


def follow(_inputs: list[str]) -> str:
    return TEXT
