"""Sentences in English with names and addresses whose places are known, and look-alikes.

The names of three groups are drawn by a seed: frequent in English, of other languages in Latin
letters, and made up, which no list has. A part of the sentences has look-alikes alone: products,
companies, places, months and headings.
"""

from __future__ import annotations

import random
from typing import NamedTuple

FREQUENT = (
    "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara "
    "Richard Susan Joseph Jessica Thomas Sarah Charles Karen",
    "Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor Moore Jackson Martin "
    "Thompson White Harris Clark Lewis Robinson Walker",
)
FOREIGN = (
    "Jurgita Agnieszka Oluwaseun Xiulan Marisela Thorbjorn Yevgenia Hamza Ngozi Priyanka Kestutis "
    "Ioana Sakari Zdenka Farzana Takumi Anneliese Joaquim Siobhan Blerim",
    "Petraityte Kowalczyk Adeyemi Zhang Villanueva Haugen Morozova Benali Okonkwo Raghavan "
    "Jankauskas Dumitrescu Virtanen Novotna Rahman Watanabe Brandstetter Carvalho Gallagher Hoxha",
)
MADE_UP = (
    "Tavrin Elsbeta Corvane Milonde Harquist Brenlow Sarisse Oltann Verida Jossel",
    "Quellin Marstow Denverre Olkhart Brastin Fenwyke Torvell Anselby Crandow Pelliser",
)
PLACED = (
    "Yesterday {name} asked for a copy of the contract.",
    "We talked to {name} about the delay, and everyone agreed.",
    "The claim of {name} was settled in March.",
    "Please forward the parcel to {name} before Friday.",
    "It was {name} who signed the lease for the flat in Boston.",
    "According to {name}, the treatment began after the accident.",
    "In the meeting with {name} and {name} nothing was decided.",
    "The nurse noted that {name} had slept badly.",
    "My colleague {name} will call you on Monday.",
    "Our records show that {name} moved to {address} last year.",
    "Send the invoice to {name}, {address}.",
    "The officer visited {name} at {address} in the evening.",
)
EMPTY = (
    "The Garden Chair was delivered on Monday by Northern Parcel Service.",
    "We opened Safari and Chrome on the New York server in July.",
    "The Annual Report of Acme Widgets was printed in April.",
    "Version 12 of the Blue Ocean plugin needs Java and Jenkins.",
    "The Main Street Bank and the Ministry of Finance signed the Paris Agreement.",
    "Please restart the Windows Update Service before Tuesday.",
    "Chapter Two describes the Boston Tea Party and the Civil War.",
    "Our Customer Support Team is closed on Christmas Day.",
)
STREETS = [
    "Oak Lane",
    "Elm Street",
    "Wexford Rise",
    "Harbour View Road",
    "Mill Bank",
    "Station Avenue",
    "Kestrel Mews",
]
CITIES = [
    "Springfield, IL 62704",
    "Portland, OR 97207",
    "Leeds LS1 4AP",
    "Bristol BS8 1TH",
    "Austin, TX 73301",
]


class Sentence(NamedTuple):
    """A sentence with the places of its names and addresses."""

    text: str
    names: frozenset[tuple[int, int]]
    addresses: frozenset[tuple[int, int]]


def sentences(group: tuple[str, str], count: int, seed: int, *, capitals: bool) -> list[Sentence]:
    """Return so many sentences with names of a group, and a third as many with look-alikes."""
    chance = random.Random(seed)
    given, family = (part.split() for part in group)
    made = []
    for _ in range(count):
        text = ""
        names, addresses = set[tuple[int, int]](), set[tuple[int, int]]()
        for n, piece in enumerate(chance.choice(PLACED).replace("}", "{").split("{")):
            value = piece
            if n % 2:
                if piece == "name":
                    value = f"{chance.choice(given)} {chance.choice(family)}"
                else:
                    street, city = chance.choice(STREETS), chance.choice(CITIES)
                    value = f"{chance.randint(1, 250)} {street}, {city}"
                (names if piece == "name" else addresses).add((len(text), len(text) + len(value)))
            text += value
        made.append(Sentence(text, frozenset(names), frozenset(addresses)))
    made += [Sentence(chance.choice(EMPTY), frozenset(), frozenset()) for _ in range(count // 3)]
    return [each._replace(text=each.text.upper()) for each in made] if capitals else made
