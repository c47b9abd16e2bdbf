"""The name of the user."""

from __future__ import annotations

import getpass
import os


def user_name() -> str:
    """Return the user's name, or the number of a user without a name, as in many containers."""
    try:
        return getpass.getuser().encode(errors="backslashreplace").decode()
    except (KeyError, OSError):  # before Python 3.13 a KeyError
        return f"uid {os.getuid()}"


def user_at_host() -> str:
    """Return the user's name and that of this computer: `user@host`."""
    return f"{user_name()}@{os.uname().nodename}"
