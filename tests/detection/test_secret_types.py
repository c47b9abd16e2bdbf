"""Secrets: each type by values that are written at random, and what is none."""

from __future__ import annotations

import base64
import random
import string

import pytest

from waivern.detection import mask, scan
from waivern.detection.secrets import SECRETS

_CHANCE = random.Random(20261130)
LETTERS = string.ascii_letters + string.digits


def some(count: int, chars: str = LETTERS) -> str:
    return "".join(_CHANCE.choice(chars) for _ in range(count))


def pem(kind: str, joined: str = "\n") -> str:
    lines = [some(64) for _ in range(4)]
    return joined.join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])


HEX = "0123456789abcdef"
JWT_HEAD = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').decode().rstrip("=")
VALUES = {
    "AWS_ACCESS_KEY": "AKIA" + some(16, string.ascii_uppercase + "234567"),
    "GOOGLE_API_KEY": "AIza" + some(35),
    "GOOGLE_OAUTH_SECRET": "GOCSPX-" + some(28),
    "DIGITALOCEAN_TOKEN": "dop_v1_" + some(64, HEX),
    "DATABRICKS_TOKEN": "dapi" + some(32, HEX),
    "VAULT_TOKEN": "hvs." + some(24),
    "GITHUB_TOKEN": "ghp_" + some(36),
    "GITLAB_TOKEN": "glpat-" + some(20),
    "NPM_TOKEN": "npm_" + some(36),
    "PYPI_TOKEN": "pypi-AgE" + some(150),
    "DOCKER_TOKEN": "dckr_pat_" + some(27),
    "SLACK_TOKEN": f"xoxb-{some(12, string.digits)}-{some(12, string.digits)}-{some(24)}",
    "STRIPE_KEY": "sk_live_" + some(24),
    "OPENAI_KEY": f"sk-proj-{some(74)}T3BlbkFJ{some(74)}",
    "ANTHROPIC_KEY": f"sk-ant-api03-{some(93)}AA",
    "HUGGING_FACE_TOKEN": "hf_" + some(34, string.ascii_letters),
    "TWILIO_KEY": "SK" + some(32, HEX),
    "SENDGRID_KEY": f"SG.{some(22)}.{some(43)}",
    "MAILGUN_KEY": "key-" + some(32, HEX),
    "SHOPIFY_TOKEN": "shpat_" + some(32, HEX),
    "TELEGRAM_TOKEN": f"{some(10, '123456789')}:AA{some(33)}",
    "GRAFANA_TOKEN": f"glsa_{some(32)}_{some(8, HEX)}",
    "AGE_SECRET_KEY": "AGE-SECRET-KEY-1" + some(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    "JSON_WEB_TOKEN": f"{JWT_HEAD}.eyJ{some(40)}.{some(86)}",
    "PRIVATE_KEY": pem("RSA PRIVATE KEY"),
    "PASSWORD_HASH": "$2b$12$" + some(53),
}
LABELLED = {
    "PASSWORD": [
        ('db_password = "{}"', "Tr0ub4dor&3x"),
        ("PGPASSWORD={}", "kX9vbb31q"),
        ("Your new password is {}.", "kX9vbb31q"),
        ("password: {}", "hunter2trees"),
        ('{{"userPassword": "{}"}}', "v7Qz!trees"),
        ("Server=db;User Id=app;Pwd={};", "9dPw4xKq"),
        ("postgresql://app:{}@db.acme.io:5432/x", "n0tTheRealOne"),
        ("https://ann:{}@git.acme.io/x.git", "w8terfall!"),
    ],
    "API_KEY": [
        ('apiKey: "{}"', some(32)),
        ("SECRET_TOKEN={}", some(40)),
        ('client_secret = "{}"', some(30)),
        ("secret = {}", "0sv+NkxY9LLZvwj4qCC2o/gGrWDF2d21jL"),
    ],
    "AWS_SECRET_KEY": [
        ("aws_secret_access_key = {}", some(40)),
        ('secretAccessKey: "{}"', some(40)),
    ],
    "AZURE_KEY": [("AccountName=x;AccountKey={};EndpointSuffix=y", some(86) + "==")],
    "BASIC_AUTH": [("Authorization: Basic {}", base64.b64encode(b"ann:hunter2").decode())],
}
NONE = [
    'password = "changeme"',
    'password = "${DB_PASSWORD}"',
    'password="xxxxxxxx"',
    "password: <password>",
    'password = ""',
    "password = get_password()",
    'password = os.environ["PASSWORD1"]',
    "password = config.password1",
    "password: string",
    'placeholder_password = "Enter your password1 here"',
    'password_field = "password_2"',
    'password = "%(password)s1"',
    'password: "{{ vault_password_1 }}"',
    'password: "********"',
    "PWD=/home/ann1/work",
    "compass = 'n0rth'",
    "passed: 12x tests",
    "The password is required.",
    'next_token = "9f8e7d6c5b4a39281706"',
    'csrf_token: "9f8e7d6c5b4a39281706"',
    'token: "3f2504e0-4f89-11d3-9a0c-0305e82c3301"',
    'api_key = "your-api-key-goes-here-12"',
    "token = self.token_2",
    '"change_password": "5/m/user"',
    "user:{plain}pass:1000:1000::/home/user::userdb_mail=maildir:~/Maildir",
    "+ userdb passwd: blocking=yes in args",
    "require_password = !module->conn->set.auth_bind1;",
    '" (maybe ssl_key_password is wrong?)"',
    'token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"',
    "arn:aws:secretsmanager:us-west-2:1:secret:MySecret1-a1b2c3d4",
    "apiKey: SensitiveString2048;",
    "this->get_secret = _get_shared_secret_25519;",
    "ghp_" + "x" * 36,
    "AKIA" + "A" * 16,
    "sk_live_" + "0" * 24,
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpQIBAAKCAQEAuyf/lNrH9ck8DmNyo3f...\n"
    "-----END RSA PRIVATE KEY-----",
    'if text.startswith("-----BEGIN PRIVATE KEY-----"): return True',
    "postgres://user:password@host/db",
    "https://%s:%s@host/",
    "https://host:8080/a@b",
    "Basic authentication is required",
    "eyJhbGciOiJIUzI1NiJ9.no-token",
    "$1$2$3",
    "$2b$12$" + "." * 53,
]


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("around", ["{}", 'x = "{}"\n', "Bearer {}, and more", "<v>{}</v>"])
def test_a_token_is_found_by_its_form(kind: str, around: str) -> None:
    text = around.format(VALUES[kind])
    assert [(m.type, text[m.start : m.end]) for m in scan(text)] == [(kind, VALUES[kind])]


@pytest.mark.parametrize(
    ("kind", "label", "value"),
    [(kind, label, value) for kind, each in LABELLED.items() for label, value in each],
)
def test_a_label_identifies_a_secret(kind: str, label: str, value: str) -> None:
    text = label.format(value)
    found = [(m.type, text[m.start : m.end]) for m in scan(text)]
    assert (kind, value) in found


@pytest.mark.parametrize("text", NONE)
def test_what_is_written_in_place_of_a_secret_is_none(text: str) -> None:
    types = {each.type for each in SECRETS}
    assert [m.type for m in scan(text) if m.type in types] == []


def test_every_type_has_values_here() -> None:
    assert {each.type for each in SECRETS} == {*VALUES, *LABELLED}


def test_a_mask_shows_no_more_than_what_all_values_of_a_type_share() -> None:
    for each in SECRETS:
        shown = mask(each.type, VALUES.get(each.type, "Tr0ub4dor&3x"))
        assert shown.endswith("***")
        if each.type in LABELLED:
            assert shown == "***"
        else:
            assert VALUES[each.type].startswith(shown.removesuffix("***"))
            assert len(shown) <= 19


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        'aws_secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"',
    ],
)
def test_a_published_example_is_test_data(text: str) -> None:
    assert [match.sample for match in scan(text)] == [True]


