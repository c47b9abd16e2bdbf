"""A component that closes descriptors it does not know hits none of the run's."""

from __future__ import annotations

import os
import resource

import pytest
from wct_process import Place

pytestmark = pytest.mark.sweep

CLOSES = """
import os, resource

def closes_one_by_one():
    for fd in range(3, 21):
        try:
            os.close(fd)
        except OSError:
            pass
    files = [open(f"mine{n}.txt", "w") for n in range(20)]
    for file in files:
        file.write("mine")
        file.close()
    return "closed"

def closes_a_range():
    os.closerange(3, 21)

def in_a_child():
    pid = os.fork()
    if pid == 0:
        os.closerange(3, 4096)
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def limit():
    return list(resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def work(call: str) -> str:
    return f'{{type: python, properties: {{call: "closes.py:{call}"}}}}'


def test_low_descriptors_are_nobodys(place: Place) -> None:
    (place.path / "closes.py").write_text(CLOSES)
    place.runbook(
        "c.yaml",
        f"  a: {{source: {work('closes_one_by_one')}}}\n"
        f"  b: {{source: {work('in_a_child')}, }}\n"
        f"  c: {{source: {work('closes_a_range')}, optional: true}}\n",
    )
    done = place.wct("run", "c.yaml", "--max-concurrency", "1", "--json")
    steps = {step["artifact"]: step for step in done.data("run")["steps"]}
    assert (steps["a"]["status"], steps["b"]["status"]) == ("completed", "completed")
    assert "closerange" in steps["c"]["error"]["message"]
    assert place.wct("runs", "verify", "@last").code == 0
    assert {path.read_text() for path in place.path.glob("mine*.txt")} == {"mine"}


def test_the_soft_limit_of_open_files_is_raised(place: Place) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    (place.path / "closes.py").write_text(CLOSES)
    place.runbook("l.yaml", f"  a: {{source: {work('limit')}}}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        assert place.wct("run", "l.yaml").code == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    raised = place.wct("inspect", "@last/a", "--full").out
    expected = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    assert str(expected) in raised
    assert os.sysconf("SC_OPEN_MAX") == soft
