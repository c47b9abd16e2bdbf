"""The upper confidence bound that a random sample without replacement gives for a whole table.

The number X of findings among n rows drawn out of N, of which M hold one, is hypergeometric. The
bound is the largest M that the sample does not contradict: P(X <= found | M) > 5 %. Whatever M is,
the bound is below it in at most 5 % of all samples (the exact one-sided interval, by inversion of
the test; the counterpart of Clopper and Pearson's for draws without replacement).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

CONFIDENCE = 95
"""Per cent."""
METHOD = "exact one-sided hypergeometric bound, random sample without replacement"
ASSUMES = "a detector that misses nothing"
EXACT, DIGITS = 3_000, 10**10
"""The limits of draws, and of findings times rows, for a test in whole numbers.

Beyond them it is evaluated in floating point, and rounded so that the bound is never too small.
"""


@lru_cache(4096)
def at_most(found: int, sample: int, rows: int) -> int:
    """Return the most rows that may hold a finding, at 95 % confidence, if `found` of a sample do.

    Raises ValueError if that cannot be a sample.
    """
    if not 0 <= found <= sample <= rows:
        raise ValueError(f"no sample: {found} found in {sample} of {rows}")
    least, most = found, rows - (sample - found)
    if sample in (0, rows):
        return most
    alpha, slack = 1 - CONFIDENCE / 100, max(1e-4, rows * math.log(rows) * 2e-15)
    if slack > 0.5:  # 10^13 rows: the precision of floating point is exhausted
        exact = sample <= EXACT and found <= 100
        return _last(least, most, lambda m: _plausible(found, sample, rows, m)) if exact else most
    high = _last(least, most, lambda m: _tail(found, sample, rows, m) > alpha * (1 - slack))
    if min(sample, high) > EXACT or found * rows > DIGITS:
        return high
    low = _last(least, high, lambda m: _tail(found, sample, rows, m) > alpha * (1 + slack))
    return _last(low, high, lambda m: _plausible(found, sample, rows, m))


def _last(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the last number from `low` to `high` for which the test holds; it holds for `low`."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _plausible(found: int, sample: int, rows: int, hits: int) -> bool:
    """Return whether P(X <= found) exceeds 5 % if `hits` rows hold a finding, in whole numbers."""
    drawn, marked = sorted((sample, hits))  # the two can be exchanged: fewer draws, fewer digits
    first = max(0, drawn - (rows - marked))
    ways = math.comb(marked, first) * math.comb(rows - marked, drawn - first)
    total = ways
    for k in range(first, found):
        ways = ways * (marked - k) * (drawn - k)
        ways //= (k + 1) * (rows - marked - drawn + k + 1)
        total += ways
    return total * 100 > math.comb(rows, drawn) * (100 - CONFIDENCE)


def _tail(found: int, sample: int, rows: int, hits: int) -> float:
    """Return P(X <= found) in floating point: the largest term times the ratios of the others."""
    free = rows - hits
    if found >= min(sample, hits):
        return 1.0
    term = math.exp(
        _log_comb(hits, found) + _log_comb(free, sample - found) - _log_comb(rows, sample)
    )
    share = total = 1.0
    for k in range(found, max(0, sample - free), -1):
        share *= k * (free - sample + k) / ((hits - k + 1) * (sample - k + 1))
        total += share
        if share < total * 1e-17 and share < 1:
            break
    return min(1.0, term * total)


def _log_comb(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
