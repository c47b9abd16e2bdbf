"""Suggestions for words that resemble a known one."""

import sys
from types import FrameType

import pytest

from waivern.diagnostics import did_you_mean

MANY = [f"missing{number}.txt" for number in range(2_000)]


@pytest.mark.parametrize(
    "typed", ["missin1234.txt", "Missing1234.txt", "missing1234.tx", "issing1234.txt"]
)
def test_a_typing_error_among_very_many_names_is_recognised(typed: str) -> None:
    assert did_you_mean(typed, MANY) == "did you mean 'missing1234.txt'?"


def test_of_very_many_names_only_a_few_are_compared() -> None:
    compared = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal compared
        compared += event == "call" and frame.f_code.co_name == "ratio"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        did_you_mean("missing.txt", MANY)
    finally:
        sys.setprofile(before)
    assert 0 < compared < 60
