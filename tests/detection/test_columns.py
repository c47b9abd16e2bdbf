"""Columns of delimited text: typed ones are found whole, beside any other, in any dialect."""

from __future__ import annotations

import csv
import hashlib
import io
import random
import uuid
from collections.abc import Callable
from typing import NamedTuple

import pytest

from waivern.detection import scan

ROWS = 25
Make = Callable[[random.Random], str]


def digits(r: random.Random, count: int) -> str:
    return str(r.randint(1, 9)) + "".join(str(r.randint(0, 9)) for _ in range(count - 1))


def weighed(r: random.Random, weights: list[int], modulus: int, count: int) -> str:
    """Return a number whose weighed sum of digits is a multiple of the modulus."""
    while True:
        number = digits(r, count)
        if sum(w * int(d) for w, d in zip(weights, number, strict=True)) % modulus == 0:
            return number


def luhn(number: str) -> int:
    doubled = [int(d) for d in number[::-1]]
    return (sum(doubled[::2]) + sum(sum(divmod(2 * d, 10)) for d in doubled[1::2])) % 10


def card(r: random.Random) -> str:
    number = "4" + digits(r, 14)
    return next(number + str(n) for n in range(10) if luhn(number + str(n)) == 0)


def iban(r: random.Random) -> str:
    account = digits(r, 18)
    return f"DE{98 - int(account + '131400') % 97:02}{account}"


def date(r: random.Random, first: int, last: int) -> tuple[int, int, int]:
    return r.randint(first, last), r.randint(1, 12), r.randint(13, 28)


def born(r: random.Random) -> str:
    return "{}-{:02}-{:02}".format(*date(r, 1940, 2004))


def nhs(r: random.Random) -> str:
    return weighed(r, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 11, 10)


TYPED: dict[str, tuple[str, list[str], Make]] = {
    "email": ("EMAIL_ADDRESS", ["email", "E-Mail", "correo"], lambda r: f"p{digits(r, 4)}@acme.io"),
    "phone": (
        "PHONE_NUMBER",
        ["phone", "Telefon", "téléphone"],
        lambda r: f"020 7{digits(r, 3)} {digits(r, 4)}",
    ),
    "card": ("CREDIT_CARD", ["card number", "Kreditkarte", "creditcard"], card),
    "iban": ("IBAN_CODE", ["iban", "bank account", "IBAN"], iban),
    "birth": ("DATE_OF_BIRTH", ["birth date", "Geburtsdatum", "date_of_birth"], born),
    "ssn": (
        "US_SSN",
        ["ssn", "social security number", "SSN"],
        lambda r: f"{r.randint(101, 665)}-{r.randint(10, 99)}-{r.randint(1000, 9999)}",
    ),
    "nhs": ("UK_NHS", ["nhs number", "NHS", "nhs_no"], nhs),
    "bsn": (
        "NL_BSN",
        ["bsn", "burgerservicenummer", "BSN"],
        lambda r: weighed(r, [9, 8, 7, 6, 5, 4, 3, 2, -1], 11, 9),
    ),
    "ip": (
        "IP_ADDRESS",
        ["ip", "ip address", "client_ip"],
        lambda r: f"81.{r.randint(20, 250)}.{r.randint(20, 250)}.{r.randint(20, 250)}",
    ),
}
OTHER: dict[str, Make] = {
    "order number": lambda r: digits(r, 10),
    "invoice": lambda r: f"INV-{digits(r, 8)}",
    "epoch": lambda r: str(r.randint(1_500_000_000, 1_790_000_000)),
    "created_ms": lambda r: str(r.randint(1_500_000_000_000, 1_790_000_000_000)),
    "created_at": lambda r: "{}-{:02}-{:02}T10:11:12Z".format(*date(r, 2015, 2025)),
    "version": lambda r: f"{r.randint(1, 60)}.{r.randint(0, 30)}.{r.randint(0, 40)}",
    "size": lambda r: str(r.randint(10**6, 10**10)),
    "uuid": lambda r: str(uuid.UUID(int=r.getrandbits(128), version=4)),
    "md5": lambda r: hashlib.md5(digits(r, 9).encode()).hexdigest(),
    "sha256": lambda r: hashlib.sha256(digits(r, 9).encode()).hexdigest(),
    "price": lambda r: f"{r.randint(1, 9)}.{r.randint(100, 999)},{r.randint(10, 99)}",
    "amount": lambda r: f"{r.randint(1, 99999)}.{r.randint(10, 99)}",
    "ean": lambda r: next(
        code + str(n)
        for code in ["40" + digits(r, 10)]
        for n in range(10)
        if (sum(map(int, code[::2])) + 3 * sum(map(int, code[1::2])) + n) % 10 == 0
    ),
    "sku": lambda r: f"SKU-{digits(r, 5)}",
    "quantity": lambda r: str(r.randint(1, 400)),
    "status": lambda r: r.choice(["open", "paid", "sent", "late"]),
    "percent": lambda r: f"{r.randint(0, 99)},{r.randint(0, 9)} %",
    "row_id": lambda r: str(r.randint(2**60, 2**62)),
    "colour": lambda r: f"#{r.getrandbits(24):06x}",
    "tracking": lambda r: f"1Z{r.getrandbits(32):08X}{digits(r, 8)}",
    "duration": lambda r: f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}",
}


class Dialect(NamedTuple):
    """A way of writing a table."""

    delimiter: str = ","
    quote: str = '"'
    all_quoted: bool = False
    end: str = "\n"
    above: str = ""
    note: str = ""
    """Text of a first column."""