@pytest.mark.parametrize(
    "kind",
    ["PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"],
)
def test_a_private_key_is_one_finding_from_its_first_line_to_its_last(kind: str) -> None:
    block = pem(kind)
    text = f"{block}\n\n{pem('CERTIFICATE')}\n"
    assert [(m.type, text[m.start : m.end]) for m in scan(text)] == [("PRIVATE_KEY", block)]
    escaped = pem(kind, "\\n")
    text = f'{{"private_key": "{escaped}"}}'
    assert [(m.type, text[m.start : m.end]) for m in scan(text)] == [("PRIVATE_KEY", escaped)]


@pytest.mark.parametrize(
    "value",
    [
        f"$6$rounds=5000${some(12)}${some(86)}",
        f"$1${some(8)}${some(22)}",
        f"$apr1${some(8)}${some(22)}",
        f"$y$j9T${some(22)}${some(43)}",
        f"$argon2id$v=19$m=65536,t=3,p=4${some(22)}${some(43)}",
        f"pbkdf2_sha256$600000${some(22)}${some(43)}=",
        "{SSHA}" + some(40),
        f"$P$B{some(30)}",
    ],
)
def test_hashes_of_passwords_are_found_in_their_files(value: str) -> None:
    text = f"root:{value}:19000:0:99999:7:::\n"
    assert [(m.type, text[m.start : m.end]) for m in scan(text)] == [("PASSWORD_HASH", value)]
