"""A ruleset of one's own: what it finds, what identifies it, and what is refused."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from component_content import collected
from pydantic import ValidationError

from waivern.builtin.personal_data import PersonalData
from waivern.detection import load_ruleset
from waivern.diagnostics import InvalidError
from waivern.errors import ComponentError, WaivernError
from waivern.message import ANY_JSON, Json, SchemaRef, sha256
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input

ACME = r"""
name: acme
version: 1.2.0
types:
  STAFF_NUMBER:
    category: employment
    patterns: ['E-\d{6}', '(?i:emp)\d{4}']
    terms: [staff number]
    unless: [article]
  EMAIL_ADDRESS:
    terms: [reply address]
    threshold: 0.1
  LOYALTY_CARD: {category: loyalty, patterns: ['L\d{8}'], confidence: 0.2, terms: [club card]}
fields:
  employment: {terms: [badge id]}
categories:
  loyalty: {severity: low, articles: ["4(1)"]}
"""
SHIPPED = load_ruleset()


def write(base: Path, text: str, name: str = "acme.yaml") -> Path:
    (base / name).write_text(text)
    return base


def run(base: Path, content: Json, schema: str = "json", **config: Any) -> Any:
    given = PersonalData.Config(**({"ruleset": "acme.yaml"} | config))
    one = Input("source", content, ANY_JSON if schema == "json" else SchemaRef(schema))
    return collected("findings", PersonalData().process([one], given, Context("a", base)))


def marks(base: Path, **config: Any) -> dict[str, str]:
    given = PersonalData.Config(**({"ruleset": "acme.yaml"} | config))
    return dict(PersonalData().rulesets(given, Context("a", base)))


def types(content: Any) -> dict[str, int]:
    return dict(content["summary"]["by_type"])


def refused(base: Path, text: str) -> InvalidError:
    with pytest.raises(InvalidError) as caught:
        marks(write(base, text))
    places = [problem.position for problem in caught.value.problems]
    assert all(place is not None and place.file == "acme.yaml" for place in places)
    return caught.value


def test_its_types_are_found_in_columns_that_say_what_they_hold(tmp_path: Path) -> None:
    base = write(tmp_path, ACME)
    rows = [["E-123456", "L12345678", "jo@acme.io"]] * 9
    columns = [{"name": name} for name in ("staff number", "club card", "email")]
    tables = {"tables": [{"name": "t", "columns": columns, "rows": rows}]}
    content = run(base, tables, "database", field_names=False)
    assert types(content) == {"STAFF_NUMBER": 1, "LOYALTY_CARD": 1, "EMAIL_ADDRESS": 1}
    text = "staff number,club card,email\n" + "".join(",".join(row) + "\n" for row in rows)
    file = {"files": [{"path": "a.csv", "text": text}]}
    assert types(run(base, file, "file_set", field_names=False)) == types(content)


def test_its_types_are_found_and_said_to_be_its_own(tmp_path: Path) -> None:
    base = write(tmp_path, ACME)
    content = run(base, {"note": "by E-123456 and EMP1234, mail jo@acme.io", "badge_id": 7})
    assert types(content) == {"STAFF_NUMBER": 1, "EMAIL_ADDRESS": 1, "badge_id": 1}
    told = {f["type"]: f for f in content["findings"]}
    staff = told["STAFF_NUMBER"]
    assert staff["total"] == 2
    assert staff["rule"] == {"id": "acme/STAFF_NUMBER", "version": "1.2.0"}
    assert (staff["category"], staff["severity"]) == ("employment", "medium")
    assert "1234" not in staff["evidence"]
    assert told["EMAIL_ADDRESS"]["rule"]["version"] == SHIPPED.version
    assert told["badge_id"]["rule"] == {"id": "acme/field.employment", "version": "1.2.0"}


def test_its_words_judge_as_the_shipped_ones_do(tmp_path: Path) -> None:
    base = write(tmp_path, ACME)
    assert types(run(base, {"x": "L12345678"})) == {}
    content = run(base, {"club_card": "L12345678", "article": "E-123456"})
    assert types(content) == {"LOYALTY_CARD": 1}
    assert content["findings"][0]["articles"] == ["4(1)"]
    assert content["findings"][0]["terms"] == ["club card"]


def test_a_term_may_be_the_beginning_of_words(tmp_path: Path) -> None:
    base = write(tmp_path, ACME.replace("[club card]", "['mitglied*']"))
    content = run(base, {"note": "als Mitgliedskarte habe ich L12345678 und L1234567"})
    assert types(content) == {"LOYALTY_CARD": 1}
    assert content["findings"][0]["terms"] == ["mitglied*"]


def test_files_and_tables_are_searched_too(tmp_path: Path) -> None:
    base = write(tmp_path, ACME)
    file = {"path": "a.txt", "size": 9, "encoding": "utf-8", "text": "\nby E-123456\n"}
    (finding,) = run(base, {"files": [file]}, "file_set")["findings"]
    assert (finding["locations"][0]["line"], finding["locations"][0]["column"]) == (2, 4)
    column = {"name": "staff number", "type": "TEXT"}
    table = {"name": "t", "row_count": 2, "columns": [column], "rows": [["E-123456"], ["-"]]}
    (finding,) = run(base, {"tables": [table]}, "database")["findings"]
    assert (finding["type"], finding["hit_ratio"]) == ("STAFF_NUMBER", 0.5)


def test_only_looks_for_what_it_names(tmp_path: Path) -> None:
    base = write(tmp_path, "only: true\n" + ACME)
    content = run(base, {"mail": "jo@acme.io", "n": "E-123456 +44 20 7946 0152", "salary": 1})
    assert types(content) == {"EMAIL_ADDRESS": 1, "STAFF_NUMBER": 1}


def test_types_may_name_its_own(tmp_path: Path) -> None:
    base = write(tmp_path, ACME)
    text = {"n": "E-123456 jo@acme.io"}
    assert types(run(base, text, types=["STAFF_NUMBER"])) == {"STAFF_NUMBER": 1}
    with pytest.raises(ComponentError, match=r"'STAFF_NUMBRE' is not a type.*STAFF_NUMBER"):
        run(base, text, types=["STAFF_NUMBRE"])
    with pytest.raises(ValidationError, match="not a type of the ruleset"):
        PersonalData.Config(types=("STAFF_NUMBER",))


def test_without_one_nothing_is_different(tmp_path: Path) -> None:
    assert marks(tmp_path, ruleset=None) == {"personal_data": f"1.0.0 {SHIPPED.digest}"}
    content = run(tmp_path, {"mail": "jo@acme.io"}, ruleset=None)
    assert content["ruleset"].keys() == {"name", "version", "digest"}


def test_it_is_identified_with_what_it_adds_to(tmp_path: Path) -> None:
    base = write(tmp_path, ACME)
    shipped, own = f"1.0.0 {SHIPPED.digest}", f"1.2.0 {sha256(ACME.encode())}"
    assert marks(base) == {"personal_data": shipped, "acme": own}
    told = run(base, {})["ruleset"]
    assert f"{told['version']} {told['digest']}" == own
    assert told["extends"]["digest"] == SHIPPED.digest


def test_an_edited_rule_changes_the_mark_of_that_ruleset_alone(tmp_path: Path) -> None:
    write(tmp_path, ACME)
    write(tmp_path, ACME.replace("name: acme", "name: other"), "other.yaml")
    before, other = marks(tmp_path), marks(tmp_path, ruleset="other.yaml")
    write(tmp_path, ACME.replace("{6}", "{7}"))
    after = marks(tmp_path)
    assert {name for name in after if after[name] != before[name]} == {"acme"}
    assert marks(tmp_path, ruleset="other.yaml") == other
    assert marks(tmp_path, ruleset=None)["personal_data"] == before["personal_data"]


def test_a_copy_elsewhere_is_the_same_ruleset(tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    assert marks(write(tmp_path, ACME)) == marks(write(tmp_path / "clone", ACME))


MISTAKES = [
    ("name: acme", "line 1: 'version' is required"),
    ("version: 1\nname: personal_data", "line 2: 'personal_data' is the shipped ruleset"),
    ("version: 1\nname: Acme Ltd", "line 2: not a valid name"),
    ("version: 1\nname: a\nfeilds: {}", "line 3: unknown key 'feilds'"),
    ("version: 1\nname: a\ntypes:\n  x: {}", "line 4: not a valid name"),
    ("version: 1\nname: a\ntypes:\n  X: {category: health}", "line 4: nothing finds values"),
    ("version: 1\nname: a\ntypes:\n  X: {patterns: [a]}", "line 4: 'category' is required"),
    (
        "version: 1\nname: a\ntypes:\n  X:\n    category: healt\n    patterns: [a]",
        "line 5: no category 'healt'",
    ),
    (
        "version: 1\nname: a\ntypes:\n  X:\n    category: health\n    patterns:\n    - (a+)+b",
        "line 7: a repeat has no bound",
    ),
    ("version: 1\nname: a\ntypes:\n  US_SSN: {patterns: [a]}", "line 4: values of a shipped type"),
    ("version: 1\nname: a\nfields:\n  work: {terms: [a]}", "line 4: no category 'work'"),
    ("version: 1\nname: a\nneutral: [a b c d e f]", "line 3: a term has at most 5 words"),
    ("version: 1\nname: a\nneutral: ['abcd*']", "line 3: a '*' can only stand at the end of"),
    ("version: 1\nname: a\ntypes: {US_SSN: {terms: ['ab*']}}", "line 3: before a '*' stands"),
    ("version: 1\nname: a\ntypes: {US_SSN: {terms: ['Näh*']}}", "line 3: before a '*' stands"),
    ("version: 1\nname: a\nneutral: ['--']", "line 3: a term needs a letter"),
    ("version: 1\nname: a\nonly: 1", "line 3: input should be a valid boolean"),
    ("version: 1\nname: a\nneutral: [a\ntypes: {}", "line 4: a list in [ ] is not closed"),
    ("version: 1\nname: a\nname: b", "line 3: the key 'name' is given twice"),
    ("version: 1\nname: a\nneutral: !!python/name:os.system x", "line 3: the tag"),
    ("- name", "line 1: input should be"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    problems = refused(tmp_path, text).problems
    told = [f"line {p.position.line}: {p.message}" for p in problems if p.position]
    assert any(each.startswith(said) for each in told), told


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = "name: a\nversion: 1\ntypes:\n  X: {patterns: ['a+'], sort: 1}\n  y: {}\nonly: maybe"
    assert len(refused(tmp_path, text).problems) == 4


HEAD = "name: a\nversion: 1\n"
MANY = ", ".join(f"ab{n}" for n in range(300))
EXPANDING = [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefg")]
BOMBS = {
    "aliases": (
        "\n".join(["a: &a [x, x, x, x, x, x, x, x, x]", *EXPANDING]),
        "aliases repeat more",
    ),
    "nesting": ("[" * 100_000, "nested deeper"),
    "endless numbers": (HEAD + "neutral: [" + "9" * 5000 + "]", "digits"),
    "patterns": (HEAD + f"types:\n  X: {{category: health, patterns: [{MANY}]}}", "more than 200"),
    "not text": ("\ufffe\0", "UTF-16|control character"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_hostile_file_is_refused(tmp_path: Path, bomb: str) -> None:
    text, said = BOMBS[bomb]
    assert re.search(said, str(refused(tmp_path, text)))


def test_a_path_that_is_no_such_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big.yaml").write_bytes(b"#" * (2**20 + 1))
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "fifo.yaml")
    for name, said in [
        ("big.yaml", "larger than"),
        ("folder.yaml", "a folder"),
        ("fifo.yaml", "not a regular file"),
        ("none.yaml", "cannot be read"),
    ]:
        with pytest.raises(ComponentError, match=said):
            marks(tmp_path, ruleset=name)


def test_a_name_that_is_not_installed_is_no_property(tmp_path: Path) -> None:
    """So that the runbook is refused, before anything runs."""
    with pytest.raises(ValidationError, match="no ruleset 'acme'") as raised:
        marks(tmp_path, ruleset="acme", types=("OF_ACME",))
    assert raised.value.error_count() == 1


def install(base: Path, name: str, points: str, rules: str) -> None:
    (base / f"{name}-1.dist-info").mkdir()
    (base / f"{name}-1.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
    (base / f"{name}-1.dist-info" / "entry_points.txt").write_text(points)
    (base / name).mkdir()
    (base / name / "__init__.py").write_text(
        "from importlib.resources import files\nRULES = files(__name__) / 'rules.yaml'\n"
    )
    (base / name / "rules.yaml").write_text(rules)


def test_an_installed_one_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path,
        "own_ruleset_sample",
        "[waivern.rulesets]\nhr = own_ruleset_sample:RULES\nbroken = own_ruleset_sample:NONE\n",
        ACME,
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert marks(tmp_path, ruleset="hr")["acme"] == f"1.2.0 {sha256(ACME.encode())}"
    assert types(run(tmp_path, {"n": "E-123456"}, ruleset="hr")) == {"STAFF_NUMBER": 1}
    with pytest.raises(WaivernError, match="'broken' cannot be loaded"):
        marks(tmp_path, ruleset="broken")
    with pytest.raises(ValidationError, match=r"no ruleset 'hrr'; did you mean 'hr'\?"):
        marks(tmp_path, ruleset="hrr")
