"""Distributions for tests: a connector that fits, and an installer."""

from __future__ import annotations

from pathlib import Path

GOOD = """
from pydantic import BaseModel
from waivern.message import ANY_JSON

class Thing:
    name = "thing"
    version = "1.0.0"
    produces = ANY_JSON
    class Config(BaseModel):
        pass
    def extract(self, config, ctx):
        return 1
"""


def install(folder: Path, name: str, code: str, entry: str, kind: str = "connectors") -> None:
    """Put a distribution into a folder, as an installer would."""
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[waivern.{kind}]\n{entry}\n")
    (folder / f"{name}.py").write_text(code)
