"""Values judged by their place: columns, rows, keys and clauses, in the languages of Europe."""

from __future__ import annotations

import pytest

from waivern.detection import scan

CARD, CARD_TOO = "4539578763621486", "4556737586899855"


def found(text: str) -> list[tuple[str, str]]:
    """Return the values that are not names: the rows of these tables have both."""
    return [
        (match.type, text[match.start : match.end])
        for match in scan(text)
        if match.type != "PERSON"
    ]


@pytest.mark.parametrize(
    ("head", "rows", "wanted"),
    [
        ("name;phone", ["Jimmy Page;415-555-0132", "Mary Price;415-555-0133"], "PHONE_NUMBER"),
        ("name,card", [f"John Page,{CARD}", f"Ms Order,{CARD_TOO}"], "CREDIT_CARD"),
        ("title\tssn", ["Mr Batch\t536-90-4399", "Mrs Weight\t536-90-4398"], "US_SSN"),
        ("ssn,total", ["536-90-4399,17.50", "536-90-4398,18.50"], "US_SSN"),
        ("| who | bsn |\n|---|---|", ["| Jan Prijs | 111222333 |"], "NL_BSN"),
    ],
)
def test_in_a_table_the_column_speaks_and_not_the_cell_before(
    head: str, rows: list[str], wanted: str
) -> None:
    text = "\n".join([head, *rows, ""])
    assert [kind for kind, _ in found(text)] == [wanted] * len(rows)


def test_in_a_table_of_keys_and_values_the_head_of_the_row_speaks() -> None:
    text = "| field | value |\n|---|---|\n| bsn | 414472974 |\n| order_no | 5176582248912085 |\n"
    assert found(text) == [("NL_BSN", "414472974")]
    rows = "<tr><td>bsn</td><td>414472974</td></tr>"
    rows += "<tr><td>order_no</td><td>5176582248912085</td></tr>"
    assert found(f"<table>{rows}</table>") == [("NL_BSN", "414472974")]


@pytest.mark.parametrize("name", ["col_14", "foo", "Creditcardnummer", "kortnummer", "feld 3"])
def test_a_name_that_says_nothing_is_no_reason_against_a_check_digit(name: str) -> None:
    assert found(f"{name}: {CARD}") == [("CREDIT_CARD", CARD)]
    assert found(f"order_no: {CARD}") == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Please send the report to 526-43-2852 today", ("US_SSN", "526-43-2852")),
        ("the bill from 526-43-2852 is due", ("US_SSN", "526-43-2852")),
        ("change the PESEL to 96111726007 now", ("PL_PESEL", "96111726007")),
    ],
)
def test_a_preposition_labels_nothing_in_a_sentence(text: str, wanted: tuple[str, str]) -> None:
    assert found(text) == [wanted]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Telefoonnummer: 020 7123 456", ("PHONE_NUMBER", "020 7123 456")),
        ("Telemóvel: 912 345 678", ("PHONE_NUMBER", "912 345 678")),
        ("puhelinnumero 040 123 4567", ("PHONE_NUMBER", "040 123 4567")),
        ("mobilnummer: 070 123 45 67", ("PHONE_NUMBER", "070 123 45 67")),
        ("steueridentnr: 86095742719", ("DE_TAX_ID", "86095742719")),
        ("social_sec: 536904399", ("US_SSN", "536904399")),
        ("betaalkaartnummer 4539 5787 6362 1486", ("CREDIT_CARD", "4539 5787 6362 1486")),
    ],
)
def test_compounds_are_known_by_their_parts(text: str, wanted: tuple[str, str]) -> None:
    assert found(text) == [wanted]


