"""The logger of one component call."""

from __future__ import annotations

import logging
from collections.abc import Callable


def forwarding(name: str, emit: Callable[[str], None]) -> logging.Logger:
    """Return a logger outside the tree of the process, which passes each line to `emit`."""
    logger = logging.Logger(name)
    logger.addHandler(_Forward(emit))
    return logger


class _Forward(logging.Handler):
    def __init__(self, emit: Callable[[str], None]) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self._write = emit

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(self.format(record))
        except Exception:  # noqa: BLE001 - a bad log call must not fail the component's work
            self.handleError(record)
