"""What a component raises or returns is reported with its place and its cause."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from wct_process import WCT, Place

import waivern

FAULTY = """
from dataclasses import dataclass
from waivern import ComponentError
from waivern.plugins.component import Suspend

class int64:  # looks as the numbers of a numeric library do
    def tolist(self):
        return 1

@dataclass
class Row:
    x: int = 1

VALUES = {
    "number": {"rows": [{"x": 1}, {"x": int64()}]},
    "surrogate": {"rows": [{"a\\ud83d": 1}]},
    "huge": {"total": {"of all": 10 ** 5000}},
    "set": {"tags": {"b"}},
    "bytes": [b"x"],
    "nan": {"mean": float("nan")},
    "row": [Row()],
    "first": [{1}, {2}, float("inf")],
}

def returns(which):
    return VALUES[which]

def wraps(which):
    if which == "exception":
        raise ComponentError(ValueError("no such table"))
    if which == "number":
        raise ComponentError(42)
    raise ComponentError

def waits():
    raise Suspend({"need": "the contract"})

def waits_without_a_reason():
    raise Suspend("")
"""


def artifact(place: Place, call: str, **args: str) -> str:
    (place.path / "faulty.py").write_text(FAULTY)
    given = "".join(f", {key}: {value}" for key, value in args.items())
    properties = f'{{call: "faulty.py:{call}", args: {{{given.removeprefix(", ")}}}}}'
    return place.runbook("f.yaml", f"  a: {{source: {{type: python, properties: {properties}}}}}")


@pytest.mark.parametrize(
    ("which", "message", "hint"),
    [
        ("number", "$.rows[1].x is a ", "x.tolist()"),
        ("surrogate", '$.rows[0] has the key "a\\ud83d", which has a lone surrogate', "str(key)"),
        ("huge", '$.total["of all"] is a whole number of more than 4,300 digits', "as text"),
        ("set", "$.tags is a set", "sorted(x)"),
        ("bytes", "$[0] is a bytes", "x.decode()"),
        ("nan", "$.mean is nan", "None"),
        ("row", "$[0] is a ", "dataclasses.asdict(x)"),
        ("first", "$[0] is a set", "sorted(x)"),
    ],
)
def test_what_is_not_json_is_named_with_its_place(
    place: Place, which: str, message: str, hint: str
) -> None:
    step = place.wct("run", artifact(place, "returns", which=which), "--json")
    [error] = [each["error"] for each in step.data("run")["steps"]]
    assert error["kind"] == "ComponentError"
    assert error["message"].startswith(f"content is not JSON: {message}")
    assert hint in error["hint"]


@pytest.mark.parametrize(
    ("which", "message"),
    [("exception", "ValueError: no such table"), ("number", "42"), ("class", "no message")],
)
def test_an_error_around_another_is_no_internal_error(
    place: Place, which: str, message: str
) -> None:
    done = place.wct("run", artifact(place, "wraps", which=which))
    assert done.code == 1
    assert f"ComponentError: {message}" in done.err
    if which == "exception":
        log = (place.run_folder() / "_system/logs/a.log").read_text()
        assert "ValueError: no such table" in log
        assert "direct cause" in log


def test_a_wait_for_what_is_no_text(place: Place) -> None:
    done = place.wct("run", artifact(place, "waits"))
    assert done.code == 7
    assert "{'need': 'the contract'}" in done.out


def test_a_command_whose_folder_is_gone(place: Place) -> None:
    (place.path / "inner").mkdir()
    (place.path / "inner" / "r.yaml").write_text(
        "artifacts:\n"
        "  b: {inputs: [gone], process: {type: command, properties: {argv: [echo, '1']}}}\n"
        "  gone: {source: {type: python, properties: {call: '../vanish.py:vanish'}}}\n"
    )
    (place.path / "vanish.py").write_text(
        "import shutil, pathlib\n"
        "def vanish():\n    shutil.rmtree(pathlib.Path(__file__).parent / 'inner')\n    return 1\n"
    )
    done = place.wct("run", "inner/r.yaml", "--no-cache")
    assert done.code == 1
    assert "that folder is gone" in done.err
    (line,) = (line for line in done.err.splitlines() if line.startswith("failed"))
    assert "PATH" not in line


EXHAUSTED = """
import anyio, os, pathlib
from waivern.builtin.command import CommandConnector, CommandProperties
from waivern.errors import ComponentError
from waivern.plugins.context import Context

async def main():
    config = CommandProperties(argv=["true"])
    held = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    try:
        await CommandConnector().extract(config, Context("a", pathlib.Path(".")))
    except ComponentError as error:
        print(error.message, error.hint, sep="|")

anyio.run(main)
"""


def test_too_many_open_files_are_called_that(tmp_path: Path) -> None:
    script = 'ulimit -n 64 && exec "$0" -c "$1"'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, EXHAUSTED],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    message, _, hint = done.stdout.partition("|")
    assert "Too many open files" in message
    assert "ulimit -n" in hint
    assert "#!" not in hint


def test_a_current_folder_that_was_removed(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'rmdir ../gone && exec "$@"'
    for args in (["run", "r.yaml"], ["runs"], ["plan", "r.yaml"], ["config", "show"]):
        gone.mkdir(exist_ok=True)
        done = subprocess.run(
            ["sh", "-c", script, "sh", WCT, *args],
            cwd=gone,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 5, done
        assert "the current folder was removed" in done.stderr
        assert "cd ~" in done.stderr
    gone.mkdir(exist_ok=True)
    before = Path.cwd()
    os.chdir(gone)
    try:
        gone.rmdir()
        for call in (
            lambda: waivern.run("r.yaml"),
            waivern.list_runs,
            lambda: waivern.load("r.yaml"),
            lambda: waivern.open_store("here"),
        ):
            with pytest.raises(waivern.RefusedError, match="current folder was removed"):
                call()
    finally:
        os.chdir(before)


def test_a_component_that_gives_no_reason_to_wait_is_shown_so(place: Place) -> None:
    done = place.wct("run", artifact(place, "waits_without_a_reason"))
    assert done.code == 7
    assert "a  waits: something outside; the component gave no reason" in done.out
