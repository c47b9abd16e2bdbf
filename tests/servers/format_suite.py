"""Formats, read by the SARIF multitool and by LibreOffice."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from exported_kit import SCAN, finished, produced, written


@pytest.mark.parametrize("artifacts", [SCAN, produced("hostile")], ids=["scan", "hostile"])
def test_the_multitool_finds_no_error(tmp_path: Path, artifacts: str) -> None:
    run = finished(tmp_path / "run", artifacts)
    (tmp_path / "log.sarif").write_bytes(written(run, "sarif")[0])
    command = [os.environ["SARIF_MULTITOOL"], "validate", "log.sarif", "--output", "said.sarif"]
    done = subprocess.run(
        command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=100
    )
    assert "scanned" in done.stdout, done.stdout + done.stderr
    said = json.loads((tmp_path / "said.sarif").read_bytes().decode("utf-8-sig"))
    errors = [each for each in said["runs"][0]["results"] if each.get("level") == "error"]
    assert errors == []


@pytest.mark.parametrize("artifacts", [SCAN, produced("hostile")], ids=["scan", "hostile"])
def test_a_spreadsheet_program_shows_what_is_written(tmp_path: Path, artifacts: str) -> None:
    """The second sheet, as LibreOffice writes it: the formulas would be evaluated."""
    run = finished(tmp_path / "run", artifacts)
    (tmp_path / "book.xlsx").write_bytes(written(run, "xlsx")[0])
    office = shutil.which("soffice")
    assert office
    filtered = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,2"
    command = [office, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless"]
    command += ["--convert-to", filtered, "book.xlsx"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=100)
    (sheet,) = tmp_path.glob("book*.csv")
    with sheet.open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert len(rows) == run.overview.findings
    expected = [each.type for each in run.findings if each.type.isprintable()]
    assert set(expected) <= {row["type"] for row in rows}
