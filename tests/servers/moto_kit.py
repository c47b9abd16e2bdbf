"""Servers of buckets that are not part of the development environment: moto, for S3."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_S = 60


@contextmanager
def moto() -> Iterator[str]:
    """Serve an S3 with a bucket named `runs`; yield the address. MOTO_SERVER is the program."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [os.environ["MOTO_SERVER"], "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            _create_bucket(address, server)
            yield address
        finally:
            server.terminate()


def _create_bucket(address: str, server: subprocess.Popen[bytes]) -> None:
    request = urllib.request.Request(f"{address}/runs", method="PUT")
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            urllib.request.urlopen(request).close()
        except urllib.error.URLError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
