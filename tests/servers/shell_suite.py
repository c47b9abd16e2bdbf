"""Completion in a real zsh and a real fish; that in bash is part of the default tests."""

from __future__ import annotations

import pytest
from test_cli_completion import typed
from wct_process import Place

BOOK = '  first: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
ZSH = """
autoload -U compinit && compinit -u -D
PS1='$ '
show() { print -n "<$BUFFER>" }
zle -N show && bindkey '^G' show
"""
FISH = """
function fish_prompt; echo '$ '; end
function fish_greeting; end
bind \\cg 'printf "<%s>" (commandline)'
"""


@pytest.fixture
def runs(place: Place) -> Place:
    place.runbook("x.yaml", BOOK)
    for run in ("alpha", "beta"):
        assert place.quick("run", "x.yaml", "--run-id", run).code == 0
    return place


def test_zsh(runs: Place) -> None:
    script = runs.quick("completion", "zsh").out
    (runs.path / ".zshrc").write_text(ZSH + script)
    typed(
        ["zsh", "-d", "-i"],
        runs,
        (b"", r"\$ "),
        (b"wct inspect al\t\x07", "<wct inspect alpha *>"),
        (b"\x15wct inspect @la\t\x07", "<wct inspect @last *>"),
        (b"\x15wct inspect @last/f\t\x07", "<wct inspect @last/first *>"),
        (b"\x15wct runs resume \t", r"beta +-- completed, \d+s ago, x"),
        (b"\x15wct run x.y\t\x07", "<wct run x.yaml *>"),
    )


def test_fish(runs: Place) -> None:
    script = runs.quick("completion", "fish").out
    config = runs.path / ".config" / "fish"
    config.mkdir(parents=True)
    (config / "config.fish").write_text(FISH)
    (config / "completions").mkdir()
    (config / "completions" / "wct.fish").write_text(script)
    typed(
        ["fish", "-i"],
        runs,
        (b"", r"\$ "),
        (b"wct inspect al\t\x07", "<wct inspect alpha *>"),
        (b"\x15wct inspect @la\t\x07", "<wct inspect @last *>"),
        (b"\x15wct inspect @last/f\t\x07", "<wct inspect @last/first *>"),
        (b"\x15complete -C 'wct runs resume '\r", r"beta\tcompleted; \d+s ago; x"),
    )
