"""Planted values: the samples that a detector was given among the data, and those it found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from waivern.message import Json

NAMES = 12
"""The types that a text names."""


class FormRecall(NamedTuple):
    """The samples in one form of source."""

    form: str
    planted: int
    missed: Mapping[str, int]
    """The samples that were not found, by type."""

    @property
    def missing(self) -> int:
        """The number of samples that were not found."""
        return sum(self.missed.values())


class PlantedValues(NamedTuple):
    """The samples of one scan."""

    at: str
    """When the scan was executed; empty if that is not recorded."""
    forms: tuple[FormRecall, ...]
    unproven: tuple[str, ...]
    """The types that were searched for without proof: there is no sample, or the search demands a
    higher confidence than it has."""

    @classmethod
    def read(cls, counts: Mapping[str, Json]) -> PlantedValues:
        """Return what an event of the journal records.

        Raises ValueError, TypeError, KeyError or AttributeError for what cannot be such a record.
        """
        forms = tuple(_form(name, each) for name, each in counts["forms"].items())
        unproven = tuple(map(str, counts.get("unproven", ())))
        return cls(str(counts.get("at", "")), forms, unproven)

    @property
    def planted(self) -> int:
        """The number of samples."""
        return sum(each.planted for each in self.forms)

    @property
    def found(self) -> int:
        """The number of samples that were found."""
        return self.planted - sum(each.missing for each in self.forms)

    @property
    def recall(self) -> Fraction | None:
        """The part that was found, from 0 to 1; None if no value was searched for."""
        if self.planted:
            return Fraction(self.found, self.planted)
        return Fraction(0) if self.unproven else None

    @property
    def sentence(self) -> str:
        """The counts, then the names of what was not found and of what was not proven."""
        if self.recall is None:
            return "no values were searched for, so none were planted"
        parts = [f"{self.found:,} of {self.planted:,} planted values found"]
        parts += [f"not found in {form}: {_named(types)}" for form, types in self.missing]
        if self.unproven:
            parts.append(f"not proven: {_named(self.unproven)}")
        return "; ".join(parts)

    @property
    def missing(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The forms in which samples were not found, with the types of these."""
        for each in self.forms:
            if each.missed:
                yield each.form, tuple(each.missed)

    def document(self) -> dict[str, Json]:
        """Return the record for programs."""
        recall = self.recall
        return {
            "planted": self.planted,
            "found": self.found,
            "recall": None if recall is None else float(recall),
            "at": self.at or None,
            "forms": [
                {"form": each.form, "planted": each.planted, "missed": dict(each.missed)}
                for each in self.forms
            ],
            "unproven": list(self.unproven),
        }


class ScanProof(NamedTuple):
    """The samples of the scan that one artifact comes from."""

    artifact: str
    values: PlantedValues
    copied: bool
    """Whether an earlier scan found them, whose result was reused or taken from the cache."""

    @property
    def sentence(self) -> str:
        """The counts of the scan, and its date if it is an earlier one."""
        when = f" (scan of {self.values.at})" if self.copied and self.values.at else ""
        return f"{self.artifact}: {self.values.sentence}{when}"

    def document(self) -> dict[str, Json]:
        """Return the record for programs."""
        return {"artifact": self.artifact, **self.values.document(), "copied": self.copied}


def _form(name: str, counts: Mapping[str, Json]) -> FormRecall:
    planted, missed = counts["planted"], dict(counts.get("missed", {}))
    if not all(type(n) is int and n >= 0 for n in (planted, *missed.values())):
        raise ValueError("not a count")
    if sum(missed.values()) > planted:
        raise ValueError("more was missed than was planted")
    return FormRecall(name, planted, missed)


def _named(types: tuple[str, ...]) -> str:
    more = len(types) - NAMES
    return ", ".join(types[:NAMES]) + (f" and {more:,} more" if more > 0 else "")
