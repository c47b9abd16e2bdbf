"""The conditions of the documents, evaluated in runs over real findings."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from quick_wct import quick_wct

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "conditions.md").read_text()
EXAMPLES = re.findall(r"^\| .* \| `(.*)` \|$", PAGE.partition("## Examples")[2], re.MULTILINE)
SCAN = """
def scan():
    return {"records": 4, "findings": [{"type": "x"}], "total": 1}

def review(inputs=()):
    return {"open": [], "items": [{"reviewed": True}]}
"""
AROUND = """
params: {region: {type: string, default: us}}
artifacts:
  files: {source: {type: filesystem, properties: {path: data/files}}}
  findings: {inputs: files, process: {type: personal_data}}
  scan: {source: {type: python, properties: {call: "s.py:scan"}}}
  review: {source: {type: python, properties: {call: "s.py:review"}}}
"""
HOLDS = {
    "starts_with(each, 'prod_')": "for_each: [prod_a, prod_b]",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "runbooks" / "data", tmp_path / "data")
    (tmp_path / "s.py").write_text(SCAN)
    return tmp_path


def _run(folder: Path, text: str, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "b.yaml").write_text(text)
    command = [quick_wct(), "run", "b.yaml", "--run-id", "r", *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("condition", EXAMPLES)
def test_every_example_is_true_where_it_should_be(folder: Path, condition: str) -> None:
    """All but two are true here; the other two get the values that make them true."""
    if "artifacts." in condition:
        done = _run(folder, AROUND, "--fail-on", condition)
        assert done.returncode == 0, done.stderr  # all are reviewed: it does not trip
        return
    text = AROUND + "  asked:\n"
    if "round" in condition:
        name = re.findall(r"inputs\.(\w+)", condition)[0]
        asked = condition.replace(f"inputs.{name}", "result")
        text += f"    inputs: {name}\n    repeat: {{until: {json.dumps(asked)}, max: 5}}\n"
        text += "    process: {type: python, properties: {call: 's.py:review'}}\n"
    else:
        names = sorted(set(re.findall(r"inputs\.(\w+)", condition)))
        text += f"    {HOLDS.get(condition, '')}\n    when: {json.dumps(condition)}\n"
        text += f"    inputs: {json.dumps(names)}\n" if names else ""
        kind = "process" if names else "source"
        text += f"    {kind}: {{type: python, properties: {{call: 's.py:review'}}}}\n"
    done = _run(folder, text, "-q")
    assert done.returncode == 0, done.stderr
    produced = [path.name for path in (folder / ".waivern" / "runs" / "r").rglob("*.json")]
    assert {"asked.json", "prod_a.json"} & set(produced), done.stdout


def test_a_fail_on_as_printed_is_accepted(folder: Path) -> None:
    [printed] = re.findall(r'--fail-on "(.*)"$', PAGE, re.MULTILINE)
    assert _run(folder, AROUND, "-q", "--fail-on", printed).returncode in (0, 6)
