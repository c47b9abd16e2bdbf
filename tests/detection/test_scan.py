"""What `scan` promises: bounded time, equal answers, spans that hold, masks that hide."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waivern.detection import classify, field_names, load_ruleset, mask, redact, scan
from waivern.detection import validators as check
from waivern.detection.identifiers import (
    central_europe,
    germany,
    north_america,
    southern_europe,
    united_kingdom,
)
from waivern.detection.identifiers.checks import luhn
from waivern.errors import NotFoundError

UNITS = [
    *"a01@.:-, \n\t'\"(<=/+é",
    "1 ", "1-", "12 34 56 ", "a@", "a@b.", "::", "a::", "aa:", "1.", "+1 ", "DE89 ", "(0", "AA00",
    "4111111111111111 ", "key: 4155550132\n", "born 1.1.1990 ", "- 4155550132\n", '["4155550132",',
    "(1,'a',2),", "<td>", "insert into t (a) values ", "a,1\n", "\n\n", "w" * 26 + " ", "email=",
    "password=", "token: a1", "://a:b", "-----BEGIN PRIVATE KEY-----\n" + "A" * 20, "$1$a", "eyJa.",
]  # fmt: skip


@pytest.mark.parametrize("most", [100_000, pytest.param(1_000_000, marks=pytest.mark.sweep)])
@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_hostile_text_is_read_in_linear_time(unit: str, most: int) -> None:
    size = most if len(unit) == 1 else most // 4
    text = (unit * (size // len(unit) + 1))[:size]
    began = time.process_time()
    scan(text[: size // 4])
    quarter = time.process_time() - began
    began = time.process_time()
    scan(text)
    whole = time.process_time() - began
    assert whole < 8 * quarter + 0.5
    assert whole < 10


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("email=x@y.org", "x@y.org"),
        ("mailto:a.b@c.de?x", "a.b@c.de"),
        ("<a@b.io>", "a@b.io"),
        ("Tél +49 30 901820", "+49 30 901820"),
        (
            "tel. +33\u00a01\u00a042\u00a068\u00a053\u00a000.",
            "+33\u00a01\u00a042\u00a068\u00a053\u00a000",
        ),
        ("😀 iban DE89370400440532013000", "DE89370400440532013000"),
    ],
)
def test_the_span_is_the_value_and_nothing_else(text: str, found: str) -> None:
    (match,) = scan(text)
    assert text[match.start : match.end] == found


@pytest.mark.parametrize(
    "digits", ["123456789", "4155550132", "44051401458", "111222333", "412888888881"]
)
def test_a_bare_run_of_9_to_12_digits_needs_a_label(digits: str) -> None:
    assert scan(f"see {digits} there") == []


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("customerPhoneNumber", "4155550132", "PHONE_NUMBER"),
        ("social_security_no", "536904399", "US_SSN"),
        ("nhsNumber", "9434765919", "UK_NHS"),
        ("Geburtsdatum", "01.02.1980", "DATE_OF_BIRTH"),
        ("numéro de sécurité sociale", "255081416802538", "FR_NIR"),
    ],
)
def test_a_field_name_is_the_label_of_its_values(field: str, value: str, kind: str) -> None:
    assert [match.type for match in scan(value, field=field)] == [kind]
    assert scan(value, field="order_no") == []


@pytest.mark.parametrize(
    "text", ["a@example.com", "192.0.2.7", "(415) 555-0132", "4111111111111111", "078-05-1120"]
)
def test_documentation_values_are_told_apart(text: str) -> None:
    assert [match.sample for match in scan(text)] == [True]


def test_a_value_of_a_person_is_no_sample() -> None:
    assert [m.sample for m in scan("jo@acme.io 93.184.216.34 4539578763621486")] == [False] * 3


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_gives_ordered_spans_within_it(text: str) -> None:
    matches = scan(text)
    assert matches == scan(text)
    ends = [0, *(m.end for m in matches)]
    for match, before in zip(matches, ends, strict=False):
        assert before <= match.start < match.end <= len(text)
        assert mask(match.type, text[match.start : match.end]) != text[match.start : match.end]


@pytest.mark.parametrize(
    "address",
    [
        "renu\u0308e@corp.com",
        "e\u0301ric@corp.com",
        "nguy\u1ec5n@corp.vn",
        "иван@corp.com",
        "иван.petrov@corp.com",
        "ivan@пример.рф",
        "σπύρος@corp.gr",
        "אבי@corp.co.il",
        "आदित्य@उदाहरण.भारत",
    ],
)
def test_an_address_is_whole_in_any_alphabet(address: str) -> None:
    text = f"to {address}, now"
    (match,) = scan(text)
    assert (match.type, text[match.start : match.end]) == ("EMAIL_ADDRESS", address)
    assert redact(text).startswith("to ")
    assert address not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "请联系li@corp.com谢谢",
        "메일li@corp.com으로",
        "ל-li@corp.com",
        "на li@corp.comили",
    ],
)
def test_words_written_on_to_an_address_are_not_part_of_it(text: str) -> None:
    assert [text[m.start : m.end] for m in scan(text)] == ["li@corp.com"]


def test_redact_leaves_the_rest() -> None:
    assert redact("call jo@acme.io now") == "call ****@acme.io now"
    assert "4399" not in redact("ssn 536-90-4399")


@pytest.mark.parametrize(
    ("holds", "value"),
    [
        (luhn, "4539578763621486"),
        (check.iban, "GB82WEST12345698765432"),
        (check.iban, "MT84MALT011000012345MTLCAST001S"),
        (united_kingdom.uk_nhs, "9434765919"),
        (north_america.us_ssn, "536904399"),
        (united_kingdom.uk_nino, "AB123456C"),
        (central_europe.nl_bsn, "111222333"),
        (central_europe.pl_pesel, "44051401458"),
        (southern_europe.es_nif, "12345678Z"),
        (southern_europe.es_nif, "X1234567L"),
        (southern_europe.fr_nir, "255081416802538"),
        (germany.de_tax_id, "86095742719"),
        (check.nanp, "2125550147"),
        (check.base58_address, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        (check.bech32_address, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
    ],
)
def test_validators_know_published_examples_and_a_changed_digit(
    holds: Callable[[str], bool], value: str
) -> None:
    assert holds(value)
    if holds not in (north_america.us_ssn, united_kingdom.uk_nino, check.nanp):
        last = {"Z": "T", "L": "M", "S": "T", "a": "b", "q": "p"}.get(value[-1])
        assert not holds(value[:-1] + (last or str((int(value[-1]) + 1) % 10)))


@pytest.mark.parametrize("bad", ["000123456", "666123456", "912345678", "123006789", "123450000"])
def test_social_security_numbers_that_were_never_issued(bad: str) -> None:
    assert not north_america.us_ssn(bad)


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("emails", "contact"),
        ("emailAddress", "contact"),
        ("CUSTOMER_DATE_OF_BIRTH", "identity"),
        ("dateofbirth", "identity"),
        ("Prénom", "identity"),
        ("user-ip-address", "online_identifier"),
        ("tradeUnionMembership", "trade_union"),
        ("hivStatus", "health"),
    ],
)
def test_field_names_are_known_in_any_spelling(name: str, category: str) -> None:
    field = classify(name, load_ruleset())
    assert field is not None
    assert field.term.category == category


@pytest.mark.parametrize(
    "name", ["is_email", "EMAIL_HOST", "race_condition", "interface", "", "set_password"]
)
def test_other_names_are_not_fields(name: str) -> None:
    assert classify(name, load_ruleset()) is None


def test_one_word_special_terms_need_data_and_a_second_signal() -> None:
    rules = load_ruleset()
    prose = "The condition of origin: face the state, and race = detect()"
    assert field_names(prose, rules) == []
    assert field_names("race,origin\na,b\n", rules) == []
    used = {use.field.name for use in field_names("first_name,race,origin\na,b,c\n", rules)}
    assert used == {"first_name", "race", "origin"}


def test_an_unknown_ruleset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(NotFoundError) as caught:
        load_ruleset("personal_data", "9.9.9")
    assert "personal_data 1.0.0" in str(caught.value.hint)
