"""Everything that the README tells a reader to type is typed here, and does what it says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from transcript import Block, blocks, commands, missing, session

from waivern.cli.wct import wct
from waivern.errors import Exit

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CODES = {
    "kill -9": 128 + 9,
    "runs verify": Exit.INTEGRITY,
    "resume refused": Exit.REFUSED,
    "error[WCT": Exit.INVALID,
    "SUSPENDED": Exit.SUSPENDED,
}
"""What is typed or printed where a command does not exit with 0, and what it exits with."""
SIGNALS = {128 + each for each in (signal.SIGHUP, signal.SIGPIPE, signal.SIGALRM)}
"""What the shell calls them: codes that no error has."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a reader has after the first command, without the time that it takes."""
    made = tmp_path / "clone"
    made.mkdir()
    shutil.copytree(ROOT / "runbooks", made / "runbooks", ignore=shutil.ignore_patterns("material"))
    (made / ".venv").symlink_to(sys.prefix)
    return made


def installed(block: Block, folder: Path) -> None:
    """Install what a pyproject.toml declares, as far as Python is concerned."""
    project = tomllib.loads(block.text)["project"]
    home = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    home.mkdir()
    (home / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (home / "entry_points.txt").write_text("\n".join(lines))


def test_every_command_does_what_is_shown(clone: Path) -> None:
    typed = []
    for block in blocks(README):
        if name := re.search(r"file=(\S+)", block.rest):
            (clone / name[1]).write_text(block.text)
        if block.kind == "toml":
            installed(block, clone)
        if block.kind == "console":
            typed += list(commands(block))
    assert len(typed) > 25
    environ = {
        **{k: v for k, v in os.environ.items() if k not in ("WAIVERN_STORE", "BASH_ENV")},
        "TERM": "dumb",
        "COLUMNS": "120",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(clone),
    }
    told = session([command.text for command in typed], clone, environ)
    assert len(told) == len(typed)
    for command, (printed, code) in zip(typed, told, strict=True):
        assert missing(command.shown, printed) is None, f"$ {command.text}\n{printed}"
        wanted = [wrong for sign, wrong in CODES.items() if sign in str(command)] or [0]
        assert [code] == wanted, f"$ {command.text}\n{printed}"


def test_hashes_by_hand_agree(clone: Path) -> None:
    """The README computes two hashes beside what they must be equal to."""
    shown = [command.text for block in blocks(README) for command in commands(block)]
    (kept,) = (text for text in shown if text.startswith("sha256sum"))
    (chained,) = (text for text in shown if "| sha256sum" in text)
    environ = {**os.environ, "TERM": "dumb", "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}
    steps = ["wct run runbooks/quickstart.yaml -q", kept, chained]
    told = session(steps, clone, environ)
    system = clone / ".waivern" / "latest" / "_system"
    assert told[1][0].split()[0] in (system / "run.json").read_text()
    assert told[2][0].split()[0] in (system / "events.jsonl").read_text().splitlines()[-1]


def all_commands(group: click.Group) -> Iterator[str]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        yield f"{group.name} {name}"
        if isinstance(command, click.Group):
            yield from (f"{group.name} {below}" for below in all_commands(command))


def test_all_commands_and_exit_codes_are_there() -> None:
    table = README.partition("## Commands and exit codes")[2].partition("\n## ")[0]
    for name in all_commands(wct):
        assert f"`{name}" in table, name
    codes = {
        int(code)
        for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
        for code in row.split(",")
    }
    assert codes == {int(code) for code in Exit} | SIGNALS


def part_of(shown: object, whole: object) -> bool:
    """Say whether all that is shown stands in the whole, at the same place."""
    if isinstance(shown, dict) and isinstance(whole, dict):
        return all(key in whole and part_of(shown[key], whole[key]) for key in shown)
    if isinstance(shown, list) and isinstance(whole, list):
        return all(item in whole for item in shown)
    return shown == whole


def test_language_is_shown_by_what_ships() -> None:
    """The section shows the middle of a runbook, which must stand there."""
    text = README.partition("## The language")[2].partition("\n## ")[0]
    (block,) = [block for block in blocks(text) if block.kind == "yaml"]
    shown = yaml.safe_load(block.text)
    assert len(shown["artifacts"]) > 3
    assert part_of(shown, yaml.safe_load((ROOT / "runbooks" / "programme.yaml").read_bytes()))


def test_set_up_is_what_continuous_integration_runs() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    setup = [block.text.strip() for block in blocks(README) if block.rest == "setup"]
    assert len(setup) == 2
    for command in setup:
        assert sum(line.strip() == command for line in lines) == 1, command
        # else the `python3` of an activated .venv, which comes next, could not repeat it
        assert " install -qq -c constraints.txt pip -e " in command
