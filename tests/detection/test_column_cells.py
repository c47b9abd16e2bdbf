"""Columns that say what they hold: a cell is what it would be alone under the column's name."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from waivern.detection import scan, search

COLUMNS = """
    email|phone|mobile phone|birth_date|date of birth|iban|card_number|credit card|ip_address|ssn
    customer_id|created_at|amount|passport number|national id|tax id|vat number|nhs number|bsn
    pesel|mac_address|gps|uuid|telefon|geburtsdatum|driver license|license plate|imei|order number
""".replace("\n", "|").split("|")
NAMES = [name.strip() for name in COLUMNS if name.strip()]
VALUES = """
ann@acme.io|jürgen.müller@web.de|a@b|O'Neil@x.com|git@github.com|ann@example.com
20230101.123456@mail.example.org|+44 20 7946 0152|+33 1 42 05 92 04|+49 (0)30 901820
+49 30 901820|0049 30 901820|030 901820|(212) 555-0147|212-555-0147|212-456-0147|1-800-356-9377
4111111111111111|4111 1111 1111 1111|4356-2762-5587-2913|378282246310005|4356276255872913
123456789012345|2022-06-26 22:22:38|2022-06-26T22:22:38Z|1951-09-08|08.09.1951|8/9/51|1951-13-08
DE89370400440532013000|DE65908211381563500264|DE65908211381563500265|GB82 WEST 1234 5698 7654 32
gb82west12345698765432|10.0.0.1|192.168.1.1|1.2.3.4|8.8.8.8|203.0.113.5|231.223.200.244|256.1.1.1
127.0.0.1|2001:db8::1|00:00:5E:00:53:AF|00-00-5E-00-53-AF|255-72-4905|000-12-3456|078-05-1120
12345|1234567|123456789|1234567890|12345678901|C01X00T47|L01X00T478|86095742719|943 476 5919
9434765919|111222333|44051401359|52.0000 13.0000|550e8400-e29b-41d4-a716-446655440000
call +44 20 7946 0152 now|mail ann@acme.io|B-AB 1234|490154203237518|99.99|-12|3.14| |Berlin
255 0 0|12 34 56|1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa
""".replace("\n", "|").split("|")[1:-1]
DELIMITERS = ",;|"


def a_table(seed: int) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the names and the rows of a table in which most columns hold what they say."""
    made = random.Random(seed)
    names = made.sample(NAMES, made.randint(2, 5))
    columns = [made.choices(made.sample(VALUES, made.randint(1, 9)), k=12) for _ in names]
    return names, list(zip(*columns, strict=True))


def alone(names: list[str], rows: list[tuple[str, ...]]) -> Counter[tuple[object, ...]]:
    """Return what each cell is as the value of a field of its name."""
    return Counter(
        (name, match.type, match.value, match.confidence, match.rule, match.sample)
        for row in rows
        for name, cell in zip(names, row, strict=True)
        for match in scan(cell, field=name)
    )


