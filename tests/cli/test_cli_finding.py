"""`wct inspect RUN/ARTIFACT --finding ID`: why a finding is reported, without its value."""

from __future__ import annotations

import json
from typing import Any

from wct_process import Done, Place, Wct

BOOK = """  files: {source: {type: filesystem, properties: {path: data}}}
  found: {inputs: files, process: {type: personal_data%s}}
"""
VALUE = "A19720910"


def scanned(place: Place, wct: Wct, more: str = "") -> list[dict[str, Any]]:
    (place.path / "data").mkdir()
    (place.path / "data" / "a.txt").write_text(f"My passport number is {VALUE}.\n")
    (place.path / "data" / "b.csv").write_text("iban,total\nDE89370400440532013000,1\nx,2\n")
    assert wct("run", place.runbook("x.yaml", BOOK % more)).code == 0
    found = json.loads(wct("inspect", "@last/found", "--full").out)["findings"]
    assert isinstance(found, list)
    return found


def facts(done: Done) -> dict[str, str]:
    return dict(line.split("\t", 1) for line in done.out.splitlines())


def test_a_finding_is_explained_without_its_value(place: Place, wct: Wct) -> None:
    ids = {f["type"]: f["id"] for f in scanned(place, wct)}
    done = wct("inspect", "@last/found", "--finding", ids["US_PASSPORT"][:8])
    told = facts(done)
    assert told["finding"] == ids["US_PASSPORT"]
    assert told["type"] == "US_PASSPORT (government_id, high)"
    assert told["label"] == (
        "'passport number' in the words of the same clause, 1 word away names the type"
    )
    assert told["confidence"] == (
        "0.6: 0.2 for the form, +0.4 for the label; at least 0.5 is needed"
    )
    assert (told["found"], told["place"]) == ("1 time", "a.txt, line 1, column 23")
    assert VALUE not in done.out
    told = facts(wct("inspect", "@last/found", "--finding", ids["IBAN_CODE"]))
    assert told["form"] == "it has the form of the type; checks that hold: country, length, mod97"
    assert told["label"] == "'iban' in the name of the column or field names the type"
    assert told["test data"] == "yes: it is reserved or published"
    told = facts(wct("inspect", "@last/found", "--finding", ids["iban"]))
    assert told["reason"] == "the field is called by a term of financial: 'iban'"


def test_the_explanation_is_a_document_for_programs(place: Place, wct: Wct) -> None:
    (one,) = (f for f in scanned(place, wct) if f["type"] == "US_PASSPORT")
    done = wct("inspect", "@last/found", "--finding", one["id"], "--json")
    document = json.loads(done.out)["data"]
    assert document["why"] == one["why"]
    assert document["explanation"]["type"].startswith("US_PASSPORT")
    assert "evidence" not in done.out
    assert VALUE not in done.out


def test_unmasked_values_are_not_in_an_explanation(place: Place, wct: Wct) -> None:
    (one,) = (
        f for f in scanned(place, wct, ", properties: {mask: none}") if f["type"] == "US_PASSPORT"
    )
    assert one["evidence"] == VALUE
    for more in ((), ("--json",)):
        assert VALUE not in wct("inspect", "@last/found", "--finding", one["id"], *more).out


def test_unmasked_findings_are_content_of_the_source_in_the_run(place: Place, wct: Wct) -> None:
    scanned(place, wct, ", properties: {mask: none}")
    facts_ = facts(wct("inspect", "@last/found"))
    assert facts_["keep"].startswith("content")
    assert "found" in wct("inspect", "@last", "--json").out
    accesses = wct("runs", "access").out
    assert "found" in accesses  # --full has shown it
    again = wct("run", "x.yaml")
    assert "found  personal_data  cached" not in again.out
    assert wct("runs", "redact", "@last", "--yes").code == 0
    assert VALUE not in "".join(
        each.read_bytes().decode(errors="replace")
        for each in (place.path / ".waivern").rglob("found.json")
        if each.parent.name in again.out
    )


def test_an_id_that_names_none_or_several_is_refused(place: Place, wct: Wct) -> None:
    ids = [f["id"] for f in scanned(place, wct)]
    wrong = ids[0][:-1] + ("0" if ids[0][-1] != "0" else "1")
    done = wct("inspect", "@last/found", "--finding", wrong)
    assert done.code == 4
    assert ids[0] in done.err
    assert wct("inspect", "@last/found", "--finding", "ab").code == 2
    assert wct("inspect", "@last", "--finding", ids[0]).code == 2
    assert wct("inspect", "@last/files", "--finding", ids[0]).code == 5
