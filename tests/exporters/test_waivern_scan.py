"""The format `waivern`: bodies within the contract of the scan ingest of Waivern Govern."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from bundle_kit import CANARY, Bench
from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

RUNBOOK = """\
name: people
artifacts:
  files: {source: {type: filesystem, properties: {path: data}}}
  found: {inputs: files, process: {type: personal_data}}
"""


def text(most: int, least: int = 0) -> Any:
    return Annotated[str, StringConstraints(min_length=least, max_length=most)]


class Finding(BaseModel):
    """A finding as the contract has it: names, kinds and lengths."""

    model_config = ConfigDict(extra="forbid", strict=True)
    externalRef: text(200, 1)  # type: ignore[valid-type]
    category: text(500, 1)  # type: ignore[valid-type]
    severity: Literal["info", "low", "medium", "high"]
    title: text(500, 1)  # type: ignore[valid-type]
    detail: text(20_000)  # type: ignore[valid-type]
    url: text(2_000)  # type: ignore[valid-type]
    advisory: dict[str, Any]


class Body(BaseModel):
    """A request as the contract has it."""

    model_config = ConfigDict(extra="forbid")
    entity: text(200) | None = None  # type: ignore[valid-type]
    scanRef: text(500, 1)  # type: ignore[valid-type]
    scannedAt: AwareDatetime
    attachTo: text(100) | None = None  # type: ignore[valid-type]
    summary: dict[str, Any]
    findings: list[Finding]


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = Bench(tmp_path_factory.mktemp("scan"))
    made.write("people.yaml", RUNBOOK)
    made.write("data/a.txt", f"mail {CANARY}\n")
    made.write("data/b.bin", "\0\1\2")
    return made


def bodies(bench: Bench, *options: str) -> list[Body]:
    words = [word for option in options for word in ("--export-option", f"waivern.{option}")]
    bench.wct("export", "@last", "--export", "waivern=out.jsonl", *words)
    lines = (bench.folder / "out.jsonl").read_bytes().splitlines()
    assert all(len(line) < 2_000_000 for line in lines)
    return [Body.model_validate_json(line) for line in lines]


def test_a_scan_is_one_request(bench: Bench) -> None:
    bench.wct("run", "people.yaml", "--run-id", "r1")
    [body] = bodies(bench, "entity=Firma GmbH", "attach_to=DPIA-2026-0001")
    assert (body.scanRef, body.entity, body.attachTo) == ("r1", "Firma GmbH", "DPIA-2026-0001")
    [finding] = body.findings
    assert finding.title == "EMAIL_ADDRESS in a.txt"
    assert finding.externalRef.startswith("r1:")
    assert finding.url == "a.txt"
    assert CANARY not in (bench.folder / "out.jsonl").read_text()


def test_it_says_what_was_not_examined(bench: Bench) -> None:
    bench.wct("run", "people.yaml", "--run-id", "r1")
    [body] = bodies(bench)
    coverage = body.summary["coverage"]
    assert coverage["sources"][0]["reasons"] == {"binary": 1}
    assert coverage["summary"] == "examined 1 of 2 files"


def test_it_says_what_is_new_and_what_people_accepted(bench: Bench) -> None:
    bench.wct("run", "people.yaml", "--run-id", "r1")
    [known] = [finding for body in bodies(bench) for finding in body.findings]
    words = ("--reason", "own staff", "--by", "ann", "--until", "2099-01-31")
    bench.wct("findings", "accept", known.externalRef.partition(":")[2], *words)
    bench.write("data/c.txt", "mail anna.berg@firma.de\n")
    bench.wct("run", "people.yaml", "--run-id", "r2")
    bench.wct("export", "r2", "--baseline", "r1", "--export", "waivern=new.jsonl")
    body = Body.model_validate_json((bench.folder / "new.jsonl").read_bytes())
    found = {finding.url: finding.advisory for finding in body.findings}
    assert found["a.txt"]["sinceBaseline"] == "unchanged"
    assert found["a.txt"]["review"]["owner"] == "ann"
    assert (found["c.txt"]["sinceBaseline"], found["c.txt"]["review"]) == ("new", None)


def test_more_findings_than_a_request_may_have(bench: Bench) -> None:
    bench.write("all.yaml", RUNBOOK.replace("process: {type: personal_data}", MANY))
    bench.write("many.py", "def many(inputs):\n    return " + FINDINGS)
    bench.wct("run", "all.yaml", "--run-id", "many")
    found = bodies(bench)
    assert [body.scanRef for body in found] == ["many", "many-2", "many-3"]
    assert [len(body.findings) for body in found] == [1000, 1000, 100]
    assert len({each.externalRef for body in found for each in body.findings}) == 2100


MANY = 'process: {type: python, properties: {call: "many.py:many"}}, output_schema: many_findings'
FINDINGS = '{"findings": [{"id": f"{n:032x}", "type": "EMAIL"} for n in range(2100)]}'
