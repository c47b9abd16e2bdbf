"""Snapshots of a tree: what a log has up to a commit, in one object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from waivern.message import Json
from waivern.store.objects import commit_form
from waivern.store.objects.log_folding import FoldedLog
from waivern.store.objects.object_tree import ROOT, Extent, ObjectTree, TreeNode

FEW_EXTENTS, MANY_EXTENTS = 16, 64
HOT_BYTES = 1 << 16
"""The end of a hot file that a snapshot has; of a file with few extents up to eight times that."""


class ByteStore(Protocol):
    """The way to the bytes of extents."""

    def read(self, extent: Extent) -> bytes:
        """Return the bytes of an extent."""

    def put_blob(self, data: bytes) -> str:
        """Put bytes into an object of their own; return its key."""


def image(state: FoldedLog, bytes_of: ByteStore, hot: Callable[[TreeNode], bool]) -> bytes:
    """Return a snapshot, in which nothing is pending; it has the ends of `hot` files itself."""
    body: list[bytes] = []
    nodes: list[Json] = []
    at = 0
    for node in _ordered(state.tree):
        extents: list[Json] = []
        for extent in _hot(node, bytes_of) if hot(node) else _cold(node, bytes_of):
            extents.append([extent.size, extent.key, at if extent.data else extent.offset])
            body.append(extent.data)
            at += len(extent.data)
        is_folder = node.inside is not None
        nodes.append([node.number, node.folder, node.name, is_folder, node.changed_ns, extents])
    head: dict[str, Any] = {"number": state.number, "epoch": state.epoch, "nodes": nodes}
    if state.doomed:
        head["erase"] = commit_form.document(state.doomed)
    return commit_form.encode(head, b"".join(body))[0]


def _ordered(tree: ObjectTree) -> Iterator[TreeNode]:
    """Yield the files and folders, each folder before what it has."""
    waiting = [tree.node(ROOT)]
    while waiting:
        for number in (waiting.pop().inside or {}).values():
            node = tree.nodes[number]
            yield node
            if node.inside is not None:
                waiting.append(node)


def _split(node: TreeNode) -> tuple[list[Extent], list[Extent]]:
    """Return the blobs at the beginning of a file, and the extents after them."""
    count = 0
    while count < len(node.extents) and node.extents[count].key.startswith("blobs/"):
        count += 1
    return node.extents[:count], node.extents[count:]


def _hot(node: TreeNode, bytes_of: ByteStore) -> list[Extent]:
    """Return the extents of a file whose end the snapshot has.

    The file keeps its own: a snapshot is deleted when there is a newer one.
    """
    blobs, loose = _split(node)
    data = b"".join(map(bytes_of.read, loose))
    if len(data) > (2 if len(loose) > MANY_EXTENTS else 8) * HOT_BYTES:
        settled, data = data[:-HOT_BYTES], data[-HOT_BYTES:]
        blobs.append(Extent(len(settled), bytes_of.put_blob(settled)))
        node.extents = [*blobs, *node.between(node.size - HOT_BYTES, node.size)]
    return [*blobs, Extent(len(data), data=data)] if data else blobs


def _cold(node: TreeNode, bytes_of: ByteStore) -> list[Extent]:
    """Return the extents of another file: few of them, also of one that has grown for years."""
    blobs, loose = _split(node)
    if len(loose) > FEW_EXTENTS:
        size = sum(each.size for each in loose)
        while blobs and blobs[-1].size <= 2 * size:
            loose.insert(0, blobs.pop())
            size += loose[0].size
        blob = bytes_of.put_blob(b"".join(map(bytes_of.read, loose)))
        node.extents = [*blobs, Extent(size, blob)]
    return node.extents
