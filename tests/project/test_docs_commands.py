"""The commands and programs of the documents, executed and compared with what is shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from transcript import ROOT, blocks, fresh_clone, play

PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if any(block.kind == "console" for block in blocks(page.read_text()))
]


SHORT = {"README.md", "tutorial.md", "resume-a-run.md", "write-a-component.md"}
"""The pages that are read first; together the others have more than a hundred runs."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page,
            id=str(page.relative_to(ROOT)),
            marks=[] if page.name in SHORT else [pytest.mark.sweep],
        )
        for page in PAGES
    ],
)
def test_every_command_does_what_is_shown(page: Path, tmp_path: Path) -> None:
    assert play(page.read_text(), tmp_path) > 0


def test_the_readme_and_the_tutorial_are_among_them() -> None:
    names = {page.name for page in PAGES}
    assert names >= SHORT


PROGRAMS = ROOT / "docs" / "how-to" / "call-it-from-python.md"


@pytest.mark.sweep
def test_every_program_of_the_python_guide_runs(tmp_path: Path) -> None:
    """In their order, in one folder, as a reader would try them."""
    clone = fresh_clone(tmp_path)
    programs = [each.text for each in blocks(PROGRAMS.read_text()) if each.kind == "python"]
    assert len(programs) == 4
    for text in programs:
        (clone / "program.py").write_text(text)
        command = [sys.executable, "-W", "error", "program.py"]
        done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
