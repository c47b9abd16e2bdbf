"""The differences between two identities, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from waivern.engine.artifact_identity import Identity
from waivern.message import Json


def differences(then: Mapping[str, Json], now: Identity) -> Iterator[str]:
    """Yield the differences as texts: the part that changed and, if short, the values.

    `then` is from a journal, which another version may have written.
    """
    yield from _component(then, now)
    old, new = _mapping(then, "runtime"), now["runtime"]
    for name in ("waivern", "python"):
        if old.get(name) not in (None, new[name]):
            yield f"{name} {old[name]} → {new[name]}"
    old, new = _mapping(then, "rulesets"), _mapping(now, "rulesets")
    for name in sorted({*old, *new}):
        yield from _ruleset(name, old.get(name), new.get(name))
    yield from _settings(then, now)
    yield from _source_changes(_mapping(then, "source"), now["source"])
    yield from _inputs(_rows(then), _rows(now))
    yield from _readers(_mapping(then, "readers"), _mapping(now, "readers"), _rows(then))
    for name, items in _mapping(now, "changed").items():
        count = "1 item is" if len(items) == 1 else f"{len(items):,} items are"
        yield f"input {name}: {count} not what was listed"
    for part in ("schema", "folder", "keep"):
        if then.get(part) != now.get(part):
            yield f"{part} {_short(then.get(part))} → {_short(now.get(part))}"


def _component(then: Mapping[str, Json], now: Mapping[str, Json]) -> Iterator[str]:
    if (then.get("component"), then.get("version")) != (now["component"], now["version"]):
        yield f"component {_name(then)} → {_name(now)}"
    elif then.get("code") != now["code"]:
        yield "code changed"


def _settings(then: Mapping[str, Json], now: Mapping[str, Json]) -> Iterator[str]:
    yield from _properties("", _mapping(then, "properties"), now["properties"])
    old, new = _mapping(then, "environment"), _mapping(now, "environment")
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"{'parameter' if '.' in name else 'variable'} {name} changed"


def _readers(
    then: Mapping[str, Json], now: Mapping[str, Json], inputs: Mapping[str, Json]
) -> Iterator[str]:
    """Yield how the readers of inputs that were there before differ."""
    for name in now:
        if name not in inputs or then.get(name) == now[name]:
            continue
        old, new = _only_reader(then.get(name)), _only_reader(now[name])
        found = [] if old is None or new is None else [*_component(old, new), *_settings(old, new)]
        for what in found or ["changed"]:
            yield f"reader of {name}: {what}"


def _only_reader(rows: Json) -> Mapping[str, Json] | None:
    """Return what reads an input, if all of it is read alike."""
    if isinstance(rows, list) and len(rows) == 1 and isinstance(rows[0], list) and rows[0]:
        return rows[0][0] if isinstance(rows[0][0], dict) else None
    return None


def _mapping(identity: Mapping[str, Json], part: str) -> dict[str, Json]:
    found = identity.get(part)
    return found if isinstance(found, dict) else {}


def _rows(identity: Mapping[str, Json]) -> dict[str, Json]:
    rows = identity.get("inputs")
    if not isinstance(rows, list):
        return {}
    return {str(row[0]): row for row in rows if isinstance(row, list) and row}


def _inputs(then: Mapping[str, Json], now: Mapping[str, Json]) -> Iterator[str]:
    for name in {**now, **then}:
        if then.get(name) != now.get(name):
            word = "is new" if name not in then else "is gone" if name not in now else "changed"
            yield f"input {name} {word}"
    if then == now and list(then) != list(now):
        yield "inputs in another order"


def _name(identity: Mapping[str, Json]) -> str:
    return f"{str(identity.get('component')).partition(':')[2]} {identity.get('version')}"


def _ruleset(name: str, then: Json, now: Json) -> Iterator[str]:
    if then == now:
        return
    old, new = (str(text or "(none)").partition(" ")[0] for text in (then, now))
    yield f"ruleset {name} changed" if old == new else f"ruleset {name} {old} → {new}"


def _properties(path: str, then: Json, now: Json) -> Iterator[str]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in {**then, **now}:
            inner = f"{path}.{name}" if path else name
            yield from _properties(inner, then.get(name), now.get(name))
        if then.keys() == now.keys() and list(then) != list(now):
            yield f"{f'property {path}' if path else 'properties'} in another order"
    elif repr(then) != repr(now):  # 1, 1.0 and True are equal, and different properties
        yield f"property {path} {_short(then)} → {_short(now)}"


def _short(value: Json) -> str:
    text = "(none)" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _source_changes(then: Mapping[str, Json], now: Mapping[str, Json]) -> Iterator[str]:
    if then.get("digest") == now.get("digest"):
        return
    old, new = _mapping(then, "items"), _mapping(now, "items")
    if "items" not in then or "items" not in now:
        yield f"source changed ({then.get('count', 0)} → {now.get('count', 0)} items)"
        return
    for word, names in (
        ("changed", [n for n in new if n in old and old[n] != new[n]]),
        ("new", [n for n in new if n not in old]),
        ("gone", [n for n in old if n not in new]),
    ):
        if names:
            shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            yield f"source: {len(names):,} {word} ({shown})"
