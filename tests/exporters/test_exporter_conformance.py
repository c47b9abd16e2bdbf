"""Every shipped exporter passes the tests that exporters of others are given."""

from __future__ import annotations

import pytest

from waivern.kinds import installed
from waivern.testing.components import ExporterConformance

for _name in sorted(installed("exporters")):
    _body = {"name": _name, "pytestmark": pytest.mark.sweep, "__module__": __name__}
    globals()[f"Test{_name.capitalize()}"] = type(_name, (ExporterConformance,), _body)


def test_all_are_tested() -> None:
    classes = {value.name for name, value in globals().items() if name.startswith("Test")}
    assert classes == set(installed("exporters"))


def test_no_two_write_the_same_file() -> None:
    names = [each[0].load().file_name for each in installed("exporters").values()]
    assert len({name for name in names if name != "-"}) == len(names) - 1
