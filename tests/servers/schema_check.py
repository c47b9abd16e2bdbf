"""The JSON API against its own OpenAPI document: requests that schemathesis generates from it.

`tests/servers/run` installs schemathesis and runs this.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from server_kit import start_server
from wct_process import Place

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
RUNBOOK = """
  findings: {source: {type: python, properties: {call: "steps.py:value"}}}
  ask: {gate: {question: "Is it right?", show: [findings]}}
"""
OPTIONS = ["--max-examples", "20", "--seed", "1", "--workers", "1"]
# moments, cursors and names of runbooks have rules that a schema cannot state
OPTIONS += ["--exclude-checks", "positive_data_acceptance"]


@pytest.mark.timeout(900)
def test_generated_requests_have_the_answers_of_the_document(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.runbook("gated.yaml", RUNBOOK)
    assert place.wct("run", "gated.yaml", "-q").code == 7
    try:
        server = start_server(place, "--runbooks", ".")
        command = [SCHEMATHESIS, "run", f"{server.address}api/v1/openapi.json", *OPTIONS]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-10_000:]
        assert server.end()[0] == 0
    finally:
        place.close()
