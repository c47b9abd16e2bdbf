"""The packages that a server needs beyond those of `wct` itself."""

from __future__ import annotations

from importlib.util import find_spec

from waivern.errors import UsageError

PACKAGES = ("starlette", "uvicorn", "jinja2")


def require_extra() -> None:
    """Raise UsageError, naming the extra, if a package is missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"`wct serve` needs {', '.join(missing)}",
            hint="install the extra: `pip install 'waivern[server]'`",
        )
