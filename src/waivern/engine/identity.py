"""What an artifact is made of, part by part: equal parts, equal content. Pure but for components.

The parts are kept with each artifact that may be taken for the same work another time, so that a
later plan can say not only that something is different but what.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from waivern.errors import WaivernError
from waivern.message import Json, content_digest
from waivern.planning.plan import Extract, Node, Transform
from waivern.plugins.component import Component, Input
from waivern.plugins.context import Context
from waivern.runbook import env
from waivern.store.base import ArtifactRef

MOST_ITEMS = 2_000
"""Items of a source that are kept by name; of more only how many, and the digest of all."""


class Tool(NamedTuple):
    """A component that is about to work."""

    component: Component
    config: object
    inputs: tuple[Input, ...] | None
    """Of a processor."""


class Secret(NamedTuple):
    """Hashes values that nobody may guess from a hash: with a key of the store's own."""

    key: bytes

    def hash(self, value: str) -> str:
        return hmac.digest(self.key, value.encode(errors="surrogateescape"), "sha256").hex()


def parts(
    node: Node,
    tool: Tool,
    refs: tuple[ArtifactRef, ...],
    ctx: Context,
    environ: Mapping[str, str],
    secret: Secret,
) -> dict[str, Json] | None:
    """Return what decides an artifact's content, or None if it may not be taken for the same.

    It may if the artifact says so, or its component that it is repeatable; a connector has to
    tell, too, what it would read, unless the artifact says so. What is wrong with a source is not
    told here: the work will fail on it.
    """
    work = node.work
    if not isinstance(work, Extract | Transform) or node.cache is False:
        return None
    if node.cache is None and not getattr(tool.component, "repeatable", False):
        return None
    try:
        source = _source(tool, ctx) if isinstance(work, Extract) else {}
        if source is None and node.cache is None:
            return None
        rulesets = _asked(tool, ctx, "rulesets")
        code = _asked(tool, ctx, "code")
    except (WaivernError, OSError):
        return None
    from waivern.plugins.identity import code_digest

    return {
        "component": work.label,
        "version": work.version,
        "code": [code_digest(tool.component), code],
        "properties": dict(work.properties),
        "environment": {
            name: secret.hash(environ[name])
            for name in sorted(env.names(work.properties))
            if name in environ
        },
        "inputs": {
            name: ref.content_digest for name, ref in zip(_called(node, refs), refs, strict=True)
        },
        "source": source or {},
        "rulesets": dict(rulesets or {}),
        "schema": str(node.schema),
    }


def key(identity: Mapping[str, Json]) -> str:
    """Return the digest under which the same work is found again."""
    source = {name: value for name, value in identity["source"].items() if name != "items"}
    return content_digest({**identity, "source": source, "order": list(identity["inputs"])})


def _source(tool: Tool, ctx: Context) -> dict[str, Json] | None:
    marks = _asked(tool, ctx, "fingerprint")
    if marks is None:
        return None
    source: dict[str, Json] = {"digest": content_digest(dict(marks)), "count": len(marks)}
    return {**source, "items": dict(marks)} if len(marks) <= MOST_ITEMS else source


def _asked(tool: Tool, ctx: Context, what: str) -> Json:
    ask = getattr(tool.component, what, None)
    return ask(tool.config, ctx) if ask else None


def _called(node: Node, refs: tuple[ArtifactRef, ...]) -> list[str]:
    names = dict(zip(map(str, node.inputs), node.called, strict=True))
    return [names[ref.key] for ref in refs]


def differences(then: Mapping[str, Json], now: Mapping[str, Json]) -> Iterator[str]:
    """Yield, for people, what is another between two identities: the part and, if short, how."""
    if (then["component"], then["version"]) != (now["component"], now["version"]):
        yield f"component {_name(then)} → {_name(now)}"
    elif then["code"] != now["code"]:
        yield "code changed"
    for name in sorted({*then["rulesets"], *now["rulesets"]}):
        yield from _ruleset(name, then["rulesets"].get(name), now["rulesets"].get(name))
    yield from _properties("", then["properties"], now["properties"])
    for name in sorted({*then["environment"], *now["environment"]}):
        if then["environment"].get(name) != now["environment"].get(name):
            yield f"{'parameter' if '.' in name else 'variable'} {name} changed"
    yield from _source_changes(then["source"], now["source"])
    yield from _inputs(then["inputs"], now["inputs"])
    if then["schema"] != now["schema"]:
        yield f"schema {then['schema']} → {now['schema']}"


def _inputs(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in {**now, **then}:
        if then.get(name) != now.get(name):
            word = "is new" if name not in then else "is gone" if name not in now else "changed"
            yield f"input {name} {word}"


def _name(identity: Mapping[str, Json]) -> str:
    return f"{identity['component'].partition(':')[2]} {identity['version']}"


def _ruleset(name: str, then: str | None, now: str | None) -> Iterator[str]:
    if then == now:
        return
    old, new = ((text or "(none)").partition(" ")[0] for text in (then, now))
    yield f"ruleset {name} changed" if old == new else f"ruleset {name} {old} → {new}"


def _properties(path: str, then: Json, now: Json) -> Iterator[str]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in {**then, **now}:
            inner = f"{path}.{name}" if path else name
            yield from _properties(inner, then.get(name), now.get(name))
    elif then != now or type(then) is not type(now):
        yield f"property {path} {_short(then)} → {_short(now)}"


def _short(value: Json) -> str:
    text = "(none)" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _source_changes(then: Mapping[str, Json], now: Mapping[str, Json]) -> Iterator[str]:
    if then.get("digest") == now.get("digest"):
        return
    old, new = then.get("items"), now.get("items")
    if old is None or new is None:
        yield f"source changed ({then.get('count', 0):,} → {now.get('count', 0):,} items)"
        return
    for word, names in (
        ("changed", [n for n in new if n in old and old[n] != new[n]]),
        ("new", [n for n in new if n not in old]),
        ("gone", [n for n in old if n not in new]),
    ):
        if names:
            shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            yield f"source: {len(names):,} {word} ({shown})"
