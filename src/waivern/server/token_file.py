"""The file of tokens that `wct serve --token-file` names."""

from __future__ import annotations

import os
import stat

from waivern.errors import NotFoundError, RefusedError, UsageError
from waivern.server.server_options import AccessToken

SHORTEST = 16
"""The fewest characters of a token: shorter ones can be guessed."""
FILE_BYTES = 65536


def read_tokens(path: str) -> tuple[AccessToken, ...]:
    """Return the tokens of a file: one a line, with the name of its holder before it if it has one.

    Empty lines and comments (#) are skipped. Raises NotFoundError, RefusedError if other users may
    read or write the file, UsageError if it is not such a file.
    """
    try:
        with open(path, "rb", opener=_opened) as file:
            _refuse_open_to_others(os.fstat(file.fileno()), path)
            data = file.read(FILE_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"there is no token file {path!r}", hint=_HINT) from None
    except OSError as error:
        raise UsageError(f"cannot read the token file {path!r}: {error.strerror}") from None
    if len(data) > FILE_BYTES:
        raise UsageError(f"the token file {path!r} is larger than {FILE_BYTES:,} bytes")
    try:
        lines = data.decode("ascii").splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"the token file {path!r} is not ASCII text", hint=_HINT) from None
    found = [
        _token(line.split(), number, path)
        for number, line in enumerate(lines, 1)
        if _is_entry(line)
    ]
    if not found:
        raise UsageError(f"the token file {path!r} has no token", hint=_HINT)
    return tuple(found)


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)


def _refuse_open_to_others(found: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"the token file {path!r} is not a regular file")
    if found.st_uid not in (os.geteuid(), 0):
        raise RefusedError(f"another user owns the token file {path!r}", hint=_HINT)
    if found.st_mode & 0o077:
        raise RefusedError(
            f"other users may read the token file {path!r}", hint=f"type `chmod 600 {path}`"
        )


def _is_entry(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _token(words: list[str], number: int, path: str) -> AccessToken:
    if len(words) > 2:
        raise UsageError(
            f"line {number} of the token file {path!r} has more than two words", hint=_HINT
        )
    *name, secret = words
    if len(secret) < SHORTEST:
        raise UsageError(
            f"the token on line {number} of {path!r} is shorter than {SHORTEST} characters",
            hint=_HINT,
        )
    return AccessToken(secret, name[0] if name else None)


_HINT = "make one with `umask 077; openssl rand -hex 32 > FILE`"
