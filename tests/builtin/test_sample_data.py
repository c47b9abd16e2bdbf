"""The sample company is what its script says, and its answers are right, counted another way."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from source_kit import extracted

from waivern.builtin.filesystem import Filesystem
from waivern.builtin.sqlite import Sqlite
from waivern.message import ANY_JSON
from waivern.plugins.catalogue import Catalogue
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
DATA = RUNBOOKS / "data"
ANSWERS: dict[str, Any] = json.loads((DATA / "ANSWERS.json").read_text())

# Enough for data of which everything is known; nothing to find personal data with elsewhere.
FIRST = "Ada|Bram|Chidi|Dana|Emil|Freya|Goran|Hana|Ines|Jonas|Kaya|Liam|Mina|Nils|Odette|Pavel"
LAST = "Quillfeather|Bramblewood|Ostrander|Vantongeren|Holloway"
SHAPES = {
    "PERSON": rf"\b(?:{FIRST}) (?:{LAST})\b|\b(?:{FIRST}|{LAST})\b(?=,)",
    "POSTAL_ADDRESS": r"\b\d+ (?:Mill Lane|Harbour Road|Orchard Street|Kiln Yard)\b",
    "EMAIL_ADDRESS": r"[a-z0-9.]+@(?:\w+\.)?example\.(?:com|org|net)",
    "PHONE_NUMBER": r"\+44 (?:7700 900\d{3}|20 7946 0\d{3})",
    "DATE_OF_BIRTH": r"\b(?:19|20)\d\d-\d\d-\d\d\b",
    "IBAN_CODE": r"\bGB\d\dTEST\d{14}\b",
    "UK_NHS": r"\b999\d{7}\b",
    "CREDIT_CARD": r"\b(?:4[01]|5[15]|37|60)\d{13,14}\b",
    "IP_ADDRESS": r"\b(?:198\.51\.100|203\.0\.113)\.\d{1,3}\b",
}


def counts(text: str) -> dict[str, int]:
    found = {kind: len(re.findall(shape, text)) for kind, shape in SHAPES.items()}
    return {kind: n for kind, n in found.items() if n}


def in_tables(content: dict[str, Any]) -> Iterable[tuple[str, str]]:
    for table in content["tables"]:
        yield table["name"], "\n".join(str(value) for row in table["rows"] for value in row)


def test_the_script_reproduces_everything(tmp_path: Path) -> None:
    script = (DATA / "build.py").read_text()
    (tmp_path / "build.py").write_text(script)
    subprocess.run([sys.executable, str(tmp_path / "build.py")], check=True)

    def files(folder: Path) -> dict[str, bytes]:
        found = [*(folder / "files").rglob("*"), folder / "ANSWERS.json"]
        return {str(p.relative_to(folder)): p.read_bytes() for p in found if p.is_file()}

    def dump(folder: Path) -> list[str]:
        with closing(sqlite3.connect(folder / "shop.db")) as connection:
            return list(connection.iterdump())

    assert len(files(DATA)) == 11
    assert files(tmp_path) == files(DATA)
    assert dump(tmp_path) == dump(DATA)


def test_answers_for_the_files() -> None:
    ctx = Context("a", DATA)
    content = extracted(Filesystem(), Filesystem.Config(path="files"), ctx)
    assert ctx.coverage.skipped == [("media/logo.png", ANSWERS["not_read"]["media/logo.png"], 1)]
    assert {file["path"]: counts(file["text"]) for file in content["files"]} == ANSWERS["files"]


def test_answers_for_the_database() -> None:
    ctx = Context("a", DATA)
    content = extracted(Sqlite(), Sqlite.Config(path="shop.db"), ctx)
    assert {name: counts(text) for name, text in in_tables(content)} == ANSWERS["database"]
    assert ctx.coverage.skipped == [("contacts", ANSWERS["not_read"]["contacts"], 1)]
    assert ctx.coverage.sampled == []


def test_numbers_have_valid_check_digits() -> None:
    text = "".join(p.read_text("latin-1") for p in DATA.glob("files/*/*"))
    ibans = re.findall(SHAPES["IBAN_CODE"], text)
    assert len(ibans) == 10
    for iban in ibans:
        assert int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1
    numbers = re.findall(SHAPES["UK_NHS"], text)
    assert len(numbers) == 8
    for number in numbers:
        assert sum(int(d) * (10 - i) for i, d in enumerate(number)) % 11 == 0
    for card in re.findall(SHAPES["CREDIT_CARD"], text):
        digits = [int(d) for d in card[::-1]]
        assert (sum(digits[::2]) + sum(sum(divmod(2 * d, 10)) for d in digits[1::2])) % 10 == 0


@pytest.mark.parametrize("name", ["quickstart", "gdpr", "reuse"])
def test_shipped_runbooks_name_what_exists(name: str) -> None:
    document = yaml.safe_load((RUNBOOKS / f"{name}.yaml").read_text())
    artifacts: dict[str, Any] = document["artifacts"]
    assert any(artifact.get("output") for artifact in artifacts.values())
    for artifact in artifacts.values():
        inputs = artifact.get("inputs", [])
        assert set([inputs] if isinstance(inputs, str) else inputs) <= set(artifacts)
        if source := artifact.get("source"):
            connector = Catalogue().load("connectors", source["type"])
            config = connector.Config.model_validate(source["properties"])
            if not artifact.get("optional"):
                assert connector.extract(config, Context("a", RUNBOOKS))
        process = artifact.get("process", {"type": "merge"})
        assert process["type"] in Catalogue().names("processors")


def test_the_record_of_processing_counts_by_subject_and_category() -> None:
    document = yaml.safe_load((RUNBOOKS / "gdpr.yaml").read_text())
    properties = document["artifacts"]["record"]["process"]["properties"]
    findings = [
        {"category": "contact", "locations": [{"file": "crm/customers.csv"}] * 2},
        {"category": "health", "locations": [{"file": "hr/employees.csv"}]},
        {"category": "contact", "locations": [{"table": "customers"}]},
        {"category": "contact", "locations": [{"file": "elsewhere.txt"}]},
    ]
    python = Catalogue().load("processors", "python")
    content = python.process(
        [Input("findings", {"findings": findings}, ANY_JSON)],
        python.Config.model_validate(properties),
        Context("record", RUNBOOKS),
    )
    rows = [tuple(row.values()) for row in content["record"]]  # type: ignore[index]
    assert rows == [
        ("customers", "contact", False, 2, ["crm/customers.csv", "customers"]),
        ("employees", "health", True, 1, ["hr/employees.csv"]),
        ("unknown", "contact", False, 1, ["elsewhere.txt"]),
    ]
