"""Texts for people in the runbook of a run, such as descriptions and contacts.

They are read from the bytes that the run recorded, as they are written there, so that they cannot
hold a secret. A run whose bytes are lost or cannot be read has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from waivern.errors import WaivernError
from waivern.language.artifact_spec import ArtifactSpec
from waivern.language.keys import texts_for_people
from waivern.language.models import Runbook
from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.runs.recorded_runbooks import RecordedChildren
from waivern.store.base import RunStore
from waivern.yamldoc.tree import read
from waivern.yamldoc.yaml_events import YamlStop, decode

TREES = 8
"""The parsed runbooks that are retained: a server shows the same ones again and again."""


def of_run(store: RunStore, record: RunRecord) -> dict[str, str]:
    """Return the texts of the runbook itself, by key."""
    return texts_for_people(Runbook, _root(store, record))


def of_artifact(store: RunStore, record: RunRecord, name: str) -> dict[str, str]:
    """Return the texts of the declaration that an artifact is produced from, by key.

    That of an artifact in a child is in the child; an item, a round and a named output have the
    texts of the artifact that they belong to.
    """
    try:
        return _declared(store, record, name)
    except WaivernError:
        return {}


def _declared(store: RunStore, record: RunRecord, name: str) -> dict[str, str]:
    tree, parent = _root(store, record), ""
    children: RecordedChildren | None = None
    found: dict[str, str] = {}
    segments = iter(name.split("/"))
    for segment in segments:
        entry = _mapping(_mapping(tree.get("artifacts")).get(segment))
        if not entry:
            break  # an output of a child that has another name here
        found = texts_for_people(ArtifactSpec, entry)
        path = _mapping(entry.get("child_runbook")).get("path")
        if not isinstance(path, str):
            break
        for key in ("for_each", "repeat"):  # an item and a round have a segment of their own
            if entry.get(key) is not None:
                next(segments, None)
        children = children or RecordedChildren(store, record, Path())
        templates = _mapping(_root(store, record).get("config")).get("template_paths") or ()
        file = children.child(path, parent, tuple(map(str, templates)))
        tree, parent = _tree(file.data), file.key
    return found


def _root(store: RunStore, record: RunRecord) -> Mapping[str, Json]:
    run = record.metadata
    try:
        return _tree(store.read_runbook(run.run_id, run.runbook_hash))
    except WaivernError:
        return {}


@lru_cache(maxsize=TREES)
def _tree(data: bytes) -> Mapping[str, Json]:
    try:
        return _mapping(read(decode(data))[0])
    except YamlStop:
        return {}


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
