"""Runs that were told to end wait for each other, but not in a circle."""

from __future__ import annotations

import threading

from waivern.runs.shutdown import leave, settle


def test_two_that_were_told_to_end_do_not_wait_for_each_other() -> None:
    """Both are told before either looks: the second waits for the first, and not the other way."""
    told = threading.Event()
    ended: list[str] = []

    def settling() -> None:
        told.wait(10)
        settle()
        ended.append(threading.current_thread().name)

    threads = [threading.Thread(target=settling, name=name, daemon=True) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        leave(thread)
    told.set()
    for thread in threads:
        thread.join(10)
    assert ended == ["a", "b", "c"]


def test_others_wait_for_all_of_them() -> None:
    told = threading.Event()
    threads = [threading.Thread(target=told.wait, args=(10,), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
        leave(thread)
    free = threading.Thread(target=settle, daemon=True)
    free.start()
    assert free.is_alive()
    told.set()
    free.join(10)
    assert not any(thread.is_alive() for thread in [*threads, free])
