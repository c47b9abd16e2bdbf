"""The identity of an artifact: the parts that decide its content. Pure but for components.

The parts are recorded with each artifact whose result may be used again, so that a later plan can
name the part that changed.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from waivern.errors import WaivernError
from waivern.language import template
from waivern.message import Json, content_digest, document_digest
from waivern.planning.plan import Extract, Node, Transform
from waivern.plugins.component import Component
from waivern.plugins.context import Context
from waivern.plugins.fingerprint import runtime
from waivern.store.store_values import ArtifactRef

MOST_ITEMS, MOST_TEXT = 2_000, 1 << 18
"""Items of a source, and characters of them, that are kept by name; of more only the digest."""

Identity: TypeAlias = dict[str, Json]
"""The parts, and `key`: the digest of them all, under which the same work is found again."""


class UnknownIdentity(NamedTuple):
    """The reason why an artifact has no identity, so that no cached result can be used."""

    reason: str


class ComponentUse(NamedTuple):
    """A component that is about to work, and its properties."""

    component: Component
    config: object
    code: Callable[[Component], str]
    """Returns the digest of a component's code."""


class KeyedHash(NamedTuple):
    """A hash with a secret key of the store, so that no value can be guessed from its hash."""

    key: bytes

    def hash(self, value: str) -> str:
        return hmac.digest(self.key, value.encode(errors="surrogateescape"), "sha256").hex()


def unfit(node: Node, component: Component) -> UnknownIdentity | None:
    """Return why no cached result may be used, if its declaration alone says so."""
    if node.cache is False:
        return UnknownIdentity("its cache is off")
    if node.cache is None and not repeatable(component):
        return UnknownIdentity("not known to be repeatable")
    return None


def identify(
    node: Node,
    tool: ComponentUse,
    refs: tuple[ArtifactRef, ...],
    ctx: Context,
    environ: Mapping[str, str],
    secret: KeyedHash,
    listed: dict[str, Json] | None = None,
    readers: Callable[[], dict[str, Json]] | None = None,
) -> Identity | UnknownIdentity:
    """Return what decides the content of an artifact that is not `unfit`.

    `listed` identifies a source that was listed; it needs no fingerprint. `readers` identifies what
    reads the items of inputs that list sources, by the name of the input; None if there are none.

    A connector must also name what it would read, unless the artifact has `cache: true`. A source
    that cannot be read is no error here: the work will fail on it.
    """
    if (unsure := unfit(node, tool.component)) is not None:
        return unsure
    try:
        parts = _parts(node, tool, refs, ctx, environ, secret, listed)
        if isinstance(parts, UnknownIdentity):
            return parts
        if readers is not None:
            parts["readers"] = readers()
        return {"key": _key(parts), **parts}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a component may raise anything
        what = error.message if isinstance(error, WaivernError) else type(error).__name__
        return UnknownIdentity(f"not cached: {what}")


def _parts(
    node: Node,
    tool: ComponentUse,
    refs: tuple[ArtifactRef, ...],
    ctx: Context,
    environ: Mapping[str, str],
    secret: KeyedHash,
    listed: dict[str, Json] | None,
) -> dict[str, Json] | UnknownIdentity:
    work = node.work
    assert isinstance(work, (Extract, Transform))
    source, inputs = {}, refs
    code = code_digests(tool, ctx)
    if code[1] is None and getattr(tool.component, "code", None) is not None:
        return UnknownIdentity("not cached: the code that it runs cannot be fingerprinted")
    if listed is not None:
        source, inputs = listed, ()
    elif isinstance(work, Extract):
        marks, inputs = _asked(tool, ctx, "fingerprint"), ()  # its node's inputs are for its tests
        if marks is None and node.cache is None:
            return UnknownIdentity("not cached: the connector does not say what it would read")
        source = {} if marks is None else _source(marks, ctx)
    return {
        "component": work.label,
        "version": work.version,
        "code": code,
        "runtime": runtime()._asdict(),
        "properties": dict(work.properties),
        "environment": environment(work.properties, environ, secret),
        "inputs": [
            [name, ref.content_digest, ref.schema]
            for name, ref in zip(_called(node, inputs), inputs, strict=True)
        ],
        "source": source,
        **({} if node.keep is None else {"keep": node.keep}),
        "rulesets": {
            ctx.redact(name): ctx.redact(mark)
            for name, mark in sorted((_asked(tool, ctx, "rulesets") or {}).items())
        },
        "schema": str(node.schema),
        # what is only promised to be repeatable may look around where it works
        "folder": None if repeatable(tool.component) else str(ctx.base),
    }


