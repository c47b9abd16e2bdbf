"""`wct runs redact`: content and evidence are destroyed, the proof stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wct_process import Place, Wct

CANARY = "quetzal-4711"
"""A word of the source that no file may hold after its redaction."""
MAIL = "maria.keller@quetzal.example"
SCAN = """
  files: {source: {type: filesystem, properties: {path: data}}, keep: content}
  findings: {inputs: files, process: {type: personal_data}}
  sums: {inputs: findings, process: {type: python, properties: {call: "count.py:count"}}}
"""
COUNT = """
from pathlib import Path

def count(inputs):
    if Path("broken").exists():
        raise ValueError("it broke")
    return {"count": len(inputs[0]["findings"])}
"""
LINES = """
def lines(inputs):
    return count([{"findings": inputs[0]["files"]}])
"""
STREAMS = """
def rows():
    for n in range(3000):
        yield {"n": n, "text": "quetzal-4711 " * 3}

def found(inputs):
    for each in inputs[0]["records"]:
        place = {"line": each["n"], "evidence": f"q***{each['n']}"}
        yield {"id": str(each["n"]), "evidence": f"q***{each['n']}", "locations": [place]}
    return {"summary": {"findings": 3000}}
"""
MANY = """
  rows: {source: {type: python, properties: {call: "count.py:rows"}}}
  findings:
    inputs: rows
    process: {type: python, properties: {call: "count.py:found"}}
    output_schema: personal_data_findings