@pytest.mark.parametrize(
    "text",
    [
        "Depends: libfoo (= 60.5.10.3), libbar (>= 61.50.70.1)",
        "requests==52.31.48.57",
        "X509v3 keyUsage 2.5.29.15, 1.3.6.1",
        "see 22.1.2.1 for details",
        "blk_-4657886075935807358",
        "offset -4539578763621486 of the block",
        "value 4657886075935807358 end",
        "got 4006381333931 twice",
        "0317.0020.0003 0316.001F.0002 in the dump",
        "Tels 2001-2009",
        "tel 1998/2004",
        "Tel Aviv 6777016",
        "5482 5494 5477 5471\n5501 5520 5511 5499\n5461 5450 5442 5433\n",
        "101 22 3034 55 1020\n204 45 6789 11 3\n",
        "9 943 476 5919 0 1",
    ],
)
def test_what_only_looks_like_a_value_is_not_reported(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("VALUES (N'luisg@embraer.com.br')", "luisg@embraer.com.br"),
        ("write to O'Brien@acme.ie", "O'Brien@acme.ie"),
        ("call +44 020 7707 0707 now", "+44 020 7707 0707"),
        ("listen on 52.17.200.3", "52.17.200.3"),
        ("server 10.0.0.5 is up", "10.0.0.5"),
        ("mac 0316.001f.0002", "0316.001f.0002"),
    ],
)
def test_the_span_is_the_value(text: str, wanted: str) -> None:
    assert [value for _, value in found(text)] == [wanted]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Herr Brandl hat von 01512 1490758 aus angerufen.", "01512 1490758"),
        ("Unter 030 5988 3911 bin ich telefonisch zu erreichen.", "030 5988 3911"),
        ("Telefonisk kontakt: 08-12 34 68", "08-12 34 68"),
        ("Vous pouvez joindre Camille au 06 12 39 70 22.", "06 12 39 70 22"),
        ("Iker llamó desde el 612-45-72-14 anoche.", "612-45-72-14"),
        ("il signor Greco ha telefonato dal 312 932 3906 ieri.", "312 932 3906"),
        ("Volejte na 601 123 456 po obědě.", "601 123 456"),
        ("Please call Dr. Pritchard on 0121 496 0321.", "0121 496 0321"),
        ("(Tel. 01512.4363773)", "01512.4363773"),
        ("left a voicemail from 001 201-523-6687.", "001 201-523-6687"),
        ("Numer telefonu pan Sikora: 512 356 163", "512 356 163"),
        ("Tél perso 06 12 38 68 73", "06 12 38 68 73"),
        ("+44 121 220 2829 is my direct line.", "+44 121 220 2829"),
    ],
)
def test_a_phone_number_is_known_by_what_a_sentence_says_of_it(text: str, wanted: str) -> None:
    assert found(text) == [("PHONE_NUMBER", wanted)]


@pytest.mark.parametrize(
    "text",
    [
        "Your customer number 0612345678 is on the letter.",
        "Ihre Kundennummer 0421 223 121 steht oben.",
        "Su número de cliente 612 120 587 figura en la carta.",
        "The number of visitors reached 12.500.000 in March.",
        "Le message 115 948 961 est arrivé.",
        "order 4155550132 was shipped by phone.",
        "the number 0123456789 has all digits",
        "ring 1/178000 of an inch",
        "Decimal('+35236450.6')",
        "245 222 179 wheat",
    ],
)
def test_a_number_of_something_else_is_no_phone_number(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("お客様電話番号\uff1a03-1234-5678", ("PHONE_NUMBER", "03-1234-5678")),
        ("お客様のマイナンバーは 621498320257 です", ("JP_MY_NUMBER", "621498320257")),
        ("我的电话是13120443410。", ("PHONE_NUMBER", "13120443410")),
        ("제 전화번호는 010-2778-7919입니다.", ("PHONE_NUMBER", "010-2778-7919")),
        ("03-1237-7429までお電話ください。", ("PHONE_NUMBER", "03-1237-7429")),
        ("邮箱jane@acme.io是", ("EMAIL_ADDRESS", "jane@acme.io")),
        ("卡号4539578763621486。", ("CREDIT_CARD", "4539578763621486")),
        ("联系电话 13812345678", ("PHONE_NUMBER", "13812345678")),
        ("เลขบัตรประชาชน 2345678901234", ("TH_TNIN", "2345678901234")),
        ("x " * 200 + "เลขบัตรประชาชน 2345678901234", ("TH_TNIN", "2345678901234")),
    ],
)
def test_labels_in_scripts_without_spaces(text: str, wanted: tuple[str, str]) -> None:
    assert found(text) == [wanted]


ROWS = ["111222333", "4539578763621486"]


@pytest.mark.parametrize(
    "text",
    [
        " bsn       | order_no\n-----------+------------------\n {} | {}\n(1 row)\n",
        "^ bsn ^ order_no ^\n| {} | {} |\n",
        "+-----------+\n| bsn | order_no |\n|-----|-----|\n| {} | {} |\n",
        "field;person 1;person 2\nbsn;{};x\norder_no;{};4556737586899855\n",
        ",Ann,Bob\nbsn,{},x\norder_no,{},x\n",
    ],
    ids=["terminal", "wiki", "rules", "persons in columns", "persons in columns without a corner"],
)
def test_tables_of_terminals_wikis_and_one_column_a_person(text: str) -> None:
    bsn, order = ROWS
    assert found(text.format(bsn, order)) == [("NL_BSN", bsn)]


@pytest.mark.parametrize("before", ["<client_ip>", "src -> ", "route => ", '<a href="x">'])
def test_an_arrow_or_a_tag_before_an_address_compares_nothing(before: str) -> None:
    assert found(f"{before}81.21.131.109") == [("IP_ADDRESS", "81.21.131.109")]
    assert found("foo>81.21.131.109") == []
