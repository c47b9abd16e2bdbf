"""The format `openlineage`, read by the classes of OpenLineage's own client."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sqlite3
from typing import Any

import pytest
from bundle_kit import CANARY, Bench
from openlineage.client import event_v2, generated

RUNBOOK = """\
name: people
artifacts:
  files: {source: {type: filesystem, properties: {path: data}}}
  rows: {source: {type: sqlite, properties: {path: people.db}}}
  in_files: {inputs: files, process: {type: personal_data}}
  in_rows: {inputs: rows, process: {type: personal_data}}
  broken:
    optional: true
    source: {type: command, properties: {argv: ["false"]}}
"""
FACETS: dict[str, Any] = {
    name: kind
    for module in pkgutil.iter_modules(generated.__path__)
    for name, kind in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).items()
    if isinstance(kind, type)
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = Bench(tmp_path_factory.mktemp("lineage"))
    made.write("people.yaml", RUNBOOK)
    made.write("data/a.txt", f"mail {CANARY}\n")
    made.write("data/b.bin", "\0\1\2")
    with sqlite3.connect(made.folder / "people.db") as database:
        database.execute("create table person (id integer, mail text)")
        database.execute("insert into person values (1, 'anna.berg@firma.de')")
    database.close()
    made.wct("run", "people.yaml", "--run-id", "r1", code=None)
    return made


def events(bench: Bench) -> list[dict[str, Any]]:
    bench.wct("export", "r1", "--export", "openlineage=out.jsonl")
    return [json.loads(line) for line in (bench.folder / "out.jsonl").read_text().splitlines()]


def named(events: list[dict[str, Any]], name: str, kind: str) -> dict[str, Any]:
    [found] = [e for e in events if e["job"]["name"] == name and e["eventType"] == kind]
    return found


def read_facets(facets: dict[str, Any]) -> dict[str, Any]:
    """Build the client's class of each facet; it checks names, types and the schema's address."""
    built = {}
    for key, facet in facets.items():
        values = {name: value for name, value in facet.items() if not name.startswith("_")}
        if key == "waivern_coverage":
            assert facet["_schemaURL"].startswith("urn:waivern:")
            continue
        kind = FACETS[facet["_schemaURL"].rpartition("/")[2]]
        if "tags" in values:
            values["tags"] = [FACETS["TagsDatasetFacetFields"](**tag) for tag in values["tags"]]
        if "fields" in values:
            made = FACETS["SchemaDatasetFacetFields"]
            values["fields"] = [made(**field) for field in values["fields"]]
        assert facet["_schemaURL"] == kind._get_schema()
        built[key] = kind(**values)
    return built


def test_the_client_reads_every_event(bench: Bench) -> None:
    found = events(bench)
    assert len(found) == 12
    for event in found:
        run = event_v2.Run(event["run"]["runId"], read_facets(event["run"]["facets"]))
        job = event["job"]
        datasets: dict[str, list[Any]] = {}
        for key, kind in (("inputs", "InputDataset"), ("outputs", "OutputDataset")):
            more = f"{key[:-1]}Facets"
            datasets[key] = [
                getattr(event_v2, kind)(
                    each["namespace"],
                    each["name"],
                    facets=read_facets(each["facets"]),
                    **{more: read_facets(each.get(more, {}))},
                )
                for each in event[key]
            ]
        read = event_v2.RunEvent(
            eventType=event_v2.RunState[event["eventType"]],
            eventTime=event["eventTime"],
            run=run,
            job=event_v2.Job(job["namespace"], job["name"], read_facets(job["facets"])),
            producer=event["producer"],
            **datasets,
        )
        assert event["schemaURL"] == read.schemaURL


def test_each_artifact_is_a_run_of_its_parent(bench: Bench) -> None:
    found = events(bench)
    assert [found[0]["eventType"], found[-1]["eventType"]] == ["START", "COMPLETE"]
    parent = found[0]["run"]["runId"]
    for event in found[1:-1]:
        assert event["run"]["facets"]["parent"]["run"]["runId"] == parent
    completed = named(found, "people.in_files", "COMPLETE")
    started = named(found, "people.in_files", "START")
    assert completed["run"]["runId"] == started["run"]["runId"] != parent
    [source], [output] = completed["inputs"], completed["outputs"]
    assert (source["name"], output["name"]) == ("people.files", "people.in_files")
    failed = named(found, "people.broken", "FAIL")
    assert "false" in failed["run"]["facets"]["errorMessage"]["message"]


def test_columns_carry_what_was_found_in_them(bench: Bench) -> None:
    found = events(bench)
    [table] = named(found, "people.rows", "COMPLETE")["inputs"]
    assert table["namespace"] == "file"
    assert table["name"] == f"{bench.folder / 'people.db'}#person"
    assert table["facets"]["schema"]["fields"][1] == {"name": "mail", "type": "TEXT"}
    tags = table["facets"]["tags"]["tags"]
    assert {
        "key": "personal_data",
        "value": "EMAIL_ADDRESS",
        "source": "WAIVERN",
        "field": "mail",
    } in tags
    assert table["inputFacets"]["inputStatistics"]["rowCount"] == 1
    [folder] = named(found, "people.files", "COMPLETE")["inputs"]
    assert folder["facets"]["tags"]["tags"][0]["value"] == "EMAIL_ADDRESS"
    assert folder["inputFacets"]["inputStatistics"]["fileCount"] == 1


def test_the_last_event_says_what_was_not_examined(bench: Bench) -> None:
    coverage = events(bench)[-1]["run"]["facets"]["waivern_coverage"]
    by_source = {source["source"]: source for source in coverage["sources"]}
    assert by_source["files"]["reasons"] == {"binary": 1}
    assert by_source["broken"]["outcome"] == "failed"
    assert coverage["percent"] == 0


def test_no_value_of_the_source_is_in_it(bench: Bench) -> None:
    events(bench)
    text = (bench.folder / "out.jsonl").read_text()
    assert CANARY not in text
    assert "anna.berg" not in text
