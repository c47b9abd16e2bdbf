"""Types that are searched for only where they are named: dates, URLs, phones of one country."""

from __future__ import annotations

import pytest

from waivern.detection import load_ruleset, scan
from waivern.detection.additions import extend_ruleset

OPTIONAL = ["DATE_TIME", "URL", "PH_MOBILE_NUMBER", "TR_PHONE_NUMBER"]
VALUES = [
    ("DATE_TIME", "paid on 3 March 2024, twice", ["3 March 2024"]),
    ("DATE_TIME", "at 2024-03-15T14:30:00.5+01:00 and 16.3.24", None),
    ("DATE_TIME", "from Mar-24 to 12-Apr", ["Mar-24", "12-Apr"]),
    ("DATE_TIME", "version 1.2.24.3, 45/12/2024, 2024-13-01 and 0.12.24", []),
    ("URL", "see https://www.example.com/a_(b)?c=1, (http://acme.io/x).", None),
    ("URL", "host acme.io and notes.txt, main.py, ann@acme.io, http://intranet", ["acme.io"]),
    ("TR_PHONE_NUMBER", "call +90 (532) 123 45 67 or 0212 123 45 67", None),
    ("TR_PHONE_NUMBER", "call +44 20 7946 0152 or 0612 123 45 67", []),
    ("PH_MOBILE_NUMBER", "phone: 0917-123-4567", ["0917-123-4567"]),
    ("PH_MOBILE_NUMBER", "phone: 917-123-4567", []),
    ("PH_MOBILE_NUMBER", "order 09171234567 was shipped", []),
]


@pytest.mark.parametrize("kind", OPTIONAL)
def test_an_optional_type_is_found_only_if_it_is_named(kind: str) -> None:
    assert kind in load_ruleset().optional
    assert kind not in load_ruleset().types
    text = "on 2024-03-15 at https://example.com, call +90 532 123 45 67 or +63 917 123 4567"
    assert kind not in {match.type for match in scan(text)}
    assert {match.type for match in scan(text, types=[kind])} == {kind}


@pytest.mark.parametrize(("kind", "text", "wanted"), VALUES)
def test_values_of_an_optional_type(kind: str, text: str, wanted: list[str] | None) -> None:
    found = [match.value for match in scan(text, types=[kind])]
    assert len(found) == 2 if wanted is None else found == wanted


def test_a_ruleset_of_the_user_turns_an_optional_type_on() -> None:
    document = {"name": "acme", "version": "1.0.0", "types": {"URL": {"terms": ["web"]}}}
    rules = extend_ruleset(document, "sha256:0")
    found = {match.type for match in scan("ann@acme.io, https://acme.io/", rules)}
    assert found == {"EMAIL_ADDRESS", "URL"}


def test_the_words_of_an_optional_type_label_nothing_else() -> None:
    assert "website" not in load_ruleset().labels
    named = load_ruleset().naming(["URL"])
    assert named.labels["website"] == {"URL"}
    assert named is load_ruleset().naming(["URL"])
    assert load_ruleset().naming(["EMAIL_ADDRESS"]) is load_ruleset()


@pytest.mark.parametrize("text", ["::ffff:10.0.0.1", "from ::ffff:192.0.2.1 on"])
def test_an_address_of_version_4_within_one_of_version_6_is_one(text: str) -> None:
    (match,) = scan(text)
    assert match.value == text.removeprefix("from ").removesuffix(" on")
