"""The URL of a store in PostgreSQL: where it is, and never a password in it."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from waivern.errors import UsageError

SCHEMA = "waivern"
"""The schema of a store whose URL names none."""
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET = ("password", "sslpassword", "options")
"""Parameters that hold a password, or would change what the session is."""
_HINT = (
    "give it as ${VARIABLE} in the URL, as PGPASSWORD, or in ~/.pgpass; "
    "docs/how-to/choose-a-store.md says how"
)


class PostgresPlace(NamedTuple):
    """The database and the schema that a URL names."""

    url: str
    """For people and other processes; a password is the name of a variable."""
    conninfo: str
    """For libpq, without the password."""
    schema: str
    variable: str | None
    """The environment variable that has the password."""

    def password(self) -> str | None:
        """Return the password; None if libpq finds it, or needs none. Raises UsageError."""
        if self.variable is None:
            return None
        found = os.environ.get(self.variable)
        if found is None:
            raise UsageError(
                f"the variable {self.variable} is not set; {self.url} has it as password",
                hint=f"set it: export {self.variable}=…",
            )
        return found


def parse(url: str) -> PostgresPlace:
    """Return what a URL names. Raises UsageError; its message never repeats a password."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError for one that is no number
    except ValueError:
        raise _refused("is no URL of a PostgreSQL database") from None
    account, _, place = parts.netloc.rpartition("@")
    user, colon, password = account.partition(":")
    found = _VARIABLE.fullmatch(password)
    if colon and found is None:
        raise UsageError("the URL of the store has a password in it", hint=_HINT)
    values = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in _SECRET:
        if name in values:
            raise UsageError(f"the URL of the store must not have '{name}' in it", hint=_HINT)
    schema = values.pop("schema", SCHEMA)
    if _NAME.fullmatch(schema) is None:
        raise _refused(f"names the schema {schema[:80]!r}, which is not a plain lower-case name")
    if parts.path.count("/") > 1 or not parts.path.strip("/"):
        raise _refused("does not name a database")
    query = f"?{urlencode(values)}" if values else ""
    login = f"{user}@{place}" if account else place
    conninfo = f"postgresql://{login}{parts.path}{query}"
    shown = f"postgresql://{parts.netloc}{parts.path}{f'?{parts.query}' if parts.query else ''}"
    return PostgresPlace(shown, conninfo, schema, found[1] if found else None)


def _refused(why: str) -> UsageError:
    return UsageError(
        f"the URL of the store {why}", hint="write postgresql://user@host/database?schema=name"
    )


def require_driver() -> None:
    """Raise UsageError, naming the extra, if psycopg is not installed."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "a store in PostgreSQL needs psycopg, which is not installed",
            hint="install the extra: `pip install 'waivern[postgres]'`",
        ) from error
