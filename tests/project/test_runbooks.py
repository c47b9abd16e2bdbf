"""Every shipped runbook runs, from any folder, and finds what is known to be there."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from quick_wct import quick_wct

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "runbooks"
ANSWERS: dict[str, Any] = json.loads((RUNBOOKS / "data" / "ANSWERS.json").read_text())


def wct(folder: Path, *args: str, code: int = 0, **environ: str) -> dict[str, Any]:
    """Run `wct ARGS --json` in a folder; return the data of its answer."""
    inherited = {k: v for k, v in os.environ.items() if k != "WAIVERN_STORE"}
    done = subprocess.run(
        [quick_wct(), *args, "--json"],
        cwd=folder,
        env=inherited | environ,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode()
    answer: dict[str, Any] = json.loads(done.stdout)["data"]
    return answer


def artifact(folder: Path, run: dict[str, Any], name: str) -> dict[str, Any]:
    path = folder / ".waivern" / "runs" / run["run_id"] / f"{name}.json"
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document


def values(content: dict[str, Any], place: str) -> dict[str, dict[str, int]]:
    """Count values by file or table, and type; a finding in a table stands for many rows."""
    found: dict[str, Counter[str]] = {}
    for finding in content["findings"]:
        first = finding["locations"][0]
        if finding["kind"] == "value" and place in first:
            found.setdefault(first[place], Counter())[finding["type"]] += finding["total"]
    return {name: dict(counts) for name, counts in found.items()}


def known(answers: dict[str, dict[str, int]], *left_out: str) -> dict[str, dict[str, int]]:
    return {name: counts for name, counts in answers.items() if counts and name not in left_out}


def statuses(run: dict[str, Any]) -> dict[str, int]:
    return {status: n for status, n in run["artifacts"].items() if n}


def test_every_runbook_that_ships_has_a_test() -> None:
    here = Path(__file__)
    tested = here.read_text() + here.with_name("test_programme.py").read_text()
    shipped = sorted(path.name for path in RUNBOOKS.glob("*.yaml"))
    assert shipped == [
        "evidence.yaml", "gdpr.yaml", "programme.yaml", "quickstart.yaml", "reuse.yaml"
    ]  # fmt: skip
    assert all(f'"{name}"' in tested or f'/{name}"' in tested for name in shipped)


def test_quickstart_then_reuse(tmp_path: Path) -> None:
    run = wct(tmp_path, "run", str(RUNBOOKS / "quickstart.yaml"))
    assert statuses(run) == {"completed": 5}
    content = artifact(tmp_path, run, "findings")["content"]
    assert values(content, "file") == known(ANSWERS["files"], "logs/access.log")
    assert values(content, "table") == known(ANSWERS["database"])
    assert content["summary"]["findings"] == len(content["findings"])
    coverage = artifact(tmp_path, run, "files")["extensions"]["coverage"]
    reasons = {item["item"]: item["reason"] for item in coverage["items"]}
    assert reasons.items() >= {
        ("media/logo.png", ANSWERS["not_read"]["media/logo.png"]),
        ("logs/access.log", "excluded"),
    }
    assert coverage["encodings"] == {"cp1252": 1, "utf-8": coverage["read"] - 1}
    on_disk = [path for path in (RUNBOOKS / "data" / "files").rglob("*") if path.is_file()]
    assert coverage["seen"] == len(on_disk) == coverage["read"] + coverage["skipped"]

    again = wct(tmp_path, "run", str(RUNBOOKS / "reuse.yaml"))
    assert statuses(again) == {"completed": 2}
    copy = artifact(tmp_path, again, "customers")
    assert copy["source"] == f"reuse:{run['run_id']}/customers"
    assert copy["content"] == artifact(tmp_path, run, "customers")["content"]
    searched = artifact(tmp_path, again, "findings")["content"]
    assert values(searched, "table") == known(ANSWERS["database"])


def test_quickstart_twice_gives_equal_content(tmp_path: Path) -> None:
    runs = [wct(tmp_path, "run", str(RUNBOOKS / "quickstart.yaml")) for _ in range(2)]
    for name in ("files", "customers", "file_findings", "customer_findings", "findings"):
        first, second = (artifact(tmp_path, run, name)["content"] for run in runs)
        assert first == second


def test_gdpr(tmp_path: Path) -> None:
    run = wct(tmp_path, "run", str(RUNBOOKS / "gdpr.yaml"), "-o", "out")
    assert statuses(run) == {"completed": 10, "failed": 1, "skipped": 1}
    assert run["status"] == "completed"
    content = json.loads((tmp_path / "out" / "findings.json").read_bytes())["content"]
    excluded = {"logs/access.log", "logs/build.log", "src/checkout.py", "support/letter.txt"}
    wanted = known(ANSWERS["files"], *excluded)
    wanted["access.log"] = ANSWERS["files"]["logs/access.log"]
    wanted["letter.txt"] = ANSWERS["files"]["support/letter.txt"]
    assert values(content, "file") == wanted
    assert values(content, "table") == known(ANSWERS["database"])
    rows = json.loads((tmp_path / "out" / "record.json").read_bytes())["content"]["record"]
    assert {row["subjects"] for row in rows} == {"customers", "employees", "suppliers", "visitors"}
    special = {(row["subjects"], row["category"]) for row in rows if row["special_category"]}
    assert special == {
        ("employees", "health"),
        ("employees", "trade_union"),
        ("employees", "religion_belief"),
    }


# evidence.yaml, on material small enough to know by heart

PACKAGES = {
    "one.txt": "Name: one\nAuthor-email: Ann <ann@one.org>, bob@one.org\n\nclone git@one.org:x\n",
    "two.txt": "Name: two\nMaintainer-email: eve@two.net\n",
}
INDEX = [
    ("a", "1", "Ann <ann@one.org>"),
    ("b", "2", "Eve <eve@two.net>"),
    ("c", "3", "Ann <ann@one.org>"),
]
COPYRIGHT = "Copyright: 2001 Joe <joe@three.com>\n"


def script(folder: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """A folder with evidence.yaml and material for its first artifact."""
    shutil.copy(RUNBOOKS / "evidence.yaml", tmp_path)
    ignored = shutil.ignore_patterns("material", "__pycache__")
    shutil.copytree(RUNBOOKS / "evidence", tmp_path / "evidence", ignore=ignored)
    python = tmp_path / "evidence" / "material" / "python"
    python.mkdir(parents=True)
    for name, text in PACKAGES.items():
        (python / name).write_text(text)
    return tmp_path


def compared(folder: Path, documents: Path) -> list[str]:
    """Return what compare.py prints."""
    done = subprocess.run(
        [sys.executable, "evidence/compare.py", "--lines"],
        cwd=folder,
        env={**os.environ, "WAIVERN_EVIDENCE_DOC": str(documents)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_evidence_beside_grep_and_sql(evidence: Path) -> None:
    documents = evidence / "doc"
    (documents / "three").mkdir(parents=True)
    (documents / "three" / "copyright").write_text(COPYRIGHT)
    material = evidence / "evidence" / "material"
    script(evidence / "evidence", "prepare").write_index(material / "debian.db", INDEX)
    run = wct(evidence, "run", "evidence.yaml", WAIVERN_EVIDENCE_DOC=str(documents))
    assert statuses(run) == {"completed": 7}
    assert compared(evidence, documents) == [
        "python_packages: 2 files, grep 4, wct 3",
        "  grep only 1, wct only 0, on 1 lines",
        "  1 0 one.txt:4: clone git@one.org:x",
        "debian_copyrights: 1 files, grep 1, wct 1",
        "  grep only 0, wct only 0, on 0 lines",
        "debian_index packages: 3 rows, SQL 3, wct {'maintainer': 3}",
        "debian_index maintainers: 2 rows, SQL 2, wct {'maintainer': 2}",
    ]


def test_evidence_on_a_machine_without_debian(evidence: Path) -> None:
    nowhere = evidence / "nowhere"
    run = wct(evidence, "run", "evidence.yaml", WAIVERN_EVIDENCE_DOC=str(nowhere))
    assert statuses(run) == {"completed": 3, "failed": 2, "skipped": 2}
    assert artifact(evidence, run, "findings")["content"]["summary"]["occurrences"] == 3
    lines = compared(evidence, nowhere)
    assert lines[3:] == ["debian_copyrights: not there", "debian_index: not there"]


def test_prepare_takes_the_material_from_this_machine(evidence: Path) -> None:
    done = subprocess.run(
        [sys.executable, "evidence/prepare.py"],
        cwd=evidence,
        env={**os.environ, "PATH": ""},  # no apt-cache: its part takes a second
        capture_output=True,
        text=True,
        check=True,
    )
    counted = re.findall(r"(\d+) (\w+) packages", done.stdout)
    names = {path.name for path in (evidence / "evidence/material/python").iterdir()}
    assert {"pydantic.txt", "pytest.txt"} <= names
    assert not names & {*PACKAGES, "waivern.txt"}
    assert counted == [(str(len(names)), "Python"), ("0", "Debian")]
