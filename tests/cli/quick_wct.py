"""A `wct` that starts quickly: a fork of a process that has imported what commands import.

What is typed is a small client, which sends its arguments, folder, environment and streams to the
server and exits with the code that it receives. The command is otherwise the installed one; what a
test stops with a signal, or counts the imports of, is started as it is.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from functools import cache
from pathlib import Path

CLIENT = """\
#!{python} -ISs
import _socket, posix, sys
server = _socket.socket(_socket.AF_UNIX)
server.connect({address!r})
environ = b"\\0".join(name + b"=" + value for name, value in posix.environ.items())
argv = [word.encode("utf-8", "surrogateescape") for word in sys.argv[1:]]
parts = [b"\\0".join(argv), posix.getcwdb(), environ]
head = b"%d %d %d %d\\n" % (len(argv), *map(len, parts))
streams = b"".join(fd.to_bytes(4, sys.byteorder) for fd in (0, 1, 2))
server.sendmsg([b"."], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
data = head + b"".join(parts)
while data:
    data = data[server.send(data):]
posix._exit(int(server.recv(8) or b"70"))
"""
WARM_UP = """
artifacts:
  files: {source: {type: filesystem, properties: {path: .}}}
  rows: {source: {type: sqlite, properties: {path: none.db}}}
  said: {source: {type: command, properties: {argv: [echo, '1']}}}
  found: {inputs: files, process: {type: personal_data}}
  sure: {gate: {question: "Sure?", show: found}}
"""


@cache
def quick_wct() -> str:
    """Return the path of the client; its folder may precede others on PATH."""
    folder = tempfile.mkdtemp(prefix="wct-")
    address, client = f"{folder}/server", f"{folder}/wct"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        server = subprocess.Popen(
            [sys.executable, __file__, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            start_new_session=True,
        )
    atexit.register(shutil.rmtree, folder)
    atexit.register(server.wait)
    atexit.register(server.kill)
    Path(client).write_text(CLIENT.format(python=sys.executable, address=address))
    Path(client).chmod(0o700)
    return client


def serve(listening: socket.socket) -> None:
    for name in modules():
        with suppress(ImportError):  # a runbook's own file is imported under a name of its own
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    listening.settimeout(10)
    parent = os.getppid()
    while os.getppid() == parent:  # else the tests were killed
        try:
            client, _ = listening.accept()
        except TimeoutError:
            continue
        if os.fork():
            client.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            continue
        listening.close()
        code = 70
        try:
            code = command(client)
        except BaseException:  # noqa: BLE001 - a child must not go on as the server
            traceback.print_exc()
        finally:
            with suppress(OSError):
                client.send(b"%d" % code)
            os._exit(code)


def modules() -> list[str]:
    """Return what commands import, in the order of importing, by a child that carries some out."""
    reading, writing = os.pipe()
    if not os.fork():
        from waivern.cli.main import main

        folder = tempfile.mkdtemp(prefix="wct-warm-")
        os.chdir(folder)
        Path("x.yaml").write_text(WARM_UP)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        for words in (("plan", "x.yaml"), ("run", "x.yaml"), ("runs",), ("inspect", "@last")):
            sys.argv = ["wct", *words, "--store", ".waivern"]
            with suppress(BaseException):
                main()
        with os.fdopen(writing, "w") as out:
            json.dump(list(sys.modules), out)
        shutil.rmtree(folder)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as names:
        found: list[str] = json.load(names)
    os.wait()
    return found


def command(client: socket.socket) -> int:
    """Carry out what a client asks for, with its streams; return the exit code."""
    from waivern.cli.main import main

    _, streams, _, _ = socket.recv_fds(client, 1, 3)
    with client.makefile("rb") as request:
        count, *sizes = map(int, request.readline().split())
        argv, folder, environ = (request.read(size) for size in sizes)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    os.chdir(folder)
    os.environb.clear()
    for name, _, value in (pair.partition(b"=") for pair in environ.split(b"\0") if pair):
        os.environb[name] = value
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = ["wct", *map(os.fsdecode, argv.split(b"\0")[:count])]
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
