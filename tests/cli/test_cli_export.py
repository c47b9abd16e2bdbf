"""`--export` and `wct export`: what is written, where, and what happens if it cannot be."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from wct_process import Place, Wct

FINDS = """
  files: {source: {type: filesystem, properties: {path: data}}}
  found: {inputs: files, process: {type: personal_data}}
"""
LOCAL = """
from pydantic import BaseModel

class Options(BaseModel):
    size: int = 1

class Lines:
    \"\"\"Lines.\"\"\"
    name, version, file_name, Config = "lines", "1", "waivern.lines", Options

    def export(self, run, config, out):
        out.write(b"x" * config.size)
        if config.size == 7:
            raise ValueError("seven")
        return [f"{config.size} of 9 are written"]

exporter = Lines()
"""


@pytest.fixture
def scan(place: Place) -> str:
    (place.path / "data").mkdir()
    (place.path / "data/a.txt").write_text("mail anna.berg@firma.de\n")
    return place.runbook("scan.yaml", FINDS)


@pytest.fixture
def lines(place: Place) -> None:
    (place.path / "waivern.yaml").write_text("component_paths: [parts]\n")
    (place.path / "parts").mkdir()
    (place.path / "parts/lines.py").write_text(LOCAL)


def exported(place: Place) -> list[dict[str, Any]]:
    log = (place.path / ".waivern/access.jsonl").read_text().splitlines()
    return [json.loads(line)["event"] for line in log]


class TestWhereItGoes:
    def test_a_run_exports_when_it_has_ended(self, place: Place, wct: Wct, scan: str) -> None:
        done = wct("run", scan, "--run-id", "r1", "--export", "json", "--export", "json=out/a.json")
        assert done.code == 0
        for name in ("waivern.json", "out/a.json"):
            path = place.path / name
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert json.loads(path.read_text())["run"]["run_id"] == "r1"
            assert f"exported json: {name}, " in done.err
        assert [each.name for each in (place.path / "out").iterdir()] == ["a.json"]
        first, second = exported(place)
        assert (first["format"], first["run_id"]) == ("json", "r1")
        assert Path(second["item"]).samefile(place.path / "out/a.json")
        data = (place.path / "out/a.json").read_bytes()
        assert second["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"

    def test_stdout(self, place: Place, wct: Wct, scan: str) -> None:
        done = wct("run", scan, "--run-id", "r1", "--export", "json=-")
        assert json.loads(done.out)["run"]["run_id"] == "r1"
        assert "COMPLETED" in done.err
        assert json.loads(wct("export", "@last", "--export", "json=-").out)
        assert wct("export", "@last", "--export", "json=-", "--json").code == 2

    def test_for_programs(self, place: Place, wct: Wct, scan: str) -> None:
        (one,) = wct("run", scan, "--json", "--export", "json").data("run")["exports"]
        assert (one["format"], one["error"]) == ("json", None)
        (two,) = wct("export", "@last", "--json", "--export", "json").data("export")["exports"]
        assert two["path"].endswith("/waivern.json")
        assert two["size"] == (place.path / "waivern.json").stat().st_size

    def test_a_redaction_names_it(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan, "--run-id", "r1", "--export", "json", "--export", "json=b.json")
        (place.path / "b.json").unlink()
        done = wct("runs", "redact", "r1", "--yes")
        assert "waivern.json" in done.out + done.err
        assert "b.json" not in done.out + done.err
        assert wct("export", "r1", "--export", "json=-").code == 0

    def test_an_altered_access_log_hinders_no_redaction(
        self, place: Place, wct: Wct, scan: str
    ) -> None:
        wct("run", scan, "--run-id", "r1", "--export", "json", "--export", "csv")
        log = place.path / ".waivern/access.jsonl"
        log.write_text(log.read_text().replace("waivern.json", "waivern.jsom"))
        done = wct("runs", "redact", "r1", "--yes")
        assert done.code == 0
        assert "exports of run r1, if there are any" in done.out + done.err

    def test_a_failed_run(self, place: Place, wct: Wct) -> None:
        book = place.runbook(
            "bad.yaml", "  a: {source: {type: command, properties: {argv: ['false']}}}"
        )
        assert wct("run", book, "--export", "json").code == 1
        assert json.loads((place.path / "waivern.json").read_text())["run"]["status"] == "failed"


class TestMistakes:
    @pytest.mark.parametrize(
        ("words", "code", "text"),
        [
            (["--export", "jsn"], 4, "did you mean 'json'?"),
            (["--export", "json=.waivern/x"], 2, "where runs are stored"),
            (["--export", "json=data"], 2, "is a folder"),
            (["--export", "json="], 2, "has no path"),
            (["--export", "json", "--export", "json"], 2, "two exports go to"),
            (["--export", "json", "--export-option", "json.x=1"], 2, "has no option 'x'"),
            (["--export", "json", "--export-option", "csv.x=1"], 2, "not exported"),
            (["--export", "json", "--export-option", "x"], 2, "FORMAT.NAME=VALUE"),
        ],
    )
    def test_nothing_runs(
        self, place: Place, wct: Wct, scan: str, words: list[str], code: int, text: str
    ) -> None:
        (place.path / ".waivern").mkdir(mode=0o700)
        done = wct("run", scan, *words)
        assert (done.code, text in done.err) == (code, True), done.err
        assert not (place.path / ".waivern/runs.jsonl").exists()
        assert not (place.path / "waivern.json").exists()

    def test_no_format(self, wct: Wct, scan: str) -> None:
        wct("run", scan)
        assert wct("export", "@last").code == 2

    def test_an_extra_is_missing(
        self, place: Place, wct: Wct, scan: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "xlsxwriter", None)
        monkeypatch.delitem(sys.modules, "waivern.exporters.xlsx_workbook", raising=False)
        done = wct("run", scan, "--export", "xlsx")
        assert done.code == 2
        assert "'xlsx' needs the extra 'xlsx' of waivern" in done.err
        assert "pip install 'waivern[xlsx]'" in done.err
        assert not (place.path / ".waivern").exists()

    def test_an_option_does_not_fit(self, wct: Wct, scan: str, lines: None) -> None:
        done = wct("run", scan, "--export", "lines", "--export-option", "lines.size=big")
        assert done.code == 2
        assert "lines.size: Input should be a valid integer" in done.err


class TestAnExporterOfTheProject:
    def test_it_is_used_and_listed(self, place: Place, wct: Wct, scan: str, lines: None) -> None:
        done = wct("run", scan, "--export", "lines", "--export-option", "lines.size=3")
        assert done.code == 0
        assert "lines: 3 of 9 are written" in done.err
        assert (place.path / "waivern.lines").read_text() == "xxx"
        assert "lines" in wct("exporters").out
        assert "size" in wct("exporters", "lines").out

    def test_a_failure_leaves_the_file_before_it(
        self, place: Place, wct: Wct, scan: str, lines: None
    ) -> None:
        (place.path / "waivern.lines").write_text("before")
        seven = ["--export", "lines", "--export-option", "lines.size=7"]
        done = wct("run", scan, *seven, "--export", "json")
        assert done.code == 74
        assert "exporter 'lines' failed: ValueError: seven" in done.err
        assert (place.path / "waivern.lines").read_text() == "before"
        assert (place.path / "waivern.json").exists()
        assert [each.name for each in place.path.iterdir() if "part" in each.name] == ["parts"]
        assert wct("runs", "--status", "completed").out  # the run is what it was

    def test_the_disk_is_full(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan)
        done = wct("export", "@last", "--export", "json=/dev/full")
        assert (done.code, "No space left on device" in done.err) == (74, True)

    def test_a_device_and_a_pipe(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan)
        assert wct("export", "@last", "--export", "bundle=/dev/null").code == 0
        reader, writer = os.pipe()
        path = f"/dev/fd/{writer}"
        assert wct("export", "@last", "--export", f"markdown={path}").code == 0
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            assert file.read().startswith(b"# ")

    def test_what_a_killed_export_left_is_removed(self, place: Place, wct: Wct, scan: str) -> None:
        left = place.path / ".waivern.json.0123.waivern-part"
        left.write_text("half")
        assert wct("run", scan, "--export", "json").code == 0
        assert not left.exists()

    def test_an_export_that_cannot_be_recorded(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan)
        (place.path / ".waivern/access.jsonl").mkdir()
        done = wct("export", "@last", "--export", "json")
        assert (done.code, "is not recorded in the access log" in done.err) == (0, True)


class TestBaseline:
    def test_last_is_the_run_before(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan)
        (place.path / "data/b.txt").write_text("mail otto.maier@firma.de\n")
        done = wct(
            *("run", scan, "--baseline", "@last", "--fail-on", "new", "--export", "jsonl=-", "-q")
        )
        assert done.code == 6
        lines = [json.loads(line) for line in done.out.splitlines()]
        found = {each["item"]: each["outcome"] for each in lines if each["record"] == "finding"}
        assert found == {"a.txt": "unchanged", "b.txt": "new"}

    def test_a_wrong_file_of_reviews_stops_the_run_before_it_begins(
        self, place: Place, wct: Wct, scan: str
    ) -> None:
        (place.path / "reviewed.yaml").write_text("[")
        done = wct("run", scan, "--export", "json", "--reviewed", "reviewed.yaml")
        assert done.code in (2, 3)
        assert not (place.path / ".waivern/runs.jsonl").exists()


def test_no_room_for_the_file(place: Place, wct: Wct, scan: str) -> None:
    wct("run", scan, "--export", "json")
    before = (place.path / "waivern.json").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, limits[1]))
    try:
        done = wct("export", "@last", "--export", "json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.code == 74
    assert "cannot write" in done.err
    assert "File too large; there is no new file" in done.err
    assert (place.path / "waivern.json").read_bytes() == before
    assert not [each for each in place.path.iterdir() if each.name.startswith(".waivern.json")]
