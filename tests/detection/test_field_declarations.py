"""Fields that are declared on one line, as XML elements and as parameters of functions."""

from __future__ import annotations

import pytest

from waivern.detection import field_names, load_ruleset

DECLARED = [
    ("CREATE TABLE u (id INT, email VARCHAR(50), ssn TEXT);", {"email": True, "ssn": True}),
    ("create temp table if not exists t(phone_number text)", {"phone_number": True}),
    ("<r><p><email>a</email><n:ssn>1</n:ssn></p></r>", {"email": True, "ssn": True}),
    ("<?xml version='1.0'?>\n<r>\n <first_name>x</first_name>\n</r>", {"first_name": True}),
    ("def f(email, ssn=None, *, phone_number): ...", dict.fromkeys(["email", "ssn"], False)),
    ("async def f(\n    email,\n    ssn,\n): ...", {"email": False, "ssn": False}),
    ("function save(email, phone_number) {}", {"email": False, "phone_number": False}),
    ("func Save(email string, ssn string) error {", {"email": False, "ssn": False}),
    ("public void save(String email, int ssn) {", {"email": False, "ssn": False}),
    ("fn f(email: &str, ssn: u64) {}", {"email": False, "ssn": False}),
]
NONE = [
    "save(email, ssn)",
    "SELECT email, ssn FROM t WHERE (email, ssn) IN (1, 2)",
    "List<Email> x = 1; Map<String, Ssn> y;",
    "<!doctype html><html><body><address>x</address></body></html>",
    "if (a < email && b > ssn) {}",
    "raise ValueError(email, ssn)",
    "the table of (email text, ssn text) is not created here",
    "def f():\n    send(email, ssn)",
]


@pytest.mark.parametrize(("text", "fields"), DECLARED)
def test_a_declaration_is_a_field(text: str, fields: dict[str, bool]) -> None:
    """True: of data; False: of code."""
    found = {use.field.name: use.data for use in field_names(text, load_ruleset())}
    assert fields.items() <= found.items()


@pytest.mark.parametrize("text", NONE)
def test_a_use_is_no_field(text: str) -> None:
    assert field_names(text, load_ruleset()) == []


MEMBERS = [
    'enum TypeEnum {\n  BankAccount = "bankAccount",\n  Iban = "iban",\n}',
    "typedef enum {\n  INDEX_PHONE = (1 << 2),\n  CAMEL_PASSPHRASE = 1 << 4\n} Flags;",
    'class Mode:\n    WHATSAPP = "W"\n    PW_PASSPHRASE = range(3)\n',
]
"""Members of enumerations, which have the names of fields."""


@pytest.mark.parametrize("text", MEMBERS)
def test_a_member_of_an_enumeration_is_no_field(text: str) -> None:
    assert field_names(text, load_ruleset()) == []


@pytest.mark.parametrize(
    "text",
    [
        'Iban = request.form["iban"]\n',
        "PASSWORD = '4hd-K3xqm'\n",
        'PHONE = "+44 20 7946 0152"\n',
        '{"Email": "email"}',
    ],
)
def test_an_assignment_of_a_value_is_a_field(text: str) -> None:
    assert field_names(text, load_ruleset()) != []


def test_the_user_agent_of_a_program_is_no_field_of_a_person() -> None:
    own = 'headers = {\n    "User-Agent": self.app_id,\n    "Accept": "application/json",\n}\n'
    logged = '{"request": {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}}'
    assert field_names(own, load_ruleset()) == []
    assert [use.field.name for use in field_names(logged, load_ruleset())] == ["User-Agent"]


def test_a_word_in_parentheses_of_a_comment_is_no_parameter() -> None:
    text = "/** An internal account (by bank account number/IBAN). */\nvoid save(int id) {}\n"
    assert field_names(text, load_ruleset()) == []


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('{"email": "ann@acme.io", "name": "Ann Lee"}', ["email", "name"]),
        ('{"name": "Ann Lee", "contact": {"email": "ann@acme.io"}}', ["name", "contact", "email"]),
        ('{"email": "ann@acme.io", "company": {"name": "Acme"}}', ["email"]),
        ('{"email": {"name": "Source", "type": "string"}}', ["email"]),
        ('[{"email": "ann@acme.io"}, {"name": "Acme", "size": 3}]', ["email"]),
        ('{"emailAddress": {"address": "ann@acme.io"}}', ["emailAddress"]),
        ('{"email": "ann@acme.io", "address": {"city": "Ulm"}}', ["email", "address", "city"]),
        ('{"billing_address": {"street": "Weg 1", "city": "Ulm"}}', ["billing_address", "street"]),
    ],
)
def test_a_weak_name_belongs_to_the_record_of_a_certain_one(text: str, fields: list[str]) -> None:
    found = [use.field.name for use in field_names(text, load_ruleset())]
    assert found[: len(fields)] == fields
    assert "name" in fields or "name" not in found


def test_a_parameter_with_a_type_is_no_field_of_data() -> None:
    text = "def mail(\n    email: str,\n    position: Position = None,\n    size: int,\n): ...\n"
    assert {use.field.name: use.data for use in field_names(text, load_ruleset())} == {
        "email": False
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"menu": "Link", "name": "N\u00e9v", "emailAddress": "E-mailadresse"}',
        "/** `EMAIL`: it is sent by mail, `DEBIT_CARD`: it is charged. */",
        "queue: list[OutgoingEmail] = []",
        "service = {\n  login: function(data) {},\n  email: (a, b) => a,\n}",
        "  - (BOOL) check: (NSString *) value\n         login: (NSString *) theLogin\n",
        'CACHES = {"PASSWORD": "", "LOCATION": "unix:///var/run/redis.sock"}',
    ],
)
def test_a_caption_a_function_or_a_part_of_a_name_is_no_field(text: str) -> None:
    found = {use.field.name for use in field_names(text, load_ruleset())}
    assert found <= {"PASSWORD"}


def test_an_address_with_a_name_before_it_is_the_value_of_a_field() -> None:
    text = 'Author-email: "Ann B. Lee" <ann@acme.io>\n'
    assert [use.field.name for use in field_names(text, load_ruleset())] == ["Author-email"]


def test_parts_of_an_address_are_fields_beside_each_other() -> None:
    text = "{'zipcode': op.zipcode, 'city': op.city}"
    assert len(field_names(text, load_ruleset())) == 2


def test_a_weak_column_belongs_to_its_statement() -> None:
    text = (
        "INSERT INTO person (first_name, name) VALUES ('a', 'b');\n"
        "INSERT INTO animals (name) VALUES ('c');\nCREATE TABLE t (name text, size int);\n"
    )
    other = "INSERT INTO animals (name) VALUES ('c');\n" + "-- x\n" * 60 + "first_name = 1\n"
    found = {use.field.name: use.count for use in field_names(text, load_ruleset())}
    assert found["name"] == 1
    assert "name" not in {use.field.name for use in field_names(other, load_ruleset())}
