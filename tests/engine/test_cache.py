"""What an artifact is made of, part by part, and what the cache makes of it: hits, and misses."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from waivern.engine import artifact_identity
from waivern.engine.artifact_identity import ComponentUse, Identity, UnknownIdentity
from waivern.engine.cache import LONG_MS, Cache, CacheRecorder
from waivern.engine.differences import differences
from waivern.errors import ComponentError
from waivern.ids import ArtifactId
from waivern.message import ANY_JSON, Json, Message, SchemaRef
from waivern.planning.plan import Extract, Node, Transform
from waivern.plugins.context import Context
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    AttemptStartedRecord,
    RunStartedRecord,
    to_record,
)
from waivern.store.base import RunStore
from waivern.store.local import LocalFilesystemStore
from waivern.store.memory import AsyncInMemoryStore
from waivern.store.store_values import ArtifactRef, InitialState, Owner

AT = "2026-01-02T03:04:05.000Z"
SECRET = "canary-4711"
ENVIRON = {"TOKEN": SECRET, "OTHER": "1"}


@dataclass
class Thing:
    """A connector or a processor that says of itself what a test wants to hear."""

    name = "thing"
    version = "1.0.0"
    produces = ANY_JSON
    accepts = None
    Config = BaseModel
    repeatable: bool = True
    marks: Any = field(default_factory=dict)
    rules: Any = field(default_factory=dict)
    digest: str | None = "sha256:0"
    asked: list[str] = field(default_factory=list)
    raises: BaseException | None = None

    def _says(self, what: str, value: Any) -> Any:
        self.asked.append(what)
        if self.raises:
            raise self.raises
        return value

    def fingerprint(self, _config: object, _ctx: Context) -> Any:
        return self._says("fingerprint", self.marks)

    def rulesets(self, _config: object, _ctx: Context) -> Any:
        return self._says("rulesets", self.rules)

    def code(self, _config: object, _ctx: Context) -> str | None:
        found: str | None = self._says("code", self.digest)
        return found

    def extract(self, _config: object, _ctx: Context) -> Json:
        return 1

    def process(self, _inputs: object, _config: object, _ctx: Context) -> Json:
        return 1


PROPERTIES: Mapping[str, Json] = {"n": 1, "key": "${TOKEN}", "deep": {"a": [1, 2]}}


def source(**more: Any) -> Node:
    return Node(ArtifactId("a"), Extract("thing", "1.0.0", PROPERTIES), (), ANY_JSON)._replace(
        **more
    )


def process(*names: str, **more: Any) -> Node:
    ids = tuple(map(ArtifactId, names))
    return Node(ArtifactId("a"), Transform("thing", "1.0.0", PROPERTIES), ids, ANY_JSON)._replace(
        **more
    )


def ref(name: str, digest: str = "d", schema: str = "json/1.0.0") -> ArtifactRef:
    return ArtifactRef(name, f"file-{digest}", digest, schema=schema)


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    if request.param == "memory":
        return AsyncInMemoryStore()
    return LocalFilesystemStore(tmp_path / "store")


def CODE(_component: object) -> str:  # noqa: N802 - the same for all
    return "sha256:code"


@dataclass
class Place:
    """A cache, and where things are made."""

    store: RunStore
    base: Path
    environ: Mapping[str, str] = field(default_factory=lambda: ENVIRON)

    def cache(self, **more: Any) -> Cache:
        return Cache(self.store, self.environ, **more)

    def of(
        self, node: Node, thing: Thing | None = None, *refs: ArtifactRef, base: Path | None = None
    ) -> Identity | UnknownIdentity:
        ctx = Context("a", base or self.base)
        return self.cache().identify(node, ComponentUse(thing or Thing(), None, CODE), refs, ctx)

    def made_of(
        self, node: Node, thing: Thing | None = None, *refs: ArtifactRef, base: Path | None = None
    ) -> Identity:
        found = self.of(node, thing, *refs, base=base)
        assert not isinstance(found, UnknownIdentity), found
        return found

    def run(self, run_id: str, made_of: Mapping[str, Json] | None, content: Json = 1) -> None:
        """Make a run that made `a` of that, and remember it."""
        self.cache().remember(run_id, [self.unremembered(run_id, made_of, content)])

    def unremembered(
        self,
        run_id: str,
        made_of: Mapping[str, Json] | None,
        content: Json = 1,
        store: str | None = None,
    ) -> ArtifactCompletedRecord:
        node = source()
        events = (
            RunStartedRecord(AT, run_id, ["a"], {}, {}, "/", "b", "1.0", None),
            AttemptStartedRecord(
                AT,
                {"host": "h", "pid": 1},
                "sha256:0",
                store=store or self.store.identity(make=True) or "",
            ),
        )
        initial = InitialState(b"", (to_record(events[0]), to_record(events[1])), {}, {})
        lease = self.store.begin(run_id, initial, Owner("h", 1, AT))
        message = Message(id="a", content=content, run_id=run_id, extensions={"coverage": None})
        receipt = self.store.stage(run_id, "a", message)
        lease.publish([receipt])
        done = ArtifactCompletedRecord(
            AT, node.id, "produced", receipt.size, receipt.digest, receipt.content_digest,
            receipt.schema, node.work.label, "1.0.0", {}, 5, identity=dict(made_of or {}) or None,
        )  # fmt: skip
        lease.append([to_record(done)], sync=True)
        lease.release()
        return done


@pytest.fixture
def place(store: RunStore, tmp_path: Path) -> Place:
    return Place(store, tmp_path)


# what it is made of


def test_equal_work_has_an_equal_key(place: Place) -> None:
    marks = {"x": "1", "y": "2"}
    whole = place.made_of(source(), Thing(marks=marks))
    assert place.made_of(source(), Thing(marks=dict(reversed(marks.items())))) == whole
    assert place.made_of(source(id=ArtifactId("b"), timeout=3.0, pool="p"), Thing(marks=marks)) == (
        whole
    )
    assert place.made_of(source(), Thing(marks=marks), base=Path("/elsewhere")) == whole
    more = Place(place.store, place.base, {**ENVIRON, "UNUSED": "x", "OTHER": "2"})
    assert more.made_of(source(), Thing(marks=marks)) == whole
    json.dumps(whole)


def other(node: Node, **properties: Json) -> Node:
    assert isinstance(node.work, Extract | Transform)
    work = node.work._replace(properties={**PROPERTIES, **properties})
    return node._replace(work=work)


OF_SOURCES: dict[str, Callable[[Place], Identity | UnknownIdentity]] = {
    "as it is": lambda p: p.of(source()),
    "version": lambda p: p.of(source(work=Extract("thing", "1.0.1", PROPERTIES))),
    "component": lambda p: p.of(source(work=Extract("thong", "1.0.0", PROPERTIES))),
    "schema": lambda p: p.of(source(schema=SchemaRef("findings", "1.0.0"))),
    "code": lambda p: p.of(source(), Thing(digest="sha256:1")),
    "ruleset": lambda p: p.of(source(), Thing(rules={"r": "1.0.0 sha256:1"})),
    "edited ruleset": lambda p: p.of(source(), Thing(rules={"r": "1.0.0 sha256:2"})),
    "marks": lambda p: p.of(source(), Thing(marks={"x": "1"})),
    "other marks": lambda p: p.of(source(), Thing(marks={"x": "2"})),
    "other names": lambda p: p.of(source(), Thing(marks={"y": "1"})),
    "number": lambda p: p.of(other(source(), n=2)),
    "as text": lambda p: p.of(other(source(), n="1")),
    "as truth": lambda p: p.of(other(source(), n=True)),
    "as float": lambda p: p.of(other(source(), n=1.0)),
    "more": lambda p: p.of(other(source(), more=None)),
    "order in a list": lambda p: p.of(other(source(), deep={"a": [2, 1]})),
    "variable": lambda p: Place(p.store, p.base, {"TOKEN": "x"}).of(source()),
    "no variable": lambda p: Place(p.store, p.base, {}).of(source()),
    "not repeatable": lambda p: p.of(source(cache=True), Thing(repeatable=False)),
    "elsewhere": lambda p: p.of(source(cache=True), Thing(repeatable=False), base=Path("/x")),
}
AB = (ref("x"), ref("y", "e"))
OF_PROCESSES: dict[str, Callable[[Place], Identity | UnknownIdentity]] = {
    "as it is": lambda p: p.of(process("x", "y"), None, *AB),
    "other order": lambda p: p.of(process("y", "x"), None, *reversed(AB)),
    "content": lambda p: p.of(process("x", "y"), None, ref("x", "f"), AB[1]),
    "contents swapped": lambda p: p.of(process("x", "y"), None, ref("x", "e"), ref("y")),
    "schema of an input": lambda p: p.of(process("x", "y"), None, ref("x", "d", "s/1"), AB[1]),
    "one missing": lambda p: p.of(process("x", "y"), None, AB[0]),
    "other one": lambda p: p.of(process("x", "y"), None, AB[1]),
    "called otherwise": lambda p: p.of(process("x", "y", names=("x", "z")), None, *AB),
    "called the same": lambda p: p.of(process("x", "y", names=("z", "z")), None, *AB),
    "the same, one missing": lambda p: p.of(process("x", "y", names=("z", "z")), None, AB[1]),
    "source": lambda p: p.of(source(), None),
}


@pytest.mark.parametrize("ways", [OF_SOURCES, OF_PROCESSES], ids=["sources", "processes"])
def test_every_part_counts(
    place: Place, ways: Mapping[str, Callable[[Place], Identity | UnknownIdentity]]
) -> None:
    keys: dict[str, str] = {}
    for name, way in ways.items():
        made_of = way(place)
        assert not isinstance(made_of, UnknownIdentity), (name, made_of)
        assert keys.setdefault(made_of["key"], name) == name
    assert len(keys) == len(ways)


def test_a_secret_cannot_be_guessed(place: Place) -> None:
    text = json.dumps(place.made_of(source()))
    assert "TOKEN" in text
    for form in (SECRET, *(hashlib.new(n, SECRET.encode()).hexdigest() for n in ("sha256", "md5"))):
        assert form not in text
    elsewhere = Place(AsyncInMemoryStore(), place.base)
    mine, theirs = place.made_of(source()), elsewhere.made_of(source())
    assert mine["environment"].keys() == theirs["environment"].keys() == {"TOKEN"}
    assert mine["environment"] != theirs["environment"]


def test_a_large_source_is_kept_as_a_digest(place: Place) -> None:
    for many in (
        {str(n): "m" for n in range(artifact_identity.MOST_ITEMS + 1)},
        {"x" * artifact_identity.MOST_TEXT: "m"},
    ):
        made_of = place.made_of(source(), Thing(marks=many))
        assert made_of["source"].keys() == {"digest", "count"}
        assert made_of["source"]["count"] == len(many)
        changed = place.made_of(source(), Thing(marks={**many, next(iter(many)): "n"}))
        assert changed["key"] != made_of["key"]
        (said,) = differences(made_of, changed)
        assert said == f"source changed ({len(many)} → {len(many)} items)"


# what cannot be told


@pytest.mark.parametrize(
    ("node", "thing", "reason"),
    [
        (source(cache=False), Thing(), "its cache is off"),
        (source(), Thing(repeatable=False), "not known to be repeatable"),
        (process(), Thing(repeatable=False), "not known to be repeatable"),
        (source(), Thing(marks=None), "not cached: the connector does not say what it would read"),
        (source(), Thing(raises=ComponentError("no disk")), "no disk"),
        (source(), Thing(raises=OSError("x")), "OSError"),
        (source(), Thing(raises=ValueError(SECRET)), "ValueError"),
        (source(), Thing(raises=SystemExit(3)), "SystemExit"),
        (process(), Thing(raises=RecursionError()), "RecursionError"),
        (source(), Thing(marks=[1]), "AttributeError"),
        (source(), Thing(marks={"\udcff": "x"}), "content is not JSON"),
        (process(), Thing(rules=3), "AttributeError"),
        (process(), Thing(digest=None), "cannot be fingerprinted"),
    ],
    ids=range(13),
)
def test_what_cannot_be_told_is_not_taken(
    place: Place, node: Node, thing: Thing, reason: str
) -> None:
    found = place.of(node, thing)
    assert isinstance(found, UnknownIdentity)
    assert reason in found.reason
    assert SECRET not in found.reason


@pytest.mark.parametrize("repeatable", [True, False])
def test_an_artifact_may_promise_it(place: Place, repeatable: bool) -> None:
    for node in (source(cache=True), process(cache=True)):
        assert place.made_of(node, Thing(repeatable=repeatable, marks=None))["source"] == {}


def test_nothing_is_opened_for_what_is_not_taken(tmp_path: Path) -> None:
    place = Place(LocalFilesystemStore(tmp_path / "store"), tmp_path)
    thing = Thing(repeatable=False)
    assert isinstance(place.of(source(), thing), UnknownIdentity)
    assert isinstance(place.of(source(cache=False), Thing()), UnknownIdentity)
    assert thing.asked == []
    place.cache().remember("r", [])
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_may_not_be_written_to(tmp_path: Path) -> None:
    store = LocalFilesystemStore(tmp_path / "store")
    cache = Cache(store, ENVIRON, make=False)
    found = cache.identify(source(), ComponentUse(Thing(), None, CODE), (), Context("a", tmp_path))
    assert isinstance(found, UnknownIdentity)
    assert found.reason.endswith("has no cache yet")
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_used(tmp_path: Path) -> None:
    store = LocalFilesystemStore(tmp_path / "store")
    store.cache_secret()
    (tmp_path / "store/cache/key").write_bytes(b"short")
    cache = Cache(store, ENVIRON)
    found = cache.identify(source(), ComponentUse(Thing(), None, CODE), (), Context("a", tmp_path))
    assert isinstance(found, UnknownIdentity)
    assert cache.trouble == found.reason
    assert "is damaged" in found.reason


# before and after


def test_what_changes_meanwhile_is_not_remembered(place: Place) -> None:
    for node, change in (
        (source(), {"marks": {"x": "2"}}),
        (source(), {"marks": None}),
        (source(), {"raises": OSError()}),
        (process(), {"rules": {"r": "2"}}),
        (process(), {"digest": "sha256:2"}),
    ):
        thing = Thing(marks={"x": "1"}, rules={"r": "1"}, digest="sha256:1")
        cache, tool, ctx = place.cache(), ComponentUse(thing, None, CODE), Context("a", place.base)
        before = cache.identify(node, tool, (), ctx)
        assert not isinstance(before, UnknownIdentity)
        assert cache.confirm(node, tool, (), ctx, before) == before
        for name, value in change.items():
            setattr(thing, name, value)
        assert cache.confirm(node, tool, (), ctx, before) is None


class BuiltIn(Thing):
    code = None  # type: ignore[assignment]


def test_what_cannot_change_is_not_looked_at_again(place: Place) -> None:
    thing = BuiltIn()
    cache, ctx = place.cache(), Context("a", place.base)
    tool = ComponentUse(thing, None, lambda _component: "waivern 0.1.0 sha256:1")
    before = cache.identify(process(), tool, (), ctx)
    assert not isinstance(before, UnknownIdentity)
    asked = len(thing.asked)
    assert cache.confirm(process(), tool, (), ctx, before) == before
    assert len(thing.asked) == asked


# finding


def test_what_was_made_of_the_same_is_found(place: Place) -> None:
    made_of = place.made_of(source())
    assert place.cache().find("b", made_of) is None
    place.run("r1", made_of, {"v": 1})
    hit = place.cache().find("b", made_of)
    assert hit is not None
    assert hit.message.content == {"v": 1}
    assert hit.origin == {"run": "r1", "artifact": "a", "seq": 3, "digest": hit.ref.digest}
    place.run("r2", made_of, {"v": 2})
    newest = place.cache().find("b", made_of)
    assert newest is not None
    assert newest.origin["run"] == "r2"
    assert place.cache().find("b", place.made_of(other(source(), n=2))) is None
    assert place.cache(refresh=frozenset({"b"})).find("b", made_of) is None
    assert place.cache(refresh=frozenset({"b"})).find("c", made_of) is not None


ENTRIES: dict[str, dict[str, Json]] = {
    "nothing": {},
    "no run": {"artifact": "a"},
    "no artifact": {"run": "r1"},
    "nobody's run": {"run": "gone", "artifact": "a"},
    "a path": {"run": "../r1", "artifact": "a"},
    "a path to an artifact": {"run": "r1", "artifact": "../r1/a"},
    "not an artifact": {"run": "r1", "artifact": "b"},
    "of other kinds": {"run": ["r1"], "artifact": {"a": 1}},
    "none": {"run": None, "artifact": None},
    "made of another": {"run": "r2", "artifact": "a"},
    "made of nothing known": {"run": "r3", "artifact": "a"},
    "made of odd things": {"run": "r4", "artifact": "a"},
}


@pytest.mark.parametrize("name", ENTRIES)
def test_a_wrong_entry_is_a_miss(place: Place, name: str) -> None:
    made_of = place.made_of(source())
    place.run("r1", made_of)
    place.run("r2", place.made_of(other(source(), n=2)), 2)
    place.run("r3", None, 3)
    place.run("r4", {"key": "../../x"}, 4)
    assert place.cache().find("b", made_of) is not None
    place.store.remember({made_of["key"]: ENTRIES[name]})
    assert place.cache().find("b", made_of) is None


def test_a_better_entry_does_not_lie(place: Place) -> None:
    """Digests and places in an entry count for nothing: its run's journal says them."""
    made_of = place.made_of(source())
    place.run("r1", made_of)
    lie = {"run": "r1", "artifact": "a", "seq": 99, "digest": "sha256:0", "content_digest": "x"}
    place.store.remember({made_of["key"]: lie})
    hit = place.cache().find("b", made_of)
    assert hit is not None
    assert hit.origin["seq"] == 3


