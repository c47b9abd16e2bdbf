"""A server behind nginx, as the documents describe it: TLS, streams, a path, several clients."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from server_kit import Hosted
from wct_process import Place

from waivern.errors import StoreError
from waivern.runs.verify import verify
from waivern.server.server_options import AccessToken
from waivern.store.local import LocalFilesystemStore
from waivern.store.remote.remote_http import RemoteHttpStore

TOKEN = "0123456789-abcdefghij"
WRONG = {"Authorization": "Bearer wrong"}
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
CONFIG = """
daemon off;
user root;
pid %(folder)s/nginx.pid;
error_log %(folder)s/error.log;
events {}
http {
  access_log off;
  client_body_temp_path %(folder)s/body;
  proxy_temp_path %(folder)s/proxy;
  fastcgi_temp_path %(folder)s/fastcgi;
  uwsgi_temp_path %(folder)s/uwsgi;
  scgi_temp_path %(folder)s/scgi;
  server {
    listen 127.0.0.1:%(port)d ssl;
    ssl_certificate %(folder)s/server.pem;
    ssl_certificate_key %(folder)s/server.key;
    %(location)s
    location /below/ {
        proxy_pass http://127.0.0.1:%(to)d/;
        proxy_set_header Host $http_host;
    }
  }
}
"""


def documented() -> str:
    """Return the block of nginx in the documents."""
    page = Path(__file__).parents[2] / "docs/how-to/use-a-store-over-http.md"
    return page.read_text().partition("```nginx\n")[2].partition("```")[0]


class Proxy:
    """A running nginx with a certificate of its own authority."""

    def __init__(self, folder: Path, to: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.authority = certificates(folder)
        self.url = f"https://localhost:{self.port}"
        location = documented().replace("127.0.0.1:8080", f"127.0.0.1:{to}")
        values = {"folder": folder, "port": self.port, "to": to, "location": location}
        (folder / "nginx.conf").write_text(CONFIG % values)
        self._process = subprocess.Popen(["nginx", "-c", folder / "nginx.conf", "-p", folder])
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                break

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    def connected(self, of: str = "127.0.0.1") -> http.client.HTTPSConnection:
        """Return a connection that comes from an address of this computer."""
        context = ssl.create_default_context(cafile=str(self.authority))
        return http.client.HTTPSConnection(
            "localhost", self.port, timeout=20, source_address=(of, 0), context=context
        )

    def status(self, path: str, headers: dict[str, str], of: str = "127.0.0.1") -> int:
        connection = self.connected(of)
        connection.request("GET", path, headers=headers)
        found = connection.getresponse().status
        connection.close()
        return found


def certificates(folder: Path) -> Path:
    """Create an authority and a certificate for localhost; return the authority's."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    usage = "keyUsage=critical,keyCertSign,cRLSign"
    openssl(
        *new, "-x509", "-subj", "/CN=tests", "-addext", usage, "-keyout", "ca.key", "-out", "ca.pem"
    )
    openssl(*new, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
    openssl("x509", "-req", "-in", "server.csr", *signed, "-out", "server.pem")
    return folder / "ca.pem"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "work").mkdir()
    found = Place(tmp_path / "work")
    yield found
    found.close()


@pytest.fixture
def store(tmp_path: Path) -> LocalFilesystemStore:
    return LocalFilesystemStore(tmp_path / "runs")


@pytest.fixture
def proxy(tmp_path: Path, store: LocalFilesystemStore) -> Iterator[Proxy]:
    (tmp_path / "nginx").mkdir()
    with Hosted(store, tokens=(AccessToken(TOKEN, "ann"),)) as server:
        running = Proxy(tmp_path / "nginx", int(server.host.rpartition(":")[2]))
        try:
            yield running
        finally:
            running.end()


@pytest.mark.parametrize("path", ["", "/below"])
def test_a_run_is_stored_over_tls(
    place: Place, proxy: Proxy, store: LocalFilesystemStore, path: str
) -> None:
    place.runbook("r.yaml", '  a: {source: {type: python, properties: {call: "steps.py:value"}}}')
    environ = {"WAIVERN_STORE_TOKEN": TOKEN, "WAIVERN_STORE_CA_FILE": str(proxy.authority)}
    where = ("--store", proxy.url + path)
    assert place.wct("run", "r.yaml", "--run-id", "r", *where, **environ).code == 0
    assert place.wct("runs", "verify", "r", *where, **environ).code == 0
    assert verify(store, "r").faults == ()


def test_a_certificate_of_an_unknown_authority_is_refused(proxy: Proxy) -> None:
    with pytest.raises(StoreError, match=r"(?i)certificate"):
        RemoteHttpStore(proxy.url, token=TOKEN).runs()


def test_events_arrive_while_the_run_is_live(place: Place, proxy: Proxy, tmp_path: Path) -> None:
    meeting = place.meeting()
    run = place.start("run", meeting.runbook, "--run-id", "live", "--store", str(tmp_path / "runs"))
    meeting.wait()
    connection = proxy.connected()
    connection.request("GET", "/api/v1/runs/live/events", headers=RIGHT)
    events = (line for line in connection.getresponse() if line.startswith(b"event: "))
    assert next(events) == b"event: run_started\n"  # nothing holds it back until the run ends
    meeting.let_go()
    assert [*events][-1] == b"event: end\n"
    place.ended(run)
    connection.close()


def test_a_browser_logs_in_and_its_cookie_stays_on_tls(proxy: Proxy) -> None:
    connection = proxy.connected()
    form = urlencode({"token": TOKEN, "next": "/"})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": proxy.url}
    connection.request("POST", "/login", form, headers)
    answer = connection.getresponse()
    assert answer.read() is not None
    assert answer.status == 303
    cookie = answer.headers["set-cookie"]
    assert "Secure" in cookie
    assert proxy.status("/", {"Cookie": cookie.partition(";")[0]}) == 200
    connection.request("POST", "/login", form, {**headers, "Origin": "https://localhost:1"})
    assert connection.getresponse().status == 403
    connection.close()


def test_failed_logins_of_one_client_do_not_keep_others_out(proxy: Proxy) -> None:
    path = "/api/v1/runs"
    found = [proxy.status(path, WRONG, "127.0.0.2") for _ in range(12)]
    assert (found[0], found[-1]) == (401, 429)
    forged = {**WRONG, "X-Forwarded-For": "192.0.2.7"}
    assert proxy.status(path, forged, "127.0.0.2") == 429
    assert proxy.status(path, RIGHT, "127.0.0.3") == 200


def test_a_large_part_passes(proxy: Proxy) -> None:
    connection = proxy.connected()
    body = json.dumps({"name": "x" * 900_000})
    headers = {**RIGHT, "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/runs/none/annotations", body, headers)
    assert connection.getresponse().status == 422  # of the server, not 413 of nginx
    connection.close()
