"""Builds the sample company: `files/`, `shop.db`, and how much personal data lies where.

Larkfield Outfitters does not exist, and neither does anybody in here. Addresses are at the reserved
example domains, telephone numbers come from the ranges kept free for fiction, IP addresses from
those for documentation, card numbers are the ones that payment providers publish for tests, IBANs
belong to no bank but have valid check digits, NHS numbers come from the test range. The same script
always writes the same content:

    python runbooks/data/build.py
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

FIRST = (
    "Ada", "Bram", "Chidi", "Dana", "Emil", "Freya", "Goran", "Hana",
    "Ines", "Jonas", "Kaya", "Liam", "Mina", "Nils", "Odette", "Pavel",
)  # fmt: skip
LAST = (
    "Quillfeather", "Bramblewood", "Ostrander", "Vantongeren",
    "Holloway", "Lindqvist", "Marchetti", "Okonjo",
)  # fmt: skip
DOMAINS = ("example.com", "example.org", "mail.example.net", "post.example.com")
CARDS = (
    "4111111111111111", "4012888888881881", "5555555555554444",
    "5105105105105100", "378282246310005", "6011111111111117",
)  # fmt: skip
STREETS = ("Mill Lane", "Harbour Road", "Orchard Street", "Kiln Yard")


def person(n: int) -> dict[str, str]:
    """Return one of 128 people."""
    first, last = FIRST[n % 16], LAST[n // 16 % 8]
    return {
        "first_name": first,
        "last_name": last,
        "email": f"{first}.{last}@{DOMAINS[n % 4]}".lower(),
        "phone": f"+44 7700 900{n:03d}" if n % 3 else f"+44 20 7946 0{n:03d}",
        "date_of_birth": f"{1950 + n * 7 % 55}-{n % 12 + 1:02d}-{n * 5 % 28 + 1:02d}",
        "address": f"{n + 1} {STREETS[n % 4]}",
    }


def iban(n: int) -> str:
    """Return a British IBAN of the bank TEST, which there is none of."""
    account = f"TEST000000{n:08d}"
    digits = "".join(str(int(character, 36)) for character in account + "GB00")
    return f"GB{98 - int(digits) % 97:02d}{account}"


def nhs_number(n: int) -> str:
    """Return a number of the range 999 000 0000 and up, where a check digit exists."""
    body = f"999{n:06d}"
    check = 11 - sum(int(digit) * (10 - i) for i, digit in enumerate(body)) % 11
    return nhs_number(n + 1000) if check == 10 else f"{body}{check % 11}"


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as CSV with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def png() -> bytes:
    """Return a picture of one grey point."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    head = chunk(b"IHDR", bytes.fromhex("00000001000000010800000000"))
    point = chunk(b"IDAT", bytes.fromhex("7801010200fdff008000820081"))
    return b"\x89PNG\r\n\x1a\n" + head + point + chunk(b"IEND", b"")


def customers_csv() -> str:
    return table(
        [{"customer_id": 1000 + n, **person(n), "loyalty_points": n * 35} for n in range(40)]
    )


def newsletter_json() -> str:
    people = [person(n) for n in range(40, 52)]
    subscribers = [
        {"email": p["email"], "signup_ip": f"203.0.113.{n + 10}", "consent": n % 4 != 0}
        for n, p in enumerate(people)
    ]
    return json.dumps({"list": "spring-2025", "subscribers": subscribers}, indent=2) + "\n"


def employees_csv() -> str:
    unions = ("", "Unite", "", "GMB")
    return table(
        [
            {
                "employee_id": f"LO-{n:03d}",
                "full_name": f"{person(n)['first_name']} {person(n)['last_name']}",
                "work_email": f"staff{n}@example.org",
                "iban": iban(n),
                "nhs_number": nhs_number(n),
                "date_of_birth": person(n)["date_of_birth"],
                "trade_union": unions[n % 4],
                "sick_leave_days": n % 5,
            }
            for n in range(60, 68)
        ]
    )


def access_log() -> str:
    lines = []
    for n in range(30):
        path = f"/unsubscribe?email={person(n)['email']}" if n % 10 == 3 else f"/product/{n * 37}"
        request = f'[14/Mar/2025:09:{n:02d}:07 +0000] "GET {path} HTTP/1.1" 200 {n * 411}'
        lines.append(f"198.51.100.{n + 1} - - {request}")
    return "\n".join(lines) + "\n"


def build_log() -> str:
    """Nothing personal, and much that looks like it."""
    return "".join(
        f"1741943{n:03d} build 4.18.{n}.2 sha 9f86d081884c7d65{n:024x} "
        f"order 20250314{n:04d} took {n}.25 s\n"
        for n in range(20)
    )


def tickets_json() -> str:
    p, q = person(70), person(71)
    return (
        json.dumps(
            [
                {
                    "ticket": 88121,
                    "text": f"Hello, I am {p['first_name']} and my parcel is lost. "
                    f"Please call {p['phone']} or write to {p['email']}.",
                },
                {
                    "ticket": 88122,
                    "text": f"Refund to my account, IBAN {iban(71)}. Regards, {q['last_name']}",
                },
                {"ticket": 88123, "text": "The zip of the blue jacket is broken. Order 20250301."},
                {
                    "ticket": 88124,
                    "text": f"I paid twice with card number {CARDS[0]}, please check.",
                },
            ],
            indent=2,
        )
        + "\n"
    )


CHECKOUT = '''"""The checkout of the web shop."""


def charge(order_id: str, card_number: str, billing_address: str) -> dict:
    # Questions: payments@example.com
    masked = card_number[-4:].rjust(16, "*")
    return {"order_id": order_id, "card": masked, "to": billing_address}


def test_charge() -> None:
    assert charge("o-1", card_number="4012888888881881", billing_address="")["order_id"] == "o-1"
'''