@pytest.fixture
def local(tmp_path: Path) -> Place:
    return Place(LocalFilesystemStore(tmp_path / "store"), tmp_path)


def _instead(path: Path, make: Callable[[], object]) -> None:
    path.unlink()
    make()


def damage(run: Path) -> Iterator[Callable[[], object]]:
    artifact, journal = run / "a.json", run / "_system/events.jsonl"
    data, lines = artifact.read_bytes(), journal.read_bytes()
    yield lambda: artifact.write_bytes(data.replace(b"1", b"2", 1))
    yield lambda: artifact.write_bytes(b"")
    yield artifact.unlink
    yield lambda: _instead(artifact, lambda: artifact.symlink_to(run / "elsewhere"))
    yield lambda: _instead(artifact, artifact.mkdir)
    yield lambda: journal.write_bytes(lines[:-5])
    yield lambda: journal.write_bytes(lines.replace(b'"digest"', b'"digist"'))
    yield lambda: journal.write_bytes(b"")
    yield journal.unlink
    yield lambda: shutil.rmtree(run / "_system")
    yield lambda: shutil.rmtree(run)
    yield lambda: run.rename(run.with_name("other"))


@pytest.mark.parametrize("n", range(12))
def test_a_damaged_run_is_a_miss(local: Place, n: int) -> None:
    made_of = local.made_of(source())
    local.run("r1", made_of)
    list(damage(local.base / "store/runs/r1"))[n]()
    assert local.cache().find("b", made_of) is None


