"""The help texts: plain English, defaults, an example, and lines that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from waivern.cli.wct import wct
from waivern.language.models import DEFAULT_CONCURRENCY
from waivern.runs.run_options import DEFAULT_GRACE_S

AVOIDED = (
    *("leave with", "leaves", "let go", "who said", "stand so", "was made", "all the same"),
    *("stands for", "nobody", "somebody", "made from", "goes on", "told", "given again"),
)
WITHOUT_DEFAULT = {
    *("resume", "params_file", "output", "note", "base", "expect", "reason"),
    *("name", "remark", "runbook", "since", "until", "result"),
}
"""Options that do nothing unless they are used."""
OWN_TEXT = {"by", "data", "force", "reveal", "statuses", "status", "yes", "resume", "verbose"}
"""Options that are not the same in every command."""


def _commands(group: click.Group, *words: str) -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        yield " ".join((*words, name)), command
        if isinstance(command, click.Group):
            yield from _commands(command, *words, name)


COMMANDS = {"wct": wct, **dict(_commands(wct, "wct"))}


def options(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden]


def page(name: str, width: int) -> str:
    ctx = click.Context(
        COMMANDS[name], info_name=name, terminal_width=width, **wct.context_settings
    )
    return COMMANDS[name].get_help(ctx)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_plain(name: str) -> None:
    assert [one.name for one in options(COMMANDS[name]) if not one.help] == []
    text = page(name, 80).casefold()
    assert [words for words in AVOIDED if words in text] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_gives_an_example_of_the_command(name: str) -> None:
    _, word, lines = page(name, 80).partition("Example")
    assert word
    shown = [line.strip() for line in lines.splitlines()[1:]]
    assert any(line.startswith((name, name.replace("wct runs ", "wct "))) for line in shown)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_defaults(name: str) -> None:
    for one in options(COMMANDS[name]):
        takes_one = not (one.is_flag or one.multiple or one.count)
        if takes_one and one.name not in {*WITHOUT_DEFAULT, "status"}:
            assert one.show_default or "default:" in (one.help or ""), one.name


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits(name: str, width: int) -> None:
    assert [line for line in page(name, width).splitlines() if len(line) > width] == []


def test_help_is_not_wider_on_a_wide_terminal() -> None:
    assert wct.context_settings["max_content_width"] == 80


def test_the_defaults_are_those_of_the_code() -> None:
    texts = {one.name: one.help or "" for one in options(COMMANDS["wct run"])}
    assert texts["max_concurrency"].endswith(f"else {DEFAULT_CONCURRENCY}.")
    assert texts["grace"].endswith(f"default: {DEFAULT_GRACE_S:g}.")


def test_the_same_option_has_the_same_help_everywhere() -> None:
    texts: dict[str, set[str]] = {}
    for command in COMMANDS.values():
        for one in options(command):
            if one.name not in OWN_TEXT:
                texts.setdefault(str(one.name), set()).add(one.help or "")
    assert {name: found for name, found in texts.items() if len(found) > 1} == {}
