"""The fold of a log: from commits and snapshots to a tree."""

from __future__ import annotations

from typing import Any, NamedTuple

from waivern.errors import IntegrityError
from waivern.store.objects.commit_form import decode, listed
from waivern.store.objects.object_tree import Extent, ObjectTree


class FoldedLog:
    """A tree after some of the commits of its log."""

    def __init__(self) -> None:
        self.tree = ObjectTree()
        self.number = 0
        """The number of the last commit."""
        self.epoch = 0
        self.gone = False
        """Whether a commit has removed the tree."""
        self.doomed: list[Extent] = []
        """The bytes that commits have announced to be destroyed."""

    def fold(self, key: str, data: bytes) -> int:
        """Carry out the next commit; return where its bytes begin. Raises IntegrityError."""
        head, start = decode(data, key)
        try:
            self._carry_out(head, key, start)
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise IntegrityError(
                f"the object {key} does not follow the one before it",
                hint="restore both from a copy of the bucket",
            ) from error
        return start

    def _carry_out(self, head: dict[str, Any], key: str, start: int) -> None:
        changed_ns = int(head["at_ns"])
        if int(head["number"]) != self.number + 1:
            raise ValueError(head["number"])
        for operation in listed(head, key, "operations"):
            self.tree.apply(operation, changed_ns)
        for number, kept, extents in listed(head, key, "contents"):
            node = self.tree.node(number)
            node.truncate(kept)
            for extent in extents:
                node.append(_located(extent, key, start))
            node.kept, node.changed_ns = node.size, changed_ns
        self.doomed += [_located(each, key, start) for each in listed(head, key, "erase")]
        self.tree.removed.clear()
        self.number += 1
        if head.get("claim"):
            self.epoch = int(head["epoch"])
        self.gone = self.gone or bool(head.get("gone"))


class Unfolded(NamedTuple):
    """The state in a snapshot, and where its bytes begin."""

    state: FoldedLog
    start: int


def unfolded(key: str, data: bytes) -> Unfolded:
    """Return the state in a snapshot. Raises IntegrityError."""
    head, start = decode(data, key)
    state = FoldedLog()
    try:
        for number, folder, name, is_folder, changed_ns, extents in head["nodes"]:
            state.tree.apply(["new", folder, name, number, is_folder, False], changed_ns)
            node = state.tree.node(number)
            for extent in extents:
                node.append(_located(extent, key, start))
            node.kept = node.size
        state.number, state.epoch = int(head["number"]), int(head["epoch"])
        state.doomed = [_located(each, key, start) for each in listed(head, key, "erase")]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise IntegrityError(
            f"the snapshot {key} is damaged",
            hint="delete it: the log has everything that it has",
        ) from error
    return Unfolded(state, start)


def _located(extent: list[Any], key: str, start: int) -> Extent:
    """Return an extent of a document; an empty key is that of the object with the document."""
    size, other, offset = extent
    return Extent(int(size), str(other) or key, int(offset) + (0 if other else start))
