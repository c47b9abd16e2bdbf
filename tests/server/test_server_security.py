"""Requests that a server must not carry out, and clients that must not hold it up."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from server_kit import (
    RUNBOOK,
    EventStream,
    Hosted,
    Reached,
    awaited,
    ran,
    start_server,
    store_of,
    token_file,
)
from wct_process import Place

from waivern.cli.wct import wct
from waivern.errors import WaivernError
from waivern.server import connection_protocol, request_guard
from waivern.server.server_options import AccessToken

TOKEN = "0123456789abcdef0123"
FORM = "application/x-www-form-urlencoded"
TOKENS = (AccessToken(TOKEN),)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    found = Place(Path(tmp_path_factory.mktemp("security")))
    (found.path / "sums.yaml").write_text(RUNBOOK)
    ran(found, "sums.yaml", "one")
    yield found
    found.close()


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[Hosted]:
    with Hosted(store_of(place), names=("runs.example",)) as found:
        yield found


@pytest.fixture(scope="module")
def guarded(place: Place) -> Iterator[Hosted]:
    with Hosted(store_of(place), tokens=TOKENS) as found:
        yield found


def test_every_response_has_the_headers(server: Hosted) -> None:
    for path in ("/", "/api/v1/runs", "/api/v1/none", "/runs/none", "/login"):
        headers = server.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:80", 421),
        ("127.0.0.1.evil.example", 421),
        ("192.0.2.1", 421),
        ("localhost", 200),
        ("LOCALHOST:1234", 200),
        ("[::1]:80", 200),
        ("127.0.0.1", 200),
        ("runs.example:443", 200),
        ("a b", 400),
        ("127.0.0.1@evil.example", 400),
        ("", 400),
    ],
)
def test_a_request_names_the_server(server: Hosted, host: str, status: int) -> None:
    assert server.get("/api/v1/runs", Host=host).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "{own}"}, 404),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 404),
        ({"Content-Type": FORM}, 403),
        ({"Content-Type": "text/plain"}, 403),
        ({}, 404),
    ],
)
def test_a_page_of_another_site_changes_nothing(
    server: Hosted, headers: dict[str, str], status: int
) -> None:
    sent = {name: value.format(own=f"http://{server.host}") for name, value in headers.items()}
    found = server.request("POST", "/api/v1/runs/none/cancel", {}, **sent)
    assert found.status == status, found.body


def test_a_page_of_another_site_reads_nothing(server: Hosted) -> None:
    cross = {"Sec_Fetch_Site": "cross-site"}
    assert server.get("/api/v1/runs", Sec_Fetch_Mode="no-cors", **cross).status == 403
    assert server.get("/", Sec_Fetch_Mode="navigate", **cross).status == 200


def test_a_token_is_required(guarded: Hosted) -> None:
    anonymous = Reached(guarded.address)
    for path in ("/api/v1/runs", "/api/pipeline/runs", "/api/v1/openapi.json", "/api/none"):
        found = anonymous.get(path)
        assert (found.status, found.headers["www-authenticate"][:6]) == (401, "Bearer")
    assert anonymous.get("/api/v1/runs", Authorization=f"Basic {TOKEN}").status == 401
    assert anonymous.get("/api/v1/runs", Authorization=f"bearer {TOKEN}").status == 200
    page = anonymous.get("/runs/one?status=failed")
    assert (page.status, page.headers["location"]) == (
        303,
        "/login?next=%2Fruns%2Fone%3Fstatus%3Dfailed",
    )


def login(server: Hosted, token: str, target: str = "/") -> tuple[int, dict[str, str]]:
    body = f"token={token}&next={target}".encode()
    origin = f"http://{server.host}"
    found = server.request("POST", "/login", body, Content_Type=FORM, Origin=origin)
    return found.status, found.headers


def test_the_form_sets_a_cookie_that_survives_the_server(place: Place) -> None:
    with Hosted(store_of(place), tokens=TOKENS) as server:
        cookie = cookie_of(server)
    port = int(server.host.partition(":")[2])
    with Hosted(store_of(place), port, tokens=TOKENS) as again:
        again.token = None
        assert again.get("/api/v1/runs", Cookie=cookie).status == 200


def cookie_of(server: Hosted) -> str:
    """Return the cookie of a login, which no change leaves valid."""
    server.token = None
    status, headers = login(server, TOKEN, "/runs/one")
    assert (status, headers["location"]) == (303, "/runs/one")
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(attributes)
    assert TOKEN not in cookie
    assert server.get("/api/v1/runs", Cookie=cookie).status == 200
    changed = cookie[:-1] + ("0" if cookie[-1] != "0" else "1")
    end = cookie.replace("=", "=9", 1)
    for other in (changed, end, cookie.split(".")[0], cookie.split("=")[0] + "="):
        assert server.get("/api/v1/runs", Cookie=other).status == 401
    return cookie


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/%5Cevil.example", "/%0d%0aX: y", ""]
)
def test_the_form_leads_to_no_other_site(guarded: Hosted, target: str) -> None:
    status, headers = login(guarded, TOKEN, target)
    assert (status, headers["location"], headers.get("x")) == (303, "/", None)


def test_failed_logins_are_slowed_down(place: Place) -> None:
    with Hosted(store_of(place), tokens=TOKENS) as server:
        tries = [server.get("/api/v1/runs", Authorization=f"Bearer {n:020}") for n in range(12)]
        assert [each.status for each in tries] == [401] * 10 + [429] * 2
        assert int(tries[-1].headers["retry-after"]) >= 1
        assert login(server, TOKEN)[0] == 429


@pytest.mark.parametrize(
    ("options", "mode", "text", "code", "reason"),
    [
        (["--host", "0.0.0.0"], None, "", 5, "other computers can reach 0.0.0.0"),
        (["--token-file", "tokens"], 0o640, TOKEN, 5, "other users may read the token file"),
        (["--token-file", "tokens"], 0o600, "short", 2, "shorter than 16 characters"),
        (["--token-file", "tokens"], 0o600, "# none\n", 2, "has no token"),
        (["--token-file", "tokens"], 0o600, f"a b {TOKEN}", 2, "more than two words"),
        (["--token-file", "missing"], None, "", 4, "there is no token file"),
        (["--token-file", "/dev/null"], None, "", 2, "is not a regular file"),
        (["--host", "256.1.1.1", "--token-file", "tokens"], 0o600, TOKEN, 2, "cannot listen on"),
    ],
)
def test_an_unsafe_start_is_refused(
    place: Place, options: list[str], mode: int | None, text: str, code: int, reason: str
) -> None:
    if mode is not None:
        token_file(place.path, text).chmod(mode)
    options = [str(place.path / "tokens") if each == "tokens" else each for each in options]
    done = CliRunner().invoke(wct, ["serve", *options, "--store", str(store_of(place).url)])
    assert isinstance(done.exception, WaivernError)
    assert (done.exception.exit_code, done.stdout) == (code, "")
    assert reason in done.exception.message


HEAD = b"Host: 127.0.0.1\r\nConnection: close\r\n"
POST = b"POST /api/v1/runs/one/cancel HTTP/1.1\r\nContent-Type: application/json\r\n" + HEAD


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HEAD + HEAD + b"\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414),
        (b"GET /?" + b"a" * 9000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 33000 + b"\r\n\r\n", 431),
        (b"GET /runs/%0d%0aSet-Cookie:x HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        (b"GET /../../etc/passwd HTTP/1.1\r\n" + HEAD + b"\r\n", 404),
        (b"GET /assets/x/..%2f..%2fapp.py HTTP/1.1\r\n" + HEAD + b"\r\n", 404),
        (b"GET http://evil.example/ HTTP/1.1\r\n" + HEAD + b"\r\n", 404),
        (b"CONNECT evil.example:80 HTTP/1.1\r\n" + HEAD + b"\r\n", 403),
        (b"TRACE / HTTP/1.1\r\n" + HEAD + b"\r\n", 403),
        (b"BREW /api/v1/runs HTTP/1.1\r\n" + HEAD + b"Origin: http://127.0.0.1\r\n\r\n", 405),
        (POST + b"Content-Length: 99999999999\r\n\r\n", 413),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
        (POST + b"Content-Length: 2\r\n\r\n{]", 400),
        (POST + b"Content-Length: 2\r\n\r\n[]", 422),
        (POST + b'Content-Length: 7\r\n\r\n{"a":1}', 422),
        (POST + b"Content-Length: 100000\r\n\r\n" + b"[" * 100000, 400),
        (
            POST
            + b"Transfer-Encoding: chunked\r\n\r\n"
            + b"80000\r\n"
            + b" " * 0x80000
            + b"\r\n" * 1
            + (b"80000\r\n" + b" " * 0x80000 + b"\r\n") * 3,
            413,
        ),
    ],
    ids=range(23),
)
def test_malformed_requests_have_clear_answers(server: Hosted, data: bytes, status: int) -> None:
    first = server.raw(data).split(b"\r\n")[0]
    assert first.startswith(b"HTTP/1.1 %d " % status), first
    assert server.get("/api/v1/runs").status == 200


@pytest.fixture
def hasty(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    """Serve with short limits of time."""
    for module, name in (
        (connection_protocol, "HEAD_S"),
        (connection_protocol, "SEND_S"),
        (request_guard, "BODY_S"),
    ):
        monkeypatch.setattr(module, name, 0.4)
    with Hosted(store_of(place)) as found:
        yield found


def test_slow_clients_are_disconnected(hasty: Hosted) -> None:
    server = hasty
    idle, head, later = server.connected(), server.connected(), server.connected()
    with idle, head, later:
        head.sendall(b"GET / HTTP/1.1\r\nHost: 127")
        later.sendall(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET / HT")
        assert later.recv(12) == b"HTTP/1.1 200"
        later.sendall(b"T")
        for sock in (idle, head, later):
            assert is_ended(sock)
    body = server.raw(POST + b"Content-Length: 9\r\n\r\n{")
    assert body.startswith(b"HTTP/1.1 408 ")


def is_ended(sock: socket.socket) -> bool:
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def test_a_client_that_reads_nothing_is_disconnected(place: Place, hasty: Hosted) -> None:
    # more than the buffers of the kernel hold, so that it is left in those of the server
    rows = "def rows():\n    return {'rows': ['x' * 7000] * 1000}\n"
    (place.path / "long.py").write_text(rows)
    place.runbook("long.yaml", '  a: {source: {type: python, properties: {call: "long.py:rows"}}}')
    ran(place, "long.yaml", "long")
    with hasty.connected() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /api/v1/runs/long/content/a HTTP/1.1\r\n" + HEAD + b"\r\n")
        awaited(lambda: hasty.connections, 1)
        awaited(lambda: hasty.connections, 0)


SEEDS = [b"GET /api/v1/runs?limit=5&tag=a HTTP/1.1\r\n" + HEAD + b"\r\n"]
SEEDS += [b"GET /api/v1/runs/one/content/last?offset=0 HTTP/1.1\r\n" + HEAD + b"\r\n"]
SEEDS += [b"GET /runs/one/artifacts/last HTTP/1.1\r\n" + HEAD + b"Cookie: a=b\r\n\r\n"]
SEEDS += [
    POST + b'Content-Length: 12\r\n\r\n{"note":"no"}',
    POST.replace(b"one/cancel", b"none/decisions"),
]
PIECES = [
    b"\0",
    b"\r\n",
    b"%00",
    b"%ff",
    b"../",
    b"\xff\xfe",
    b"9" * 30,
    b":",
    b" ",
    b"HTTP/",
    b"/",
    b"?",
]


@pytest.mark.parametrize("seed", [*range(40), pytest.param(-1, marks=pytest.mark.sweep, id="many")])
def test_damaged_requests_have_clear_answers(server: Hosted, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(2000 if seed < 0 else 1):
        data = bytearray(chance.choice(SEEDS))
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(3)] = chance.choice(PIECES)
        assert answer_to(server, bytes(data)) in (b"", b"2", b"3", b"4"), data


def answer_to(server: Hosted, data: bytes) -> bytes:
    """Return the first digit of the status; nothing if there is no answer."""
    with server.connected() as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)  # an incomplete request is not waited for
        try:
            return sock.recv(4096)[9:10]
        except ConnectionResetError:
            return b""


@pytest.mark.sweep
def test_many_streams_are_served_at_once(place: Place) -> None:
    meeting = place.meeting()
    run = place.start("run", meeting.runbook, "--run-id", "live")
    meeting.wait()
    server = start_server(place)
    streams = [EventStream(server, "/api/v1/runs/live/events") for _ in range(500)]
    for stream in streams:
        stream.until("artifact_completed")
    assert server.get("/api/v1/runs").status == 200
    meeting.let_go()
    place.ended(run)
    for stream in streams:
        assert list(stream)[-1].data["status"] == "completed"
