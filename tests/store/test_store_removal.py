"""Removals of one run that meet: exactly one of them removes it, the others find it gone."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from waivern.errors import RunLockedError, RunNotFoundError
from waivern.store import disk
from waivern.store.local import LocalFilesystemStore
from waivern.testing.store_helpers import OWNER, begin


def removed(store: LocalFilesystemStore) -> bool:
    try:
        store.remove("r", OWNER)
    except (RunNotFoundError, RunLockedError):
        return False
    return True


def meet(path: Path, point: int, *, corrupt: bool) -> tuple[bool, list[bool]]:
    """Begin a second removal before an operation of the first; return who removed the run."""
    store, other = LocalFilesystemStore(path), LocalFilesystemStore(path)
    begin(store).release()
    if corrupt:
        shutil.rmtree(path / "runs/r/_system")
    steps = itertools.count(1)
    others: list[bool] = []

    def step(_operation: str, _name: str) -> None:
        if next(steps) == point:
            others.append(removed(other))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "step", step)
        first = removed(store)
    assert store.runs() == []
    return first, others


@pytest.mark.parametrize("corrupt", [False, True], ids=["whole", "without records"])
def test_a_removal_before_every_operation_of_another(tmp_path: Path, corrupt: bool) -> None:
    outcomes = set()
    for point in itertools.count(1):
        first, others = meet(tmp_path / f"store{point}", point, corrupt=corrupt)
        if not others:  # the first has no more operations
            assert first
            break
        assert [first, *others].count(True) == 1, f"before operation {point}"
        outcomes.add(first)
    assert outcomes == {False, True}
