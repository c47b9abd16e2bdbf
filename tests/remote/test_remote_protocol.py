"""The protocol of a remote store: what a server refuses, and how many requests a run takes."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from remote_kit import TOKEN, Server, server

from waivern import load, run
from waivern.errors import RefusedError, StoreError, UsageError, WaivernError
from waivern.store.local import LocalFilesystemStore
from waivern.store.memory import AsyncInMemoryStore
from waivern.store.opening import open_store
from waivern.store.remote.frames import FORM, PREFIX, Frame, unpacked
from waivern.store.remote.remote_http import RemoteHttpStore
from waivern.testing.store_helpers import begin, publish, records


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with server() as found:
        yield found


class Raw:
    """A client that sends what it likes."""

    def __init__(self, url: str, token: str = TOKEN) -> None:
        self._host, _, self._path = url.removeprefix("http://").partition("/")
        self._token = token
        self.number = 0
        self.session = ""

    def send(self, path: str, body: bytes, method: str = "POST") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, timeout=20)
        headers = {
            "authorization": f"Bearer {self._token}",
            "content-type": "application/octet-stream",
        }
        connection.request(method, f"/{self._path}{PREFIX}{path}", body, headers)
        response = connection.getresponse()
        found = response.status, response.read()
        connection.close()
        return found

    def begin(self) -> None:
        status, body = self.send("/sessions", Frame({"form": FORM}).packed())
        assert status == 201
        self.session = json.loads(body)["session"]

    def ask(self, *operations: Any, blobs: tuple[bytes, ...] = ()) -> tuple[int, dict[str, Any]]:
        self.number += 1
        head = {"number": self.number, "received": self.number - 1, "operations": [*operations]}
        status, body = self.send(f"/sessions/{self.session}", Frame(head, blobs).packed())
        return status, dict(unpacked(body).head) if status == 200 else json.loads(body)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("not of the store")
    begin(LocalFilesystemStore(tmp_path / "store")).release()
    return tmp_path / "store"


@pytest.fixture
def raw(running: Server, folder: Path) -> Raw:
    found = Raw(running.serve(LocalFilesystemStore(folder)))
    found.begin()
    return found


ROOT = {"do": "root", "new": 1, "name": ".", "make": False}
RUNS = {"do": "root", "new": 1, "name": "runs", "make": False}


def error_of(raw: Raw, *operations: Any) -> str:
    status, document = raw.ask(*operations)
    assert status == 200
    return str(document["error"]["errno"])


NAMES = ["..", "../secret.txt", "/etc/passwd", "a/b", "a\0b", "a\nb", "x" * 300, "č", " "]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_the_store(raw: Raw, name: str, folder: Path) -> None:
    before = sorted(str(path) for path in folder.parent.rglob("*"))
    ways: list[dict[str, Any]] = [
        {"do": "open", "on": 1, "name": name, "new": 2, "mode": "read"},
        {"do": "open", "on": 1, "name": name, "new": 2, "mode": "new"},
        {"do": "folder", "on": 1, "name": name, "new": 2, "foreign": True},
        {"do": "make_folder", "on": 1, "name": name, "new": 2, "durable": False},
        {"do": "below", "on": 1, "names": [name], "new": 2},
        {"do": "make_below", "on": 1, "names": ["r", name], "new": 2},
        {"do": "read_file", "on": 1, "name": name, "last": False, "count": 10},
        {"do": "rename", "on": 1, "old": "id", "name": name, "to": 1},
        {"do": "rename", "on": 1, "old": name, "name": "x", "to": 1},
        {"do": "unlink", "on": 1, "name": name},
        {"do": "remove", "on": 1, "name": name},
        {"do": "rmdir", "on": 1, "name": name},
        {"do": "is_locked", "on": 1, "name": name},
    ]
    if name != "a/b":  # a path below
        ways.append({"do": "stat_of", "on": 1, "name": name})
        ways.append({"do": "look_at", "on": 1, "paths": [name]})
    for way in ways:
        assert error_of(raw, ROOT, way) in ("EINVAL", "ENAMETOOLONG"), way
        raw.ask({"do": "close", "on": 1})
    assert sorted(str(path) for path in folder.parent.rglob("*")) == before


def test_a_link_leads_only_to_a_run(raw: Raw) -> None:
    for target in ("/etc/passwd", "../secret.txt", "runs/../..", "runs/"):
        link = {"do": "link", "on": 1, "name": "latest", "target": target, "staging": 1}
        status, document = raw.ask(ROOT, link)
        assert status == 400
        assert "'target' of 'link'" in document["error"]["message"]


@pytest.mark.parametrize(
    "operation",
    [
        "root",
        None,
        [],
        {},
        {"do": "exec"},
        {"do": "__init__"},
        {"do": "execute", "on": 1},
        {"do": "root"},
        {**ROOT, "name": "cache/.."},
        {**ROOT, "more": 1},
        {**ROOT, "new": True},
        {**ROOT, "new": -1},
        {**ROOT, "new": 1 << 64},
        {**ROOT, "make": "no"},
        {"do": "open", "on": 1, "name": "x", "new": 2, "mode": "w"},
        {"do": "read", "on": 1, "count": 1 << 40, "at": 0},
        {"do": "write", "on": 1, "data": 0},
        {"do": "look_at", "on": 1, "paths": "x"},
        {"do": "require", "held": [[1, "x", 2, "a", 3, None]], "runs": 1},
    ],
)
def test_an_operation_that_is_none(raw: Raw, operation: Any) -> None:
    status, document = raw.ask(ROOT, operation)
    assert status == 400
    assert document["error"]["message"]
    assert raw.ask(ROOT)[1] == {"results": [{"value": None}]}, "the first one was not executed"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]\n",
        b'{"blobs": [1]}\n',
        b'{"blobs": [-1, 1]}\n',
        b'{"blobs": [true]}\nx',
        b'{"blobs": {}}\n',
        b"\xff\xfe\n",
        b"[" * 100_000,
        b'{"blobs": [], "number": 1}\n',
        b'{"blobs": [], "number": 1, "received": 1, "operations": []}\n',
        b'{"blobs": [], "number": 1, "received": 0, "operations": []}\n',
        b'{"blobs": [], "number": "1", "received": 0, "operations": [1]}\n',
    ],
)
def test_a_body_that_is_no_request(raw: Raw, body: bytes) -> None:
    status, answer = raw.send(f"/sessions/{raw.session}", body)
    assert status == 400
    assert json.loads(answer)["error"]["message"]


def test_a_body_that_is_too_large(raw: Raw) -> None:
    status, _ = raw.send(f"/sessions/{raw.session}", b"x" * (17 << 20))
    assert status == 413


def test_sessions_belong_to_who_opened_them(raw: Raw, running: Server, folder: Path) -> None:
    for key in ("unknown", "..", raw.session[:-1]):
        assert raw.send(f"/sessions/{key}", Frame({}).packed())[0] in (404, 410)
    assert raw.send(f"/sessions/{raw.session}", b"", "DELETE")[0] == 204
    assert raw.ask(ROOT)[0] == 410
    assert raw.send(f"/sessions/{raw.session}/alive", b"")[0] == 410
    assert (
        Raw(running.serve(LocalFilesystemStore(folder)), "wrong").send("/sessions", b"")[0] == 401
    )


def test_a_request_is_not_answered_twice_differently(raw: Raw) -> None:
    raw.ask(RUNS)
    new = {"do": "open", "on": 1, "name": "x", "new": 2, "mode": "new"}
    head = {"number": 2, "received": 1, "operations": [new]}
    answers = {raw.send(f"/sessions/{raw.session}", Frame(head).packed()) for _ in range(3)}
    assert answers == {(200, Frame({"results": [{"value": None}]}).packed())}
    raw.number = 2
    raw.ask({"do": "names", "on": 1})
    status, _ = raw.send(f"/sessions/{raw.session}", Frame(head).packed())
    assert status == 429, "its answer was received, and is not kept"


def test_handles_are_bounded(raw: Raw) -> None:
    opened = [{**ROOT, "new": number} for number in range(600)]
    status, document = raw.ask(*opened)
    assert status == 200
    assert document["error"]["errno"] == "EMFILE"
    assert raw.ask({"do": "stat", "on": 9999})[1]["error"]["errno"] == "EBADF"


def test_another_version_of_the_protocol(raw: Raw) -> None:
    status, answer = raw.send("/sessions", Frame({"form": FORM + 1}).packed())
    assert status == 426
    assert "version" in json.loads(answer)["error"]["message"]


# a client


def test_a_read_only_server_is_read(running: Server, folder: Path) -> None:
    store = RemoteHttpStore(
        running.serve(LocalFilesystemStore(folder), read_only=True), token=TOKEN
    )
    assert store.runs() == ["r"]
    assert records(store)
    assert store.owner("r") is None
    before = sorted(folder.rglob("*"))
    for write in (
        lambda: begin(store, "new"),
        lambda: store.append_history({}),
        lambda: store.identity(make=True),
        lambda: store.request("r", "cancel", {}),
    ):
        with pytest.raises(StoreError, match="the server is read-only"):
            write()
    assert sorted(folder.rglob("*")) == before


def test_a_wrong_token(running: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = running.serve(AsyncInMemoryStore())
    monkeypatch.setenv("WAIVERN_STORE_TOKEN", "a-wrong-secret")
    with pytest.raises(RefusedError, match="does not accept the token") as raised:
        open_store(url).runs()
    assert "WAIVERN_STORE_TOKEN" in str(raised.value.hint)
    assert "secret" not in f"{raised.value.message} {raised.value.hint}"


def test_the_token_is_in_a_file(
    running: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = running.serve(AsyncInMemoryStore())
    file = tmp_path / "token"
    monkeypatch.setenv("WAIVERN_STORE_TOKEN_FILE", str(file))
    with pytest.raises(UsageError, match="cannot be read"):
        open_store(url).runs()
    file.touch(0o600)
    with pytest.raises(UsageError, match="has no token"):
        open_store(url).runs()
    file.write_text(f"{TOKEN}\n")
    assert open_store(url).runs() == []
    file.chmod(0o644)
    with pytest.raises(UsageError, match="other accounts can read"):
        open_store(url).runs()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://", "does not name a server"),
        ("https://user:pass@host", "has a user or a password"),
        ("http://127.0.0.1:0", "no port"),
        ("http://127.0.0.1:99999", "not valid"),
        ("https://host/?token=x", "a query"),
        ("https://host/#x", "a query"),
        ("http://[::1", "not valid"),
    ],
)
def test_urls_that_name_no_server(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        open_store(url)
    assert "pass" not in raised.value.message.replace("password", "")


def test_plain_http_stays_on_this_computer() -> None:
    with pytest.raises(RefusedError, match="is not encrypted"):
        open_store("http://198.51.100.7:1").runs()


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(StoreError, match="cannot be reached") as raised:
        open_store("http://127.0.0.1:1").runs()
    assert "wct serve" in str(raised.value.hint)


class Elsewhere:
    """An application that is no server of runs."""

    def __init__(self, status: int, location: str | None = None) -> None:
        headers = [(b"location", location.encode())] if location else []
        self._start = {"type": "http.response.start", "status": status, "headers": headers}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send(self._start)
        await send({"type": "http.response.body", "body": b"<html>"})


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (Elsewhere(404), "is not a server of runs"),
        (Elsewhere(200), "is not a server of runs"),
        (Elsewhere(201), "is not a server of runs"),
        (Elsewhere(302, "https://evil.example/"), "redirects to another address"),
        (Elsewhere(307, "/"), "redirects to another address"),
    ],
)
def test_what_is_no_server(running: Server, app: Elsewhere, said: str) -> None:
    running.stores.apps["/elsewhere"] = app
    with pytest.raises(WaivernError, match=said):
        RemoteHttpStore(f"{running.address}/elsewhere", token=TOKEN).runs()


# figures


def test_requests_of_small_artifacts(running: Server, tmp_path: Path) -> None:
    """A chain commits each artifact alone: one request publishes it, one has its journal line."""
    count = 30
    lines = ["artifacts:", "  a0: {source: {type: python, properties: {call: 'm.py:first'}}}"]
    for n in range(1, count):
        call = "{type: python, properties: {call: 'm.py:next'}}"
        lines.append(f"  a{n}: {{inputs: a{n - 1}, process: {call}}}")
    (tmp_path / "m.py").write_text("def first(): return 1\ndef next(inputs): return 2\n")
    store = RemoteHttpStore(running.serve(AsyncInMemoryStore()), token=TOKEN)
    running.stores.requests.clear()
    result = run(load(text="\n".join(lines), folder=tmp_path), store=store, cache=False)
    assert result.status == "completed"
    assert (
        running.stores.sent <= 2 * count + 60
    )  # the second is what a run takes that has no artifacts


def test_requests_of_a_wave(running: Server) -> None:
    store = RemoteHttpStore(running.serve(AsyncInMemoryStore()), token=TOKEN)
    lease = begin(store)
    running.stores.requests.clear()
    publish(store, lease, "single")
    lease.append([{"of": "single"}], sync=True)
    assert running.stores.sent == 2
    receipts = [publish_later(store, n) for n in range(200)]
    running.stores.requests.clear()
    lease.publish(receipts)
    lease.append([{"n": n} for n in range(200)], sync=True)
    assert running.stores.sent == 2
    lease.release()


def test_a_group_may_have_any_size(running: Server) -> None:
    store = RemoteHttpStore(running.serve(AsyncInMemoryStore()), token=TOKEN)
    lease = begin(store)
    count = 1500
    receipts = [publish_later(store, n) for n in range(count)]
    running.stores.requests.clear()
    lease.publish(receipts)
    assert running.stores.sent < count / 100
    assert len(store.files("r")) > count
    lease.release()


def publish_later(store: RemoteHttpStore, number: int) -> Any:
    from waivern.testing.store_helpers import message

    return store.stage("r", f"a{number}", message({"n": number}, f"a{number}"))


def test_requests_of_a_list(running: Server, tmp_path: Path) -> None:
    local = LocalFilesystemStore(tmp_path / "store")
    for n in range(20):
        lease = begin(local, f"r{n}")
        publish(local, lease, "a", run_id=f"r{n}")
        lease.release()
    store = RemoteHttpStore(running.serve(local), token=TOKEN)
    store.runs()
    running.stores.requests.clear()
    assert len(store.indexed().stamps) == 20
    assert running.stores.sent <= 6
