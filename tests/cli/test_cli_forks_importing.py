"""Forks while other threads of the process import modules."""

from __future__ import annotations

import os

from wct_process import Place

SLOW = """
import os

if os.path.exists("importing"):
    value = 2
else:
    open("importing", "w").close()
    with open("go") as go:  # a FIFO: this waits until it is written to
        value = len(go.read())
"""

CALLS = """
import multiprocessing, os, time

def imports():
    import slow
    return slow.value

def imported():
    import slow
    os._exit(slow.value)

def forks():
    while not os.path.exists("importing"):
        time.sleep(0.01)
    child = multiprocessing.get_context("fork").Process(target=imported)
    child.start()
    child.join(10)
    child.kill()
    child.join()
    with open("go", "w") as go:
        go.write("1")
    return child.exitcode
"""


def test_a_child_imports_what_another_artifact_is_importing(place: Place) -> None:
    (place.path / "slow.py").write_text(SLOW)
    (place.path / "calls.py").write_text(CALLS)
    os.mkfifo(place.path / "go")
    artifacts = "\n".join(
        f'  {call}: {{source: {{type: python, properties: {{call: "calls.py:{call}"}}}}}}'
        for call in ("imports", "forks")
    )
    assert place.wct("run", place.runbook("i.yaml", artifacts)).code == 0
    found = place.wct("inspect", "@last", "--full", "--json").data("inspect")
    assert found["contents"] == {"imports": 1, "forks": 2}
