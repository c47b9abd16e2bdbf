"""The processor: one finding for each place, the same ids each time, and never a value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from component_content import collected
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from waivern.builtin.merge import merge
from waivern.builtin.personal_data import PersonalData
from waivern.errors import ComponentError
from waivern.message import ANY_JSON, Json, Message, SchemaRef, encode
from waivern.plugins.component import Processor
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input

FILE_SET, DATABASE = SchemaRef("file_set"), SchemaRef("database")


def run(content: Json, schema: SchemaRef, ctx: Context | None = None, **config: Any) -> Any:
    given_input = Input("source", content, schema)
    context = ctx or Context("findings", Path())
    return collected(
        "findings", PersonalData().process([given_input], PersonalData.Config(**config), context)
    )


def files(*texts: str) -> Json:
    return {
        "files": [
            {"path": f"f{n}.txt", "size": len(text), "encoding": "utf-8", "text": text}
            for n, text in enumerate(texts)
        ]
    }


def table(name: str, columns: dict[str, list[Json]]) -> Json:
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    named = [{"name": column, "type": "TEXT"} for column in columns]
    return {"tables": [{"name": name, "row_count": len(rows), "columns": named, "rows": rows}]}


def values(content: Any) -> list[dict[str, Any]]:
    return [f for f in content["findings"] if f["kind"] == "value"]


def test_it_has_the_shape_of_a_processor() -> None:
    assert isinstance(PersonalData(), Processor)


def test_a_value_in_a_file_is_told_with_its_place() -> None:
    content = run(files("x\nmail: jo.doe@acme.io\n"), FILE_SET)
    (finding,) = values(content)
    assert finding["type"] == "EMAIL_ADDRESS"
    assert finding["category"] == "contact"
    assert finding["evidence"] == "j***@acme.io"
    assert finding["rule"] == {"id": "email.domain", "version": "1.0.0"}
    assert finding["locations"] == [
        {"input": "source", "file": "f0.txt", "line": 2, "column": 7, "start": 8, "end": 22}
    ]
    assert content["ruleset"]["name"] == "personal_data"
    assert content["ruleset"]["digest"].startswith("sha256:")
    assert content["summary"]["by_type"]["EMAIL_ADDRESS"] == 1


def test_a_column_is_one_finding_with_its_hit_ratio_and_capped_rows() -> None:
    cells: list[Json] = [f"p{n}@acme.io" for n in range(30)] + [None] * 10 + ["none"] * 10
    content = run(table("customers", {"email": cells}), DATABASE, max_locations=3)
    (finding,) = values(content)
    assert finding["hit_ratio"] == 0.75
    assert finding["total"] == 30
    assert [place["row"] for place in finding["locations"]] == [0, 1, 2]
    assert finding["locations"][0]["table"] == "customers"
    names = [f for f in content["findings"] if f["kind"] == "field_name"]
    assert [(f["type"], f["evidence"]) for f in names] == [("email", "email")]


def test_the_column_decides_what_its_numbers_are() -> None:
    numbers: list[Json] = [4155550132, "2125550147"]
    content = run(table("t", {"phone": numbers, "order_no": numbers}), DATABASE)
    assert [(f["type"], f["locations"][0]["column"]) for f in values(content)] == [
        ("PHONE_NUMBER", "phone")
    ]


def test_json_is_walked_with_keys_as_field_names() -> None:
    content = run(
        {"customer": {"phone": {"number": "4155550132"}, "orderId": "4155550132", "race": "x"}},
        ANY_JSON,
    )
    assert [f["locations"][0]["path"] for f in values(content)] == ["$.customer.phone.number"]
    assert [f["field"] for f in values(content)] == ["$.customer.phone.number"]
    names = {f["type"]: f for f in content["findings"] if f["kind"] == "field_name"}
    assert names["race"]["special_category"] is True
    assert names["race"]["articles"] == ["9"]


def test_equal_inputs_give_equal_content() -> None:
    content = files("a@b.io, c@d.io and +44 20 7946 0152", "email,ssn\nx@y.org,536-90-4399\n")
    assert run(content, FILE_SET) == run(json.loads(json.dumps(content)), FILE_SET)


def test_ids_are_unique_and_hold_nothing_of_the_value() -> None:
    one = run(files("ssn 536-90-4399, mail jo@acme.io\nphone +44 20 7123 4567"), FILE_SET)
    other = run(files("ssn 535-92-4398, mail ed@corp.io\nphone +44 20 7765 4321"), FILE_SET)
    ids = [finding["id"] for finding in one["findings"]]
    assert len(set(ids)) == len(ids) == 3
    assert ids == [finding["id"] for finding in other["findings"]]


LOCAL = st.from_regex(r"[a-z]{4,10}[0-9]{2}", fullmatch=True)
SSN = st.from_regex(r"[1-5][0-9][1-9]-[1-8][0-9]-[1-9][0-9]{3}", fullmatch=True)


@pytest.mark.sweep
@given(local=LOCAL, ssn=SSN)
@settings(max_examples=60, deadline=None)
def test_no_value_appears_anywhere_in_the_content(local: str, ssn: str) -> None:
    email = f"{local}@acme.io"
    text = f"name,email,ssn\nx,{email},{ssn}\n"
    contents = [
        run({"files": [{"path": f"{email}/{ssn}.csv", "text": text}]}, FILE_SET),
        run(table(email, {"email": [email], ssn: [ssn], "ssn": [ssn]}), DATABASE),
        run({"ssn": ssn, email: {"mail": [email, ssn]}, "x": f"write to {email}"}, ANY_JSON),
    ]
    for content in contents:
        assert values(content)
        told = json.dumps(content)
        assert email not in told
        assert ssn not in told


def test_documentation_values_are_reported_as_test_data() -> None:
    (finding,) = values(run(files("to jo@example.com"), FILE_SET))
    assert (finding["test_data"], finding["severity"]) == (True, "info")


def test_options_do_what_they_say() -> None:
    content = files('{"email": "a@b.io", "ip": "93.184.216.34"}')
    assert {f["type"] for f in run(content, FILE_SET, field_names=False)["findings"]} == {
        "EMAIL_ADDRESS",
        "IP_ADDRESS",
    }
    assert {f["type"] for f in values(run(content, FILE_SET, types=["IP_ADDRESS"]))} == {
        "IP_ADDRESS"
    }
    assert values(run(files("10.0.0.1"), FILE_SET, min_confidence=0.9)) == []


@pytest.mark.parametrize(
    "config",
    [
        {"types": ["EMAIL_ADRESS"]},
        {"types": []},
        {"min_confidence": 2},
        {"max_locations": 0},
        {"x": 1},
    ],
)
def test_options_that_mean_nothing_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        PersonalData.Config(**config)
    if config.get("types"):
        assert "did you mean 'EMAIL_ADDRESS'?" in str(caught.value)


def test_coverage_says_what_was_not_looked_at() -> None:
    ctx = Context("findings", Path())
    run(table("t", {"email": ["a@b.io"], "photo": [{"bytes": 12}]}), DATABASE, ctx)
    record = ctx.coverage.document()
    assert record is not None
    assert record["items"][0]["item"] == "t.photo"
    assert (record["read"], record["reasons"]) == (1, {"binary": 1})


@pytest.mark.parametrize("schema", [FILE_SET, DATABASE])
def test_content_that_is_not_what_it_says_is_refused(schema: SchemaRef) -> None:
    with pytest.raises(ComponentError, match="has no list"):
        run({"other": []}, schema)


@pytest.mark.parametrize(
    ("schema", "items"),
    [
        (FILE_SET, {"files": [{"path": "x"}]}),
        (FILE_SET, {"files": [{"path": "x", "text": 1}]}),
        (FILE_SET, {"files": ["x"]}),
        (DATABASE, {"tables": [{"name": "t", "columns": [{"name": "a"}]}]}),
        (DATABASE, {"tables": [{"name": "t", "columns": [{}], "rows": []}]}),
        (DATABASE, {"tables": [{"name": 1, "columns": [], "rows": []}]}),
        (DATABASE, {"tables": [{"name": "t", "columns": [{"name": "a"}], "rows": [[]]}]}),
        (DATABASE, {"tables": [{"name": "t", "columns": [{"name": "a"}], "rows": [[1, 2]]}]}),
        (DATABASE, {"tables": [None]}),
    ],
)
def test_items_of_another_form_are_refused_by_number(schema: SchemaRef, items: Json) -> None:
    with pytest.raises(ComponentError, match=r"number 1 of its '(files|tables)' is not"):
        run(items, schema)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_however_they_end(end: str) -> None:
    content = run(files(end.join(["x", "", "mail: jo@acme.io, ed@acme.io"])), FILE_SET)
    (finding,) = values(content)
    places = [(place["line"], place["column"]) for place in finding["locations"]]
    assert (finding["total"], places) == (2, [(3, 7), (3, 19)])


def test_a_return_within_a_line_ends_no_line() -> None:
    (finding,) = values(run(files("10%\r20%\nmail: jo@acme.io\n"), FILE_SET))
    assert (finding["locations"][0]["line"], finding["locations"][0]["column"]) == (2, 7)


def test_findings_merge_and_are_json() -> None:
    one, two = run(files("a@b.io"), FILE_SET), run(files("c@d.io", "e@f.io"), FILE_SET)
    merged = merge([one, two])
    assert merged["summary"]["by_type"] == {"EMAIL_ADDRESS": 3}
    assert len(merged["findings"]) == merged["summary"]["findings"] == 3
    assert encode(Message("findings", merged)).data
