"""The format `rocrate`, read by the library of RO-Crate; `tests/servers/run` has its validator."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from bundle_kit import CANARY, RUNBOOK, Bench, members
from rocrate.rocrate import ROCrate


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = Bench(tmp_path_factory.mktemp("crate"))
    made.write("audit.yaml", "\n".join(RUNBOOK.splitlines()[:6]) + FAILS)
    made.write("data/a.txt", f"mail {CANARY}\n")
    made.write("data/b.bin", "\0\1\2")
    made.wct("run", "audit.yaml", "--run-id", "r1", code=None)
    made.wct("export", "r1", "--export", "rocrate=crate.zip")
    return made


FAILS = """
  broken:
    optional: true
    source: {type: command, properties: {argv: ["false"]}}
"""


def graph(bench: Bench) -> dict[str, dict[str, Any]]:
    document = json.loads(members(bench.folder / "crate.zip")["ro-crate-metadata.json"])
    return {entity["@id"]: entity for entity in document["@graph"]}


def test_the_library_reads_it(bench: Bench, tmp_path: Path) -> None:
    crate = ROCrate(str(bench.folder / "crate.zip"))
    assert crate.mainEntity.id == "runbook.yaml"
    assert "ComputationalWorkflow" in crate.mainEntity.type
    files = {entity.id for entity in crate.data_entities}
    assert files == {"runbook.yaml", "coverage.json", "artifacts/found.json"}
    crate.write(str(tmp_path / "again"))
    assert (tmp_path / "again/runbook.yaml").read_bytes() == (
        bench.folder / "audit.yaml"
    ).read_bytes()


def test_every_reference_leads_to_an_entity(bench: Bench) -> None:
    entities = graph(bench)

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [value["@id"]] if set(value) == {"@id"} else []
        return (
            [each for one in value for each in references(one)] if isinstance(value, list) else []
        )

    for entity in entities.values():
        for value in entity.values():
            for reference in references(value):
                known = reference in entities or reference == "https://w3id.org/ro/crate/1.1"
                assert known, reference


def test_each_artifact_has_the_action_that_produced_it(bench: Bench) -> None:
    entities = graph(bench)
    found = entities["#action/found"]
    assert found["instrument"] == {"@id": "#tool/processor:personal_data"}
    assert found["object"] == {"@id": "#artifact/files"}
    assert found["result"] == {"@id": "artifacts/found.json"}
    assert found["startTime"] < found["endTime"]
    failed = entities["#action/broken"]
    assert failed["actionStatus"].endswith("FailedActionStatus")
    assert "false" in failed["error"]
    files = entities["#artifact/files"]
    stored = (bench.folder / ".waivern/runs/r1/files.json").read_bytes()
    assert files["value"] == hashlib.sha256(stored).hexdigest()


def test_digests_fit_the_files(bench: Bench) -> None:
    entities = graph(bench)
    for name, data in members(bench.folder / "crate.zip").items():
        if name != "ro-crate-metadata.json":
            assert entities[name]["sha256"] == hashlib.sha256(data).hexdigest(), name


def test_it_says_what_was_not_examined(bench: Bench) -> None:
    assert "What was not examined is in coverage.json" in graph(bench)["./"]["description"]
    coverage = json.loads(members(bench.folder / "crate.zip")["coverage.json"])
    by_source = {source["source"]: source for source in coverage["sources"]}
    assert by_source["files"]["reasons"] == {"binary": 1}


def test_no_value_of_the_source_is_in_it_and_it_is_always_the_same(bench: Bench) -> None:
    data = (bench.folder / "crate.zip").read_bytes()
    assert CANARY.encode() not in data
    done = bench.wct("export", "r1", "--export", "rocrate=again.zip")
    assert (bench.folder / "again.zip").read_bytes() == data
    assert "bare is not in it: its values are not masked" in done.err
