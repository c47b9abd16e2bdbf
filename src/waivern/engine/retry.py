"""The policy of retries: whether and when a failed artifact is tried again. Pure."""

from __future__ import annotations

from waivern.engine.calls import Failed
from waivern.language.artifact_spec import RetrySpec
from waivern.language.error_names import DIED


def delay_s(retry: RetrySpec | None, failed: Failed, tried: int, chance: float) -> float | None:
    """Return how long to wait before the next try, or None if there is none.

    `tried` counts the tries there were. Exponential backoff with full jitter: anywhere from now to
    `delay * 2 ** (tried - 1)`, at most `max_delay`, so that many that failed together do not come
    back together (Brooker, "Exponential Backoff And Jitter", 2015).
    """
    if retry is None or tried > retry.max or failed.store or _asked_to_end(set(failed.kinds)):
        return None
    if retry.on and not any(_is(name, failed.kinds) for name in retry.on):
        return None
    longest = min(retry.max_delay, retry.delay * 2.0 ** min(tried - 1, 60))
    return chance * longest


def _is(name: str, kinds: tuple[str, ...]) -> bool:
    """Return whether an error has a name, be it the one that its package offers.

    `requests.Timeout` is `requests.exceptions.Timeout`, say.
    """
    package, dot, rest = name.partition(".")
    last = rest.rpartition(".")[2]
    return name in kinds or any(
        dot and each.startswith(f"{package}.") and each.endswith(f".{last}") for each in kinds
    )


def _asked_to_end(kinds: set[str]) -> bool:
    """Return whether a call was asked to end: interrupted, exited or cancelled."""
    return "CancelledError" in kinds or not kinds & {"Exception", "timeout", DIED}