def test_a_copy_of_a_run_does_not_say_who_made_it(local: Place) -> None:
    made_of = local.made_of(source())
    local.run("r1", made_of)
    runs = local.base / "store/runs"
    shutil.copytree(runs / "r1", runs / "r2")
    local.store.remember({made_of["key"]: {"run": "r2", "artifact": "a"}})
    assert local.cache().find("b", made_of) is None


def test_what_another_store_says_of_its_results_does_not_count(place: Place) -> None:
    made_of = place.made_of(source())
    done = place.unremembered("r1", made_of, store="3f2504e0-4f89-41d3-9a0c-0305e82c3301")
    place.cache().remember("r1", [done])
    assert place.cache().find("b", made_of) is None


def test_what_took_long_is_found_while_the_run_goes_on(place: Place) -> None:
    note = CacheRecorder(place.cache(), "r1")
    made_of = place.made_of(source())
    done = place.unremembered("r1", made_of)
    note(2, AttemptStartedRecord(AT, {}, "sha256:0"))
    note(3, done._replace(identity=None, duration_ms=LONG_MS))
    note(4, done._replace(duration_ms=LONG_MS - 1))
    assert place.cache().find("b", made_of) is None
    later = place.made_of(other(source(), n=2))
    note(5, done._replace(identity=later, duration_ms=1))
    assert place.cache().find("b", made_of) is not None


