"""The coverage record of one component call: items examined and not examined, with reasons."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from waivern.errors import ComponentError
from waivern.message import Json

PLANTED, UNPROVEN = "planted", "unproven"
"""The parts of a record that are about the detector of a call, and not about items."""


class Progress(NamedTuple):
    """The progress of a component: `n` of `total` items, `size` of `total_size` bytes.

    `found` is the number of findings so far. What is not known is None.
    """

    n: int
    total: int | None = None
    size: int | None = None
    total_size: int | None = None
    found: int | None = None

    @property
    def share(self) -> float | None:
        """The part that is done, from 0 to 1: of the bytes if they are known, else of the items."""
        for done, whole in ((self.size, self.total_size), (self.n, self.total)):
            if whole and done is not None:
                return min(1.0, done / whole)
        return None


class Tally:
    """Examined units, of the known units that are not excluded by the properties."""

    __slots__ = ("examined", "known")

    def __init__(self) -> None:
        self.examined = 0
        self.known = 0

    def add(self, count: int, *, examined: bool) -> None:
        self.known += count
        self.examined += count if examined else 0

    def document(self) -> dict[str, Json]:
        return {"examined": self.examined, "known": self.known}


class PlantedTally:
    """The samples that were planted in one form of source, and the types that were not found.

    Several workers may plant the same ones: what one of them misses is missed.
    """

    __slots__ = ("missed", "planted")

    def __init__(self) -> None:
        self.planted = 0
        self.missed: Counter[str] = Counter()
        """The samples that were not found, by type."""

    def add(self, planted: int, missed: Mapping[str, int]) -> None:
        self.planted = max(self.planted, planted)
        self.missed |= Counter(missed)

    def document(self) -> dict[str, Json]:
        return {"planted": self.planted, "missed": dict(sorted(self.missed.items()))}


class SampledItem(NamedTuple):
    """An item of which only some parts were read; with a seed, they were drawn at random."""

    item: str
    read: int
    total: int | None
    seed: int | None

    def document(self) -> dict[str, Json]:
        document = {"item": self.item, "read": self.read, "total": self.total}
        return document if self.seed is None else document | {"random": True, "seed": self.seed}


class Coverage:
    """The coverage of one component call, in counts and by name.

    `seen` is always `read + skipped`; both count items, also where one name represents many.
    Not thread-safe: each component call has its own.
    """

    def __init__(self) -> None:
        self.read = 0
        self.skipped: list[tuple[str, str, int]] = []
        self.left_out: defaultdict[str, int] = defaultdict(int)
        """The number of skipped items that the properties exclude, by reason."""
        self.sampled: list[SampledItem] = []
        self.units: dict[str, Tally] = {}
        """Bytes, rows or values of the items that have a known size."""
        self.inputs: dict[str, Tally] = {}
        """The amounts by input, for a processor."""
        self.unsized = 0
        """The number of items that were not examined and have no known size."""
        self.unmatched: list[str] = []
        """Patterns of the properties that match nothing."""
        self.encodings: Counter[str] = Counter()
        """The number of examined items by the encoding of their text."""
        self.found: list[dict[str, Json]] = []
        """The number of rows with a finding by item: `{item, found, input}`."""
        self.planted: dict[str, PlantedTally] = {}
        """The samples that a detector was to find, by form of source."""
        self.unproven: set[str] = set()
        """The types of values that no sample was planted of."""

    def count(
        self, count: int, sizes: dict[str, int | None], of: str | None, *, examined: bool
    ) -> None:
        """Add items that the properties do not exclude, with their sizes in units."""
        known = {unit: size for unit, size in sizes.items() if size is not None}
        for unit, size in known.items():
            self.units.setdefault(unit, Tally()).add(amount(size), examined=examined)
        if of is not None:
            size = next(iter(known.values()), count)
            self.inputs.setdefault(of, Tally()).add(size, examined=examined)
        if not (known or examined):
            self.unsized += count

    def snapshot(self) -> dict[str, Json]:
        """Return everything that was reported, for `add`; nothing of what is empty."""
        parts: dict[str, Json] = {
            "read": self.read,
            "skipped": [[*each] for each in self.skipped],
            "left_out": dict(self.left_out),
            "sampled": [[*each] for each in self.sampled],
            "units": {name: [each.examined, each.known] for name, each in self.units.items()},
            "inputs": {name: [each.examined, each.known] for name, each in self.inputs.items()},
            "unsized": self.unsized,
            "unmatched": self.unmatched,
            "encodings": dict(self.encodings),
            "found": self.found,
            PLANTED: {name: [each.planted, each.missed] for name, each in self.planted.items()},
            UNPROVEN: sorted(self.unproven),
        }
        return {name: part for name, part in parts.items() if part}

    def add(self, snapshot: dict[str, Json]) -> None:
        """Add what another record reported."""
        for kind, part in snapshot.items():  # most have three of nine: one of each item is added
            if kind == "read":
                self.read += part
            elif kind in ("units", "inputs"):
                tallies = self.units if kind == "units" else self.inputs
                for name, (examined, known) in part.items():
                    tally = tallies.get(name) or tallies.setdefault(name, Tally())
                    tally.examined += examined
                    tally.known += known
            elif kind == PLANTED:
                for form, (planted, missed) in part.items():
                    self.plant(form, planted, missed)
            elif kind == UNPROVEN:
                self.unproven.update(part)
            else:
                self._add_rare(kind, part)

    def _add_rare(self, kind: str, part: Json) -> None:
        match kind:
            case "skipped":
                self.skipped += [(item, reason, count) for item, reason, count in part]
            case "left_out":
                for reason, count in part.items():
                    self.left_out[reason] += count
            case "sampled":
                self.sampled += [SampledItem(*each) for each in part]
            case "unsized":
                self.unsized += part
            case "unmatched":
                self.unmatched += part
            case "encodings":
                self.encodings.update(part)
            case "found":
                self.found += part

    def plant(self, form: str, planted: int, missed: Mapping[str, int]) -> None:
        """Add the samples of one form of source."""
        self.planted.setdefault(form, PlantedTally()).add(planted, missed)

    def document(self) -> dict[str, Json] | None:
        """Return the record for the artifact's file; None if nothing was reported."""
        counted = self.read or self.skipped or self.sampled or self.units or self.unmatched
        if not (counted or self.planted or self.unproven):
            return None
        reasons: Counter[str] = Counter()
        for _, reason, count in self.skipped:
            reasons[reason] += count
        return {
            "seen": self.read + reasons.total(),
            "read": self.read,
            "skipped": reasons.total(),
            "left_out": sum(self.left_out.values()),
            "reasons": dict(sorted(reasons.items())),
            "items": [
                {"item": item, "reason": reason} | ({} if count == 1 else {"count": count})
                for item, reason, count in self.skipped
            ],
            "sampled": [sample.document() for sample in self.sampled],
            **self._measured(),
        }

    def _measured(self) -> dict[str, Json]:
        """Return the parts that only some components report."""
        measured: dict[str, Json] = {}
        if self.units:
            measured["units"] = {unit: each.document() for unit, each in self.units.items()}
            measured["unsized"] = self.unsized
            measured["left_out_reasons"] = dict(sorted(self.left_out.items()))
        if self.inputs:
            measured["inputs"] = {name: each.document() for name, each in self.inputs.items()}
        if self.unmatched:
            measured["unmatched"] = list(self.unmatched)
        if self.encodings:
            measured["encodings"] = dict(sorted(self.encodings.items()))
        if self.found:
            measured["found"] = list(self.found)
        if self.planted or self.unproven:
            forms = {form: each.document() for form, each in sorted(self.planted.items())}
            measured[PLANTED] = {"forms": forms, UNPROVEN: sorted(self.unproven)}
        return measured


def sizes_in_values(
    entry: Mapping[str, Json], sizes: dict[str, int | None]
) -> dict[str, int | None]:
    """Return the sizes of a listed item, values in place of rows: a component counts these."""
    rows = sizes.get("rows")
    if rows is None:
        return sizes
    return {**sizes, "rows": None, "values": rows * max(1, len(entry.get("columns", ())))}


def amount(count: object) -> int:
    """Return a count that JSON can represent exactly, wherever it is read."""
    if type(count) is not int or not 0 <= count < 1 << 53:
        raise ComponentError(f"not a count: {count!r:.100}", hint="count in whole numbers from 0")
    return count
