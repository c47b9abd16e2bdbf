"""`wct completion`."""

from __future__ import annotations

import sys

import click

from waivern.cli.ui.options import examples
from waivern.errors import Exit


@click.command(
    "completion",
    short_help="Print the script that completes commands in a shell.",
    epilog=examples(
        'eval "$(wct completion bash)"',
        "wct completion fish | source",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the script with which SHELL completes commands, runs, artifacts and files.

    To install it for good, add this line to ~/.bashrc or ~/.zshrc, in zsh behind `compinit`:

        eval "$(wct completion bash)"

    With fish, save it as ~/.config/fish/completions/wct.fish.
    """
    from waivern.cli.ui.completion import script
    from waivern.cli.wct import wct

    sys.stdout.write(script(shell, wct))
    return Exit.OK
