"""The measured artifacts: 200 bytes of text, without an input or with one."""

from __future__ import annotations

TEXT = "x" * 200


def make() -> str:
    return TEXT


def follow(_inputs: list[str]) -> str:
    return TEXT
