"""The identity of findings: what is one finding, how it is counted, and when its id changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from component_content import collected

from waivern.builtin import findings, json_search
from waivern.builtin.personal_data import PersonalData
from waivern.message import ANY_JSON, Json, SchemaRef
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input, InputItem


def search(content: Json, schema: str = "file_set", key: str = "source", **config: Any) -> Any:
    one = Input(key, content, ANY_JSON if schema == "json" else SchemaRef(schema))
    found = PersonalData().process([one], PersonalData.Config(**config), Context("f", Path()))
    return collected("findings", found)


def file(text: str, path: str = "app.log") -> Json:
    return {"files": [{"path": path, "text": text}]}


def values(content: Any) -> list[dict[str, Any]]:
    return [each for each in content["findings"] if each["kind"] == "value"]


def ids(content: Any) -> list[str]:
    return [each["id"] for each in content["findings"]]


def test_a_log_with_an_address_in_every_line_is_one_finding() -> None:
    text = "".join(f"GET /{n} by user{n}@acme.com\n" for n in range(5_000))
    content = search(file(text), max_locations=3)
    (finding,) = content["findings"]
    assert finding["total"] == 5_000
    assert [place["line"] for place in finding["locations"]] == [1, 2, 3]
    assert (finding["evidence"], finding["canonical"]) == ("u***@acme.com", "generic")
    assert content["summary"]["findings"] == 1
    assert content["summary"]["occurrences"] == 5_000
    assert content["summary"]["by_type"] == {"EMAIL_ADDRESS": 1}


@pytest.mark.parametrize("lines", [4, 400, 4_000])
def test_a_dense_file_has_few_locations_and_exact_totals(lines: int) -> None:
    countries = ("de", "fr", "it", "es", "pl")
    text = "".join(
        f"{n} sent by user{n}@host.{country}\n" for n in range(lines) for country in countries
    )
    found = search(file(text), types=["EMAIL_ADDRESS"])["findings"]
    assert [each["total"] for each in found] == [lines] * 5
    located = min(lines, (20 + len(text) // 8_192) // 5)
    assert [len(each["locations"]) for each in found] == [located] * 5
    assert [each["locations"][0]["line"] for each in found] == [1, 2, 3, 4, 5]


def test_a_rare_finding_in_a_dense_file_keeps_its_locations() -> None:
    text = "".join(f"{n} user{n}@host.de\n" for n in range(500)) + "jo@host.fr\ned@host.fr\n"
    many, few = search(file(text), types=["EMAIL_ADDRESS"])["findings"]
    assert (many["total"], few["total"]) == (500, 2)
    assert [place["line"] for place in few["locations"]] == [501, 502]
    assert len(many["locations"]) == 19, "20 together, and one for 8,192 characters"
    (one, _) = search(file(text), types=["EMAIL_ADDRESS"], max_locations=1_000)["findings"]
    assert len(one["locations"]) == 500


def test_a_location_has_its_own_evidence_where_that_differs() -> None:
    (finding,) = values(search(file("jo@acme.com\njo@acme.com\ned@corp.com\n")))
    assert finding["evidence"] == "****@acme.com"
    assert [place.get("evidence") for place in finding["locations"]] == [
        None,
        None,
        "****@corp.com",
    ]


def test_the_most_certain_occurrence_describes_a_finding() -> None:
    (finding,) = values(search(file("id 4155550132\nmobile: 4155550133\nphone: 4155550134\n")))
    assert finding["total"] == 2
    assert finding["terms"] == ["mobile"]
    assert finding["evidence"] == "********33"


def test_classes_of_values_are_findings_of_their_own() -> None:
    text = (
        "a@corp.com b@corp.de c@firm.de, test d@example.com\n+44 20 7123 4567, +33 1 42 68 53 00\n"
    )
    found = [
        (f["type"], f["canonical"], f["test_data"], f["total"])
        for f in search(file(text))["findings"]
    ]
    assert found == [
        ("EMAIL_ADDRESS", "generic", False, 1),
        ("EMAIL_ADDRESS", "de", False, 2),
        ("EMAIL_ADDRESS", "generic", True, 1),
        ("PHONE_NUMBER", "+44", False, 1),
        ("PHONE_NUMBER", "+33", False, 1),
    ]


def test_an_id_does_not_change_with_other_data() -> None:
    (before,) = ids(search(file("mail to jo@acme.com\n")))
    edited = "first line\n\nmail to somebody.else@corp.net and to x@y.org\n"
    assert ids(search(file(edited))) == [before]
    assert ids(search(file(edited), key="renamed")) == [before]
    assert ids(search(file(edited), max_locations=1)) == [before]


def test_an_id_changes_with_the_item_the_field_the_rule_and_the_class() -> None:
    texts = [
        file("jo@acme.com\n"),
        file("jo@acme.com\n", "other.log"),
        file("jo@acme.de\n"),
        file("jo@example.com\n"),
        file("id,sent\n1,jo@acme.com\n"),
        file("id,seen\n1,jo@acme.com\n"),
        file("phone: 415-555-0133\n"),
        file("phone: 4155550133\n"),
    ]
    found = [finding["id"] for text in texts for finding in values(search(text))]
    assert len(set(found)) == len(found) == len(texts)


def test_delimited_files_are_grouped_by_column() -> None:
    rows = "".join(f"{n},p{n}@acme.com,q{n}@home.com\n" for n in range(40))
    content = search(file("id,email,backup email\n" + rows, "a.csv"), max_locations=2)
    found = [
        (f["field"], f["total"], [at["line"] for at in f["locations"]]) for f in values(content)
    ]
    assert found == [("email", 40, [2, 3]), ("backup email", 40, [2, 3])]
    names = [f for f in content["findings"] if f["kind"] == "field_name"]
    assert [(f["field"], f["total"]) for f in names] == [("email", 1), ("backup email", 1)]


def test_lines_of_json_are_grouped_by_key() -> None:
    records = [{"id": n, "email": f"p{n}@acme.com", "note": f"cc q{n}@acme.com"} for n in range(9)]
    text = "".join(json.dumps(record) + "\n" for record in records)
    assert [(f["field"], f["total"]) for f in values(search(file(text, "a.jsonl")))] == [
        ("email", 9),
        ("note", 9),
    ]


def test_a_column_that_is_a_value_is_masked_in_field_and_id() -> None:
    (finding,) = values(search(file("id,536904399\n1,a@b.com\n2,c@d.com\n3,e@f.com\n")))
    assert "536904399" not in json.dumps(finding)


def test_json_is_grouped_by_record_path() -> None:
    people = [{"mail": f"p{n}@acme.com", "also": [f"q{n}@x.com", f"r{n}@x.com"]} for n in range(4)]
    content = search({"customers": people}, "json", max_locations=3)
    assert [(f["field"], f["total"]) for f in values(content)] == [
        ("$.customers[*].mail", 4),
        ("$.customers[*].also[*]", 8),
    ]
    assert [at["path"] for at in values(content)[1]["locations"]] == [
        "$.customers[0].also[0]",
        "$.customers[0].also[1]",
        "$.customers[1].also[0]",
    ]


def test_a_field_name_is_one_finding_in_each_item() -> None:
    content = search({"files": [
        {"path": name, "text": "email: x\n" * 5 + "iban: y\n"} for name in ("a.yaml", "b.yaml")
    ]})  # fmt: skip
    found = [(f["type"], f["locations"][0]["file"], f["total"]) for f in content["findings"]]
    assert found == [
        ("email", "a.yaml", 5),
        ("iban", "a.yaml", 1),
        ("email", "b.yaml", 5),
        ("iban", "b.yaml", 1),
    ]
    assert content["summary"]["occurrences"] == 12


def test_a_cell_with_two_values_of_a_finding_counts_once() -> None:
    columns = [{"name": "mails", "type": "TEXT"}]
    rows = [["a@x.com, b@x.com"], ["c@x.com"], [None], ["none"]]
    content = search({"tables": [{"name": "t", "columns": columns, "rows": rows}]}, "database")
    (finding,) = values(content)
    assert (finding["total"], finding["hit_ratio"], finding["field"]) == (2, 0.6667, "mails")
    assert [place["row"] for place in finding["locations"]] == [0, 1]


def test_fields_and_names_beyond_a_bound_are_counted_and_not_distinguished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, name in [
        (findings, "MOST_FIELDS"),
        (json_search, "MOST_NAMES"),
        (import_module("waivern.detection.field_names"), "MOST_NAMES"),
    ]:
        monkeypatch.setattr(module, name, 3)
    people = {f"u{n}_email": f"p{n}@acme.com" for n in range(9)}
    of_json = search({**people, "iban": "x"}, "json")
    assert [(f["field"], f["total"]) for f in values(of_json)] == [
        ("$.u0_email", 1),
        ("$.u1_email", 1),
        ("$.u2_email", 1),
        ("", 6),
    ]
    names = [("u0_email", 7), ("u1_email", 1), ("u2_email", 1), ("iban", 1)]
    text = "".join(f"{key}: x\n" for key in [*people, "iban"])
    for content in (of_json, search(file(text))):
        named = [(f["field"], f["total"]) for f in content["findings"] if f["kind"] == "field_name"]
        assert named == names


class LaterContext(Context):
    """A context that has the findings of some items, from an earlier run."""

    known: dict[str, list[Json]]

    def each_item(
        self, items: Iterable[InputItem], work: Callable[[InputItem], Iterable[Json]]
    ) -> Iterator[list[Json]]:
        for item in items:
            yield self.known.get(item.name) or list(work(item))


def test_what_an_earlier_run_found_is_counted_too() -> None:
    both = {"files": [file(f"{name}@acme.com\n" * 3, name)["files"][0] for name in ("a", "b")]}
    found = search(both)
    known = {"a": [each for each in found["findings"] if each["locations"][0]["file"] == "a"]}
    assert [finding["total"] for finding in known["a"]] == [3]
    both["files"][0]["text"] = "nothing: this is not searched"
    ctx = LaterContext("f", Path())
    ctx.known = known
    one = Input("source", both, SchemaRef("file_set"))
    again = PersonalData().process([one], PersonalData.Config(), ctx)
    assert collected("findings", again) == found
