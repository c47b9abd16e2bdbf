"""The end of a standard output that can no longer be written."""

from __future__ import annotations

import os
import sys

STDOUT_HINT = "check the file or device that stdout leads to"


def discard_stdout() -> None:
    """Redirect stdout to nothing, so that the interpreter can flush it at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
