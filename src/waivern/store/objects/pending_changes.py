"""The changes of a tree that its log does not have yet, and their repetition on another state."""

from __future__ import annotations

import time
from typing import Any

from waivern.message import Json
from waivern.store.objects import commit_form
from waivern.store.objects.object_tree import Extent, ObjectTree, Operation, TreeNode


class PendingChanges:
    """Operations and new bytes, already carried out on a tree."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.fresh: set[int] = set()
        """The files and folders that the log does not have yet."""
        self.dirty: dict[int, int] = {}
        """The files with new bytes, each with its size in the log."""
        self.doomed: list[Extent] = []
        """The bytes to be destroyed once the files that had them are removed."""

    def __bool__(self) -> bool:
        return bool(self.operations or self.dirty)

    def add(self, operation: Operation, number: int) -> None:
        """Note an operation that was carried out, and what it is about."""
        if operation[0] == "new":
            if number != operation[3]:  # it was there
                return
            self.fresh.add(number)
        self.operations.append(operation)

    def touch(self, node: TreeNode) -> None:
        """Note that a file gets other bytes; one without a name is of no interest any more."""
        node.changed_ns = time.time_ns()
        if node.folder is not None:
            self.dirty.setdefault(node.number, node.kept)

    def encoded(self, tree: ObjectTree, head: dict[str, Any]) -> tuple[bytes, int]:
        """Return a commit of the changes, and where its bytes begin."""
        body: list[bytes] = []
        at = 0
        contents: list[Json] = []
        for node in self._written(tree):
            extents: list[Json] = []
            for extent in node.between(node.kept, node.size):
                extents.append([extent.size, extent.key, at if extent.data else extent.offset])
                body.append(extent.data)
                at += len(extent.data)
            contents.append([node.number, node.kept, extents])
        head = {**head, "operations": self.operations, "contents": contents}
        if self.doomed:
            head["erase"] = commit_form.document(self.doomed)
        return commit_form.encode(head, b"".join(body))

    def settle(self, tree: ObjectTree, key: str, start: int) -> None:
        """Give the new bytes their places in a commit, whose bytes begin at `start`."""
        at = start
        for node in self._written(tree):
            extents: list[Extent] = []
            for extent in node.extents:
                if extent.data:
                    extents.append(Extent(extent.size, key, at))
                    at += extent.size
                else:
                    extents.append(extent)
            node.extents, node.kept = extents, node.size

    def _written(self, tree: ObjectTree) -> list[TreeNode]:
        found = map(tree.nodes.get, self.dirty)
        return [node for node in found if node is not None]

    def repeated(
        self, before: ObjectTree, tree: ObjectTree, alias: dict[int, int]
    ) -> PendingChanges:
        """Carry out the changes on another state; return them as they are there.

        `before` has the new bytes. `alias` gets the files and folders that another writer had
        created first, by our numbers. Raises OSError if the changes do not fit.
        """
        changes = PendingChanges()
        changes.doomed = self.doomed
        for operation in self.operations:
            changes.repeat(operation, tree, alias)
        for number, size in self.dirty.items():
            node, old = tree.nodes.get(alias.get(number, number)), before.nodes.get(number)
            if node is not None and old is not None:  # else what was written is gone with it
                changes.dirty[node.number] = node.size
                _write_again(node, old, size)
        tree.removed.clear()
        return changes

    def repeat(self, operation: Operation, tree: ObjectTree, alias: dict[int, int]) -> None:
        """Carry out an operation of other changes."""
        verb, folder, *rest = operation
        mapped: Operation = [verb, alias.get(folder, folder), *rest]
        if verb == "move":
            mapped[3] = alias.get(mapped[3], mapped[3])
        try:
            number = tree.apply(mapped, time.time_ns())
        except FileNotFoundError:
            if verb == "move":
                raise
            return  # it is gone with the folder that had it
        if verb == "new" and number != mapped[3]:
            alias[mapped[3]] = number
        self.add(mapped, number)


def _write_again(node: TreeNode, old: TreeNode, size: int) -> None:
    """Give a file the new bytes that `old` has; `size` was its size in the log."""
    if old.kept < size:  # it was overwritten
        node.truncate(min(old.kept, node.size))
    for extent in old.between(old.kept, old.size):
        node.append(extent)