# what is another


def test_what_is_another_is_said(place: Place) -> None:
    def said(then: Identity, now: Identity) -> list[str]:
        return list(differences(then, now))

    then = place.made_of(
        source(),
        Thing(rules={"r": "1.0.0 sha256:1", "s": "1"}, marks=dict.fromkeys("abcdef", "1")),
    )
    assert said(then, then) == []
    now = place.made_of(
        other(source(work=Extract("thing", "1.1.0", {})), n="x" * 100, deep={"a": [1], "b": None}),
        Thing(
            rules={"r": "1.1.0 sha256:2", "t": "1"},
            marks={**dict.fromkeys("abcd", "2"), "e": "1", "g": "1"},
        ),
    )
    assert said(then, now) == [
        "component thing 1.0.0 → thing 1.1.0",
        "ruleset r 1.0.0 → 1.1.0",
        "ruleset s 1 → (none)",
        "ruleset t (none) → 1",
        f"property n 1 → '{'x' * 36}...",
        "property deep.a [1, 2] → [1]",
        "source: 4 changed (a, b, c, …)",
        "source: 1 new (g)",
        "source: 1 gone (f)",
    ]
    newer = place.made_of(source(work=Extract("thing", "1.1.0", PROPERTIES)))
    assert said(place.made_of(source()), newer) == ["component thing 1.0.0 → thing 1.1.0"]
    assert said(place.made_of(source()), place.made_of(source(), Thing(digest="x"))) == [
        "code changed"
    ]
    edited = place.made_of(source(), Thing(rules={"r": "1 sha256:2"}))
    assert said(place.made_of(source(), Thing(rules={"r": "1 sha256:1"})), edited) == [
        "ruleset r changed"
    ]
    without = Place(place.store, place.base, {})
    assert said(place.made_of(source()), without.made_of(source())) == ["variable TOKEN changed"]


