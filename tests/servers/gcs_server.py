"""A small Google Cloud Storage for tests: objects of one bucket over the XML API, in memory.

No server that can be installed has what the store needs of it: preconditions on the generation of
an object (`x-goog-if-generation-match`), ETags, and lists in pages. This one is written from
Google's description of the API and has nothing else: no accounts, one bucket, no versions.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "runs"
PAGE = 1000


class StoredObject(NamedTuple):
    """An object as it was put last."""

    data: bytes
    generation: int
    at: datetime

    @property
    def etag(self) -> str:
        """The ETag: it depends on the bytes, as of an object that was put in one request."""
        return f'"{hashlib.md5(self.data, usedforsecurity=False).hexdigest()}"'

    @property
    def headers(self) -> dict[str, str]:
        """The headers that describe it."""
        return {
            "ETag": self.etag,
            "Last-Modified": format_datetime(self.at, usegmt=True),
            "x-goog-generation": str(self.generation),
            "x-goog-metageneration": "1",
        }


class GcsServer:
    """The bucket, and how its requests fail."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.objects: dict[str, StoredObject] = {}
        self.lock = threading.Lock()
        self.generations = itertools.count(1_700_000_000_000_000)
        self.requests = 0
        self.fails: Callable[[int], bool] = lambda _number: False
        """Whether the request with this number is answered with 503 before it has an effect."""
        self.is_lost: Callable[[int], bool] = lambda _number: False
        """Whether the connection is closed in place of the answer, after the effect."""

    def put(self, key: str, data: bytes, wanted: str | None) -> StoredObject | None:
        """Put an object; None if its generation is not the wanted one ('0': there is none)."""
        with self.lock:
            found = self.objects.get(key)
            if wanted is not None and wanted != str(found.generation if found else 0):
                return None
            stored = StoredObject(data, next(self.generations), datetime.now(UTC))
            self.objects[key] = stored
            return stored

    def page(
        self, prefix: str, after: str, most: int
    ) -> tuple[list[tuple[str, StoredObject]], bool]:
        """Return the objects of one page of a list, and whether more follow."""
        with self.lock:
            keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
            return [(key, self.objects[key]) for key in keys[:most]], len(keys) > most


class GcsRequest(BaseHTTPRequestHandler):
    """A request to the bucket."""

    bucket: GcsServer
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        with self.bucket.lock:
            self.bucket.requests += 1
            number = self.bucket.requests
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self._is_lost = self.bucket.is_lost(number)
        parts = urlsplit(self.path)
        _, name, *keys = unquote(parts.path).split("/", 2)
        if self.bucket.fails(number):
            self._answer(503, _error("ServiceUnavailable"))
        elif name != BUCKET:
            self._answer(404, _error("NoSuchBucket"))
        elif not keys:
            self._list({name: each[0] for name, each in parse_qs(parts.query).items()})
        else:
            getattr(self, f"_{self.command.lower()}")(keys[0], body)

    do_GET = do_HEAD = do_PUT = do_DELETE = handle_one  # noqa: N815 - the base class's names

    def _list(self, query: dict[str, str]) -> None:
        after = query.get("continuation-token") or query.get("start-after", "")
        most = min(PAGE, int(query.get("max-keys", PAGE)))
        found, more = self.bucket.page(query.get("prefix", ""), after, most)
        items = [
            f"<Contents><Key>{escape(key)}</Key><Size>{len(each.data)}</Size>"
            f"<LastModified>{each.at:%Y-%m-%dT%H:%M:%S.%fZ}</LastModified>"
            f"<ETag>{escape(each.etag)}</ETag></Contents>"
            for key, each in found
        ]
        ends = "<IsTruncated>false</IsTruncated>"
        if more:
            token = f"<NextContinuationToken>{escape(found[-1][0])}</NextContinuationToken>"
            ends = f"<IsTruncated>true</IsTruncated>{token}"
        text = f"<ListBucketResult>{ends}{''.join(items)}</ListBucketResult>"
        self._answer(200, text.encode(), {"Content-Type": "application/xml"})

    def _put(self, key: str, body: bytes) -> None:
        stored = self.bucket.put(key, body, self.headers.get("x-goog-if-generation-match"))
        if stored is None:
            self._answer(412, _error("PreconditionFailed"))
        else:
            self._answer(200, b"", stored.headers)

    def _get(self, key: str, _body: bytes) -> None:
        found = self.bucket.objects.get(key)
        if found is None:
            self._answer(404, _error("NoSuchKey"))
            return
        wanted, data, headers = self.headers.get("Range"), found.data, found.headers
        if wanted is None:
            self._answer(200, data, headers)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, size = int(first), len(data)
        end = min(size, int(last) + 1) if last else size
        if start >= size:
            self._answer(416, _error("InvalidRange"), {"Content-Range": f"bytes */{size}"})
            return
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        self._answer(206, data[start:end], headers)

    _head = _get

    def _delete(self, key: str, _body: bytes) -> None:
        with self.bucket.lock:
            found = self.bucket.objects.pop(key, None)
        self._answer(204 if found else 404, b"" if found else _error("NoSuchKey"))

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        if self._is_lost:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Write nothing."""


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code></Error>".encode()


@contextmanager
def gcs() -> Iterator[GcsServer]:
    """Serve a bucket on a port of this computer."""
    listening = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    listening.daemon_threads = True
    server = GcsServer(f"http://127.0.0.1:{listening.server_address[1]}")
    listening.RequestHandlerClass = type("Request", (GcsRequest,), {"bucket": server})
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
