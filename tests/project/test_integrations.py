"""Files that other tools read: a GitHub Action, a GitLab template, hooks of pre-commit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import check_jsonschema
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML
from transcript import ROOT
from wct_process import Place

BOOK = """artifacts:
  files: {source: {type: filesystem, properties: {path: data}}}
  found: {inputs: files, process: {type: personal_data}}
"""
SCHEMAS = {
    "action.yml": "vendor.github-actions",
    "templates/waivern.gitlab-ci.yml": "vendor.gitlab-ci",
}


@cache
def read(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text())


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_file_fits_the_schema_of_the_tool_that_reads_it(name: str) -> None:
    words = ["--builtin-schema", SCHEMAS[name], str(ROOT / name)]
    done = CliRunner().invoke(check_jsonschema.main, words)
    assert done.exit_code == 0, done.output


@pytest.fixture
def scanned(place: Place) -> Place:
    (place.path / "data").mkdir()
    (place.path / "data" / "a.txt").write_text("Please write to ada@larkfield.org.\n")
    (place.path / "scan.yaml").write_text(BOOK)
    return place


def shell(place: Place, script: str, environ: dict[str, str], *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [*(words or ("bash", "-e", "-o", "pipefail")), "-c", script],
        cwd=place.path,
        env=place.environ(**environ),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def action(place: Place, **inputs: str) -> tuple[int, str, dict[str, str]]:
    """Carry out the step of the action that runs, with what GitHub would set."""
    document = read("action.yml")
    given = {name: str(each.get("default", "")) for name, each in document["inputs"].items()}
    given |= {name.replace("_", "-"): value for name, value in inputs.items()}
    (step,) = (each for each in document["runs"]["steps"] if each["id"] == "run")
    environ = {}
    for name, text in step["env"].items():
        key = re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", text)
        environ[name] = given[key[1]] if key else text
    assert "${{" not in step["run"], "an input within a script would be run"
    output = place.path / "output"
    output.touch()
    environ |= {
        "WCT": str(Path(sys.executable).parent),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(place.path / "summary.md"),
    }
    code, printed = shell(place, step["run"], environ)
    pairs = (line.partition("=") for line in output.read_text().splitlines())
    return code, printed, {name: value for name, _, value in pairs}


def test_the_action_runs_annotates_and_reports(scanned: Place) -> None:
    assert scanned.quick("run", "scan.yaml", "-q").code == 0
    (scanned.path / "known.json").write_text(scanned.quick("findings", "list", "--json").out)
    (scanned.path / "data" / "b.txt").write_text("Please write to jo@larkfield.org.\n")
    code, printed, outputs = action(
        scanned,
        runbook="scan.yaml",
        baseline="known.json",
        fail_on="new",
        arguments="--tag\nnightly; touch hacked\n",
    )
    assert code == 6, printed
    assert outputs["exit-code"] == "6"
    assert (scanned.path / ".waivern" / "runs" / outputs["run-id"]).is_dir()
    assert json.loads((scanned.path / "waivern.sarif").read_text())["version"] == "2.1.0"
    assert "::" in printed
    assert "ada@larkfield.org" not in printed
    assert (scanned.path / "summary.md").read_text()
    assert not (scanned.path / "hacked").exists()


@pytest.mark.sweep
def test_the_job_of_gitlab_writes_its_reports(scanned: Place) -> None:
    job = read("templates/waivern.gitlab-ci.yml")[".waivern"]
    (scanned.path / ".waivern-venv").symlink_to(sys.prefix)
    environ = {**job["variables"], "WAIVERN_FAIL_ON": "special_category"}
    code, printed = shell(scanned, "\n".join(job["script"]), environ, "sh", "-e")
    assert code == 0, printed
    reports = job["artifacts"]["reports"]
    assert json.loads((scanned.path / reports["codequality"]).read_text())
    assert (scanned.path / reports["junit"]).read_text().startswith("<?xml")
    assert (scanned.path / environ["WAIVERN_REPORT"]).is_file()


def test_the_hook_checks_the_files_that_it_is_given(scanned: Place) -> None:
    (hook,) = read(".pre-commit-hooks.yaml")
    assert hook["entry"].split() == ["wct", "validate"]
    (scanned.path / "broken.yaml").write_text("artifacts: {a: {inputs: b}}\n")
    assert scanned.quick(*hook["entry"].split()[1:], "scan.yaml").code == 0
    assert scanned.quick(*hook["entry"].split()[1:], "scan.yaml", "broken.yaml").code == 3
