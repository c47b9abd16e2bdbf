"""The completion of command lines: which words are offered, and that no key hangs or complains."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from quick_wct import quick_wct
from wct_process import Place, Wct

from waivern.cli.ui import completion
from waivern.cli.wct import wct as command

BOOK = """  first: {name: The first, source: {type: python, properties: {call: "steps.py:value"}}}
  second: {inputs: first, process: {type: python, properties: {call: "steps.py:total"}}}
"""
HEAD = "params: {region: {type: string, default: eu}, year: {type: integer, default: 1}}"


@pytest.fixture
def book(place: Place, wct: Wct) -> str:
    wct("runs")  # goes to the folder
    return place.runbook("x.yaml", BOOK, HEAD)


def offered(*typed: str) -> dict[str, str | None]:
    *args, incomplete = typed
    return {each.value: each.help for each in completion.words(command, args, incomplete)}


def test_commands_and_options() -> None:
    assert {"run", "runs", "inspect", "completion"} <= offered("").keys()
    assert {"resume", "list", "approve"} <= offered("runs", "").keys()
    assert "--status" in offered("runs", "--st")
    assert "completed" in offered("runs", "--status", "")
    assert "--select" in offered("run", "--se")


def test_formats_and_their_options() -> None:
    assert {"csv", "sarif"} <= offered("run", "x.yaml", "--export", "").keys()
    found = offered("run", "x.yaml", "--export", "csv=a.csv", "--export-option", "csv.")
    assert found.keys() == {"csv.separator=", "csv.bom="}
    assert offered("run", "x.yaml", "--export", "none", "--export-option", "") == {}


def test_runs_with_their_age_status_and_runbook(book: str, wct: Wct) -> None:
    assert wct("run", book, "--run-id", "one").code == 0
    assert wct("run", "none.yaml").code == 4
    found = offered("inspect", "")
    assert found["one"] == "completed, 0s ago, x"
    assert found["@last"]
    assert set(offered("runs", "resume", "on")) == {"one"}
    assert set(offered("run", book, "--resume", "@l")) == {"@last"}
    assert set(offered("runs", "delete", "one", "")) >= {"one"}


def test_long_ids_are_short_where_that_is_clear(book: str, wct: Wct) -> None:
    ids = ("3d2c1a57-2d8f-44f2-a6a5-3dbd58b3cd13", "3d2c1a57-0000-44f2-a6a5-3dbd58b3cd13")
    other = "73abf51c-2d8f-44f2-a6a5-3dbd58b3cd13"
    for run in (*ids, other):
        assert wct("run", book, "--run-id", run).code == 0
    assert {*ids, "73abf51c"} <= offered("inspect", "").keys()
    assert set(offered("inspect", other[:12])) == {other}


def test_artifacts_of_a_run_and_of_a_runbook(book: str, wct: Wct) -> None:
    wct("run", book, "--run-id", "one", "--select", "first")
    found = offered("inspect", "@last/")
    assert found == {"@last/first": "completed", "@last/second": "not_started"}
    assert set(offered("inspect", "one/f")) == {"one/first"}
    assert offered("run", book, "--select", "")["first"] == "The first"
    assert set(offered("run", book, "--select", "+s")) == {"+second"}
    assert set(offered("plan", book, "--refresh", "f")) == {"first"}
    assert set(offered("runs", "resume", "one", "--select", "s")) == {"second"}


def test_parameters_components_executors_and_codes(book: str) -> None:
    assert set(offered("run", book, "-p", "")) == {"region=", "year="}
    assert {"filesystem", "sqlite"} <= offered("connectors", "").keys()
    assert set(offered("processors", "me")) == {"merge"}
    assert "threads" in offered("run", book, "--executor", "")
    assert offered("explain", "WCT103") == {"WCT103": "unknown key"}


FREE = {
    "AGE",
    "ADDRESS",
    "ARTIFACT=DIGEST",
    "CONDITION",
    "DATE",
    "FORMAT.NAME=VALUE",
    "HEAD",
    "HOST",
    "ID",
    "ITEM",
    "KEY=VALUE",
    "N",
    "NAME",
    "PERCENT",
    "POINTER",
    "SECONDS",
    "SHARE",
    "TYPE",
    "WHEN",
    "WHO",
}
"""What a person writes, and no list has."""


def test_whatever_a_parameter_may_be_is_offered() -> None:
    """A new parameter has a source of words, or a metavar of what is written freely."""
    missing = set(_without_source(click.Context(command, info_name="wct")))
    assert missing == {"wct new name"}


def _without_source(context: click.Context) -> Iterator[str]:
    if isinstance(group := context.command, click.Group):
        for name in group.list_commands(context):
            inner = group.get_command(context, name)
            assert inner
            yield from _without_source(click.Context(inner, parent=context, info_name=name))
    for each in context.command.params:
        takes = not (isinstance(each, click.Option) and (each.is_flag or each.count))
        choice = isinstance(each.type, click.Choice)
        free = (each.metavar or "").removesuffix("...").strip("[]") in FREE
        if takes and not choice and not free and completion.source_of(context, each) is None:
            yield f"{context.command_path} {each.name}"


def test_findings_are_offered_by_type_and_place(place: Place, wct: Wct) -> None:
    (place.path / "data").mkdir()
    (place.path / "data" / "a.txt").write_text("mail ada@larkfield.org\n")
    place.runbook(
        "scan.yaml",
        "  a: {source: {type: filesystem, properties: {path: data}}}\n"
        "  found: {inputs: a, process: {type: personal_data}}\n",
    )
    assert wct("run", "scan.yaml", "--run-id", "one").code == 0
    (found,) = offered("findings", "accept", "").items()
    assert found[1] == "EMAIL_ADDRESS in a.txt"
    assert {"one", "@last"} <= offered("diff", "").keys()
    assert "one/found" in offered("why", "one/")


def test_files_and_folders_are_left_to_the_shell() -> None:
    kinds = {each.type for each in completion.words(command, ["run"], "")}
    assert kinds == {"file"}
    assert [each.type for each in completion.words(command, ["run", "x", "-o"], "")] == ["dir"]


def ask(place: Place, line: str, **environ: str) -> str:
    variables = {"_WCT_COMPLETE": "bash_complete", "COMP_LINE": line, **environ}
    done = place.quick(**variables)
    assert (done.code, done.err) == (0, "")
    return done.out


def test_what_fails_offers_nothing_and_says_nothing(place: Place) -> None:
    (place.path / "waivern.yaml").write_text("nonsense: [")
    for line in ("wct inspect ", "wct run none.yaml --select ", "wct nonsense ", "wct inspect 'x"):
        assert ask(place, line).splitlines()[1:] == []


def test_a_server_that_does_not_answer_is_not_waited_for(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        before = time.monotonic()
        assert ask(place, "wct inspect ", WAIVERN_STORE=url).strip() == ""
    assert time.monotonic() - before < completion.LIMIT_S + 5


def test_descriptions_cannot_act_on_the_terminal(place: Place) -> None:
    (place.path / "x.yaml").write_text('name: "a\\tb\\u202e"\nartifacts:\n' + BOOK)
    assert place.quick("run", "x.yaml", "--run-id", "one").code in (0, 3)
    (place.path / "y.yaml").write_text("artifacts:\n  a: {name: 'x', inputs: []}\n")
    for line in ask(place, "wct inspect ").splitlines():
        assert len(line.split("\t")) in (2, 3)
        assert "\u202e" not in line


SHOW_LINE = """
PS1='$ '
bind -x '"\\C-g": printf "<%s>" "$READLINE_LINE"'
"""
"""A key that prints the line as it is: what a terminal shows of it has been written over."""


def typed(shell: list[str], place: Place, *steps: tuple[bytes, str]) -> str:
    """Press keys in a shell on a terminal, each time until a pattern is shown; return it all."""
    path = f"{Path(quick_wct()).parent}:{os.environ['PATH']}"
    environ = place.environ(PATH=path, TERM="dumb", HOME=str(place.path), INPUTRC="/dev/null")
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        os.chdir(place.path)
        os.execvpe(shell[0], shell, environ)
    seen = ""
    try:
        for keys, until in steps:
            os.write(terminal, keys)
            begun = len(seen)
            while re.search(until, seen[begun:]) is None:
                ready, _, _ = select.select([terminal], [], [], 10)
                assert ready, f"{keys!r}: {seen[begun:]!r}"
                seen += os.read(terminal, 4096).decode()
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(child, 0)
    return seen


def test_bash_completes_a_run_and_lists_what_is_known_of_others(place: Place, book: str) -> None:
    for run in ("alpha", "beta"):
        assert place.quick("run", book, "--run-id", run).code == 0
    script = place.quick("completion", "bash").out
    (place.path / ".rc").write_text(script + SHOW_LINE)
    seen = typed(
        ["bash", "--noprofile", "--rcfile", str(place.path / ".rc"), "-i"],
        place,
        (b"", r"\$ $"),
        (b"wct inspect al\t\x07", "<wct inspect alpha >"),
        (b"\x15wct inspect @la\t\x07", "<wct inspect @last >"),
        (b"\x15wct inspect @\t\t", r"@last  \(the newest run\)"),
        (b"\x15wct inspect @last/f\t\x07", "<wct inspect @last/first >"),
        (b"\x15wct runs resume \t\t", r"beta  \(completed, \d+s ago, x\)"),
        (b"\x15wct run x.yaml -p re\t\x07", "<wct run x.yaml -p region=>"),
        (b"\x15wct run x.y\t\x07", "<wct run x.yaml >"),
    )
    assert "command not found" not in seen


def test_the_scripts_are_printed_for_each_shell(place: Place, wct: Wct) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_WCT_COMPLETE" in wct("completion", shell).out
    bash = wct("completion", "bash").out
    assert subprocess.run(["bash", "-n"], input=bash, text=True, check=False).returncode == 0
    assert wct("completion", "cmd").code == 2
