"""A group of commands that imports only the command that is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import click

from waivern.diagnostics import did_you_mean


class LazyGroup(click.Group):
    """A click group over modules, each of which has its command under the name `command`.

    That is the command, or a function that returns it, for a module that serves several names.

    `default` is the command of a line that names none. `groups` are the commands that have
    commands of their own, for the hint if one of these is typed without its group.
    """

    def __init__(
        self,
        *args: Any,
        commands_at: Mapping[str, str],
        default: str | None = None,
        groups: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._groups = groups
        self._modules = commands_at
        self.default = default

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._modules:
            return None
        command: click.Command | Callable[[str], click.Command]
        command = import_module(self._modules[cmd_name]).command
        return command if isinstance(command, click.Command) else command(cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else "-"
        open_ended = ctx.resilient_parsing and not args  # a shell asks which commands there are
        if (
            self.default
            and not open_ended
            and first.startswith("-")
            and first not in ctx.help_option_names
        ):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None:
            raise click.UsageError(f"no command {name!r}; {self._hint(ctx, name)}", ctx)
        return super().resolve_command(ctx, args)

    def _hint(self, ctx: click.Context, name: str) -> str:
        if name.endswith((".yaml", ".yml")) and "run" in self._modules:
            return f"did you mean `{ctx.command_path} run {name}`?"
        for group in self._groups:
            inner = self.get_command(ctx, group)
            if isinstance(inner, click.Group) and name in inner.list_commands(ctx):
                return f"did you mean `{ctx.command_path} {group} {name}`?"
        return did_you_mean(name, self._modules) or f"available: {', '.join(self._modules)}"
