"""A run in somebody's program leaves the program's own output, logging and streams as they were."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from pathlib import Path

import pytest

import waivern
from waivern.store.memory import AsyncInMemoryStore

TALK = """
import logging, sys, threading, warnings

def talk(name, times=1, meet=None):
    if meet is not None:
        threading.both_at_work.wait(20)  # each run has modules of its own
    for n in range(times):
        print(f"{name} prints {n}")
        logging.getLogger("some").info("%s logs %d", name, n)
    thread = threading.Thread(target=print, args=(f"{name} in a thread",))
    thread.start(); thread.join()
    return name

def configures(name):
    logging.basicConfig(level=logging.DEBUG, force=True)
    logging.disable(logging.CRITICAL)
    warnings.warn("of the component")
    sys.stderr = None
    return name
"""


def book(path: Path, call: str, name: str, **args: object) -> waivern.Runbook:
    (path / "talk.py").write_text(TALK)
    given = "".join(f", {key}: {value}" for key, value in args.items())
    values = f"{{name: {name}{given}}}"
    work = f'{{type: python, properties: {{call: "talk.py:{call}", args: {values}}}}}'
    return waivern.load(text=f"artifacts:\n  {name}: {{source: {work}}}\n", folder=path)


def test_the_output_of_a_component_is_not_the_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = AsyncInMemoryStore()
    print("before")
    waivern.run(book(tmp_path, "talk", "one"), store=store, run_id="r")
    print("after")
    assert capsys.readouterr() == ("before\nafter\n", "")
    assert store.read_log("r", "one").splitlines() == [
        "one prints 0",
        "INFO some: one logs 0",
        "one in a thread",
    ]


def test_streams_and_logging_are_as_they_were(tmp_path: Path) -> None:
    root = logging.getLogger()
    streams = [sys.stdin, sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__]
    hooks = [sys.breakpointhook, logging.Logger.callHandlers, logging.Logger.isEnabledFor]
    handlers, level = root.handlers[:], root.level
    store = AsyncInMemoryStore()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = waivern.run(book(tmp_path, "configures", "one"), store=store, run_id="r")
    assert result.status == "completed", result.error
    assert [sys.stdin, sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__] == streams
    assert [
        sys.breakpointhook,
        logging.Logger.callHandlers,
        logging.Logger.isEnabledFor,
    ] == hooks
    assert (root.handlers, root.level, root.manager.disable) == (handlers, level, 0)
    assert [str(each.message) for each in caught] == ["of the component"]
    assert "UserWarning: of the component" in store.read_log("r", "one")


def test_two_runs_at_once_do_not_mix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "both_at_work", threading.Barrier(2), raising=False)
    store = AsyncInMemoryStore()
    books = {name: book(tmp_path, "talk", name, times=500, meet="both") for name in ("one", "two")}

    def run(name: str) -> None:
        print(f"host of {name}")
        waivern.run(books[name], store=store, run_id=name)

    threads = [threading.Thread(target=run, args=(name,)) for name in books]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in books:
        lines = store.read_log(name, name).splitlines()
        assert len(lines) == 1001
        assert all(name in line for line in lines)
    assert set(capsys.readouterr().out.splitlines()) == {"host of one", "host of two"}