def in_table(text: str) -> Counter[tuple[object, ...]]:
    return Counter(
        (match.column, match.type, match.value, match.confidence, match.rule, match.sample)
        for match in scan(text)
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_cell_is_what_it_is_alone(seed: int) -> None:
    names, rows = a_table(seed)
    delimiter, quote = DELIMITERS[seed % 3], '"' if seed % 4 == 1 else ""
    lines = [delimiter.join(f"{quote}{cell}{quote}" for cell in row) for row in rows]
    text = "\n".join([delimiter.join(names), *lines, ""])
    assert in_table(text) == alone(names, rows)


def customers(count: int) -> str:
    rows = [
        f"{n},Ann,ann{n}@acme.io,+44 20 71{n:02} 0{n:03},2024-01-01,{n}.5,Haupt {n}\n"
        for n in range(count)
    ]
    return "id,first_name,email,phone,created_at,amount,notes\n" + "".join(rows)


def test_places_are_those_in_the_text() -> None:
    text = customers(30)
    found = scan(text)
    assert {match.type for match in found} == {"PERSON", "EMAIL_ADDRESS", "PHONE_NUMBER"}
    assert len(found) == 90
    assert [match.start for match in found] == sorted(match.start for match in found)
    assert all(text[match.start : match.end] == match.value for match in found)


def test_matches_that_are_alike_are_counted_and_few_are_located() -> None:
    found = search(customers(30), most=4)
    assert found.matches == []
    counts = {alike.like.type: (alike.count, len(alike.places)) for alike in found.columns}
    assert counts == {"PERSON": (30, 4), "EMAIL_ADDRESS": (30, 4), "PHONE_NUMBER": (30, 4)}


def test_the_rest_has_what_no_column_settled() -> None:
    text = customers(30)
    rest = search(text).rest
    assert len(rest) == len(text)
    assert "Haupt 7" in rest
    assert not {"Ann", "acme", "2024"} & {*rest.replace(",", " ").split()}
    assert "@" not in rest


def test_only_types_that_were_asked_for_are_settled() -> None:
    found = search(customers(30), types={"EMAIL_ADDRESS"})
    assert {alike.like.type for alike in found.columns} == {"EMAIL_ADDRESS"}
    assert "+44 20 7101 0001" in found.rest


@pytest.mark.parametrize("begin", [0, 1])
def test_rows_before_a_place_are_not_counted(begin: int) -> None:
    text = customers(30)
    place = text.index("\n7,") + 1 if begin else 0
    found = search(text, begin=place)
    assert {alike.count for alike in found.columns} == {23 if begin else 30}
    assert all(start >= place for alike in found.columns for start, _ in alike.places)


def test_cells_of_several_lines_and_rows_that_are_too_short_are_searched() -> None:
    text = (
        'email,notes\n"ann@acme.io","a\nb@acme.io"\nbob@acme.io\ncarl@acme.io,x\n'
        + "d@e.io,y\n" * 9
    )
    values = [match.value for match in scan(text)]
    assert values == ["ann@acme.io", "b@acme.io", "bob@acme.io", "carl@acme.io", *["d@e.io"] * 9]


def test_a_row_of_settled_cells_is_no_blank_line() -> None:
    text = "email\tphone\tcity\n" + "ann@acme.io\t+44 20 7101 0001\t\n" * 9 + "x\t\t2001:db8::7\n"
    assert [match.column for match in scan(text)] == ["email", "phone"] * 9 + ["city"]


# tables without a line of names

CUSTOMERS = [
    ("Anna Silva", "030 901820", "1804289383", "Berlin"),
    ("Jan Prijs", "020 7946018", "1846930886", "Utrecht"),
    ("Marek Zieliński", "071 555 3412", "1681692777", "Oslo"),
    ("Sofia Rossi", "089 4419022", "1714636915", "Rome"),
    ("James Brown", "0161 496 0999", "1957747793", "Lyon"),
    ("X-17", "n/a", "1424238335", "Bonn"),
]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_values_of_a_column_without_a_name_say_what_it_holds(delimiter: str) -> None:
    text = "".join(delimiter.join(row) + "\n" for row in CUSTOMERS * 3)
    found = Counter((match.type, match.column) for match in scan(text))
    assert found == {("PERSON", ""): 15, ("PHONE_NUMBER", ""): 15}


def test_a_finding_says_that_its_neighbours_are_of_the_type() -> None:
    text = "".join(",".join(row) + "\n" for row in CUSTOMERS)
    (phone, *_) = [match for match in scan(text) if match.type == "PHONE_NUMBER"]
    assert phone.terms == ()
    assert phone.reasons is not None
    assert phone.reasons.document()["place"] == "neighbours"


@pytest.mark.parametrize(
    "row", ["{n}0{n}4289383,{n},item {n}", "Berlin,Red {n},{n}", "2024-01-0{n},0{n},ok,{n}.5"]
)
def test_numbers_and_words_without_names_are_nothing(row: str) -> None:
    assert scan("".join(row.format(n=n % 9 + 1) + "\n" for n in range(30))) == []


def test_lines_with_different_cells_are_no_table() -> None:
    text = "".join(",".join(row) + "\n" for row in CUSTOMERS * 2) + "a,b\n"
    assert scan(text)
    assert not scan("a,b\n" + text)


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_passwords_are_found_in_a_column_of_them(delimiter: str) -> None:
    rows = [("ann", "tr0ub4dor&3"), ("bob", "correct-H0rse"), ("cat", ""), ("dan", "changeme")]
    head = delimiter.join(("login", "user_password")) + "\n"
    text = head + "".join(delimiter.join(row) + "\n" for row in rows) * 10
    found = [(match.type, match.value) for match in scan(text)]
    assert found == [("PASSWORD", "tr0ub4dor&3"), ("PASSWORD", "correct-H0rse")] * 10


# types that are searched for only where they are named


@pytest.mark.parametrize(
    ("types", "found"),
    [
        (["DATE_TIME"], {("DATE_TIME", "created_at"): 12}),
        (["URL"], {("URL", "website"): 12}),
        (["PHONE_NUMBER", "TR_PHONE_NUMBER"], {("TR_PHONE_NUMBER", "phone"): 12}),
        (["PHONE_NUMBER"], {("PHONE_NUMBER", "phone"): 12}),
    ],
)
def test_optional_types_are_found_in_columns(
    types: list[str], found: dict[tuple[str, str], int]
) -> None:
    row = "1,2024-05-06 10:11:12,https://acme.io/x?y=1,0532 123 45 67\n"
    text = "id,created_at,website,phone\n" + row * 12
    assert Counter((match.type, match.column) for match in scan(text, types=types)) == found
