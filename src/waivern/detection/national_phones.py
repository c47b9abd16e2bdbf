"""Phone numbers by the plan of one country: types that are searched for only by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from waivern.detection.expressions import expression
from waivern.detection.identifiers.identifier import bare
from waivern.detection.numbers import numbers
from waivern.detection.prepared_text import Candidate, PreparedText


class PhonePlan(NamedTuple):
    """The numbers of one country, or of a kind in it."""

    type: str
    code: str
    """The calling code."""
    subscriber: str
    """An expression for the digits behind the calling code or the trunk digit."""
    trunk: str
    """The trunk digit; with '?' if some leave it out within the country."""
    distinctive: str
    """An expression for those that few other numbers look like, with the trunk digit."""
    example: str


PLANS = (
    PhonePlan("PH_MOBILE_NUMBER", "63", r"9\d{9}", "0", r"09\d{9}", "+63 917 000 0000"),
    PhonePlan(
        "TR_PHONE_NUMBER",
        "90",
        # the area codes, and the codes of mobile networks
        r"(?:21[26]|22[2468]|23[268]|24[268]|25[268]|26[246]|27[246]|28[2468]|31[28]|32[2468]|33[28]"
        r"|34[2468]|35[2468]|36[2468]|37[02468]|38[02468]|392|41[246]|42[2468]|43[2468]|44[26]"
        r"|45[2468]|46[246]|47[2468]|48[2468]|5(?:0\d|1[06]|24|[345]\d))\d{7}",
        "0?",
        r"0[2-5]\d{9}",
        "+90 312 000 00 00",
    ),
)
_INTERNATIONAL, _TRUNK, _BARE = 0.8, 0.3, 0.25


def national_phones(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the phone numbers that the plan of a country has."""
    for found in numbers(doc):
        if found.type != "PHONE_NUMBER":
            continue
        written = doc.text[found.start : found.end]
        digits = bare(written.lstrip("+"))
        for plan in PLANS:
            if base := _certainty(plan, written, digits):
                yield Candidate(plan.type, found.start, found.end, base, "phone.plan", ("plan",))


def _certainty(plan: PhonePlan, written: str, digits: str) -> float:
    """Return how certain a number is one of a plan without a label; 0 if it is none."""
    found = _FORMS[plan.type].fullmatch(digits)
    if found is None:
        return 0.0
    if written.startswith(("+", "(+", "00")):
        return _INTERNATIONAL if found["code"] else 0.0
    return _TRUNK if _DISTINCTIVE[plan.type].fullmatch(digits) else _BARE


_FORMS = {
    plan.type: expression(rf"(?:(?P<code>(?:00)?{plan.code})0?|{plan.trunk})(?:{plan.subscriber})")
    for plan in PLANS
}
_DISTINCTIVE = {plan.type: expression(plan.distinctive) for plan in PLANS}
