"""The project file: what it says, what is wrong with it; properties laid over others; ages."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from runbook_text import places, unmarked

from waivern.diagnostics import Diagnostic, InvalidError
from waivern.language.age import parse_age
from waivern.language.project import Persistence, Project, Retention, load, parse
from waivern.language.project_file import store_path
from waivern.planning.defaults import laid_over

FOLDER = Path("/somewhere")
STATUSES = ("completed", "failed")

WHOLE = """
persistence: {enabled: false, backend: memory, path: kept/here}
max_concurrency: 3
retention: {keep_last: 0, older_than: 30d, status: [completed, failed], keep_failed: true}
components:
  sqlite: {path: "${DB}", deep: {a: [1, "${B:-x}"]}}
  plain:
component_paths: [components, /srv/shared]
cache: true
on_error: continue
keep: content
on_change: fail
"""


def project(text: str) -> Project:
    return parse(text.encode(), path="waivern.yaml", folder=FOLDER, statuses=STATUSES)


def problems(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(InvalidError) as caught:
        project(text)
    assert caught.value.problems
    return caught.value.problems


def test_everything_that_can_be_said() -> None:
    found = project(WHOLE)
    assert found.persistence == Persistence(
        enabled=False, backend="memory", path="/somewhere/kept/here"
    )
    assert found.max_concurrency == 3
    assert found.retention == Retention(
        keep_last=0, older_than="30d", status=("completed", "failed"), keep_failed=True
    )
    assert found.components == {
        "sqlite": {"path": "${DB}", "deep": {"a": [1, "${B:-x}"]}},
        "plain": {},
    }
    assert found.component_paths == ("/somewhere/components", "/srv/shared")
    assert (found.cache, found.on_error) == (True, "continue")
    assert (found.keep, found.on_change) == ("content", "fail")


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "{}", "persistence:\nretention: ~\ncache: null\ncomponents:\n"]
)
def test_what_is_not_said_has_its_default(text: str) -> None:
    found = project(text)
    assert found.persistence == Persistence(enabled=True, backend=None, path=None)
    assert found.retention == Retention()
    assert (found.max_concurrency, found.cache, found.on_error) == (None, None, None)
    assert (found.keep, found.on_change) == (None, None)
    assert (found.components, found.component_paths) == ({}, ())
    assert found.position("cache") is None
    assert found.position("persistence", "path") is None


@pytest.mark.parametrize(
    ("text", "recorded"),
    [
        ("", True),
        ("persistence: {backend: filesystem}", True),
        ("persistence: {enabled: false}", False),
        ("persistence: {backend: memory}", False),
    ],
)
def test_whether_runs_are_recorded(text: str, recorded: bool) -> None:
    assert project(text).persistence.recorded is recorded


@pytest.mark.parametrize(
    ("text", "kind", "store"),
    [
        ("", "filesystem", None),
        ("persistence: {path: kept}", "filesystem", "/somewhere/kept"),
        ("persistence: {backend: sqlite}", "sqlite", "sqlite:////somewhere/.waivern/runs.db"),
        ("persistence: {backend: sqlite, path: a.db}", "sqlite", "sqlite:////somewhere/a.db"),
        ("persistence: {backend: sqlite, path: /a.db}", "sqlite", "sqlite:////a.db"),
        ("persistence: {url: s3://b/p?endpoint=http://h}", "s3", "s3://b/p?endpoint=http://h"),
        ("persistence: {backend: gcs, url: gs://b}", "gcs", "gs://b"),
        ("persistence: {url: https://h/a:b@c}", "http", "https://h/a:b@c"),
        ("persistence: {url: acme://there}", "acme", "acme://there"),
    ],
)
def test_the_chosen_store(tmp_path: Path, text: str, kind: str, store: str | None) -> None:
    found = project(text).persistence
    assert (found.kind, found.store("/somewhere")) == (kind, store)
    (tmp_path / "waivern.yaml").write_text(text)
    if kind in ("filesystem", "sqlite", "acme"):  # and by the way that lists of runs take
        quick = store_path(str(tmp_path / "waivern.yaml"), "waivern.yaml")
        assert quick is not None
        assert (quick.url or "").replace(str(tmp_path), "/somewhere") == (store or "")


def test_one_status_needs_no_list() -> None:
    assert project("retention: {status: failed}").retention.status == ("failed",)


def test_position_says_where() -> None:
    position = project(WHOLE).position("retention", "older_than")
    assert position is not None
    assert str(position) == "waivern.yaml:4:27"
    sqlite = project(WHOLE).position("components", "sqlite")
    assert sqlite is not None
    assert sqlite.line == 6


WRONG = [
    ("«persistance»: {}", "did you mean 'persistence'?"),
    ("persistence: {«backnd»: memory}", "did you mean 'backend'?"),
    ("persistence: {backend: «sqlit»}", "can only be 'filesystem', 'sqlite',"),
    ("persistence: {backend: «s3»}", "needs a URL add `url: s3://bucket/prefix`"),
    ("persistence: {backend: s3, url: «postgresql://h/d»}", "does not lead to s3"),
    ("persistence: {url: «runs»}", "is not a URL"),
    ("persistence: {url: s3://b, path: «x»}", "cannot be combined with 'url'"),
    ("persistence: {backend: gcs, url: gs://b, path: «x»}", "cannot be combined with 'url'"),
    ("persistence: {url: «postgresql://u:pw@h/d»}", "must not have a password"),
    ("persistence: {url: «7»}", "must be text"),
    ('persistence: {enabled: «"true"»}', "must be true or false"),
    ("persistence: «yes»", "must be a mapping"),
    ("persistence: {path: «7»}", "must be text"),
    ('persistence: {path: «""»}', "is empty"),
    ('persistence: {path: «"a\\0b"»}', "without control characters"),
    ('persistence: {path: «"${HOME}/runs"»}', "cannot have a variable"),
    ("max_concurrency: «0»", "at least 1"),
    ("max_concurrency: «true»", "must be a whole number"),
    ("retention: {keep_last: «-1»}", "at least 0"),
    ("retention: {older_than: «30»}", "must be an age"),
    ("retention: {status: [failed, «done»]}", "can only be completed, failed"),
    ("retention: {«keep_days»: 3}", "allowed here: keep_last, older_than, status, keep_failed"),
    ("components: «[»sqlite]", "must be a mapping"),
    ("components: {sqlite: «x.db»}", "must be a mapping"),
    ('components: {sqlite: {path: «"${a b}"»}}', "does not begin a variable"),
    ("component_paths: «components»", "must be a list"),
    ("component_paths: [a, «[»b]]", "must be text"),
    ('component_paths: [«"${D}"»]', "cannot have a variable"),
    ("on_error: «stop»", "can only be 'skip', 'continue' or 'fail'"),
    ("keep: «copy»", "can only be 'reference' or 'content'"),
    ("on_change: «stop»", "can only be 'skip' or 'fail'"),
    ("persistence: {«odd»: null}", "unknown key 'odd' in 'persistence'"),
    ("«document»: null", "unknown key 'document' in the project file"),
    ("«tree»: {a: 1}", "unknown key 'tree' in the project file"),
    ("cache: true\n«cache»: false", "given twice"),
    ("cache: «!!python/none x»", "tag"),
]


@pytest.mark.parametrize(("marked", "words"), WRONG)
def test_what_is_wrong_is_placed(marked: str, words: str) -> None:
    text, marks = unmarked(marked)
    (found,) = problems(text)
    assert places((found,)) == marks
    assert words in f"{found.message} {found.hint}"


def test_a_key_with_braces_is_shown_as_it_is() -> None:
    (found,) = problems('"a{}b{c": 1')
    assert "unknown key 'a{}b{c' in the project file" in found.message


def test_everything_wrong_is_reported_at_once() -> None:
    text, marks = unmarked(
        "cache: «1»\n«cach»: true\nretention: {older_than: «soon», «keep»: 1}\n"
        'components: {x: «3», y: {z: «"${"»}}\n'
    )
    assert places(problems(text)) == sorted(marks)


def test_a_flood_of_problems_is_cut() -> None:
    assert len(problems("".join(f"k{n}: 1\n" for n in range(3_000)))) == 1_000


@pytest.mark.parametrize("text", ["- a\n", "just text", "a: [", "a: *b", "\x01", "[" * 100_000])
def test_what_is_no_project_file_is_refused(text: str) -> None:
    (found,) = problems(text)
    assert found.position is not None


def test_a_variable_that_is_not_set_is_no_problem_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "s3cret-canary")
    found = project('components: {x: {a: "${CANARY}", b: "${NOWHERE}"}}')
    assert found.components == {"x": {"a": "${CANARY}", "b": "${NOWHERE}"}}
    assert "s3cret" not in repr(found)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [Path.mkdir, _fifo, _loop])
def test_what_cannot_be_read_is_told(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "waivern.yaml"
    make(path)
    with pytest.raises(InvalidError, match=r"cannot read 'waivern\.yaml'"):
        load(str(path), STATUSES, called="waivern.yaml")


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "waivern.yaml"
    path.write_text("persistence: {path: kept}\n")
    assert load(str(path), STATUSES).persistence.path == str(tmp_path / "kept")


@pytest.mark.parametrize(
    ("base", "own", "result"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 3}}}, {"a": {"b": {"c": 3, "d": 2}}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
        ({"a": 2}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"d": 2}]}}, {"a": {"b": [{"d": 2}]}}),
    ],
)
def test_own_properties_are_laid_over_the_base(
    base: dict[str, object], own: dict[str, object], result: dict[str, object]
) -> None:
    before = repr((base, own))
    assert laid_over(base, own) == result
    assert repr((base, own)) == before


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("2h", 7200), ("1w", 604800)]
)
def test_an_age(text: str, seconds: int) -> None:
    age = parse_age(text)
    assert age is not None
    assert age.total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "d", "1", "1.5h", "-1d", "1D", "1d ", "1234567d", "٣d"])
def test_no_age(text: str) -> None:
    assert parse_age(text) is None