"""


@pytest.fixture
def scan(place: Place) -> str:
    (place.path / "count.py").write_text(COUNT)
    (place.path / "data").mkdir()
    (place.path / "data/mail.txt").write_text(f"{CANARY}\nwrite to {MAIL}\n")
    return place.runbook("scan.yaml", SCAN)


def folder(place: Place, run_id: str) -> Path:
    return place.path / ".waivern/runs" / run_id


def events(place: Place, run_id: str, kind: str = "artifact_redacted") -> list[dict[str, Any]]:
    lines = (folder(place, run_id) / "_system/events.jsonl").read_text().splitlines()
    found = [json.loads(line)["event"] for line in lines]
    return [event for event in found if event["type"] == kind]


def document(place: Place, run_id: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder(place, run_id) / f"{name}.json").read_text())
    return found


def files_with(place: Place, text: str, run_id: str) -> list[str]:
    there = folder(place, run_id).rglob("*")
    return [path.name for path in there if path.is_file() and text.encode() in path.read_bytes()]


class TestRedaction:
    def test_it_destroys_content_and_evidence_and_leaves_the_proof(
        self, place: Place, wct: Wct, scan: str
    ) -> None:
        assert wct("run", scan, "--run-id", "r1").code == 0
        before = {name: document(place, "r1", name) for name in ("files", "findings", "sums")}
        sizes = {name: (folder(place, "r1") / f"{name}.json").stat().st_size for name in before}
        assert files_with(place, CANARY, "r1") == ["files.json"]
        done = wct("runs", "redact", "r1", "--reason", "request 17", "--yes")
        assert done.code == 0, done.err
        assert [row[:3] for row in done.rows] == [
            ["redacted r1", "files", "content"],
            ["redacted r1", "findings", "evidence"],
        ]
        assert "not redacted r1/sums: it is derived; name it to destroy its content" in done.err
        assert files_with(place, CANARY, "r1") == []
        # the findings stay what they were, but for their evidence
        (was,), (now,) = (
            each["content"]["findings"]
            for each in (before["findings"], document(place, "r1", "findings"))
        )
        assert now["evidence"] == "[redacted]" != was["evidence"]
        assert now["canonical"] == "[redacted]" != was["canonical"]
        masks = {"evidence": "", "canonical": ""}
        assert {**now, **masks} == {**was, **masks}
        assert document(place, "r1", "sums") == before["sums"]
        # the journal has who, when and why, and what it was
        first, second = events(place, "r1")
        completed = {each["artifact"]: each for each in events(place, "r1", "artifact_completed")}
        assert (first["artifact"], first["destroyed"]) == ("files", "content")
        assert (second["artifact"], second["destroyed"]) == ("findings", "evidence")
        assert first["reason"] == "request 17"
        assert "@" in first["by"]
        assert first["before"] == {
            "size": sizes["files"],
            "digest": completed["files"]["digest"],
            "content_digest": completed["files"]["content_digest"],
        }
        left = document(place, "r1", "files")
        assert left["content"]["redacted"]["reason"] == "request 17"
        assert left["extensions"]["coverage"]["read"] == 1

    def test_everything_says_so(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan, "--run-id", "r1")
        (held,) = wct("runs", "--json").data("runs")
        assert list(held["holds"]) == ["files"]
        assert held["holds"]["files"] == (folder(place, "r1") / "files.json").stat().st_size
        wct("runs", "redact", "r1", "--yes")
        (row,) = wct("runs", "--json").data("runs")
        assert row["holds"] == {}
        assert list(row["redacted"]) == ["files", "findings"]
        assert row["artifacts"]["completed"] == 3
        verified = wct("runs", "verify", "r1")
        assert verified.code == 0
        assert "intact" in verified.out
        assert "redacted  files: its content was destroyed on" in verified.out
        (facts,) = wct("runs", "verify", "r1", "--json").data("verify")
        assert (facts["ok"], list(facts["redacted"])) == (True, ["files", "findings"])
        shown = wct("inspect", "r1/files")
        assert shown.code == 0
        assert "redacted\tits content was destroyed on" in shown.out
        assert "redacted" in place.on_a_terminal("inspect", "r1").out
        assert wct("runs", "resume", "r1").code == 0
        assert "NOTHING TO DO" in wct("runs", "resume", "r1").out

    def test_nothing_is_redacted_that_was_not_confirmed(
        self, place: Place, wct: Wct, scan: str
    ) -> None:
        wct("run", scan, "--run-id", "r1")
        done = wct("runs", "redact", "r1")
        assert done.code == 5
        assert done.rows[0][:2] == ["would redact r1", "files"]
        assert "--yes is missing" in done.err
        asked = place.on_a_terminal("runs", "redact", "r1", answer="n\n")
        assert "Redact 2 artifacts" in asked.out
        assert "scan.yaml" in asked.out
        assert files_with(place, CANARY, "r1") == ["files.json"]
        agreed = place.on_a_terminal("runs", "redact", "r1", answer="y\n")
        assert agreed.code == 0
        assert files_with(place, CANARY, "r1") == []

    def test_once_is_enough(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan, "--run-id", "r1")
        wct("runs", "redact", "r1", "--yes")
        again = wct("runs", "redact", "r1", "--yes", "--json")
        assert again.code == 0
        assert again.data("redact")["redacted"] == []
        assert len(events(place, "r1")) == 2

    def test_an_artifact_that_is_named(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan, "--run-id", "r1")
        assert wct("runs", "redact", "r1/sums", "--yes").code == 0
        assert "redacted" in document(place, "r1", "sums")["content"]
        assert files_with(place, CANARY, "r1") == ["files.json"]
        assert wct("runs", "verify", "r1").code == 0
        assert wct("runs", "redact", "r1/nothing", "--yes").code == 4

    def test_a_pinned_run_and_a_running_one_are_refused(
        self, place: Place, wct: Wct, scan: str
    ) -> None:
        wct("run", scan, "--run-id", "r1")
        wct("runs", "pin", "r1")
        done = wct("runs", "redact", "r1", "--yes")
        assert (done.code, files_with(place, CANARY, "r1")) == (5, ["files.json"])
        assert "it is pinned" in done.err
        assert "wct runs unpin" in done.err
        meeting = place.meeting()
        process = place.start("run", meeting.runbook, "--run-id", "r2")
        meeting.wait()
        done = wct("runs", "redact", "r2", "--yes")
        assert done.code == 5
        assert "it is running" in done.err
        meeting.let_go()
        assert place.ended(process).code == 0

    def test_a_list_of_a_source_is_left_unless_it_is_named(
        self, place: Place, wct: Wct, scan: str
    ) -> None:
        listed = place.runbook("listed.yaml", SCAN.replace(", keep: content", ""))
        wct("run", listed, "--run-id", "r1")
        done = wct("runs", "redact", "r1", "--yes")
        assert "not redacted r1/files: it lists a source" in done.err
        assert files_with(place, "mail.txt", "r1") != []
        assert wct("runs", "redact", "r1/files", "--yes").code == 0
        assert "mail.txt" not in (folder(place, "r1") / "files.json").read_text()

    def test_record_streams(self, place: Place, wct: Wct, scan: str) -> None:
        (place.path / "count.py").write_text(STREAMS)
        assert wct("run", place.runbook("many.yaml", MANY), "--run-id", "r1").code == 0
        assert files_with(place, CANARY, "r1") == ["rows.jsonl"]
        size = sum(path.stat().st_size for path in folder(place, "r1").glob("rows.*"))
        (row,) = wct("runs", "--json").data("runs")
        assert row["holds"] == {"rows": size}
        lines = (folder(place, "r1") / "findings.jsonl").read_text().splitlines()
        assert wct("runs", "redact", "r1", "--yes").code == 0
        assert files_with(place, CANARY, "r1") == files_with(place, "q***", "r1") == []
        assert not (folder(place, "r1") / "rows.jsonl").exists()
        left = (folder(place, "r1") / "findings.jsonl").read_text().splitlines()
        assert len(left) == len(lines)
        place_ = {"line": 7, "evidence": "[redacted]"}
        assert json.loads(left[7]) == {"id": "7", "evidence": "[redacted]", "locations": [place_]}
        verified = wct("runs", "verify", "r1")
        assert verified.code == 0, verified.out

    def test_an_altered_artifact_does_not_become_a_good_one(
        self, place: Place, wct: Wct, scan: str
    ) -> None:
        wct("run", scan, "--run-id", "r1")
        altered = folder(place, "r1") / "findings.json"
        altered.write_text(altered.read_text().replace('"email', '"e-mail'))
        assert wct("runs", "redact", "r1", "--yes").code == 0
        verified = wct("runs", "verify", "r1")
        assert verified.code == 9
        assert "findings.json: was altered before it was redacted" in verified.out

    def test_leftovers_of_a_crash_are_swept(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan, "--run-id", "r1")
        left = folder(place, "r1") / ".tmp-1"
        left.write_text(CANARY)
        wct("runs", "redact", "r1", "--yes")
        assert files_with(place, CANARY, "r1") == []

    def test_a_run_that_was_killed_stays_resumable(self, place: Place, wct: Wct, scan: str) -> None:
        meeting = place.meeting()
        process = place.start("run", meeting.runbook, "--run-id", "r1")
        meeting.wait()
        while not events(place, "r1", "artifact_completed"):
            assert process.poll() is None
        process.kill()
        place.ended(process)
        assert wct("runs", "redact", "r1", "--yes").code == 0
        assert [event["artifact"] for event in events(place, "r1")] == ["first"]
        (row,) = wct("runs", "--json").data("runs")
        assert (row["status"], row["holds"]) == ("interrupted", {})
        assert wct("runs", "verify", "r1").code == 0
        resumed = place.start("runs", "resume", "r1")
        meeting.wait()
        meeting.let_go()
        done = place.ended(resumed)
        # its last artifact must read the first one, which cannot be read again
        assert done.code == 1
        assert "'first' of run r1 was redacted on" in done.out + done.err


class TestCopies:
    REUSE = "  again: {reuse: {from_run: r1, artifact: files}}\n"
    THIRD = "  third: {reuse: {from_run: r2, artifact: again}}\n"

    def test_copies_in_the_store_follow(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan, "--run-id", "r1")
        wct("run", place.runbook("two.yaml", self.REUSE), "--run-id", "r2")
        wct("run", place.runbook("three.yaml", self.THIRD), "--run-id", "r3")
        wct("run", scan, "--run-id", "r4")  # from the cache
        assert all(files_with(place, CANARY, run) for run in ("r1", "r2", "r3", "r4"))
        done = wct("runs", "redact", "r1", "--yes", "--reason", "why")
        assert done.code == 0, done.err
        assert not any(files_with(place, CANARY, run) for run in ("r1", "r2", "r3", "r4"))
        (event,) = events(place, "r3")
        assert event["copy_of"] == {"run": "r2", "artifact": "again"}
        assert event["reason"] == "why"
        assert wct("runs", "verify", "--all").code == 0

    def test_a_copy_that_may_not_be_touched_is_named(
        self, place: Place, wct: Wct, scan: str
    ) -> None:
        wct("run", scan, "--run-id", "r1")
        wct("run", place.runbook("two.yaml", self.REUSE), "--run-id", "r2")
        wct("runs", "pin", "r2")
        done = wct("runs", "redact", "r1", "--yes")
        assert done.code == 5
        assert "r2/again is not redacted: it is pinned" in done.err
        assert not files_with(place, CANARY, "r1")
        # once that is over, the same command completes it
        wct("runs", "unpin", "r2")
        assert wct("runs", "redact", "r1", "--yes").code == 0
        assert not files_with(place, CANARY, "r2")

    def test_the_original_of_a_copy_is_named(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan, "--run-id", "r1")
        wct("run", place.runbook("two.yaml", self.REUSE), "--run-id", "r2")
        done = wct("runs", "redact", "r2", "--yes")
        assert "not redacted r1/files: 'again' is a copy of it" in done.err
        assert files_with(place, CANARY, "r1")

    def test_the_cache_restores_nothing_that_was_redacted(
        self, place: Place, wct: Wct, scan: str
    ) -> None:
        wct("run", scan, "--run-id", "r1")
        wct("runs", "redact", "r1", "--yes")
        again = wct("run", scan, "--run-id", "r2")
        assert again.code == 0
        how = {each["artifact"]: each["how"] for each in events(place, "r2", "artifact_completed")}
        assert how["files"] == how["findings"] == "produced"
        (found,) = document(place, "r2", "findings")["content"]["findings"]
        assert found["evidence"] != "[redacted]"

    def test_results_that_were_taken_item_by_item_follow(
        self, place: Place, wct: Wct, scan: str
    ) -> None:
        (place.path / "data/other.txt").write_text(f"write to other.{MAIL}\n")
        listed = place.runbook("listed.yaml", SCAN.replace(", keep: content", ""))
        wct("run", listed, "--run-id", "r1")
        (place.path / "data/other.txt").write_text(f"write to another.{MAIL}\n")
        wct("run", listed, "--run-id", "r2")
        # by age, each run is redacted for itself: its source was looked at again
        wct("runs", "pin", "r2")
        wct("runs", "prune", "--content", "0s", "--yes")
        assert [each["artifact"] for each in events(place, "r1")] == ["findings"]
        assert events(place, "r2") == []
        wct("runs", "unpin", "r2")
        assert wct("runs", "redact", "r1", "--yes").code == 0
        (event,) = events(place, "r2")
        assert event["copy_of"] == {"run": "r1", "artifact": "findings"}

    def test_a_delivered_copy_is_listed(self, place: Place, wct: Wct, scan: str) -> None:
        text = SCAN.replace("keep: content}", "keep: content, output: true}")
        wct("run", place.runbook("out.yaml", text), "--run-id", "r1", "-o", "out")
        done = wct("runs", "redact", "r1", "--yes")
        path = place.path / "out/files.json"
        assert f"not redacted {path}: it is outside the store; remove it by hand" in done.err
        assert CANARY in path.read_text()
        assert wct("runs", "redact", "r1", "--yes", "--json").data("redact")["outside"] == [
            str(path)
        ]


class TestUse:
    def test_it_cannot_be_reused(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan, "--run-id", "r1")
        wct("runs", "redact", "r1", "--yes", "--reason", "why")
        done = wct("run", place.runbook("two.yaml", TestCopies.REUSE))
        assert done.code == 3
        assert "artifact 'files' of run r1 is redacted: its content was destroyed on" in done.err
        assert "run its runbook again and reuse that run" in done.err

    def test_a_reference_does_not_pass_over_it(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan, "--run-id", "r1")
        wct("run", scan, "--run-id", "r2", "--no-cache")
        wct("runs", "redact", "r2", "--yes")
        text = TestCopies.REUSE.replace("r1", "scan@last")
        done = wct("run", place.runbook("two.yaml", text))
        assert (done.code, "of run r2 is redacted" in done.err) == (3, True)

    def test_what_must_read_it_says_what_to_do(self, place: Place, wct: Wct, scan: str) -> None:
        (place.path / "broken").touch()
        assert wct("run", scan, "--run-id", "r1").code == 1
        wct("runs", "redact", "r1/findings", "--yes")
        (place.path / "broken").unlink()
        done = wct("runs", "resume", "r1")
        assert done.code == 1
        assert "'findings' of run r1 was redacted on" in done.err + done.out
        assert "a new run of its runbook produces it again" in wct("inspect", "r1/sums").out
        assert wct("runs", "resume", "r1", "--refresh", "findings").code == 0
        assert wct("runs", "verify", "r1").code == 0

    def test_a_source_is_read_again_if_it_is_needed(
        self, place: Place, wct: Wct, scan: str
    ) -> None:
        text = SCAN + (
            "  lines: {inputs: files, process: {type: python, properties: "
            '{call: "count.py:lines"}}}\n'
        )
        (place.path / "count.py").write_text(COUNT + LINES)
        (place.path / "broken").touch()
        assert wct("run", place.runbook("lines.yaml", text), "--run-id", "r1").code == 1
        wct("runs", "redact", "r1/files", "--yes")
        (place.path / "broken").unlink()
        done = wct("runs", "resume", "r1")
        assert done.code == 0, done.err
        # what was produced from it before stays: the source is what it was
        again = [each["artifact"] for each in events(place, "r1", "artifact_completed")]
        assert again.count("findings") == 1
        assert again.count("files") == 2

    def test_a_gate_asks_anew(self, place: Place, wct: Wct, scan: str) -> None:
        text = SCAN + '  ok: {gate: {question: "Is it well?", show: [findings]}}\n'
        assert wct("run", place.runbook("gate.yaml", text), "--run-id", "r1").code == 7
        assert wct("runs", "redact", "r1", "--yes").code == 0
        refused = wct("runs", "approve", "r1/ok", "--by", "ann")
        assert refused.code == 5
        assert "was redacted since the question was asked" in refused.err
        assert wct("runs", "resume", "r1").code == 7
        assert wct("runs", "approve", "r1/ok", "--by", "ann").code == 0

    def test_a_replay_is_compared_with_what_was_recorded(
        self, place: Place, wct: Wct, scan: str
    ) -> None:
        wct("run", scan, "--run-id", "r1")
        wct("runs", "redact", "r1", "--yes")
        done = wct("runs", "replay", "r1", "--compare", "--run-id", "r2")
        assert done.code == 0, done.err
        assert "3 of 3 artifacts equal" in done.out
        assert "files     equal  (redacted in r1)" in done.out
        assert files_with(place, CANARY, "r2") == ["files.json"]


class TestRetention:
    def test_old_runs_are_redacted(self, place: Place, wct: Wct, scan: str) -> None:
        (place.path / "waivern.yaml").write_text("retention: {content: 0s}\n")
        wct("run", scan, "--run-id", "r1")
        wct("run", scan, "--run-id", "r2")
        wct("runs", "pin", "r2")
        done = wct("runs", "prune")
        assert done.code == 0, done.err
        assert [row[:2] for row in done.rows] == [
            ["would redact r1", "files"],
            ["would redact r1", "findings"],
        ]
        assert "not redacted r2: it is pinned" in done.err
        assert files_with(place, CANARY, "r1") == ["files.json"]
        done = wct("runs", "prune", "--yes")
        assert done.code == 0, done.err
        assert files_with(place, CANARY, "r1") == []
        assert files_with(place, CANARY, "r2") == ["files.json"]
        assert events(place, "r1")[0]["reason"] == "retention.content"
        assert wct("runs", "prune", "--yes").rows == []

    def test_young_runs_stay(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan, "--run-id", "r1")
        assert wct("runs", "prune", "--content", "1d", "--yes").rows == []
        assert files_with(place, CANARY, "r1") == ["files.json"]
        assert wct("runs", "prune", "--content", "soon").code == 2

    def test_with_a_policy_for_whole_runs(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan, "--run-id", "r1")
        wct("run", scan, "--run-id", "r2")
        done = wct("runs", "prune", "--keep-last", "1", "--content", "0s", "--yes", "--json")
        document = done.data("prune")
        assert document["removed"] == ["r1"]
        assert [each["run_id"] for each in document["redacted"]] == ["r2", "r2"]

    def test_a_redaction_prolongs_nothing(self, place: Place, wct: Wct, scan: str) -> None:
        wct("run", scan, "--run-id", "r1")
        (before,) = wct("runs", "--json").data("runs")
        wct("runs", "redact", "r1", "--yes")
        (after,) = wct("runs", "--json").data("runs")
        assert after["updated_at"] == before["updated_at"]
