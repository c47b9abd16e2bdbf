"""The types of values: for each, how it is found, masked, grouped and recognised as a sample.

A new identifier or secret is a record in the module of its family (`identifiers`, `secrets`), and
nothing else. A type of another kind is a row of `VALUE_TYPES` and its entry in the ruleset file.
What a finder yields is weighed by `scan`, which drops types that are not in the ruleset in use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from functools import lru_cache
from typing import NamedTuple, Protocol

from waivern.detection import canonical_masks, masks, samples
from waivern.detection.accounts import ibans, wallets
from waivern.detection.date_times import date_times
from waivern.detection.dates import birth_dates
from waivern.detection.emails import emails
from waivern.detection.geo_positions import positions
from waivern.detection.identifiers import IDENTIFIERS, find_identifiers
from waivern.detection.national_phones import PLANS, national_phones
from waivern.detection.network import ip_addresses, mac_addresses
from waivern.detection.numbers import numbers
from waivern.detection.people.addresses import addresses
from waivern.detection.people.persons import persons
from waivern.detection.prepared_text import Candidate, PreparedText
from waivern.detection.profiles import profiles
from waivern.detection.secrets import FINDERS as SECRET_FINDERS
from waivern.detection.secrets import WITHOUT_LABEL
from waivern.detection.urls import urls

Finder = Callable[[PreparedText], Iterable[Candidate]]


class ValueForm(Protocol):
    """The form of the values of a type."""

    @property
    def form(self) -> re.Pattern[str]: ...
    @property
    def check(self) -> Callable[[str], bool]: ...


class ValueType(NamedTuple):
    """One type of value."""

    name: str
    find: Finder
    """Yields its candidates in a text; several types may share one pass over the text."""
    mask: masks.Mask = masks.ends(0, 0)
    samples: frozenset[str] = frozenset()
    """Values, letters and digits only, that are reserved for documentation and tests."""
    is_sample: Callable[[str], bool] | None = None
    """Instead of `samples`, where these are a rule and not a list."""
    canonical: canonical_masks.CanonicalMask = canonical_masks.type_alone
    """Returns the coarse form that the identity of a finding has in it; there are few a type."""
    example: str = ""
    """A value that is planted to prove that the type is found: reserved, or made up."""
    label: str = ""
    """The label that it is planted with."""
    form: ValueForm | None = None
    """In place of an example: the form that one is written in, where a text must not hold it."""
    optional: bool = False
    """Whether it is searched for only where it is named."""


VALUE_TYPES = {
    each.name: each
    for each in (
        ValueType(
            "EMAIL_ADDRESS",
            emails,
            masks.email,
            is_sample=samples.sample_email,
            canonical=canonical_masks.email,
            example="ann@example.com",
            label="email",
        ),
        ValueType(
            "IP_ADDRESS",
            ip_addresses,
            masks.ip,
            is_sample=samples.sample_ip,
            canonical=canonical_masks.ip,
            example="192.0.2.17",
            label="ip address",
        ),
        ValueType(
            "MAC_ADDRESS",
            mac_addresses,
            masks.mac,
            example="00:00:5E:00:53:AF",
            label="mac address",
        ),
        ValueType(
            "IBAN_CODE",
            ibans,
            masks.ends(2, 0),
            samples.IBANS,
            canonical=canonical_masks.iban,
            example="GB82 WEST 1234 5698 7654 32",
            label="iban",
        ),
        ValueType(
            "CRYPTO",
            wallets,
            masks.ends(0, 2),
            example="1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            label="bitcoin",
        ),
        ValueType(
            "CREDIT_CARD",
            numbers,
            masks.ends(0, 2),
            samples.CARDS,
            canonical=canonical_masks.card,
            example="4111 1111 1111 1111",
            label="credit card",
        ),
        ValueType(
            "PHONE_NUMBER",
            numbers,
            masks.ends(0, 2),
            is_sample=samples.sample_phone,
            canonical=canonical_masks.phone,
            example="+44 20 7946 0152",
            label="phone",
        ),
        *(
            ValueType(
                each.type,
                find_identifiers,
                masks.ends(*each.shown),
                each.samples,
                example=each.example,
                label=each.first_term,
            )
            for each in IDENTIFIERS
        ),
        ValueType(
            "GEO_POSITION",
            positions,
            example="52.0000, 13.0000",
            label="gps coordinates",
        ),
        ValueType(
            "PROFILE_URL",
            profiles,
            example="https://www.linkedin.com/in/erika-mustermann",
        ),
        ValueType("DATE_OF_BIRTH", birth_dates, example="1970-01-31", label="date of birth"),
        ValueType(
            "PERSON",
            persons,
            masks.ends(1, 0),
            samples.PERSONS,
            example="Erika Mustermann",
            label="full name",
        ),
        ValueType(
            "POSTAL_ADDRESS",
            addresses,
            is_sample=samples.sample_address,
            example="12 Example Street, 10115 Exampletown",
            label="address",
        ),
        *(
            ValueType(
                each.type,
                find,
                each.mask,
                is_sample=each.is_sample,
                form=each if find in WITHOUT_LABEL else None,
            )
            for find, secrets in SECRET_FINDERS
            for each in secrets
        ),
        ValueType("DATE_TIME", date_times, example="2001-02-03", label="date", optional=True),
        ValueType("URL", urls, example="https://www.example.com/", label="url", optional=True),
        *(
            ValueType(
                plan.type,
                national_phones,
                masks.ends(0, 2),
                example=plan.example,
                label="phone",
                optional=True,
            )
            for plan in PLANS
        ),
    )
}
FINDERS: tuple[Finder, ...] = tuple(
    dict.fromkeys(each.find for each in VALUE_TYPES.values() if not each.optional)
)
"""Each pass once."""
_OPTIONAL = tuple(each for each in VALUE_TYPES.values() if each.optional)


def finders(types: Container[str]) -> Iterable[Finder]:
    """Return the passes for the types of a ruleset, each once."""
    optional = [each.find for each in _OPTIONAL if each.name in types]
    return (*FINDERS, *dict.fromkeys(optional)) if optional else FINDERS


_MASKED_WHOLE = masks.ends(0, 0)


def mask(kind: str, value: str) -> str:
    """Return `value` with most of its letters and digits as '*', as its type requires.

    Values of types that only a user's ruleset has are masked whole.
    """
    found = VALUE_TYPES.get(kind)
    return (found.mask if found else _MASKED_WHOLE)(value)


def canonical_mask(kind: str, value: str) -> str:
    """Return the coarse form of `value`: it identifies findings, and is never more than a class."""
    found = VALUE_TYPES.get(kind)
    return found.canonical(value) if found else ""


@lru_cache(maxsize=4096)
def is_sample(kind: str, value: str) -> bool:
    """Return whether `value` is reserved for documentation or tests, or is no one's (loopback)."""
    found = VALUE_TYPES.get(kind)
    if found is None:
        return False
    if found.is_sample is not None:
        return found.is_sample(value)
    return "".join(filter(str.isalnum, value)).upper() in found.samples if found.samples else False
