"""Phone numbers of all countries, with phonenumbers as the second opinion."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from waivern.detection import scan


def examples(region: str) -> list[phonenumbers.PhoneNumber]:
    """Return a valid fixed-line and a valid mobile number of a region."""
    kinds = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)
    found = (phonenumbers.example_number_for_type(region, kind) for kind in kinds)
    return [number for number in found if number is not None]


@pytest.mark.parametrize("form", ["INTERNATIONAL", "E164"])
@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_an_international_number_is_found_without_a_label(region: str, form: str) -> None:
    for number in examples(region):
        value = phonenumbers.format_number(number, getattr(PhoneNumberFormat, form))
        text = f"Thanks again, {value}, and see you soon."
        assert [text[m.start : m.end] for m in scan(text)] == [value]


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_national_number_is_found_behind_a_label(region: str) -> None:
    for number in examples(region):
        value = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        if sum(map(str.isdigit, value)) < 7:
            continue  # the shortest ones of small countries are any number
        text = f"phone: {value}\n"
        assert [text[m.start : m.end] for m in scan(text)] == [value]
