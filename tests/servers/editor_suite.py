"""Runbooks in an editor: the YAML language server, driven over its protocol."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from waivern.cli.ui.problem_explanations import EXPLANATIONS

ROOT = Path(__file__).parents[2]
SERVER = os.environ.get("YAML_LANGUAGE_SERVER", "yaml-language-server")
SHIPPED = sorted(
    path
    for path in (ROOT / "runbooks").rglob("*.yaml")
    if re.search("^artifacts:", path.read_text(), re.MULTILINE)
)
SEEN = ("WCT101", "WCT103", "WCT104", "WCT105", "WCT106", "WCT107", "WCT203", "WCT204")


class Editor:
    """A client of the language server, with the schema that `wct schema --install` writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        words = [str(Path(sys.executable).with_name("wct")), "schema", "--install", "vscode"]
        subprocess.run(words, cwd=folder, check=True, capture_output=True)
        settings = json.loads((folder / ".vscode" / "settings.json").read_text())
        ((name, _),) = settings["yaml.schemas"].items()
        self.schemas = {(folder / name).as_uri(): ["*.yaml"]}
        self.process = subprocess.Popen(
            [SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.count = 0
        self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": folder.as_uri(),
                "capabilities": {"textDocument": {"completion": {}}},
            },
        )
        self.notify("initialized", {})
        yaml = {"schemas": self.schemas, "validate": True, "schemaStore": {"enable": False}}
        self.notify("workspace/didChangeConfiguration", {"settings": {"yaml": yaml}})

    def send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def notify(self, method: str, params: Any) -> None:
        self.send({"method": method, "params": params})

    def request(self, method: str, params: Any) -> Any:
        self.count += 1
        self.send({"id": self.count, "method": method, "params": params})
        while True:
            message = self.receive()
            if message.get("id") == self.count and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def receive(self) -> dict[str, Any]:
        """Return the next message; what the server asks for is answered with its settings."""
        assert self.process.stdout
        length = 0
        while (line := self.process.stdout.readline().strip()) or not length:
            assert line or self.process.poll() is None, "the language server has ended"
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        if "id" in message and "method" in message:
            items = message.get("params", {}).get("items", [])
            yaml = {"schemas": self.schemas, "validate": True, "schemaStore": {"enable": False}}
            found = [yaml if each.get("section") == "yaml" else {} for each in items]
            self.send({"id": message["id"], "result": found or None})
        return message

    def open(self, name: str, text: str) -> str:
        uri = (self.folder / name).as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def marks(self, name: str, text: str) -> list[str]:
        """Open a file and return what the editor marks in it."""
        uri = self.open(name, text)
        while True:
            message = self.receive()
            params = message.get("params", {})
            if message.get("method") == "textDocument/publishDiagnostics" and params["uri"] == uri:
                return [each["message"] for each in params["diagnostics"]]

    def completions(self, name: str, text: str) -> set[str]:
        """Open a file with `|` in it and return what is offered there."""
        before, _, after = text.partition("|")
        uri = self.open(name, before + after)
        line = before.count("\n")
        position = {"line": line, "character": len(before.rpartition("\n")[2])}
        where = {"textDocument": {"uri": uri}, "position": position}
        found = self.request("textDocument/completion", where)
        return {each["label"] for each in found["items"]}


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    found = Editor(tmp_path_factory.mktemp("editor"))
    yield found
    found.process.kill()
    found.process.communicate()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_marked_in_a_shipped_runbook(editor: Editor, path: Path) -> None:
    assert editor.marks(f"shipped-{path.name}", path.read_text()) == []


@pytest.mark.parametrize("code", SEEN)
def test_a_mistake_is_marked_and_its_remedy_is_not(editor: Editor, code: str) -> None:
    each = EXPLANATIONS[code]
    assert each.wrong
    assert each.right
    assert editor.marks(f"{code}-wrong.yaml", each.wrong)
    assert editor.marks(f"{code}-right.yaml", each.right) == []


def test_an_unknown_property_is_named(editor: Editor) -> None:
    text = "artifacts:\n  a:\n    source: {type: filesystem, properties: {path: x, pth: y}}\n"
    assert any("pth" in each for each in editor.marks("named.yaml", text))


def test_components_and_their_properties_are_offered(editor: Editor) -> None:
    kinds = editor.completions("kinds.yaml", "artifacts:\n  a:\n    source:\n      type: |\n")
    assert {"filesystem", "sqlite", "command"} <= kinds
    text = (
        "artifacts:\n  a:\n    source:\n      type: sqlite\n      properties:\n"
        "        path: x.db\n        |\n"
    )
    offered = editor.completions("properties.yaml", text)
    assert {"tables", "max_rows"} <= offered
    assert "max_file_size" not in offered


def test_keys_are_offered_where_they_belong(editor: Editor) -> None:
    offered = editor.completions("keys.yaml", "artifacts:\n  a:\n    inputs: b\n    |\n")
    assert {"process", "when", "output"} <= offered
