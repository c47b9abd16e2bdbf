"""Passwords and keys that are the whole value of a field, and those of `curl -u`."""

from __future__ import annotations

import pytest

from waivern.detection import load_ruleset, planted_samples, scan

PASSWORD = "4hd-K3xqm9"
FIELDS = ["password", "db_password", "userPassword", "DB-PASSWD", "admin password", "passphrase"]
OTHERS = ["next_token", "csrf_token", "compass", "password_hint", "passport", "city"]


@pytest.mark.parametrize("name", FIELDS)
def test_the_value_of_a_field_is_a_password(name: str) -> None:
    assert [match.type for match in scan(PASSWORD, field=name)] == ["PASSWORD"]


@pytest.mark.parametrize("name", OTHERS)
def test_the_value_of_another_field_is_none(name: str) -> None:
    assert [m for m in scan(PASSWORD, field=name) if m.type in ("PASSWORD", "API_KEY")] == []


@pytest.mark.parametrize("value", ["changeme", "********", "${DB_PASSWORD}", "password", ""])
def test_a_placeholder_is_no_password(value: str) -> None:
    assert scan(value, field="password") == []


@pytest.mark.parametrize(
    "text",
    [
        f"name,password\nann,{PASSWORD}\nbob,changeme\n",
        f"'name';'password'\n'ann';'{PASSWORD}'\n'bob';''\n",
        f"INSERT INTO users (name, password) VALUES ('ann', '{PASSWORD}'), ('bob', NULL);",
        f"COPY users (name, password) FROM stdin;\nann\t{PASSWORD}\nbob\t\\N\n\\.\n",
        f"curl -s -u ann:{PASSWORD} https://acme.io/ && curl --user bob:$PASS https://acme.io/",
    ],
)
def test_a_cell_of_a_column_is_a_password(text: str) -> None:
    assert [match.value for match in scan(text) if match.type == "PASSWORD"] == [PASSWORD]


def test_a_hash_in_a_field_of_passwords_is_a_hash() -> None:
    value = "$2b$12$NHZsm6AM2f2LQVROriz79ul3D6DnmFiZC.ZK5eqbF.ZWfwH9bqUJ6"
    assert [match.type for match in scan(value, field="password")] == ["PASSWORD_HASH"]


def test_labelled_secrets_have_samples() -> None:
    samples, without = planted_samples(load_ruleset(), None)
    kinds = {sample.type for sample in samples}
    assert {"PASSWORD", "API_KEY", "AWS_SECRET_KEY", "AZURE_KEY"} <= kinds
    assert without == ["BASIC_AUTH"]
