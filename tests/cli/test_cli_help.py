"""The help texts: every option is described, in the words of the documentation."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from waivern.cli.wct import wct

AVOIDED = ("leave with", "leaves", "let go", "who said", "stand so", "was made", "all the same")


def _commands(group: click.Group, *words: str) -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        yield " ".join((*words, name)), command
        if isinstance(command, click.Group):
            yield from _commands(command, *words, name)


COMMANDS = dict(_commands(wct))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_plain(name: str) -> None:
    command = COMMANDS[name]
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    assert [one.name for one in options if not one.help] == []
    text = "\n".join([command.help or "", *(one.help or "" for one in options)])
    assert [words for words in AVOIDED if words in text.casefold()] == []


def test_the_same_option_has_the_same_help_everywhere() -> None:
    texts: dict[str, set[str]] = {}
    for command in COMMANDS.values():
        for one in command.params:
            if isinstance(one, click.Option) and one.name in ("params", "no_cache", "refresh"):
                texts.setdefault(one.name, set()).add(one.help or "")
    assert {name: len(found) for name, found in texts.items()} == {
        "params": 1,
        "no_cache": 1,
        "refresh": 1,
    }
