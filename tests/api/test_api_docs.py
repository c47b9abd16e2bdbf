"""What docs/python.md shows is run and checked as a reader's own program would be."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import waivern

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
PROGRAMS = [text for kind, text in BLOCKS if kind == "python"]
REVIEW = """
name: review
artifacts:
  files: {source: {type: filesystem, properties: {path: customers}}}
  findings: {inputs: files, process: {type: personal_data}}
  broken: {inputs: findings, process: {type: python, properties: {call: "none.py:nothing"}}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "customers").mkdir()
    (tmp_path / "customers" / "mail.txt").write_text("ada@example.com has written\n")
    (tmp_path / "review.yaml").write_text(REVIEW)
    return tmp_path


def outcome(program: str, place: Path) -> list[str]:
    (place / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-W", "error", "program.py"],
        cwd=place,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_first_program(place: Path) -> None:
    (shown,) = (text for kind, text in BLOCKS if kind == "text")
    assert outcome(PROGRAMS[0], place) == shown.splitlines()


def test_a_program_that_follows_a_run(place: Path) -> None:
    lines = outcome(PROGRAMS[1], place)
    assert "findings produced 1" in lines
    assert "failed ('broken',)" in lines
    assert [line for line in lines if line.startswith("broken ComponentError")]
    assert lines[-1].startswith("run second failed: broken: ComponentError")


def test_a_program_that_looks_at_runs(place: Path) -> None:
    lines = outcome(PROGRAMS[2], place)
    assert lines[0] == "third failed review.yaml"
    assert lines[1:3] == ["1 files completed None", "2 findings completed None"]
    assert lines[-1] == "True None"


def test_the_programs_pass_a_strict_type_check(tmp_path: Path) -> None:
    """Also one with mistakes in it does not: the checker knows the events."""
    assert len(PROGRAMS) == 3
    wrong = "import waivern\nwaivern.nonsense\nwaivern.run(1)\n"
    narrowed = (
        "import waivern\nasync def f() -> None:\n"
        "    async for event in waivern.stream('a'):\n"
        "        if event.type == 'artifact_completed':\n"
        "            reveal_type(event)\n"
        "            reveal_type(await event.message())\n"
        "        reveal_type(event.error)\n"
    )
    for n, text in enumerate([*PROGRAMS, wrong, narrowed]):
        (tmp_path / f"program{n}.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = sorted(line for line in done.stdout.splitlines() if line.startswith("program"))
    assert [line[:14] for line in said] == [
        "program3.py:2:",
        "program3.py:3:",
        "program4.py:5:",
        "program4.py:6:",
        "program4.py:7:",
    ]
    assert "ArtifactCompleted" in said[2]
    assert "Message" in said[3]


def test_the_page_leaves_out_nothing_that_is_public() -> None:
    types = {"Artifact", "Message", "SchemaRef", "ArtifactStore", "ArtifactStatus", "How",
             "RunEvent", "RunStatus", "ComponentError", "Runbook"}  # fmt: skip
    public = {name for name in dir(waivern) if name[0] != "_"}
    assert {name for name in public if f"`{name}" not in PAGE} - types == set()
