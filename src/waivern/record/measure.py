"""The part of a coverage record in the journal: counts by unit, and names up to a limit."""

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from waivern.errors import IntegrityError
from waivern.message import Json
from waivern.record.planted import PlantedValues

LISTED = 200
"""The maximal number of names of a kind in the journal; the artifact's file has them all."""
NONE, WHOLE = Fraction(0), Fraction(1)
"""The shares of most sources, ready-made: a run may have a million sources."""
UNITS = {"bytes": "files", "rows": "tables"}
"""The name of the items of a source, by the unit that measures it."""


class Amount(NamedTuple):
    """Examined units, of the known units that the properties do not exclude."""

    examined: int = 0
    known: int = 0

    @property
    def share(self) -> Fraction:
        """The examined part, from 0 to 1; of an empty source, 0."""
        if not self.examined:
            return NONE
        return WHOLE if self.complete else Fraction(self.examined, self.known)

    @property
    def complete(self) -> bool:
        return self.examined == self.known

    def __add__(self, other: tuple[int, ...]) -> "Amount":  # type: ignore[override]
        examined, known = other
        return Amount(self.examined + examined, self.known + known)

    def document(self) -> dict[str, Json]:
        return {"examined": self.examined, "known": self.known}


class PartialItem(NamedTuple):
    """A table of which only a part of the rows was examined."""

    item: str
    read: int
    total: int | None
    seed: int | None = None
    """None: the first rows, which are not a random sample."""


class Measure(NamedTuple):
    """The counts that a component reported."""

    component: str
    """Its label; that of a copied artifact names the component that produced it."""
    items: Amount | None = None
    """None: it reported nothing."""
    units: Mapping[str, Amount] = {}
    unsized: int = 0
    left_out: int = 0
    reasons: Mapping[str, int] = {}
    """The reasons why items were not examined, with their numbers."""
    left_out_reasons: Mapping[str, int] = {}
    partial: tuple[PartialItem, ...] = ()
    partials: int = 0
    """Their total; `partial` has the first of them."""
    unmatched: tuple[str, ...] = ()
    inputs: Mapping[str, Amount] = {}
    encodings: Mapping[str, int] = {}
    """The number of items by the encoding of their text."""
    found: tuple[tuple[str, str, int], ...] = ()
    """(input, item, rows that hold a finding)."""
    behind: Amount | None = None
    """Of a copied result: the coverage of the run that produced it."""
    planted: PlantedValues | None = None
    """The samples that it was to find; None if it was given none."""

    @property
    def unit(self) -> str:
        """The unit in which the share is calculated."""
        return next((unit for unit in ("values", "rows", "bytes") if unit in self.units), "items")

    @property
    def amount(self) -> Amount:
        return self.units.get(self.unit) or self.items or Amount()

    @property
    def unknown(self) -> bool:
        """Return whether the total is unknown."""
        if self.items is None:
            return self.behind is None
        return any(each.total is None for each in self.partial)

    @property
    def share(self) -> Fraction:
        """The examined part. It is 1 only if each item was examined as well."""
        if self.behind is not None:
            return self.behind.share
        if self.items is None or self.unknown:
            return NONE
        share = self.amount.share
        loose = self.unsized or (share == 1 and not self.items.complete)
        return min(share, self.items.share) if loose else share


def percent(share: Fraction) -> str:
    """Return a percentage, rounded down to a tenth: it is 100 only if nothing is missing."""
    return "100" if share == 1 else f"{share.numerator * 1000 // share.denominator / 10:.1f}"


def measured(
    coverage: Mapping[str, Json] | None, component: str, names: Mapping[str, str]
) -> dict[str, Json]:
    """Return the part of a coverage record that the journal holds.

    `names` are the ids of the inputs by key.
    """
    if not coverage:
        return {"component": component}
    left_out = coverage.get("left_out", 0)
    sampled, apart = coverage.get("sampled", []), coverage.get("left_out_reasons", {})
    units = {unit: dict(each) for unit, each in coverage.get("units", {}).items()}
    for each in sampled:
        rows = units.setdefault("rows", {"examined": 0, "known": 0})
        rows["examined"] += each["read"]
        rows["known"] += each["total"] or each["read"]
    counts: dict[str, Json] = {
        "component": component,
        "items": {"examined": coverage["read"], "known": coverage["seen"] - left_out},
        "units": units,
        "unsized": coverage.get("unsized", 0),
        "left_out": left_out,
        "reasons": _first({w: n - apart.get(w, 0) for w, n in coverage["reasons"].items()}),
        "left_out_reasons": _first(apart),
        "partial": sampled[:LISTED],
        "partials": len(sampled),
        "unmatched": coverage.get("unmatched", [])[:LISTED],
        "encodings": _first(coverage.get("encodings", {})),
        "inputs": {names.get(key, key): each for key, each in coverage.get("inputs", {}).items()},
        "found": [
            [names.get(each["input"], each["input"]), each["item"], each["found"]]
            for each in coverage.get("found", [])[:LISTED]
        ],
        "planted": coverage.get("planted", {}),
    }
    return {name: value for name, value in counts.items() if value not in ({}, [], 0)}


def _first(reasons: dict[str, int]) -> dict[str, Json]:
    return dict([each for each in reasons.items() if each[1]][:LISTED])


def measure(counts: Mapping[str, Json]) -> Measure:
    """Return the counts in an event of the journal. Raises IntegrityError if they are invalid."""
    if len(counts) == 1 and type(component := counts.get("component")) is str:
        return Measure(component)  # most artifacts report nothing
    try:
        return _measure(counts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError("the journal has a coverage record that cannot be one") from error


def _measure(counts: Mapping[str, Json]) -> Measure:
    items, behind, planted = (counts.get(name) for name in ("items", "behind", "planted"))
    return Measure(
        component=_text(counts["component"]),
        items=_amount(items) if items else None,
        units=_amounts(counts.get("units", {})),
        unsized=_whole(counts.get("unsized", 0)),
        left_out=_whole(counts.get("left_out", 0)),
        reasons=_counts(counts.get("reasons", {})),
        left_out_reasons=_counts(counts.get("left_out_reasons", {})),
        partial=tuple(map(_partial, counts.get("partial", []))),
        partials=_whole(counts.get("partials", 0)),
        unmatched=tuple(map(_text, counts.get("unmatched", []))),
        inputs=_amounts(counts.get("inputs", {})),
        encodings=_counts(counts.get("encodings", {})),
        found=tuple(
            (_text(of), _text(item), _whole(rows)) for of, item, rows in counts.get("found", [])
        ),
        behind=_amount(behind) if behind else None,
        planted=PlantedValues.read(planted) if planted else None,
    )


def _partial(counts: Mapping[str, Json]) -> PartialItem:
    read, total, seed = _whole(counts["read"]), counts["total"], counts.get("seed")
    if total is not None and _whole(total) < read:
        raise ValueError("more is read than there is")
    return PartialItem(_text(counts["item"]), read, total, None if seed is None else _whole(seed))


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {_text(name): _whole(count) for name, count in counts.items()}


def _amounts(counts: Mapping[str, Mapping[str, int]]) -> dict[str, Amount]:
    return {name: _amount(each) for name, each in counts.items()}


def _amount(counts: Mapping[str, int]) -> Amount:
    found = Amount(_whole(counts["examined"]), _whole(counts["known"]))
    if found.examined > found.known:
        raise ValueError("more is examined than is known")
    return found


def _whole(value: Json) -> int:
    if type(value) is not int or not 0 <= value < 1 << 60:
        raise ValueError("not a count")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
