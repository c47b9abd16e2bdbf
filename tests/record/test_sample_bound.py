"""The bound that a random sample gives: exact, and as often right as it says."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waivern.record.sampling import at_most


def by_hand(found: int, sample: int, rows: int) -> int:
    """Return the bound from its definition, every number of hits tried."""
    most = found
    for hits in range(found, rows - (sample - found) + 1):
        ways = sum(
            math.comb(hits, k) * math.comb(rows - hits, sample - k) for k in range(found + 1)
        )
        if ways * 20 > math.comb(rows, sample):
            most = hits
    return most


@given(st.data())
def test_the_bound_is_the_one_of_its_definition(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 120))
    sample = data.draw(st.integers(1, rows))
    found = data.draw(st.integers(0, sample))
    assert at_most(found, sample, rows) == by_hand(found, sample, rows)


@pytest.mark.parametrize(
    ("found", "sample", "rows", "bound"),
    [
        (0, 1000, 41_000, 121),  # 0.295 %: the rule of three, less what a finite table gives
        (0, 59, 10**9, None),  # 59 draws are the fewest that prove less than 5 %
        (7, 7, 7, 7),
        (0, 500, 500, 0),
        (0, 0, 500, 500),
        (3, 10_000, 10**6, 772),
        (500, 5000, 41_000, 4378),
    ],
)
def test_known_bounds(found: int, sample: int, rows: int, bound: int | None) -> None:
    if bound is None:
        assert at_most(found, sample, rows) < rows * 0.05 < at_most(found, sample - 1, rows)
    else:
        assert at_most(found, sample, rows) == bound


def test_more_findings_never_prove_less_and_more_rows_never_less_sharply() -> None:
    by_found = [at_most(found, 200, 5000) for found in range(201)]
    assert by_found == sorted(set(by_found))
    by_sample = [at_most(0, sample, 5000) for sample in range(0, 5001, 50)]
    assert by_sample == sorted(by_sample, reverse=True)


@pytest.mark.parametrize(("rows", "hits", "sample"), [(2000, 12, 300), (500, 90, 60), (90, 3, 40)])
def test_the_bound_holds_in_at_least_95_of_100_samples(rows: int, hits: int, sample: int) -> None:
    source, tries = random.Random(20260101), 4000
    held = 0
    for _ in range(tries):
        found = sum(row < hits for row in source.sample(range(rows), sample))
        held += at_most(found, sample, rows) >= hits
    # 95 % less four standard deviations of the simulation itself
    assert held / tries >= 0.95 - 4 * math.sqrt(0.95 * 0.05 / tries)


@pytest.mark.parametrize(("found", "sample", "rows"), [(-1, 1, 2), (2, 1, 2), (0, 3, 2)])
def test_what_is_no_sample_is_refused(found: int, sample: int, rows: int) -> None:
    with pytest.raises(ValueError, match="no sample"):
        at_most(found, sample, rows)


@pytest.mark.parametrize("sizes", [(50_000, 100_000, 10**7), (0, 1000, 10**12), (5, 9000, 10**9)])
def test_large_tables_have_a_bound_too(sizes: tuple[int, int, int]) -> None:
    found, sample, rows = sizes
    share = at_most(found, sample, rows) / rows
    assert found / sample < share < (found + 3 + 2.6 * math.sqrt(found + 1)) / sample
