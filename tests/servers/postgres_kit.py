"""A PostgreSQL server of its own for the tests: private, not as root, ended with them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534
"""The account that runs the server if the tests run as root, which PostgreSQL refuses to be."""
PASSWORD = "correct-horse"
READY_S = 30


class Server:
    """A server in a folder, with a socket in it and a port of 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._bin = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: each.parts[-2])
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        self._run(
            "initdb", "-D", str(self.data), "-U", "owner", "--no-sync", "--auth-local=trust",
            "--auth-host=scram-sha-256", f"--pwfile={folder / 'password'}", "-E", "UTF8",
            "--locale=C",
        )  # fmt: skip

    def url(self, schema: str) -> str:
        """Return the URL of a store, over the socket and without a password."""
        return f"postgresql://owner@/postgres?host={self.folder}&port={self.port}&schema={schema}"

    def tcp_url(self, schema: str, account: str = "owner") -> str:
        """Return the URL of a store over TCP, which needs a password."""
        return f"postgresql://{account}@127.0.0.1:{self.port}/postgres?schema={schema}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [*self._account(), str(self._bin / "postgres"), "-D", str(self.data)]
        options = {
            "unix_socket_directories": str(self.folder),
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "max_connections": "60",
            "autovacuum": "off",
            "shared_buffers": "32MB",
        }
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + READY_S
        while self.psql("SELECT 1") != "1":
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self, how: int = signal.SIGINT) -> None:
        """Stop it: SIGINT breaks all connections and shuts down, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def psql(self, statement: str) -> str:
        """Execute a statement as a person would; return its rows, empty if the server is away."""
        command = [
            str(self._bin / "psql"), "-h", str(self.folder), "-p", str(self.port), "-U", "owner",
            "-d", "postgres", "-XAtc", statement,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def _run(self, program: str, *words: str) -> None:
        command = [*self._account(), str(self._bin / program), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)

    def _account(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]


@contextmanager
def running() -> Iterator[Server]:
    """Yield a server that runs, in memory where there is such a folder."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="waivern-pg-", dir=memory if memory.is_dir() else None)
    try:
        server = Server(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
