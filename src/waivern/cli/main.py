"""The entry of `wct`. Answers `--version` before anything else is imported."""

from __future__ import annotations

import sys


def main() -> int:
    """Carry out the command line and return the exit code."""
    args = sys.argv[1:]
    if args == ["--version"]:
        from waivern import __version__

        sys.stdout.write(f"wct {__version__}\n")
        return 0
    from waivern.cli.ui.guard import guarded
    from waivern.cli.wct import wct

    return guarded(wct, "wct", args)
