"""Part of a plan: `--select`, `--exclude`, limits on failures, and policies at the end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from runs_kit import Book, gate, join, make

from waivern.errors import ArtifactNotFoundError, RefusedError, UsageError
from waivern.record.journal_events import AttemptStartedRecord
from waivern.runs import verify
from waivern.runs.run_params import RequestedParams
from waivern.runs.selection import Selection

#   a - b - c        x
#    \- d - e
TREE = [make("a"), join("b", "a"), join("c", "b"), join("d", "a"), join("e", "d"), make("x")]


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setattr(sys, "path", list(sys.path))  # steps add their folder
    return Book(tmp_path / "place")


@pytest.mark.parametrize(
    ("select", "exclude", "made"),
    [
        (["+c"], [], "abc"),
        (["a+"], [], "abcde"),
        (["a"], [], "a"),
        (["+b+"], [], "abc"),
        (["x", "+d"], [], "adx"),
        (["*"], ["x"], "abcde"),
        ([], ["b+", "x"], "ade"),
        (["?"], ["[b-e]"], "ax"),
        (["+c"], ["c"], "ab"),
        (["1+c", "a"], [], "abc"),
        (["a+1"], [], "abd"),
        (["a+2"], ["c,e"], "abd"),
        (["2+c"], [], "abc"),
        (["a,x", "d"], [], "adx"),
        (["a x d"], [], "adx"),
        (["0+a+0"], [], "a"),
    ],
)
async def test_what_is_selected(
    book: Book, select: list[str], exclude: list[str], made: str
) -> None:
    book.write(*TREE)
    result = await book.start(selection=Selection(tuple(select), tuple(exclude)))
    assert result.status == "completed"
    assert result.exit_code == 0
    assert set(book.calls()) == set(made)
    state = book.document(result.run_id, "_system/state")
    assert state["completed"] == sorted(made)
    assert state["not_started"] == sorted(set("abcdex") - set(made))
    started = [e for e in book.events(result.run_id) if isinstance(e, AttemptStartedRecord)]
    assert started[0].selected == sorted(made)
    assert book.document(result.run_id)["attempts"][0]["selected"] == sorted(made)
    assert verify.verify(book.store, result.run_id).faults == ()


async def test_a_resume_goes_on_with_the_rest(book: Book) -> None:
    book.write(*TREE)
    run_id = (await book.start(selection=Selection(("+c",)))).run_id
    book.calls()
    again = await book.resume(run_id, selection=Selection(("+c",)))
    assert again.nothing_to_do
    assert (await book.resume(run_id, selection=Selection(("e", "d")))).status == "completed"
    assert book.calls() == {"d": 1, "e": 1}
    assert (await book.resume(run_id)).status == "completed"
    assert book.calls() == {"x": 1}
    assert (await book.resume(run_id)).nothing_to_do


@pytest.mark.parametrize(
    ("selection", "text"),
    [
        (Selection(("c",)), "'c' is selected, but not what it depends on: 'b'"),
        (Selection((), ("a",)), "'b' is selected, but not what it depends on: 'a'"),
        (Selection(("a",), ("a",)), "nothing is selected"),
        (Selection(("result:broken",)), "no artifact can be"),
    ],
)
async def test_what_does_not_go_together(book: Book, selection: Selection, text: str) -> None:
    book.write(*TREE)
    with pytest.raises(UsageError, match=text) as raised:
        await book.start(selection=selection)
    assert raised.value.hint
    assert not (book.folder / ".waivern").exists()


async def test_unknown_names(book: Book) -> None:
    book.write(make("customers"))
    for text in ("custommers", "+custommers+", "z*"):
        with pytest.raises(
            ArtifactNotFoundError, match="no artifact of the runbook matches"
        ) as raised:
            await book.start(selection=Selection((text,)))
        assert "customers" in (raised.value.hint or "")


async def test_by_result(book: Book) -> None:
    book.write(*TREE)
    book.fail("b")
    first = await book.start()
    with pytest.raises(RefusedError, match="a new run has no results yet"):
        await book.start(selection=Selection(("result:failed",)))
    book.fail("b", False)
    book.calls()
    only = await book.resume(first.run_id, selection=Selection(("result:failed",)))
    assert only.status == "completed"
    assert book.calls() == {"b": 1}
    assert only.state.not_started == ("c",)

    book.fail("d")
    other = await book.start()
    book.fail("d", False)
    book.calls()
    chosen = Selection((f"+result:failed@{other.run_id[:8]}",))
    new = await book.start(selection=chosen)
    assert new.state.completed == ("a", "d")


async def test_by_tag(book: Book) -> None:
    book.write(
        make("a", tags=["raw", "eu"]),
        join("b", "a", tags=["report"]),
        make("c", tags="eu"),
        make("d"),
    )
    chosen = await book.start(selection=Selection(("tag:eu",)))
    assert chosen.state.completed == ("a", "c")
    chosen = await book.start(selection=Selection(("+tag:rep*",)))
    assert chosen.state.completed == ("a", "b")
    with pytest.raises(ArtifactNotFoundError, match="has the tag 'rawer'") as raised:
        await book.start(selection=Selection(("tag:rawer",)))
    assert raised.value.hint == "did you mean 'raw'?"


async def test_the_tag_of_a_child_is_that_of_its_artifacts(book: Book) -> None:
    (book.folder / "child.yaml").write_text(
        "outputs: {out: {artifact: two}}\nartifacts:\n"
        "  one: {source: {type: command, properties: {argv: [echo, '1']}}}\n"
        "  two: {inputs: one, tags: [own]}\n"
    )
    child = {"child_runbook": {"path": "child.yaml", "output": "out"}, "tags": ["part"]}
    book.write(make("a"), {"c": child})
    chosen = await book.start(selection=Selection(("tag:part",)))
    assert chosen.state.completed == ("c/one", "c/two")
    with pytest.raises(UsageError, match="'c/two' is selected"):
        await book.start(selection=Selection(("tag:own",)))


async def test_by_what_has_changed(book: Book) -> None:
    """A tag, a comment and a text for people are no change of what an artifact is."""
    book.write(*TREE)
    first = await book.start(selection=Selection(("+state:changed",)))  # everything is new
    assert first.state.completed == ("a", "b", "c", "d", "e", "x")
    book.write(
        make("a", tags=["new"]), join("b", "a", value=2), *TREE[2:], make("y"), comment="edited"
    )
    second = await book.start(selection=Selection(("+state:changed+",)))
    assert second.state.completed == ("a", "b", "c", "y")
    with pytest.raises(UsageError, match="nothing is selected: no definition has changed"):
        await book.start(selection=Selection(("state:changed",)))
    third = await book.start(selection=Selection((f"+state:changed@{first.run_id}",)))
    assert third.state.completed == ("a", "b", "y")
    with pytest.raises(UsageError, match="no artifact can be 'edited'"):
        await book.start(selection=Selection(("state:edited",)))


async def test_a_resume_selects_what_was_edited_since(book: Book) -> None:
    book.write(*TREE)
    run_id = (await book.start()).run_id
    book.calls()
    book.write(*TREE[:2], join("c", "b", value=2), *TREE[3:])
    again = await book.resume(run_id, allow_changed=True, selection=Selection(("state:changed",)))
    assert again.status == "completed"
    assert book.calls() == {"c": 1}


async def test_an_alias_and_what_is_in_a_child(book: Book) -> None:
    steps = str(book.folder / "steps.py")
    each = make("each", value="${each}", for_each=["eu", "us"])
    each["each"]["source"]["properties"]["call"] = f"{steps}:make"
    book.write(make("a"), each, join("all", "each"))
    result = await book.start(selection=Selection(("each",)))
    assert result.state.completed == ("each/eu", "each/us")
    one = await book.start(selection=Selection(("each/e*",)))
    assert one.state.completed == ("each/eu",)
    with pytest.raises(
        UsageError, match="'all' is selected, but not what it depends on: 'each/us'"
    ):
        await book.start(selection=Selection(("each/eu", "all")))


async def test_refreshed_on_a_resume(book: Book) -> None:
    """What is made from it is made again only if it comes out different."""
    book.write(*TREE)
    run_id = (await book.start()).run_id
    book.calls()
    again = await book.resume(run_id, book.options(refresh=frozenset("a")))
    assert again.status == "completed"
    assert book.calls() == {"a": 1}
    assert (await book.resume(run_id)).nothing_to_do


async def test_what_is_selected_is_made_again_if_it_is_stale(book: Book) -> None:
    """What it is made of has changed since, in an attempt of which it was no part."""
    source = {"type": "command", "properties": {"argv": ["cat", "in.json"]}}
    file = book.folder / "in.json"
    file.write_text('{"name": "old"}')
    book.write({"a": {"source": source}}, join("b", "a"), make("x"))
    run_id = (await book.start()).run_id
    file.write_text('{"name": "new"}')
    refresh = book.options(refresh=frozenset("a"))
    await book.resume(run_id, refresh, selection=Selection(("a",)))
    assert (await book.resume(run_id, selection=Selection(("x",)))).nothing_to_do
    again = await book.resume(run_id, selection=Selection(("b",)))
    assert not again.nothing_to_do
    assert book.content(run_id, "b")["of"] == ["new"]
    assert (await book.resume(run_id, selection=Selection(("b",)))).nothing_to_do


async def test_nothing_is_to_be_done_with_what_its_condition_leaves_out(book: Book) -> None:
    out = make("out", when="status.a == 'failed'", optional=True)
    book.write(make("a"), out, make("s", when="status.out == 'skipped'"), make("x"))
    run_id = (await book.start()).run_id
    book.calls()
    for names in (("out",), ("+s", "x"), ()):
        assert (await book.resume(run_id, selection=Selection(names))).nothing_to_do
    assert book.calls() == {}


# how many failures


async def test_fail_fast(book: Book) -> None:
    book.write(make("a"), join("b", "a"), make("x", when="status.a == 'failed'"))
    book.fail("a")
    result = await book.start(book.options(max_failures=1))
    assert result.status == "failed"
    assert result.reason == "fail_fast"
    assert result.state.not_started == ("x",)
    assert result.state.skipped == ("b",)
    assert (await book.start()).state.completed == ("x",)


async def test_max_failures(book: Book) -> None:
    after = "status.a == 'failed' and status.b == 'failed'"
    book.write(make("a"), make("b"), make("x", when=after))
    for name in "ab":
        book.fail(name)
    assert (await book.start(book.options(max_failures=2))).state.not_started == ("x",)
    assert (await book.start(book.options(max_failures=3))).state.completed == ("x",)


# policies


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("artifacts.a.value == 1", 6),
        ("artifacts.a.value == 2", 0),
        ("status.x == 'skipped'", 6),
        ("params.region == 'eu'", 6),
        ("exists(artifacts.x)", 0),
        ("count(artifacts.x) > 0", 6),  # what cannot be decided is no reason to pass
    ],
)
async def test_policies(book: Book, condition: str, code: int) -> None:
    params = {"region": {"type": "string", "default": "eu"}}
    book.write(make("a", value=1), join("x", "a", when="inputs.a.value == 0"), params=params)
    options = book.options(fail_on=(condition,))
    result = await book.start(options)
    assert result.status == "completed"
    assert result.exit_code == code
    assert [text.partition("  (")[0] for text in result.policies] == [condition] * (code == 6)
    again = await book.resume(result.run_id, options)
    assert again.nothing_to_do
    assert again.exit_code == code


async def test_the_worst_exit_wins(book: Book) -> None:
    book.write(make("a"), gate("g", "a"), make("z", optional=True))
    book.fail("z")
    options = book.options(fail_on=("status.z == 'failed'", "artifacts.g.approved"))
    result = await book.start(options)
    assert result.status == "suspended"
    assert result.exit_code == 6
    assert len(result.policies) == 1  # of the gate, nothing is decided yet
    book.fail("a")
    failed = await book.start(options)
    assert failed.exit_code == 1
    assert len(failed.policies) == 1


async def test_policies_are_read_before_anything_runs(book: Book) -> None:
    params = {"token": {"type": "string", "secret": True}}
    book.write(make("customers"), params=params)
    given = RequestedParams(typed={"token": "t"})
    for condition, kind, text in (
        ("artifacts.customers.value = 1", UsageError, "'=' has no meaning here"),
        ("inputs.customers.value == 1", UsageError, "inputs"),
        ("artifacts.custommers.value == 1", ArtifactNotFoundError, "no artifact 'custommers'"),
        ("status.custommers == 'failed'", ArtifactNotFoundError, "no artifact 'custommers'"),
        ("params.region == 'eu'", UsageError, "no parameter 'region'"),
        ("params.token == 't'", UsageError, "is a secret"),
    ):
        with pytest.raises(kind, match=text):
            await book.start(book.options(fail_on=(condition,)), params=given)
    assert book.calls() == {}
    assert not (book.folder / ".waivern").exists()
