"""Source content that is shown: read from the source, and recorded before it is shown."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from wct_process import Place, Wct

LISTED = "  files: {source: {type: filesystem, properties: {path: data}}}\n"
HELD = "  files: {source: {type: filesystem, properties: {path: data}}, keep: content}\n"


@pytest.fixture
def listed(place: Place) -> str:
    (place.path / "data").mkdir()
    (place.path / "data/a.txt").write_text("first\n")
    (place.path / "data/b.txt").write_text("second \x1b[2J\n")
    return place.runbook("listed.yaml", LISTED)


def log(place: Place) -> Path:
    return place.path / ".waivern/access.jsonl"


def events(place: Place) -> list[dict[str, Any]]:
    return [json.loads(line)["event"] for line in log(place).read_text().splitlines()]


class TestShow:
    def test_an_item_is_read_from_its_source(self, place: Place, wct: Wct, listed: str) -> None:
        wct("run", listed, "--run-id", "r1")
        assert wct("inspect", "r1/files", "--show", "1").out == "first\n"
        assert wct("inspect", "r1/files", "--show", "b.txt").out == "second \x1b[2J\n"
        on_screen = place.on_a_terminal("inspect", "r1/files", "--show", "2").out
        assert "second \\u001b[2J" in on_screen
        shown = [(each["run_id"], each["artifact"], each["item"]) for each in events(place)]
        assert shown == [("r1", "files", "a.txt"), *[("r1", "files", "b.txt")] * 2]
        (first, *_) = events(place)
        assert first["digest"] == "sha256:" + hashlib.sha256(b"first\n").hexdigest()
        assert "@" in first["by"]

    def test_what_has_changed_is_not_shown(self, place: Place, wct: Wct, listed: str) -> None:
        wct("run", listed, "--run-id", "r1")
        (place.path / "data/a.txt").write_text("other\n")
        done = wct("inspect", "r1/files", "--show", "a.txt")
        assert (done.code, done.out) == (1, "")
        assert "'a.txt' is not shown: changed since it was listed" in done.err
        (place.path / "data/a.txt").unlink()
        assert wct("inspect", "r1/files", "--show", "a.txt").code == 1

    def test_what_is_not_listed(self, place: Place, wct: Wct, listed: str) -> None:
        wct("run", listed, "--run-id", "r1")
        assert wct("inspect", "r1/files", "--show", "c.txt").code == 4
        assert wct("inspect", "r1", "--show", "1").code == 2
        wct("run", place.runbook("held.yaml", HELD), "--run-id", "r2")
        done = wct("inspect", "r2/files", "--show", "1")
        assert (done.code, "does not list a source" in done.err) == (2, True)
        assert not log(place).exists()

    def test_nothing_is_shown_that_cannot_be_recorded(
        self, place: Place, wct: Wct, listed: str
    ) -> None:
        wct("run", listed, "--run-id", "r1")
        wct("run", place.runbook("held.yaml", HELD), "--run-id", "r2")
        log(place).mkdir()
        for words in (("r1/files", "--show", "1"), ("r2/files", "--full"), ("r2", "--full")):
            done = wct("inspect", *words)
            assert done.code != 0, words
            assert "first" not in done.out

    def test_a_redacted_list(self, place: Place, wct: Wct, listed: str) -> None:
        wct("run", listed, "--run-id", "r1")
        wct("runs", "redact", "r1/files", "--yes")
        done = wct("inspect", "r1/files", "--show", "1")
        assert done.code == 5
        assert "its content was destroyed on" in done.err


class TestHeldContent:
    def test_showing_it_is_recorded(self, place: Place, wct: Wct, listed: str) -> None:
        wct("run", place.runbook("held.yaml", HELD), "--run-id", "r1")
        wct("inspect", "r1")
        wct("inspect", "r1/files")
        wct("inspect", "r1", "--json")
        assert not log(place).exists()  # facts are no content
        wct("inspect", "r1/files", "--full")
        wct("inspect", "r1/files", "--head", "1")
        wct("inspect", "r1/files", "--full", "--json")
        wct("inspect", "r1", "--full")
        place.on_a_terminal("inspect", "r1/files")
        assert [each["artifact"] for each in events(place)] == ["files"] * 5
        (journaled,) = {each["digest"] for each in events(place)}
        assert journaled in (place.path / ".waivern/runs/r1/_system/events.jsonl").read_text()

    def test_an_outline_shows_no_text_of_it(self, place: Place, wct: Wct, listed: str) -> None:
        (place.path / "steps.py").write_text("def name():\n    return {'name': 'Maria Keller'}\n")
        call = '{source: {type: python, properties: {call: "steps.py:name"}}}'
        wct("run", place.runbook("name.yaml", f"  person: {call}\n"), "--run-id", "r1")
        for done in (place.on_a_terminal("inspect", "r1"), wct("inspect", "r1/person", "--json")):
            assert "Maria" not in done.out
            assert "12 characters" in done.out
        assert not log(place).exists()

    def test_results_are_not(self, place: Place, wct: Wct, listed: str) -> None:
        more = "  found: {inputs: files, process: {type: personal_data}}\n"
        wct("run", place.runbook("scan.yaml", LISTED + more), "--run-id", "r1")
        wct("inspect", "r1/found", "--full")
        wct("inspect", "r1/files", "--full")
        assert not log(place).exists()


class TestLog:
    def test_it_is_listed_and_checked(self, place: Place, wct: Wct, listed: str) -> None:
        assert "nothing was shown" in wct("runs", "access").err
        wct("run", listed, "--run-id", "r1")
        for item in ("a.txt", "b.txt", "a.txt"):
            wct("inspect", "r1/files", "--show", item)
        done = wct("runs", "access")
        assert [row[5] for row in done.rows] == ["a.txt", "b.txt", "a.txt"]
        assert "3 lines, intact" in done.err
        text = log(place).read_text()
        log(place).write_text(text.replace("b.txt", "c.txt"))
        assert wct("runs", "access").code == 9
        log(place).write_text("".join(text.splitlines(keepends=True)[1:]))
        assert wct("runs", "access").code == 9
        log(place).write_text(text.replace('"seq":3', '"seq":4'))
        done = wct("inspect", "r1/files", "--show", "1")
        assert (done.code, done.out) == (9, "")

    def test_a_torn_line_is_cut(self, place: Place, wct: Wct, listed: str) -> None:
        wct("run", listed, "--run-id", "r1")
        wct("inspect", "r1/files", "--show", "1")
        with log(place).open("a") as file:
            file.write('{"seq":2,"syn')
        assert wct("inspect", "r1/files", "--show", "2").code == 0
        assert [row[5] for row in wct("runs", "access").rows] == ["a.txt", "b.txt"]

    def test_writers_at_once(self, place: Place, wct: Wct, listed: str) -> None:
        wct("run", listed, "--run-id", "r1")

        def show(_number: int) -> str:
            return place.wct("inspect", "r1/files", "--show", "1").out

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(show, range(8))) == ["first\n"] * 8
        done = wct("runs", "access")
        assert (done.code, len(done.rows)) == (0, 8)

    def test_only_its_owner_can_read_it(self, place: Place, wct: Wct, listed: str) -> None:
        wct("run", listed, "--run-id", "r1")
        wct("inspect", "r1/files", "--show", "1")
        assert log(place).stat().st_mode & 0o777 == 0o600