def test_what_is_another_of_inputs(place: Place) -> None:
    then = place.made_of(process("x", "y"), None, *AB)
    for node, refs, said in (
        (process("x", "y"), (ref("x", "f"), AB[1]), ["input x changed"]),
        (process("x", "y"), AB[:1], ["input y is gone"]),
        (process("x", "y", "z"), (*AB, ref("z")), ["input z is new"]),
        (process("y", "x"), AB[::-1], ["inputs in another order"]),
    ):
        assert list(differences(then, place.made_of(node, None, *refs))) == said


ODD: list[dict[str, Json]] = [
    {},
    {"component": 3, "version": [], "code": {}, "properties": 1, "environment": "x"},
    {"inputs": {"a": "b"}, "source": [1], "rulesets": 7, "schema": None},
    {"inputs": [[], 3, "xy", [["a"], 1]], "source": {"items": 4, "count": "x"}},
    {"rulesets": {"r": 3}, "properties": {"n": {"a": 1}}, "source": {"digest": {}, "items": {}}},
]


@pytest.mark.parametrize("then", ODD, ids=range(len(ODD)))
def test_what_another_version_wrote_is_no_trouble(place: Place, then: dict[str, Json]) -> None:
    now = place.made_of(process("x"), Thing(rules={"r": "1"}), AB[0])
    assert all(isinstance(line, str) for line in differences(then, now))
    assert list(differences(then, now))
    place.run("r1", then, 1)
    assert place.cache().find("b", now) is None