HANDBOOK = """# Staff handbook

Working hours are agreed with your manager. Version 2.14.0 of this page.

Data protection questions go to dpo@example.org. Nobody's personal details belong on this page.
"""

LETTER = f"""Müller & Söhne GmbH, Köln

Sehr geehrte Damen und Herren,

bitte überweisen Sie den Betrag auf das Konto mit der IBAN {iban(90)}.
Rückfragen an jörg: buchhaltung@example.com

Mit freundlichen Grüßen
"""


def files() -> dict[str, bytes]:
    """Return the company's files, by path."""
    texts = {
        "crm/customers.csv": customers_csv(),
        "crm/newsletter.json": newsletter_json(),
        "hr/employees.csv": employees_csv(),
        "hr/handbook.md": HANDBOOK,
        "logs/access.log": access_log(),
        "logs/build.log": build_log(),
        "src/checkout.py": CHECKOUT,
        "support/tickets.json": tickets_json(),
    }
    return {path: text.encode() for path, text in texts.items()} | {
        "media/logo.png": png(),
        "support/letter.txt": LETTER.encode("latin-1"),  # as it came from an old machine
    }


SCHEMA = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, full_name TEXT, email TEXT, phone TEXT,
                        date_of_birth TEXT, postcode TEXT);
CREATE TABLE employees (id INTEGER PRIMARY KEY, full_name TEXT, work_email TEXT, nhs_number TEXT,
                        religion TEXT, photo BLOB);
CREATE TABLE payments (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, iban TEXT,
                       card_number TEXT, amount REAL);
CREATE TABLE products (sku TEXT PRIMARY KEY, title TEXT, price REAL) WITHOUT ROWID;
CREATE VIEW contacts AS SELECT full_name, email FROM customers;
"""


def database(path: Path) -> None:
    """Write the shop's database; an earlier one is replaced."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
        people = [(n, person(n)) for n in range(60)]
        connection.executemany(
            "INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?)",
            [
                (n, f"{p['first_name']} {p['last_name']}", p["email"], p["phone"],
                 p["date_of_birth"], f"ZZ{n % 9 + 1} {n % 9}ZZ")
                for n, p in people
            ],
        )  # fmt: skip
        connection.executemany(
            "INSERT INTO employees VALUES (?, ?, ?, ?, ?, ?)",
            [
                (n, f"{person(n)['first_name']} {person(n)['last_name']}", f"staff{n}@example.org",
                 nhs_number(n), ("", "Quaker", "Sikh")[n % 3], bytes(16))
                for n in range(60, 68)
            ],
        )  # fmt: skip
        connection.executemany(
            "INSERT INTO payments VALUES (?, ?, ?, ?, ?)",
            [
                (
                    n,
                    n * 2,
                    iban(100 + n) if n % 2 else None,
                    None if n % 2 else CARDS[n % 6],
                    n * 9.5,
                )
                for n in range(30)
            ],
        )
        connection.executemany(
            "INSERT INTO products VALUES (?, ?, ?)",
            [(f"SKU-{n * 7919:09d}", f"Jacket size {n}", 20 + n) for n in range(25)],
        )
        connection.commit()


ANSWERS = {
    "files": {
        "crm/customers.csv": {
            "PERSON": 80, "POSTAL_ADDRESS": 40,
            "EMAIL_ADDRESS": 40, "PHONE_NUMBER": 40, "DATE_OF_BIRTH": 40,
        },
        "crm/newsletter.json": {"EMAIL_ADDRESS": 12, "IP_ADDRESS": 12},
        "hr/employees.csv": {
            "PERSON": 8, "EMAIL_ADDRESS": 8, "IBAN_CODE": 8, "UK_NHS": 8, "DATE_OF_BIRTH": 8,
        },
        "hr/handbook.md": {"EMAIL_ADDRESS": 1},
        "logs/access.log": {"IP_ADDRESS": 30, "EMAIL_ADDRESS": 3},
        "logs/build.log": {},
        "src/checkout.py": {"EMAIL_ADDRESS": 1, "CREDIT_CARD": 1},
        "support/letter.txt": {"IBAN_CODE": 1, "EMAIL_ADDRESS": 1},
        "support/tickets.json": {
            "EMAIL_ADDRESS": 1, "PHONE_NUMBER": 1, "IBAN_CODE": 1, "CREDIT_CARD": 1,
        },
    },
    "database": {
        "customers": {
            "PERSON": 60, "EMAIL_ADDRESS": 60, "PHONE_NUMBER": 60, "DATE_OF_BIRTH": 60,
        },
        "employees": {"PERSON": 8, "EMAIL_ADDRESS": 8, "UK_NHS": 8},
        "payments": {"IBAN_CODE": 15, "CREDIT_CARD": 15},
        "products": {},
    },
    "special_category_fields": {
        "hr/employees.csv": ["nhs_number", "trade_union", "sick_leave_days"],
        "employees": ["nhs_number", "religion"],
    },
    "not_read": {"media/logo.png": "binary", "contacts": "view"},
}  # fmt: skip
"""How many values of each type lie where, and what a plain reading of everything leaves out."""


def build(folder: Path) -> None:
    """Write everything into `folder`."""
    for path, data in files().items():
        target = folder / "files" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    database(folder / "shop.db")
    (folder / "ANSWERS.json").write_text(json.dumps(ANSWERS, indent=2) + "\n")


if __name__ == "__main__":
    build(Path(__file__).parent)
