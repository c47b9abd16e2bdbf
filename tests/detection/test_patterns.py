"""Patterns of one's own: what they find, what is refused, and that none takes long."""

from __future__ import annotations

import re
import time
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waivern.detection.patterns import WINDOW, PatternError, value_pattern, values


def found(pattern: str, text: str) -> list[str]:
    each = value_pattern(pattern, "OWN", 0.5, "r")
    return [text[c.start : c.end] for c in values(text, [each], None)]


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"E-\d{6}", "E-123456, E-1234567 xE-123456 (E-654321)", ["E-123456", "E-654321"]),
        (r"(?:emp|staff)[ -]?\d{2,4}", "emp1234 staff-12 emp 12345", ["emp1234", "staff-12"]),
        (r"(?i:emp)\d{2}", "EMP12 Emp13 emp_14", ["EMP12", "Emp13"]),
        (r"[A-ZÄÖÜ]{2}\d{3}?", "ÄB123 AB123", ["ÄB123", "AB123"]),
        (r"\d{2}\b-\b\d{2}", "12-34", ["12-34"]),
        (r"(?:\d{3}[ .]?){2}\d{3}", "123 456.789", ["123 456.789"]),
    ],
)
def test_what_is_found(pattern: str, text: str, expected: list[str]) -> None:
    assert found(pattern, text) == expected


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"\d+", "no bound"),
        (r"a*b", "no bound"),
        (r"(a+)+b", "no bound"),
        (r"a{3,}", "no bound"),
        (r"a{1,300}", "no bound"),
        (r"(?:a{1,9}){1,9}b", "ways"),
        (r"(?:a?){1,30}b", "ways"),
        (r"(?:a|a){20}b", "ways"),
        (r"a{1,99}a{1,99}b", "ways"),
        (r"(?:\w{200}){2}", "400 characters"),
        (r"(a)\1", "reference back"),
        (r"(?=a)b", "assert"),
        (r"(?<!a)b", "assert"),
        (r"(?>a)b", "atomic"),
        (r"a{1,3}+b", "possessive"),
        (r"^a", "'\\^' or"),
        (r"a$", "'\\$'"),
        (r"(?i)a", "flags"),
        (r"(?P<x>a)(?(x)b|c)", "exists"),
        (r"a{0,3}", "it also matches empty text"),
        (r"", "it also matches empty text"),
        (r"(a", "not a regular expression"),
        (r"a)(?:b", "not a regular expression"),
        (r"a{99999999999}", "not a regular expression"),
        (r"[[a]", "different things"),
        ("a" * 301, "at most 300"),
    ],
)
def test_what_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(PatternError, match=said) as caught:
        value_pattern(pattern, "OWN", 0.5, "r")
    assert caught.value.hint


@pytest.mark.parametrize("pattern", ["(" * 150 + "a" + ")" * 149, "[" * 300, "(?:" * 99])
def test_deep_patterns_are_refused_and_not_recursed_into(pattern: str) -> None:
    with pytest.raises(PatternError):
        value_pattern(pattern, "OWN", 0.5, "r")


SYNTAX = st.text(st.sampled_from(list("ab1 -_|()[]{},?*+.^$\\dws:=!<>P&~i2")), max_size=24)


@settings(max_examples=400, deadline=None)
@given(SYNTAX)
def test_a_pattern_is_taken_or_refused_and_nobody_is_warned(pattern: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            each = value_pattern(pattern, "OWN", 0.5, "r")
        except PatternError:
            return
    for text in ("ab1 -_" * 50, "a" * 300, " a" * 150):
        for candidate in values(text, [each], None):
            value = text[candidate.start : candidate.end]
            assert 1 <= len(value) <= each.width
            assert re.fullmatch(pattern, value) or "\\b" in pattern.lower()


@pytest.mark.parametrize("shift", range(-12, 12))
def test_a_value_is_found_once_wherever_windows_meet(shift: int) -> None:
    for value in ("E-12345678", "E-1234"):
        before = " " * (WINDOW + shift)
        text = f"{before}{value} {value}9999999 {value}"
        assert found(r"E-\d{4,8}", text) == [value, value]


def test_each_occurrence_in_a_long_text() -> None:
    text = "E-1234," * 20_000
    assert found(r"E-\d{4}", text) == ["E-1234"] * 20_000


@pytest.mark.parametrize(
    "pattern", [r"(?:[a ][a ]?){9}b", r"[a ]{1,30}[a ]{1,30}b", r"(?:[a ]|[a ]a){9}b"]
)
@pytest.mark.parametrize("text", ["a " * 20_000, "a" * 40_000, " " * 40_000])
def test_the_worst_that_is_taken_needs_time_in_proportion(pattern: str, text: str) -> None:
    began = time.process_time()
    assert found(pattern, text) == []
    assert time.process_time() - began < 10  # half a second where this was measured
