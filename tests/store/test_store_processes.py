"""The lock over processes: it dies with its holder, whatever the holder's children do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from waivern.errors import RunLockedError
from waivern.store.local import LocalFilesystemStore
from waivern.testing.store_helpers import OWNER, begin

HOLDER = """
import multiprocessing, os, subprocess, sys, time
from waivern.testing.store_helpers import begin
from waivern.store.local import LocalFilesystemStore
from waivern.store.lock import this_process
from waivern.testing.store_helpers import initial_state

def linger():
    sys.stdin.close()
    time.sleep(60)

if __name__ == "__main__":
    store = LocalFilesystemStore(sys.argv[1])
    lease = store.begin("r", initial_state(), this_process())
    child = None
    if sys.argv[2] == "fork":
        child = os.fork()
        if child == 0:
            os.close(1)
            linger()
            os._exit(0)
    elif sys.argv[2] == "command":
        child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, close_fds=False).pid
    elif sys.argv[2] in ("spawn", "forkserver"):
        process = multiprocessing.get_context(sys.argv[2]).Process(target=time.sleep, args=(60,))
        process.start()
        child = process.pid
    print(child or 0, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path, child: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that holds run `r`, and the child that it left behind (0: none)."""
    script = path.with_name("holder.py")
    script.write_text(HOLDER)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, script, path, child],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    ) as process:
        assert process.stdout
        left = int(process.stdout.readline())
        try:
            yield process, left
        finally:
            process.kill()
            if left:
                os.kill(left, 9)


@pytest.mark.parametrize("child", ["none", "fork", "command", "spawn", "forkserver"])
def test_the_lock_ends_with_the_process(child: str, tmp_path: Path) -> None:
    store = LocalFilesystemStore(tmp_path / "store")
    with holder(tmp_path / "store", child) as (process, left):
        owner = store.owner("r")
        assert owner is not None
        assert owner.pid == process.pid
        assert owner.host == os.uname().nodename
        with pytest.raises(RunLockedError, match=f"process {process.pid} on"):
            store.lock("r", OWNER)
        process.kill()
        process.wait()
        if left:
            os.kill(left, 0)  # the child lives on
        assert store.owner("r") is None
        store.lock("r", OWNER).release()


def test_a_forked_child_does_not_free_the_parents_lock(tmp_path: Path) -> None:
    code = """
import os, sys
from waivern.testing.store_helpers import begin
from waivern.store.local import LocalFilesystemStore
store = LocalFilesystemStore(sys.argv[1])
lease = begin(store)
if (pid := os.fork()) == 0:
    lease.release()
    os._exit(0)
os.waitpid(pid, 0)
assert LocalFilesystemStore(sys.argv[1]).owner("r") is not None
lease.append([{"n": 1}], sync=True)
lease.release()
assert store.owner("r") is None
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, tmp_path / "store"], check=True, env=env)


def test_a_probe_does_not_keep_a_locker_out(tmp_path: Path) -> None:
    """Readers look all the time; who wants the run gets it none the less."""
    store = LocalFilesystemStore(tmp_path / "store")
    begin(store).release()
    code = """
import sys
from waivern.store.local import LocalFilesystemStore
store = LocalFilesystemStore(sys.argv[1])
print("go", flush=True)
while True:
    store.owner("r")
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(tmp_path / "store")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as probe:
        try:
            assert probe.stdout
            assert probe.stdout.readline() == "go\n"
            for _ in range(50):
                store.lock("r", OWNER).release()
        finally:
            probe.kill()
