"""Every command that a page shows is typed, and prints and exits as the page says."""

from __future__ import annotations

from pathlib import Path

import pytest
from transcript import ROOT, blocks, play

PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if any(block.kind == "console" for block in blocks(page.read_text()))
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_does_what_is_shown(page: Path, tmp_path: Path) -> None:
    assert play(page.read_text(), tmp_path) > 0


def test_the_readme_and_the_tutorial_are_among_them() -> None:
    names = {page.name for page in PAGES}
    assert {"README.md", "tutorial.md", "resume-a-run.md", "write-a-component.md"} <= names
