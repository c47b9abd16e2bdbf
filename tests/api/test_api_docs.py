"""What docs/reference/python.md shows is run and checked as a reader's own program would be."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import waivern

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "python.md").read_text()
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


def test_a_program_with_a_time_limit_of_its_own(place: Path) -> None:
    assert outcome(PROGRAMS[2], place) == ["failed"]


def test_a_program_with_a_resolver(place: Path) -> None:
    assert outcome(PROGRAMS[3], place) == ["['letters/letters']"]


def test_a_program_that_says_what_is_to_be_made(place: Path) -> None:
    lines = outcome(PROGRAMS[4], place)
    assert lines[:3] == [
        f"{name} produce never produced" for name in ("files", "findings", "broken")
    ]
    assert lines[3] == "completed ('broken',) 6"
    assert lines[4].startswith("artifacts.findings.summary.findings > 0  (")
    (run,) = waivern.list_runs(store=place / ".waivern")
    assert (run.run_id, len(run.attempts)) == ("fourth", 2)


def test_a_program_that_looks_at_runs(place: Path) -> None:
    lines = outcome(PROGRAMS[5], place)
    assert lines[0] == "third failed review.yaml"
    assert lines[1:3] == ["1 files completed None", "2 findings completed None"]
    assert lines[-1] == "True None"


WRONG = """import waivern
waivern.nonsense
waivern.run(1)
waivern.run("a", selct="b")
waivern.run("a", max_failures="1")
waivern.replay("r", cache=True)
waivern.stream("a", fail_on=[1])
"""
TOLD = """import waivern
reveal_type(waivern.forecast("a")[0].action)
async def f() -> None:
    async for event in waivern.stream("a"):
        if event.type == "artifact_completed":
            reveal_type(event)
            reveal_type(await event.message())
        reveal_type(event.error)
"""


@pytest.mark.sweep
def test_the_programs_pass_a_strict_type_check(tmp_path: Path) -> None:
    """Also one with mistakes in it does not: the checker knows the arguments and the events."""
    assert len(PROGRAMS) == 8
    for n, text in enumerate(PROGRAMS):
        (tmp_path / f"program{n}.py").write_text(text)
    (tmp_path / "wrong.py").write_text(WRONG)
    (tmp_path / "told.py").write_text(TOLD)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = re.findall(r"^(\w+)\.py:(\d+): \w+: (.*)$", done.stdout, re.MULTILINE)
    found = {(file, int(line)): text for file, line, text in said}
    assert {line for file, line in found if file == "wrong"} == {2, 3, 4, 5, 6, 7}
    assert 'did you mean "select"?' in done.stdout
    told = {line: text for (file, line), text in found.items() if file == "told"}
    assert told.keys() == {2, 6, 7, 8}
    assert "Action" in told[2]
    assert "ArtifactCompleted" in told[6]
    assert "Message" in told[7]
    assert {file for file, _ in found} == {"wrong", "told"}


def test_the_page_leaves_out_nothing_that_is_public() -> None:
    types = {"Artifact", "Message", "SchemaRef", "ArtifactStore", "ArtifactStatus", "How",
             "RunEvent", "RunStatus", "ComponentError", "Runbook"}  # fmt: skip
    public = {name for name in dir(waivern) if name[0] != "_"}
    assert {name for name in public if f"`{name}" not in PAGE} - types == set()


def test_a_program_that_reads_a_list_record_by_record(place: Path) -> None:
    assert outcome(PROGRAMS[7], place) == ["mail.txt 28"]


def test_a_program_that_reads_the_history(place: Path) -> None:
    first, last = outcome(PROGRAMS[6], place)
    assert first.startswith("sixth ['broken'] broken: ")
    assert first.endswith("{'tags': ['audit']}")
    assert last == "0 None"