DIALECTS = {
    "plain": Dialect(),
    "semicolons": Dialect(";"),
    "tabs": Dialect("\t", end="\r\n"),
    "bars": Dialect("|"),
    "carets": Dialect("^"),
    "tildes": Dialect("~"),
    "colons": Dialect(":"),
    "quoted": Dialect(all_quoted=True),
    "single quotes": Dialect(";", quote="'", all_quoted=True),
    "single quotes and commas": Dialect(",", quote="'", all_quoted=True, end="\r\n"),
    "sep": Dialect(";", above="sep=;\n"),
    "sep, quoted": Dialect(",", above='"sep=,"\n'),
    "a comment": Dialect(above="# exported on 2026-01-02 by the shop\n"),
    "comments": Dialect("\t", above="# export\n# rows: 25, columns: 3\n"),
    "a title": Dialect(";", above="Customers of the year 2026\n"),
    "a title in cells": Dialect(";", above="Customers of the year 2026;;;\n"),
    "title and blank line": Dialect(",", above="Customers, orders and more\n\n"),
    "a mark": Dialect(above="\ufeff"),
    "return only": Dialect(";", end="\r"),
    "lines in cells": Dialect(note="first\nsecond, third"),
    "blank lines in cells": Dialect(";", note="first\n\nthird"),
    "long rows": Dialect(note="word " * 5_000),
    "quotes in cells": Dialect(note='5" or "so", she said'),
}


def table(columns: list[tuple[str, list[str]]], dialect: Dialect) -> str:
    """Return a table; where the dialect has a note, that is its first column."""
    if dialect.note:
        columns = [("remark", [dialect.note if n % 3 else "-" for n in range(ROWS)]), *columns]
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        quoting=csv.QUOTE_ALL if dialect.all_quoted else csv.QUOTE_MINIMAL,
        lineterminator=dialect.end,
    )
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*(cells for _, cells in columns), strict=True))
    return dialect.above.replace("\n", dialect.end) + text.getvalue()


def check(typed: str, others: list[str], dialect: Dialect, r: random.Random) -> None:
    """Check that the typed column, which others surround, is found whole and nothing else is."""
    kind, names, make = TYPED[typed]
    cells = [make(r) for _ in range(ROWS)]
    columns = [(name, [OTHER[name](r) for _ in range(ROWS)]) for name in others]
    columns.insert(r.randint(0, len(columns)), (r.choice(names), cells))
    text = table(columns, dialect)
    found = [(m.type, text[m.start : m.end]) for m in scan(text)]
    assert found == [(kind, cell) for cell in cells], text[:300]


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("other", OTHER)
def test_a_column_beside_any_other(typed: str, other: str) -> None:
    r = random.Random(f"{typed}{other}")
    plain = [DIALECTS[name] for name in ("plain", "semicolons", "tabs", "quoted")]
    check(typed, [other], r.choice(plain), r)


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_column_in_any_dialect(typed: str, dialect: str) -> None:
    if dialect == "colons" and typed == "ip":
        return  # an address and a port, as far as can be seen
    r = random.Random(f"{typed}{dialect}")
    others = [name for name in OTHER if dialect != "colons" or ":" not in OTHER[name](r)]
    check(typed, r.sample(others, 3), DIALECTS[dialect], r)


RAGGED = {
    "missing at the end": "id,name,phone,city\n1,Ann,020 7123 4567\n2,Bob,020 7123 4568,Rome\n",
    "more delimiters": "id,name,phone\n1,Ann,020 7123 4567,,\n2,Bob,020 7123 4568\n",
    "blank lines": "id,name,phone\n\n1,Ann,020 7123 4567\n2,Bob,020 7123 4568\n",
    "groups": "id,name,phone\n1,Ann,020 7123 4567\n\n2,Bob,020 7123 4568\n3,Eve,-\n",
    "no last line end": "id,name,phone\n1,Ann,020 7123 4567\n2,Bob,020 7123 4568",
    "a quote in a cell": 'id,size,phone\n1,5" disk,020 7123 4567\n2,a,020 7123 4568\n',
    "names with line ends": '"id","full\nname","phone"\n1,Ann,020 7123 4567\n2,Bob,020 7123 4568\n',
    "sep and a tab": "sep=\t\nid\tname\tphone\n1\tAnn\t020 7123 4567\n2\tBob\t020 7123 4568\n",
    "two columns": "id^phone\n1^020 7123 4567\n2^020 7123 4568",
}


@pytest.mark.parametrize("case", RAGGED)
def test_rows_that_do_not_fit(case: str) -> None:
    found = [(m.column, m.value) for m in scan(RAGGED[case]) if m.type == "PHONE_NUMBER"]
    assert (
        found == [("phone", "020 7123 4567"), ("phone", "020 7123 4568")][: 1 + (case != "one row")]
    )


PROSE = [
    "Title: one\nName: Ann\nOrder: 020 7123 4567\n",
    "a:b:c: see 10:11:12\nx:y:z: 020 7123 4567\n",
    "if x ^ y:\n    z ^ w\n# 020 7123 4567\n",
]


@pytest.mark.parametrize("text", PROSE)
def test_what_is_no_table_has_no_columns(text: str) -> None:
    assert {match.column for match in scan(text)} <= {""}


@pytest.mark.parametrize("quote", ["'", '"', "`", ""])
def test_names_in_quoted_cells_are_names_in_a_long_table_too(quote: str) -> None:
    people = ["Ann Lee", "Bob Maas", "Eva Kern", "Jan Prijs", "Tom Weber", "Ida Olsen"]
    rows = "".join(f"{n};{quote}{name}{quote};x{n}\n" for n, name in enumerate(people * 3))
    text = f"id;name;code\n{rows}"
    found = [text[m.start : m.end] for m in scan(text) if m.type == "PERSON"]
    assert found == people * 3
