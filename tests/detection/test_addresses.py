"""Postal addresses of twenty countries, and the texts that look like them."""

from __future__ import annotations

import pytest

from waivern.detection import scan


def addresses(text: str, field: str | None = None, beside: tuple[str, ...] = ()) -> list[str]:
    found = scan(text, field=field, beside=beside, types={"POSTAL_ADDRESS"})
    return [text[match.start : match.end] for match in found]


@pytest.mark.parametrize(
    "address",
    [
        "Hauptstraße 12, 10115 Berlin",
        "Max-Planck-Str. 5a, D-80331 München, Deutschland",
        "Am Alten Markt 3\n50667 Köln",
        "Mariahilfer Straße 88a, 1070 Wien",
        "Bahnhofstrasse 1, CH-8001 Zürich",
        "Keizersgracht 123-II, 1015 CJ Amsterdam",
        "Rue de la Loi 16, 1000 Bruxelles",
        "12 bis, rue de la Paix, 75002 Paris",
        "45 rue du Faubourg Saint-Honoré\n75008 Paris\nFrance",
        "Calle Mayor 5, 2º B, 28013 Madrid",
        "Via Roma 12, 00184 Roma",
        "Rua Augusta 24, 1100-053 Lisboa",
        "ul. Marszałkowska 12/3, 00-590 Warszawa",
        "Vinohradská 12, 120 00 Praha 2",
        "Kungsgatan 4, 111 43 Stockholm",
        "Nørrebrogade 12, 2200 København",
        "Karl Johans gate 22, 0159 Oslo",
        "Mannerheimintie 12 A 3, 00100 Helsinki",
        "221B Baker Street, London NW1 6XE",
        "12 St. John's Road, Oxford OX1 2AB",
        "7 O'Connell Street, Dublin, D01 F5P2",
        "123 Main St, Springfield, IL 62704",
        "350 5th Ave, New York, NY 10118",
        "100 Queen St W, Toronto, ON M5H 2N2",
        "10 George Street, Sydney NSW 2000",
        "〒100-0001 東京都千代田区千代田1-1",
        "P.O. Box 8120, Portland, OR 97207",
        "Postfach 12 34, 8001 Zürich",
    ],
)
def test_addresses_are_found_whole(address: str) -> None:
    assert addresses(address) == [address]
    assert addresses(f"Please write to {address}\nor call us.") == [address]


def test_a_block_has_the_name_above_it() -> None:
    text = "Jane Roe\n12 High Street\nLondon SW1A 1AA\nUnited Kingdom\n"
    found = [(match.type, text[match.start : match.end]) for match in scan(text)]
    assert found == [("PERSON", "Jane Roe"), ("POSTAL_ADDRESS", text[9:-1])]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("She moved to 14 Oak Lane last May", ["14 Oak Lane"]),
        ("He lives at 5 Elm Court.", ["5 Elm Court"]),
        ("address: Flat 2, Rosewood House 14", ["Flat 2, Rosewood House 14"]),
        ('{"address": "Rosenweg 3"}', ["Rosenweg 3"]),
        ("in section 5 Way of life, 3 Road trips and 12 Street Fighter games", []),
        ("version 4.2 Ring 3, via 3 hops, route 53, avenue 5, place 3 coins", []),
        ("Wenn du am Weg 3 Äpfel findest", []),
        ("address: 10.0.0.1 port 80\nmemory address = 0x1F 12 Ab", []),
        ("$map['home_address'] = \"Indirizzo di casa 2\";", []),
        ("Copyright Calle Rosenquist, 2016-2018", []),
        ("Chapter 5\n1000 Cats\nFigure 3, 2020 Edition", []),
        ("The Court 5 times found Drive 3 of St 4", []),
        ("2024-05-10 12:00:00 INFO 200 OK Main St", []),
    ],
)
def test_a_street_alone_needs_a_kind_or_a_label(text: str, wanted: list[str]) -> None:
    assert addresses(text) == wanted


@pytest.mark.parametrize(
    ("field", "value", "beside", "found"),
    [
        ("address", "12 Oak Lane", (), True),
        ("Straße", "Rosenweg 3", (), True),
        ("street_line1", "Am Hang 4", (), True),
        ("住所", "東京都千代田区千代田1-1", (), True),
        ("city", "Bad Homburg", ("street", "zip"), True),
        ("plz", "80331", ("strasse", "ort"), True),
        ("city", "Bad Homburg", ("name",), False),
        ("zip", "80331", ("id",), False),
        ("ip_address", "10 0 0 1", (), False),
        ("email_address", "jane 3", (), False),
        ("wallet address", "abc def 12", (), False),
    ],
)
def test_the_value_of_a_field_of_addresses(
    field: str, value: str, beside: tuple[str, ...], found: bool
) -> None:
    assert addresses(value, field, beside) == ([value] if found else [])


def test_columns_of_a_table_are_addresses_together() -> None:
    text = "street,zip,city\nMain St 4,12345,Berlin\nRosenweg 3,80331,München\n"
    parts = ["Main St 4", "12345", "Berlin", "Rosenweg 3", "80331", "München"]
    assert addresses(text) == parts
    assert addresses(text.replace("street", "flavour")) == []


def test_rows_of_sql_have_columns() -> None:
    text = "INSERT INTO t (id, address, note) VALUES (1, '12 Oak Lane', 'a'), (2, 'Hill 3', 'b 4');"
    assert addresses(text) == ["12 Oak Lane", "Hill 3"]


def test_an_address_of_an_example_is_test_data() -> None:
    assert [match.sample for match in scan("at 123 Example Street, 12345 Berlin")] == [True]
