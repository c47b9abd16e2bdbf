"""The installed `wct`, in a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quick_wct import quick_wct

WCT = str(Path(sys.executable).with_name("wct"))

STEPS = """
import os

def value(x=1):
    return {"value": x}

def total(inputs):
    return {"total": sum(one["value"] for one in inputs)}

def fail(text="it broke"):
    raise ValueError(text)

def chatty():
    print("a word \\x1b[2Jaside")
    return {"value": 1}

def meet(ready, go):
    with open(ready, "w") as out:  # both are FIFOs: this waits for the test to read
        out.write("here")
    with open(go) as word:         # and this until it writes
        return {"value": len(word.read())}
"""

HELD_BACK = """
import ctypes, os, sys
if os.geteuid() == 0:  # give up for good what lets the superuser go round modes
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP
os.execv(sys.argv[1], sys.argv[1:])
"""
"""A program that becomes another one, which the modes of files hold back also as root."""


@dataclass(frozen=True)
class Done:
    """A command that is over."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]

    def data(self, what: str) -> Any:
        document = json.loads(self.out)
        assert list(document) == ["schema", "data"]
        assert document["schema"] == f"wct.{what}/1"
        return document["data"]


Wct = Callable[..., Done]
"""Carries out a command line, with what it says."""


def read_terminal(descriptor: int) -> bytes:
    """Return what is printed on a terminal until its other end is closed, and close this one."""
    seen = bytearray()
    try:
        while piece := os.read(descriptor, 65536):
            seen += piece
    except OSError:  # the other end is closed: EIO
        pass
    finally:
        os.close(descriptor)
    return bytes(seen)


class Place:
    """A folder with steps.py, and `wct` in it; what is still running at the end is killed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._running: list[subprocess.Popen[str]] = []
        (path / "steps.py").write_text(STEPS)

    def runbook(self, name: str, artifacts: str, head: str = "") -> str:
        (self.path / name).write_text(f"{head}\nartifacts:\n{artifacts}")
        return name

    def environ(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k not in ("WAIVERN_STORE", "NO_COLOR")}
        return kept | more

    def start(self, *args: str, **environ: str) -> subprocess.Popen[str]:
        return self.launch([WCT, *args], **environ)

    def launch(self, command: list[str], **environ: str) -> subprocess.Popen[str]:
        """Start any command in the folder."""
        process = subprocess.Popen(
            command,
            cwd=self.path,
            env=self.environ(**environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.append(process)
        return process

    def wct(self, *args: str, **environ: str) -> Done:
        return self.ended(self.start(*args, **environ))

    def quick(self, *args: str, **environ: str) -> Done:
        """Run in a fork, where the start of the interpreter is not what is tested."""
        words, env = [quick_wct(), *args], self.environ(**environ)
        done = subprocess.run(
            words,
            cwd=self.path,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def held_back(self, *args: str) -> Done:
        """Run as somebody whom the modes of files hold back: root gives up what spares it that."""
        words = [sys.executable, "-c", HELD_BACK, WCT, *args]
        done = subprocess.run(
            words, cwd=self.path, env=self.environ(), capture_output=True, text=True, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def ended(self, process: subprocess.Popen[str]) -> Done:
        out, err = process.communicate(timeout=90)
        return Done(process.returncode, out, err)

    def on_a_terminal(self, *args: str, answer: str = "", **environ: str) -> Done:
        """Run with all streams on one terminal of 100 columns; `answer` is typed at once."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [WCT, *args],
            cwd=self.path,
            env=self.environ(**{"TERM": "xterm-256color", "COLUMNS": "100"} | environ),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.write(ours, answer.encode())
        seen = read_terminal(ours)
        return Done(process.wait(90), seen.decode(), "")

    def run_ids(self) -> list[str]:
        folder = self.path / ".waivern" / "runs"
        return [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]

    def run_folder(self) -> Path:
        (only,) = self.run_ids()
        return self.path / ".waivern" / "runs" / only

    def meeting(self, name: str = "meeting.yaml", head: str = "") -> Meeting:
        """Return a runbook whose artifact `met` waits for the test; `first` comes before it."""
        ready, go = self.path / "ready", self.path / "go"
        for fifo in (ready, go):
            if not fifo.exists():
                os.mkfifo(fifo)
        call = f'{{call: "steps.py:meet", args: {{ready: {ready}, go: {go}}}}}'
        self.runbook(
            name,
            f"""
  first: {{source: {{type: python, properties: {{call: "steps.py:value"}}}}}}
  met: {{source: {{type: python, properties: {call}}}}}
  last:
    inputs: [first, met]
    process: {{type: python, properties: {{call: "steps.py:total"}}}}
    output: true
""",
            head,
        )
        return Meeting(name, ready, go)

    def close(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
                process.communicate()


@dataclass(frozen=True)
class Meeting:
    """Where the test and the artifact `met` wait for each other."""

    runbook: str
    ready: Path
    go: Path

    def wait(self) -> None:
        """Return when the component is at work."""
        assert self.ready.read_text() == "here"

    def let_go(self) -> None:
        """Let the component finish."""
        self.go.write_text("go")