def with_changes(identity: Identity, changed: Mapping[str, frozenset[str]]) -> Identity:
    """Return the identity of the work on inputs of which some items are not what was listed."""
    parts = {name: part for name, part in identity.items() if name != "key"}
    parts["changed"] = {name: sorted(items) for name, items in changed.items()}
    return {"key": _key(parts), **parts}


def code(tool: ComponentUse, ctx: Context, known: Identity | None) -> dict[str, Json]:
    """Return the digests of the code that a component runs, or the reason why there is none.

    Where the identity is `known`, it has them.
    """
    try:
        component, called = code_digests(tool, ctx) if known is None else known["code"]
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a component may raise anything
        what = error.message if isinstance(error, WaivernError) else type(error).__name__
        return {"unknown": ctx.redact(what)}
    return {"component": component} | ({} if called is None else {"called": called})


def environment(
    properties: Mapping[str, Json], environ: Mapping[str, str], secret: KeyedHash
) -> dict[str, Json]:
    """Return hashes of the variables that properties name, as far as they are set."""
    return {
        name: secret.hash(environ[name])
        for name in sorted(template.names(properties))
        if name in environ
    }


def code_digests(tool: ComponentUse, ctx: Context) -> list[Json]:
    """Return the digest of a component's code, and that of the user's code that it calls or None.

    Raises UncertainError if the code that runs cannot be fingerprinted.
    """
    called = _asked(tool, ctx, "code")
    return [tool.code(tool.component), None if called is None else ctx.redact(str(called))]


def settled(node: Node, identity: Identity) -> bool:
    """Say whether no part could have changed since it was looked at."""
    codes = [identity["code"], *_reader_codes(identity)]
    # of a user's code it is known afterwards only what it has imported
    own = any(called or not str(component).startswith("waivern ") for component, called in codes)
    return not (isinstance(node.work, Extract) or identity["rulesets"] or own)


def _reader_codes(identity: Identity) -> list[Json]:
    """Return the digests of the code of what reads inputs that list sources."""
    readers = identity.get("readers", {}).values()
    return [reader["code"] for parts in readers for reader, _ in parts]


def key(identity: Mapping[str, Json] | None) -> str | None:
    """Return the key in an identity that was read from a journal, if it is one."""
    found = (identity or {}).get("key")
    return found if isinstance(found, str) and _KEY.fullmatch(found) else None


_KEY = re.compile("sha256:[0-9a-f]{64}")
_OF_INPUTS = ("key", "inputs", "source", "readers", "changed")
"""The parts of an identity that are known only when the inputs are."""


def kind(identity: Mapping[str, Json]) -> str:
    """Return the digest of all parts but the inputs: what is known while those are produced."""
    rest = {name: part for name, part in identity.items() if name not in _OF_INPUTS}
    return document_digest({"kind": rest})


def series(identity: Mapping[str, Json], artifact: str) -> str:
    """Return the key under which an artifact's next result looks for the items of this one.

    How the items are read is part of the digest of each (see `per_item`).
    """
    return document_digest({"series": kind(identity), "artifact": artifact})


def _key(parts: Mapping[str, Json]) -> str:
    source = {name: value for name, value in parts["source"].items() if name != "items"}
    return document_digest({**parts, "source": source})


def repeatable(component: object) -> bool:
    """Return whether a component declares that equal inputs give equal content."""
    return bool(getattr(component, "repeatable", False))


def _source(marks: Mapping[str, str], ctx: Context) -> dict[str, Json]:
    items = {ctx.redact(name): ctx.redact(mark) for name, mark in sorted(marks.items())}
    source: dict[str, Json] = {"digest": content_digest(items), "count": len(items)}
    few = len(items) <= MOST_ITEMS and sum(map(len, [*items, *items.values()])) <= MOST_TEXT
    return {**source, "items": items} if few else source


def _asked(tool: ComponentUse, ctx: Context, what: str) -> Json:
    ask = getattr(tool.component, what, None)
    return ask(tool.config, ctx) if ask else None


def _called(node: Node, refs: tuple[ArtifactRef, ...]) -> list[str]:
    names = dict(zip(map(str, node.inputs), node.called, strict=True))
    return [names[ref.key] for ref in refs]
