"""A process that has imported all of `wct` and forks a child for every command it is asked for.

Speaks JSON lines: a batch of jobs in, the list of what became of them out; or the names of modules,
which are imported here from then on. Started as a script, so that pytest is no part of it;
single-threaded, so that forking it is safe.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import injected

from waivern import kinds


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        jobs = json.loads(line)
        if isinstance(jobs, dict):
            _warm_up(jobs["modules"])
            continue
        children = [_stopped(job) if job.get("stops") else _start(job) for job in jobs]
        answers.write(json.dumps([_end(*child) for child in children]) + "\n")
        answers.flush()


def _warm_up(modules: list[str]) -> None:
    for name in modules:
        with suppress(ImportError):  # a runbook's own file is imported under a name of its own
            importlib.import_module(name)
    _build_the_models()
    kinds.installed("connectors")  # reads the metadata of all distributions, once
    gc.collect()
    gc.freeze()
    gc.disable()


def _build_the_models() -> None:
    """Build once what pydantic else builds at first use: most of the time of a child that runs."""
    from pydantic import BaseModel

    waiting = BaseModel.__subclasses__()
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if not model.__pydantic_complete__:
            model.model_rebuild()


def _start(job: dict[str, Any]) -> tuple[int, list[Any]]:
    files = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115 - closed in _end
    pid = os.fork()
    if pid:
        return pid, files
    code = 70
    try:
        code = _child(job, *(file.fileno() for file in files))
    finally:
        os._exit(code)


def _stopped(job: dict[str, Any]) -> tuple[int, list[Any]]:
    """Start a child, and copy its store each time that it stops: before operations after a change.

    No thread of the child runs while a copy is made: it is what SIGKILL would leave at this moment.
    """
    asked, asking = os.pipe()
    answered, answering = os.pipe()
    job["fault"]["stops"] = asking, answered
    pid, files = _start(job)
    os.close(asking)
    os.close(answered)
    with os.fdopen(asked) as numbers:
        for number in map(str.strip, numbers):  # to the end of the child
            os.waitpid(pid, os.WUNTRACED)
            copy = Path(job["stops"], number)
            shutil.copytree(job["store"], copy, symlinks=True)
            copy.with_suffix(".err").write_bytes(os.pread(files[1].fileno(), 1 << 20, 0))
            os.kill(pid, signal.SIGCONT)
            os.write(answering, b".")
    os.close(answering)
    return pid, files


def _child(job: dict[str, Any], out: int, err: int, report: int) -> int:
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nowhere, 0), (out, 1), (err, 2)):
        os.dup2(ours, theirs)
    os.chdir(job["cwd"])
    os.environ.update(job["environ"])
    if limit := job.get("files"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if fault := job.get("fault"):
        injected.install(fault | {"report": report})
    from waivern.cli.main import main

    sys.argv = ["wct", *job["argv"]]
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if others := job["environ"].get("OVER"):
        with Path(others).open("a") as over:
            over.write(f"{os.getpid()}\n")
    if job.get("modules"):
        os.write(report, json.dumps(list(sys.modules)).encode())
    return code


def _end(pid: int, files: list[Any]) -> dict[str, Any]:
    _, status = os.waitpid(pid, 0)
    texts = []
    for file in files:
        file.seek(0)
        texts.append(file.read().decode(errors="replace"))
        file.close()
    out, err, report = texts
    return {
        "pid": pid,
        "code": os.waitstatus_to_exitcode(status),
        "out": out,
        "err": err,
        "report": [line.split("\t") for line in report.splitlines()],
    }


if __name__ == "__main__":
    main()
