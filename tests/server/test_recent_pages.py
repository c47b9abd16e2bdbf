"""Pages of live runs that many browsers ask for at the same time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from starlette.responses import Response

from waivern.server.pages import recent_pages
from waivern.server.pages.recent_pages import AGE_S, PAGES, RecentPages

BROWSERS = 8


class Rendering:
    """A page that is rendered while its readers wait, and how often it was."""

    def __init__(self) -> None:
        self.count = 0
        self.finish = Event()

    def __call__(self) -> Response:
        self.count += 1
        self.finish.wait(10)
        return Response(str(self.count))


def test_browsers_that_ask_meanwhile_receive_the_same_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recent_pages, "AGE_S", 60.0)  # a slow machine must not make it old
    recent, render, ready = RecentPages(), Rendering(), Barrier(BROWSERS + 1)

    def ask(_number: int) -> bytes:
        ready.wait(10)
        return bytes(recent.page("run", render).body)

    with ThreadPoolExecutor(BROWSERS) as browsers:
        found = browsers.map(ask, range(BROWSERS))
        ready.wait(10)
        render.finish.set()
        assert set(found) == {b"1"}
    assert recent.page("other", render).body == b"2"


def test_a_page_is_rendered_again_once_it_is_old() -> None:
    recent, render = RecentPages(), Rendering()
    render.finish.set()
    began = time.monotonic()
    while recent.page("run", render).body == b"1":
        assert time.monotonic() < began + 10
    assert time.monotonic() > began + AGE_S


def test_few_pages_are_retained() -> None:
    recent, render = RecentPages(), Rendering()
    render.finish.set()
    for number in range(PAGES + 1):
        recent.page(number, render)
    assert recent.page(PAGES, render).body == str(PAGES + 1).encode()
    assert recent.page(0, render).body == str(PAGES + 2).encode()
