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
