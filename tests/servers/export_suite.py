"""Exports that other programs read: RO-Crate's validator, and a Python that is not CPython."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from bundle_kit import RUNBOOK, Bench, flipped, members, packed

VALIDATOR = Path(__file__).with_name("crate_validator.py")
PROFILES = ("ro-crate-1.1", "process-run-crate", "workflow-run-crate", "provenance-run-crate")
FAILS = """
  broken:
    optional: true
    source: {type: command, properties: {argv: ["false"]}}
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = Bench(tmp_path_factory.mktemp("exports"))
    made.write("audit.yaml", "\n".join(RUNBOOK.splitlines()[:6]) + FAILS)
    made.write("data/a.txt", "mail anna.berg@firma.de\n")
    made.wct("run", "audit.yaml", "--run-id", "r1", code=None)
    made.wct("export", "r1", "--export", "rocrate=crate.zip", "--export", "bundle=run.zip")
    return made


def validated(path: Path, profile: str) -> subprocess.CompletedProcess[str]:
    command = [os.environ["CRATE_PYTHON"], str(VALIDATOR), str(path), profile]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_validator_finds_nothing_that_is_required(bench: Bench, profile: str) -> None:
    done = validated(bench.folder / "crate.zip", profile)
    assert (done.returncode, done.stdout) == (0, ""), done


def test_the_validator_can_find_something(bench: Bench) -> None:
    content = members(bench.folder / "crate.zip")
    document = json.loads(content["ro-crate-metadata.json"])
    for entity in document["@graph"]:
        entity.pop("instrument", None)
    content["ro-crate-metadata.json"] = json.dumps(document).encode()
    done = validated(packed(bench.folder / "bad.zip", content), "provenance-run-crate")
    assert done.returncode == 1, done
    assert "instrument" in done.stdout


def test_pypy_verifies_a_bundle(bench: Bench, tmp_path: Path) -> None:
    """Debian's PyPy is Python 3.9, the oldest that it has."""
    pypy = shutil.which("pypy3")
    assert pypy
    content = members(bench.folder / "run.zip")
    script = tmp_path / "verify.py"
    script.write_bytes(content["verify.py"])
    command = [pypy, str(script)]
    done = subprocess.run(
        [*command, str(bench.folder / "run.zip")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("intact")
    content["journal.jsonl"] = flipped(content["journal.jsonl"], 100)
    bad = packed(tmp_path / "bad.zip", content)
    done = subprocess.run([*command, str(bad)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ALTERED    line 1 of the journal")
