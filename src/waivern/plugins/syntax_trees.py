"""Syntax trees of Python files, also while other threads parse."""

from __future__ import annotations

import ast

TRIES = 100


def parse(source: bytes | str, filename: str = "<unknown>") -> ast.Module:
    """Return the syntax tree of a file. Raises what `ast.parse` raises.

    Up to Python 3.11.7 all threads share the count of the depth (python/cpython#106905): if another
    one parses meanwhile, `ast.parse` takes its own, correct tree for a defect. It is right when it
    is asked again. A lock would not help, since components parse as well.
    """
    for _ in range(TRIES):
        try:
            return ast.parse(source, filename)
        except SystemError:
            continue
    return ast.parse(source, filename)
