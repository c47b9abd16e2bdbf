"""Servers of buckets that are not part of the development environment: moto (S3), Azurite."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate

PATIENCE_S = 60
CONTAINER = "runs"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account and the key that every Azurite has; they are in its documentation."""


@contextmanager
def moto() -> Iterator[str]:
    """Serve an S3 with a bucket; yield the address. MOTO_SERVER is the program."""
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    request = urllib.request.Request(f"{address}/{CONTAINER}", method="PUT")
    with _serving([os.environ["MOTO_SERVER"], "-H", "127.0.0.1", "-p", str(port)], request):
        yield address


@contextmanager
def azurite() -> Iterator[str]:
    """Serve Azure blobs with a container; yield the endpoint. AZURITE_BLOB is the program."""
    port = _free_port()
    place = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    address = f"http://127.0.0.1:{port}"
    with _serving([os.environ["AZURITE_BLOB"], *place, *options], _container(address)):
        yield f"{address}/{ACCOUNT}"


def _container(address: str) -> urllib.request.Request:
    """Return the signed request that creates a container."""
    own = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    lines = [f"{name}:{value}" for name, value in own.items()]
    resource = f"/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\nrestype:container"
    text = "PUT" + "\n" * 12 + "\n".join([*lines, resource])
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    own["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    url = f"{address}/{ACCOUNT}/{CONTAINER}?restype=container"
    return urllib.request.Request(url, method="PUT", headers={**own, "Content-Length": "0"})


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def _serving(argv: list[str], first: urllib.request.Request) -> Iterator[None]:
    """Start a server, and send it the first request as soon as it answers."""
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(argv, stdout=nowhere, stderr=nowhere) as server:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while True:
                try:
                    urllib.request.urlopen(first).close()
                except urllib.error.HTTPError:
                    raise
                except urllib.error.URLError:
                    if server.poll() is not None or time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)
                else:
                    break
            yield
        finally:
            server.terminate()
