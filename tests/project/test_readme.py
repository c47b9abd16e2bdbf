"""The README beside its commands, which `test_docs_commands.py` types."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import yaml
from transcript import ROOT, blocks, commands, fresh_clone, session

README = (ROOT / "README.md").read_text()
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()


def test_it_is_short() -> None:
    assert len(README.splitlines()) < 200


def test_hashes_by_hand_agree(tmp_path: Path) -> None:
    """The README computes two hashes beside what they must be equal to."""
    clone = fresh_clone(tmp_path)
    shown = [command.text for block in blocks(README) for command in commands(block)]
    (runbook,) = (text for text in shown if text.startswith("sha256sum"))
    (chained,) = (text for text in shown if "| sha256sum" in text)
    environ = {**os.environ, "TERM": "dumb", "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}
    steps = ["wct run runbooks/quickstart.yaml -q", runbook, chained]
    printed = session(steps, clone, environ)
    system = clone / ".waivern" / "latest" / "_system"
    assert printed[1][0].split()[0] in (system / "run.json").read_text()
    assert printed[2][0].split()[0] in (system / "events.jsonl").read_text().splitlines()[-1]


def part_of(shown: object, whole: object) -> bool:
    """Return whether all that is shown is in the whole, at the same place."""
    if isinstance(shown, dict) and isinstance(whole, dict):
        return all(key in whole and part_of(shown[key], whole[key]) for key in shown)
    if isinstance(shown, list) and isinstance(whole, list):
        return all(item in whole for item in shown)
    return shown == whole


def test_the_programme_in_the_tutorial_is_the_shipped_one() -> None:
    text = TUTORIAL.partition("## 9. ")[2].partition("\n## ")[0]
    (block,) = [block for block in blocks(text) if block.kind == "yaml"]
    shown = yaml.safe_load(block.text)
    assert len(shown["artifacts"]) > 3
    assert part_of(shown, yaml.safe_load((ROOT / "runbooks" / "programme.yaml").read_bytes()))


def test_the_runbook_in_the_readme_has_the_artifacts_of_the_quickstart() -> None:
    (block,) = [block for block in blocks(README) if block.kind == "yaml"]
    shipped = yaml.safe_load((ROOT / "runbooks" / "quickstart.yaml").read_bytes())
    shown = yaml.safe_load(block.text)["artifacts"]
    assert shown.keys() == shipped["artifacts"].keys()
    for name, artifact in shown.items():
        assert part_of(artifact, shipped["artifacts"][name]), name


def test_set_up_is_what_continuous_integration_runs() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    setup = [
        block.text.strip()
        for block in blocks(README)
        if (block.kind, block.rest) == ("sh", "setup")
    ]
    assert len(setup) == 2
    for command in setup:
        assert sum(line.strip() == command for line in lines) == 1, command
        # else the `python3` of an activated .venv, which comes next, could not repeat it
        assert " install -qq -c constraints.txt pip -e " in command
    for command in setup:
        assert not re.search(r"\bsudo\b", command)
