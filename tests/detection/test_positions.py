"""Positions of persons, and the pages of persons at networks."""

from __future__ import annotations

import pytest

from waivern.detection import scan


def found(text: str) -> list[tuple[str, str]]:
    return [(match.type, text[match.start : match.end]) for match in scan(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"latitude": 52.516275, "longitude": -13.377704}', ["52.516275", "-13.377704"]),
        ("gps: 52.5163, 13.3777", ["52.5163, 13.3777"]),
        ("Last location: 48.8584° N, 2.2945° E", ["48.8584° N, 2.2945° E"]),
        ("coordenadas 41°24'12.2\"N 2°10'26.5\"E", ["41°24'12.2\"N 2°10'26.5\"E"]),
        ("Standort des Geräts: 52.5163 13.3777", ["52.5163 13.3777"]),
    ],
)
def test_a_position_is_found_behind_a_label(text: str, wanted: list[str]) -> None:
    assert found(text) == [("GEO_POSITION", value) for value in wanted]


@pytest.mark.parametrize(
    "text",
    ["x = 52.516275, 13.377704", "lat: 0.1234 ms", "latitude 252.516275", "gps: 199.5163"],
)
def test_other_decimals_are_no_position(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "see https://www.linkedin.com/in/jane-doe-123/ ok",
            "https://www.linkedin.com/in/jane-doe-123",
        ),
        ("(de.linkedin.com/in/max.)", "de.linkedin.com/in/max"),
        ("twitter: https://twitter.com/jack", "https://twitter.com/jack"),
        (
            "https://stackoverflow.com/users/22656/jon-skeet",
            "https://stackoverflow.com/users/22656/jon-skeet",
        ),
    ],
)
def test_the_page_of_a_person_is_found(text: str, wanted: str) -> None:
    assert found(text) == [("PROFILE_URL", wanted)]


@pytest.mark.parametrize(
    "text",
    [
        "https://twitter.com/intent/tweet?x",
        "share: facebook.com/sharer.php?u=x",
        "https://twitter.com/acme",
        "https://www.linkedin.com/company/acme",
    ],
)
def test_other_addresses_of_networks_are_no_page_of_a_person(text: str) -> None:
    assert found(text) == []
