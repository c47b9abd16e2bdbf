"""Recent pages of live runs, so that many browsers that follow one cost no more than one."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from starlette.responses import Response

AGE_S = 0.4
"""The age up to which a page is sent again. It is less than the time after an event at which the
script asks again, so that what it then receives was rendered after the event."""
PAGES = 64


class RecentPages:
    """The last pages, each rendered by one thread while others that want it wait."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, _RecentPage] = OrderedDict()
        self._lock = threading.Lock()

    def page(self, key: Hashable, render: Callable[[], Response]) -> Response:
        """Return the page with a key, rendered now if that was too long ago."""
        with self._lock:
            found = self._pages.setdefault(key, _RecentPage())
            self._pages.move_to_end(key)
            while len(self._pages) > PAGES:
                self._pages.popitem(last=False)
        return found.current(render)


class _RecentPage:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at = 0.0
        self._response: Response | None = None

    def current(self, render: Callable[[], Response]) -> Response:
        wanted = time.monotonic()  # those that wait while it is rendered receive the same
        with self._lock:
            if self._response is None or self._at < wanted - AGE_S:
                began = time.monotonic()
                self._response = render()
                self._at = began
            return self._response
