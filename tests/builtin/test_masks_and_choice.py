"""How findings show values, which types are searched for, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from component_content import collected
from pydantic import ValidationError

from waivern.builtin.merge import Merge
from waivern.builtin.personal_data import PersonalData
from waivern.detection import load_ruleset, mask, planted_samples, scan
from waivern.errors import ComponentError
from waivern.message import Json, SchemaRef
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input

FINDINGS = SchemaRef("personal_data_findings")
TEXT = "mail: jo.doe@acme.io\niban: DE89 3704 0044 0532 0130 00\nmail: al.doe@acme.io\n"
SAMPLES, _ = planted_samples(load_ruleset(), None)


def run(text: str = TEXT, **config: Any) -> Any:
    content: Json = {"files": [{"path": "a.txt", "text": text}]}
    one = Input("files", content, SchemaRef("file_set"))
    given = PersonalData.Config(**config)
    return collected("findings", PersonalData().process([one], given, Context("a", Path())))


def evidence(content: Any) -> set[str]:
    found = {f["evidence"] for f in content["findings"] if f["kind"] == "value"}
    places = (place for f in content["findings"] for place in f["locations"])
    return found | {place["evidence"] for place in places if "evidence" in place}


def types(content: Any) -> set[str]:
    return {f["type"] for f in content["findings"] if f["kind"] == "value"}


def test_a_partial_mask_shows_at_most_two_characters_of_a_value_with_a_check() -> None:
    checked = {
        match.type
        for each in SAMPLES
        for match in scan(f"{each.label}: {each.value}")
        if {*match.validators} - {"date", "tld", "ipaddress"}
    }
    assert len(checked) > 60
    for each in SAMPLES:
        if each.type in checked:
            shown = [c for c in mask(each.type, each.value) if c.isalnum()]
            assert len(shown) <= 2, (each.type, mask(each.type, each.value))


def test_a_full_mask_shows_nothing_of_a_value() -> None:
    content = run(mask="full")
    assert evidence(content) == {"***"}
    assert content["mask"] == "full"
    assert "doe" not in json.dumps(content)


def test_unmasked_values_make_the_findings_content_of_the_source() -> None:
    ctx = Context("a", Path())
    config = PersonalData.Config(mask="none")
    one = Input("f", {"files": [{"path": "a", "text": TEXT}]}, SchemaRef("file_set"))
    content = collected("findings", PersonalData().process([one], config, ctx))
    assert "jo.doe@acme.io" in evidence(content)
    assert ctx.holds_source
    assert [name for name, _, _ in PersonalData().advise(config, ctx)] == ["mask"]
    with pytest.raises(ComponentError, match="not cached"):
        PersonalData().rulesets(config, ctx)
    with pytest.raises(ComponentError, match="not merged"):
        collected("findings", Merge().process([Input("f", content, FINDINGS)], Merge.Config(), ctx))


def test_types_are_left_out_by_name() -> None:
    assert types(run(exclude_types=["IBAN_CODE"])) == {"EMAIL_ADDRESS"}
    both: dict[str, Any] = {"types": ["IBAN_CODE", "EMAIL_ADDRESS"]}
    assert types(run(**both, exclude_types=["EMAIL_ADDRESS"])) == {"IBAN_CODE"}


def test_findings_with_few_occurrences_are_left_out() -> None:
    content = run(min_count=2, field_names=False)
    assert types(content) == {"EMAIL_ADDRESS"}
    assert content["summary"]["occurrences"] == 2


def test_a_search_for_names_alone_finds_no_values() -> None:
    text = "email,iban\njo.doe@acme.io,DE89 3704 0044 0532 0130 00\n"
    found = run(text, values=False)["findings"]
    assert {(f["kind"], f["type"]) for f in found} == {
        ("field_name", "email"),
        ("field_name", "iban"),
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"exclude_types": ["EMAIL_ADRESS"]}, "EMAIL_ADDRESS"),
        ({"values": False, "field_names": False}, "nothing is searched for"),
        ({"values": False, "types": ["IBAN_CODE"]}, "`values` is false"),
        ({"types": ["IBAN_CODE"], "exclude_types": ["IBAN_CODE"]}, "leaves none"),
        ({"min_count": 0}, "min_count"),
        ({"mask": "some"}, "mask"),
    ],
)
def test_what_cannot_be_served_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PersonalData.Config(**config)


def test_an_excluded_type_that_an_own_ruleset_does_not_have_is_refused(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text("name: acme\nversion: 1.0.0\n")
    one = Input("f", {"files": []}, SchemaRef("file_set"))
    config = PersonalData.Config(ruleset="acme.yaml", exclude_types=["NOPE"])
    with pytest.raises(ComponentError, match="NOPE"):
        collected("findings", PersonalData().process([one], config, Context("a", tmp_path)))


def test_the_parts_of_a_confidence_add_up() -> None:
    text = TEXT + "order: 943 476 5919\nMy passport number is A19720910.\n415-555-0132 (mobile)\n"
    for finding in run(text, field_names=False)["findings"]:
        why = finding["why"]
        total = sum(why.get(part, 0) for part in ("form", "label", "alone"))
        assert finding["confidence"] == min(0.99, round(total, 2))
        assert finding["confidence"] >= why["threshold"]
    why = {f["type"]: f["why"] for f in run(text, field_names=False)["findings"]}
    assert why["US_PASSPORT"] | {"form": 0} == {
        "form": 0,
        "label": 0.4,
        "threshold": 0.5,
        "stance": "for",
        "term": "passport number",
        "place": "words",
        "words": 1,
    }
