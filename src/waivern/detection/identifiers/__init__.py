"""Identifiers of people, organisations and devices: one record a type, one module a family.

A new type is a record in the module of its family: its form, its check, the words of its labels,
and what it means. Nothing else has to be changed.
"""

from __future__ import annotations

from waivern.detection.identifiers import (
    asia_pacific,
    central_europe,
    devices,
    elsewhere,
    germany,
    north_america,
    northern_europe,
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
        asia_pacific,
        elsewhere,
        devices,
    )
    for each in family.IDENTIFIERS
)
find_identifiers = IdentifierFinder(IDENTIFIERS)
"""Yields the values of all types in a text."""
