"""Observers that raise: reported once each, and no concern of the run's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from runs_kit import Book, join, make

from waivern.record.journal_events import Event


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setattr(sys, "path", list(sys.path))  # steps add their folder
    made = Book(tmp_path / "place")
    made.write(make("a", 1), join("b", "a"))
    return made


def broken(_seq: int, _event: Event) -> None:
    raise ValueError("no more paper")


def leaving(_seq: int, _event: Event) -> None:
    sys.exit("gone")


async def test_each_is_reported_once_and_fails_nothing(book: Book) -> None:
    heard: list[int] = []

    def listening(seq: int, _event: Event) -> None:
        heard.append(seq)

    options = book.options(observers=(broken, leaving, listening))
    result = await book.start(options)
    assert (result.status, result.exit_code) == ("completed", 0)
    first, second = result.warnings
    assert "the observer broken raised an error 5 times, first: ValueError('no more" in first
    assert "the observer leaving raised an error 5 times, first: SystemExit('gone')" in second
    assert len(heard) == 5  # two starts, two ends, the end of the attempt
    again = await book.resume(result.run_id, options)
    assert again.warnings == ()  # with nothing to do, there is nothing to hear


async def test_one_that_raises_once(book: Book) -> None:
    def once(_seq: int, event: Event) -> None:
        if type(event).__name__ == "AttemptEndedRecord":
            raise RuntimeError("at the end")

    result = await book.start(book.options(observers=(once,)))
    (only,) = result.warnings
    assert "once raised an error once: RuntimeError('at the end')" in only


async def test_no_secret_in_what_it_raised(book: Book) -> None:
    book.environ["TOKEN"] = "s3cret-canary-12"

    def telling(_seq: int, _event: Event) -> None:
        raise ValueError("it is s3cret-canary-12")

    book.write(make("a", "${TOKEN}"))
    result = await book.start(book.options(observers=(telling,)))
    (only,) = result.warnings
    assert "telling raised" in only
    assert "canary" not in only
