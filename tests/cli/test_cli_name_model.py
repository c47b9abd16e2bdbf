"""The property `ner`: a model that reads files and tables, and what it did not read."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from tiny_model import write
from wct_process import Place, Wct

from waivern.message import Json

WORDS = {"jurgita": "B-GIVEN_NAME", "petraityte": "B-SURNAME", "qo": "B-SURNAME"}
RUNBOOK = """
artifacts:
  files: {source: {type: %s, properties: {path: %s}}}
  found:
    inputs: files
    process:
      type: personal_data
      properties: {field_names: false, ner: {model: model, budget_s: %s}}
    cache: true
"""


def runbook(place: Place, source: str, path: str, budget: float = 60) -> None:
    (place.path / "x.yaml").write_text(RUNBOOK % (source, path, budget))


def letters(place: Place, count: int = 1) -> None:
    (place.path / "data").mkdir()
    lines = (f"{'so ' * n}the parcel of Jurgita Petraityte was lost" for n in range(count))
    (place.path / "data" / "a.txt").write_text("\n".join(lines))


def persons(wct: Wct) -> list[dict[str, Json]]:
    found = json.loads(wct("inspect", "@last/found", "--full").out)
    return [each for each in found["findings"] if each["type"] == "PERSON"]


def test_a_model_finds_names_in_sentences_of_files(wct: Wct, place: Place) -> None:
    letters(place)
    runbook(place, "filesystem", "data")
    write(place.path / "model", WORDS)
    assert wct("run", "x.yaml").code == 0
    (found,) = persons(wct)
    assert found["confidence"] == 0.5
    assert found["validators"] == ["name model"]
    assert found["evidence"] == "J****** **********"


def test_a_column_of_unknown_names_is_one_by_the_model(wct: Wct, place: Place) -> None:
    with closing(sqlite3.connect(place.path / "shop.db")) as db:
        db.execute("CREATE TABLE boats (name TEXT, length INTEGER)")
        db.executemany("INSERT INTO boats VALUES (?, 7)", [("Petraityte Qo",), ("Jurgita Qo",)])
        db.commit()
    runbook(place, "sqlite", "shop.db")
    write(place.path / "model", {})
    assert wct("run", "x.yaml").code == 0
    assert persons(wct) == []
    (place.path / "model").rename(place.path / "old")
    write(place.path / "model", WORDS)  # another model is another fingerprint: nothing is cached
    assert wct("run", "x.yaml").code == 0
    (found,) = persons(wct)
    assert found["total"] == 2


def test_what_the_budget_does_not_allow_is_in_the_coverage(wct: Wct, place: Place) -> None:
    letters(place, 400)
    runbook(place, "filesystem", "data", budget=0.000001)
    write(place.path / "model", WORDS)
    done = wct("run", "x.yaml")
    assert done.code == 0
    assert "not read by the name model" in wct("inspect", "@last/found").out


def test_a_folder_without_a_model_fails_with_a_hint(wct: Wct, place: Place) -> None:
    letters(place)
    runbook(place, "filesystem", "data")
    (place.path / "model").mkdir()
    done = wct("run", "x.yaml")
    assert done.code != 0
    assert "no model.onnx" in done.out + done.err
