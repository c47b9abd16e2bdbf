"""Canonical masks: few for each type, and nothing of a value beyond its class."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from waivern.detection import canonical_mask, load_ruleset

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize(
    ("kind", "value", "mask"),
    [
        ("EMAIL_ADDRESS", "jo.doe@mail.acme.de", "de"),
        ("EMAIL_ADDRESS", "JO@ACME.DE", "de"),
        ("EMAIL_ADDRESS", "jo@acme.com", "generic"),
        ("EMAIL_ADDRESS", "jo@acme.xn--p1ai", "generic"),
        ("PHONE_NUMBER", "+44 20 7946 0152", "+44"),
        ("PHONE_NUMBER", "(+44) 20 7946 0152", "+44"),
        ("PHONE_NUMBER", "0044 20 7946 0152", "+44"),
        ("PHONE_NUMBER", "+1-415-555-0132", "+1"),
        ("PHONE_NUMBER", "+352 27 12 34", "+352"),
        ("PHONE_NUMBER", "415-555-0132", "national"),
        ("PHONE_NUMBER", "020 7946 0152", "national"),
        ("IBAN_CODE", "gb29 nwbk 6016 1331 9268 19", "GB"),
        ("CREDIT_CARD", "4111 1111 1111 1111", "visa"),
        ("CREDIT_CARD", "378282246310005", "amex"),
        ("IP_ADDRESS", "93.184.216.34", "v4"),
        ("IP_ADDRESS", "10.1.2.3/8", "v4 private"),
        ("IP_ADDRESS", "fe80::1%eth0", "v6 private"),
        ("IP_ADDRESS", "2606:2800:220:1::1", "v6"),
        ("IP_ADDRESS", "no address", ""),
        ("US_SSN", "536-90-4399", ""),
        ("OF_A_USER", "LO-061", ""),
    ],
)
def test_a_value_has_the_mask_of_its_class(kind: str, value: str, mask: str) -> None:
    assert canonical_mask(kind, value) == mask


def test_labelled_values_have_few_masks_and_none_with_their_digits() -> None:
    found: defaultdict[str, set[str]] = defaultdict(set)
    values = 0
    for line in (DATA / "docs_open.jsonl").read_text().splitlines():
        document = json.loads(line)
        for kind, start, end, *_ in document["labels"]:
            values += 1
            mask = canonical_mask(kind, document["text"][start:end])
            found[kind].add(mask)
            assert sum(map(str.isdigit, mask)) <= 3
    assert values > 1_000
    assert found.keys() <= load_ruleset().types.keys()
    assert {kind: len(masks) for kind, masks in found.items() if len(masks) > 12} == {}
