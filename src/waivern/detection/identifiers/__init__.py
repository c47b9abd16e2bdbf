"""Identifiers of people, organisations and devices: one record a type, one module a family.

A new type is a record in the module of its family: its form, its check, the words of its labels,
and what it means. Nothing else has to be changed.
"""

from __future__ import annotations

from waivern.detection.identifiers import (
    any_country,
    asia_pacific,
    central_europe,
    companies,
    devices,
    eastern_europe,
    elsewhere,
    germany,
    latin_america,
    middle_east_africa,
    north_america,
    northern_europe,
    south_asia,
    southern_europe,
    united_kingdom,
)
from waivern.detection.identifiers.identifier import Identifier, IdentifierFinder

IDENTIFIERS: tuple[Identifier, ...] = tuple(
    each
    for family in (
        north_america,
        united_kingdom,
        germany,
        southern_europe,
        northern_europe,
        central_europe,
        eastern_europe,
        asia_pacific,
        south_asia,
        middle_east_africa,
        latin_america,
        elsewhere,
        companies,
        any_country,
        devices,
    )
    for each in family.IDENTIFIERS
)
find_identifiers = IdentifierFinder(IDENTIFIERS)
"""Yields the values of all types in a text."""
