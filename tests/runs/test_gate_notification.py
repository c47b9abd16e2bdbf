"""Notifications of gates: a command or a webhook, once for each question, never a failed run."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import waivern
from waivern import InvalidError, LocalFilesystemStore, RefusedError

STEPS = "def value(x=1):\n    return {'value': x, 'name': 'Ann Example'}\n"
BOOK = """
name: release
artifacts:
  a: {source: {type: python, properties: {call: "steps.py:value"}}}
  ask: {gate: {question: "Publish?", show: a, notify: %s}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "steps.py").write_text(STEPS)
    return tmp_path


@pytest.fixture
def received() -> Iterator[list[Any]]:
    """A server on this computer; the first element is its address, the others what it received."""
    found: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            found.append((self.path, json.loads(self.rfile.read(size))))
            self.send_response(302 if "moved" in self.path else 204)
            self.send_header("location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    found.append(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def run(folder: Path, notify: str, **more: Any) -> waivern.RunResult:
    (folder / "b.yaml").write_text(BOOK % notify)
    return waivern.run(folder / "b.yaml", store=folder / "store", **more)


def events(folder: Path, result: waivern.RunResult, kind: str = "gate_notified") -> list[Any]:
    lines = LocalFilesystemStore(folder / "store").read_journal(result.run_id).lines
    return [line.record for line in lines if line.record["type"] == kind]


def test_a_webhook_gets_the_question_and_no_content(
    folder: Path, received: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "s3cret-t0ken")
    result = run(folder, f"{{webhook: '{received[0]}/${{HOOK_TOKEN}}'}}")
    assert result.status == "suspended"
    assert result.warnings == ()
    [(path, body)] = received[1:]
    assert path == "/s3cret-t0ken"
    assert body["question"] == "Publish?"
    assert body["gate"] == "ask"
    assert body["decide"] == f"wct runs approve {result.run_id}/ask"
    assert set(body["shown"]) == {"a"}
    assert "Ann" not in json.dumps(body)
    [event] = events(folder, result)
    assert (event["by"], event["error"]) == ("webhook", None)
    written = [path for path in (folder / "store").rglob("*") if path.is_file()]
    assert not [path for path in written if b"s3cret-t0ken" in path.read_bytes()]


def test_a_command_gets_the_document_on_stdin(folder: Path) -> None:
    (folder / "notify.sh").write_text('#!/bin/sh\ncat > "$1"\nenv > env.txt\n')
    (folder / "notify.sh").chmod(0o755)
    result = run(folder, "{command: [./notify.sh, out.json]}")
    assert json.loads((folder / "out.json").read_text())["run_id"] == result.run_id
    assert "PYTEST_CURRENT_TEST" not in (folder / "env.txt").read_text()


def test_people_are_notified_of_a_question_once(folder: Path, received: list[Any]) -> None:
    result = run(folder, f"{{webhook: '{received[0]}/'}}")
    again = waivern.resume(result.run_id, store=folder / "store", project_root=folder)
    assert again.status == "suspended"
    assert len(received) == 2
    asked = waivern.resume(
        result.run_id, store=folder / "store", project_root=folder, ask_again=True
    )
    assert asked.status == "suspended"
    assert len(received) == 3


@pytest.mark.parametrize(
    ("notify", "error"),
    [
        ("{command: [./missing]}", "the command cannot be started: No such file or directory"),
        ("{command: ['false']}", "the command exited with 1"),
        ("{webhook: 'http://example.org/x'}", "the webhook must begin with https://"),
        ("{webhook: 'http://127.0.0.1:1/x'}", "cannot be reached"),
        ("{webhook: 'HERE/moved'}", "the webhook answered with 302"),
    ],
)
def test_a_failed_notification_is_an_event_and_a_warning(
    folder: Path, received: list[Any], notify: str, error: str
) -> None:
    result = run(folder, notify.replace("HERE", received[0]))
    assert result.status == "suspended"
    assert result.exit_code == 7
    [event] = events(folder, result)
    assert error in event["error"]
    [warning] = result.warnings
    assert "people were not notified" in warning
    assert error in warning
    assert not [each for each in received[1:] if each[0] == "/elsewhere"]


@pytest.mark.parametrize(
    "notify", ["{}", "{command: [a], webhook: 'https://x'}", "{command: []}", "{mail: x}"]
)
def test_a_wrong_key_is_refused(folder: Path, notify: str) -> None:
    with pytest.raises(InvalidError):
        run(folder, notify)


def test_a_variable_that_is_not_set_is_refused_before_the_run(folder: Path) -> None:
    with pytest.raises(InvalidError, match="NO_SUCH_VARIABLE"):
        run(folder, "{webhook: 'https://x/${NO_SUCH_VARIABLE}'}")


def test_a_received_run_names_its_notification_and_sends_none(
    folder: Path, received: list[Any], tmp_path: Path
) -> None:
    result = run(folder, f"{{webhook: '{received[0]}/theirs'}}")
    other = tmp_path / "other"
    shutil.copytree(folder / "store/runs" / result.run_id, other / "runs" / result.run_id)
    (folder / "b.yaml").unlink()
    with pytest.raises(RefusedError, match=r"ask  notify  .*theirs"):
        waivern.replay(result.run_id, store=other, base=folder)
    assert len(received) == 2
