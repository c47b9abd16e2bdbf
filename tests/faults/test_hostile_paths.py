"""Ids that are paths, links and FIFOs and devices in place of files, names too long, files too big.

Whatever lies in a store or stands on a command line: an error with a name, soon; nothing outside
the store is read, made or changed.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from harness import ALL, RUN, WCT, Bench, Count, Done, Shelf, carry_out

from waivern.message import Message
from waivern.store import journal
from waivern.store.local import LocalFilesystemStore

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

CANARY = "not-for-your-eyes"
SOON = 10.0
"""Seconds; each command takes a fraction of one."""
REFUSED = {2, 3, 4, 5, 9}
RAISED = re.compile(r"Traceback|internal error")


@pytest.fixture
def shelf(bench: Bench) -> Shelf:
    """A run that ended, and beside the store a folder that looks like a store with the same run."""
    made = bench.shelf()
    assert carry_out(bench.zygote, made.start()).code == 1
    outside = made.path / "outside"
    shutil.copytree(made.path / ".waivern", outside, symlinks=True)
    for file in outside.rglob("*.json"):
        file.write_bytes(file.read_bytes().replace(b"some text", CANARY.encode()))
    (made.path / "canary").write_text(CANARY)
    return made


def look(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return all that lies in a folder: modes, and the bytes of files and links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        data = b""
        if stat.S_ISREG(status.st_mode):
            data = path.read_bytes()
        elif stat.S_ISLNK(status.st_mode):
            data = os.fsencode(path.readlink())
        found[str(path.relative_to(folder))] = (status.st_mode, data)
    return found


def outside(shelf: Shelf) -> dict[str, tuple[int, bytes]]:
    """Return all of the shelf but its store, and what the store's components noted."""
    store = str(shelf.path / ".waivern")
    return {
        name: seen
        for name, seen in look(shelf.path).items()
        if not str(shelf.path / name).startswith(store) and name != "calls"
    }


def wct(bench: Bench, shelf: Shelf, *words: str) -> Done:
    began = time.monotonic()
    done = carry_out(bench.zygote, shelf.wct(*words))
    assert time.monotonic() - began < SOON, words
    assert not RAISED.search(done.err), f"{words}: {done.err}"
    assert CANARY not in done.out + done.err, words
    return done


# ids that are paths

A_RUNBOOK = "../book@last"
"""After a folder of the project, this is the path of a runbook, and no id."""

PATHS = [
    "..", ".", "/", "//", "", "../outside/runs/main", "../../outside/runs/main", "/etc/passwd",
    "main/..", "main/../main", "./main", "main/", "main//one", "x/../../main", "..\\outside",
    "~", "~root", "$HOME", "%2e%2e", "-", "_system", "_SYSTEM", "main/_system/run", "é", "e\u0301",
    "a\nb", "a\tb", "a b", "\x1b[31m", "a:b", "a*", "main*", "[m]ain", "CON", "a" * 129,
    "a" * 5000, "a.json", ".trash-main", ".new-main", ".tmp-x", "@", "@@", "@lost", "@last/..",
    "@last~", "@last~-1", "@last~9999999", A_RUNBOOK, "x@last", "\udcff", "٣", "\u202emain",
]  # fmt: skip


@pytest.mark.parametrize(
    "form",
    [
        ["run", "origin.yaml", "--run-id", "{}"],
        ["run", "book.yaml", "--resume", "{}"],
        ["inspect", "{}"],
        ["inspect", "main/{}"],
        ["runs", "verify", "{}"],
        ["runs", "cancel", "{}"],
        ["runs", "delete", "--yes", "{}", "--force"],
        ["runs", "pin", "{}"],
        ["runs", "tag", "{}", "a"],
    ],
    ids=" ".join,
)
def test_a_path_is_no_id(bench: Bench, shelf: Shelf, tried: Count, form: list[str]) -> None:
    words = [word for word in PATHS if not (form[1] == "main/{}" and word in ("", "_SYSTEM"))]
    beyond, within = outside(shelf), look(shelf.path / ".waivern")
    for text in words:
        put = [part.replace("{}", text) for part in form]
        if text == "-" or (text in ("", "/") and form == ["inspect", "main/{}"]):
            continue
        done = wct(bench, shelf, *(put[:-1] if put[-1] == "--force" else put))
        fine = (form[0] == "inspect" and text in ("main/", "main//one")) and done.code in (0, 4)
        if put == ["inspect", f"main/{A_RUNBOOK}"]:  # its last run, wherever the path leads
            fine = done.code == 0 and done.out == wct(bench, shelf, "inspect", "book@last").out
        new = "--run-id" in form and done.code == 0
        assert done.code in REFUSED or fine or new, f"{put}: {done.code} {done.err}{done.out}"
        assert not new or re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", text), put
        assert outside(shelf) == beyond, put
    if "--run-id" not in form:
        assert look(shelf.path / ".waivern") == within
    tried(f"hostile: paths for ids in `wct {' '.join(form)}`", len(words))


def test_a_path_is_no_reference_of_a_runbook(bench: Bench, shelf: Shelf, tried: Count) -> None:
    beyond, within = outside(shelf), look(shelf.path / ".waivern")
    points = 0
    for text in PATHS:
        quoted = json.dumps(text)
        for number, reuse in enumerate(
            (f"{{from_run: {quoted}, artifact: one}}", f"{{from_run: main, artifact: {quoted}}}")
        ):
            book = bench.folder / f"path-{number}.yaml"
            book.write_text(f"artifacts: {{a: {{reuse: {reuse}}}}}\n")
            done = wct(bench, shelf, "run", book.name)
            assert done.code in REFUSED, f"{text!r}: {done.code} {done.out}{done.err}"
            points += 1
        book.write_text(f"artifacts:\n  {quoted}: {{reuse: {{from_run: main, artifact: one}}}}\n")
        done = wct(bench, shelf, "validate", book.name)
        assert done.code == (0 if re.fullmatch(r"-|CON", text) else 3), f"{text!r}: {done.out}"
        points += 1
    assert (outside(shelf), look(shelf.path / ".waivern")) == (beyond, within)
    tried("hostile: paths in a runbook's ids and references", points)


@pytest.mark.parametrize("text", PATHS)
async def test_a_path_is_no_key_of_the_store(tmp_path: Path, text: str) -> None:
    from waivern.errors import WaivernError

    store = LocalFilesystemStore(tmp_path / "store")
    if re.fullmatch(r"-|CON", text):
        return
    for run, key in ((text, "a"), ("r", text)):
        with pytest.raises(WaivernError):
            await store.save(run, key, Message("a", 1))
        for call in (store.get, store.exists, store.delete):
            with pytest.raises(WaivernError):
                await call(run, key)
    with pytest.raises(WaivernError):
        await store.save_json(text, "run", {})
    with pytest.raises(WaivernError):
        store.read_json(text, "run")
    with pytest.raises(WaivernError):
        store.request(text, "cancel", {})
    with pytest.raises(WaivernError):
        store.log("r", text)
    assert names(tmp_path) in ([], ["store"])


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


# other things in place of files and folders


def _link(path: Path, shelf: Shelf) -> None:
    """To its like outside: what it leads to is good, it is the link that counts."""
    place = path.relative_to(shelf.path / ".waivern")
    path.symlink_to(shelf.path / "outside" / place)


def _dangling(path: Path, shelf: Shelf) -> None:
    path.symlink_to(shelf.path / "nothing")


def _circle(path: Path, shelf: Shelf) -> None:
    path.symlink_to(path.name)


def _fifo(path: Path, shelf: Shelf) -> None:
    os.mkfifo(path)


def _device(path: Path, shelf: Shelf) -> None:
    """As /dev/zero, which never ends; where only the superuser may make one, a link to it."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


def _socket(path: Path, shelf: Shelf) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


def _other(path: Path, shelf: Shelf) -> None:
    """A folder for a file, a file for a folder."""
    if "." in path.name or path.name in ("lock", "latest"):
        path.mkdir()
    else:
        path.write_text("")


KINDS = {
    "link": _link,
    "dangling": _dangling,
    "circle": _circle,
    "fifo": _fifo,
    "device": _device,
    "socket": _socket,
    "other": _other,
}
PLACES = [
    "runs",
    f"runs/{RUN}",
    f"runs/{RUN}/_system",
    f"runs/{RUN}/_system/run.json",
    f"runs/{RUN}/_system/state.json",
    f"runs/{RUN}/_system/events.jsonl",
    f"runs/{RUN}/_system/runbook.yaml",
    f"runs/{RUN}/_system/lock",
    f"runs/{RUN}/_system/logs",
    f"runs/{RUN}/_system/logs/bad.log",
    f"runs/{RUN}/_system/requests",
    f"runs/{RUN}/_system/pinned.json",
    f"runs/{RUN}/one.json",
    "runs.jsonl",
    "latest",
    ".gitignore",
]
VERBS: list[tuple[str, ...]] = [
    ("runs",),
    ("inspect", RUN),
    ("inspect", f"{RUN}/one"),
    ("inspect", f"{RUN}/bad"),
    ("runs", "verify", RUN),
    ("runs", "cancel", RUN),
    ("runs", "pin", RUN),
    ("runs", "tag", RUN, "a"),
    ("runs", "stats"),
    ("runs", "export", "--format", "csv"),
    ("run", "book.yaml", "--resume", RUN),
    ("run", "book.yaml", "--run-id", "next"),
    ("runs", "prune", "--keep-last", "0"),
    ("runs", "delete", "--yes", RUN, "--force"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_in_place_of_each_file_and_folder(
    bench: Bench, shelf: Shelf, tried: Count, kind: str
) -> None:
    def point(place: str) -> None:
        broken = shelf.copy()
        path = broken.path / ".waivern" / place
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        KINDS[kind](path, broken)
        beyond = outside(broken)
        for verb in VERBS:
            done = wct(bench, broken, *verb)
            told = f"{place}, {verb}: {done.code} {done.err}{done.out}"
            assert done.code in {0, 1, 2, 3, 4, 5, 9, 74}, told
            if done.code > 1:
                assert "= help: " in done.err or "next: " in done.out, told
            assert outside(broken) == beyond, f"{place}, {verb}"
        broken.clear()

    points = bench.each([partial(point, place) for place in PLACES])
    tried(f"hostile: a {kind} in place of each file and folder, every verb", points * len(VERBS))


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "link"])
def test_in_place_of_the_store(bench: Bench, tried: Count, kind: str) -> None:
    shelf = bench.bare_shelf()
    path = shelf.path / ".waivern"
    if kind == "other":
        path.write_text("")
    else:
        KINDS[kind](path, shelf)
    for verb in (("runs",), ("run", "origin.yaml"), ("inspect", "@last"), ("runs", "verify", "x")):
        done = wct(bench, shelf, *verb)
        fine = kind == "dangling" and done.code in (0, 4)  # it may come to be
        assert done.code in {2, 4, 74} or fine, f"{verb}: {done.code} {done.err}"
    shelf.clear()
    tried(f"hostile: a {kind} in place of the store", 4)


# names

LONG = "x" * 128


def test_names_at_the_limit(bench: Bench, tried: Count) -> None:
    shelf = bench.bare_shelf()
    book = bench.folder / "long.yaml"
    call = '{type: python, properties: {call: "steps.py:%s", args: {name: %s}}}'
    book.write_text(
        f"artifacts:\n  {LONG}:\n    source: {call % ('value', 'n, x: 1')}\n    output: true\n"
        f"  {LONG[:-1]}y: {{source: {call % ('fail', 'f')}}}\n"
    )
    done = wct(bench, shelf, "run", book.name, "--run-id", LONG, "-o", str(shelf.path / "out"))
    assert done.code == 1, done.err
    assert (shelf.path / "out" / f"{LONG}.json").exists()
    assert wct(bench, shelf, "runs", "verify", LONG).code == 0
    assert wct(bench, shelf, "inspect", f"{LONG}/{LONG}").code == 0
    assert wct(bench, shelf, "run", book.name, "--resume", LONG).code == 1
    assert wct(bench, shelf, "runs", "delete", "--yes", LONG).code == 0
    tried("hostile: ids of 128 bytes through run, verify, inspect, resume, delete", 5)


async def test_nested_names_at_the_limit(tmp_path: Path) -> None:
    """Longer in all than PATH_MAX: every folder is opened from the one above it."""
    store = LocalFilesystemStore(tmp_path / "store")
    key = "/".join([LONG] * 40)
    await store.save(LONG, key, Message("a", 1))
    assert (await store.get(LONG, key)).content == 1
    assert await store.list_keys(LONG) == [key]
    await store.delete(LONG, key)
    assert not await store.exists(LONG, key)


@pytest.mark.parametrize(("one", "other"), [("a", "A"), ("Straight", "sTRAIGHT"), ("x-1", "X-1")])
def test_ids_that_a_file_system_may_not_tell_apart(
    bench: Bench, shelf: Shelf, one: str, other: str
) -> None:
    reuse = "{reuse: {from_run: main, artifact: one}}"
    book = bench.folder / "alike.yaml"
    book.write_text(f"artifacts:\n  {one}: {reuse}\n  {other}: {reuse}\n")
    done = wct(bench, shelf, "run", book.name)
    assert done.code == 3
    assert "WCT113" in done.err


# sizes

GIB = 1 << 30


ADDRESSES = 700 << 20
"""Bytes that a command may have mapped: less than the files here, more than any command needs."""


def measured(shelf: Shelf, *words: str) -> tuple[int, float]:
    """Return exit code and CPU seconds of a command that may map ADDRESSES bytes, and no more."""
    environ = os.environ | {"WAIVERN_STORE": str(shelf.path / ".waivern")}
    environ["CALLS"] = str(shelf.path / "calls")
    process = subprocess.Popen(
        [WCT, *words],
        cwd=shelf.bench.folder,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(  # noqa: PLW1509 - no thread of ours runs here
            resource.RLIMIT_AS, (ADDRESSES, ADDRESSES)
        ),
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", ["run.json", "state.json", "runbook.yaml", "lock"])
def test_a_record_of_a_gibibyte(bench: Bench, shelf: Shelf, tried: Count, name: str) -> None:
    os.truncate(shelf.run / "_system" / name, GIB)  # sparse
    for words in (["runs"], ["runs", "verify", RUN], ["run", "book.yaml", "--resume", RUN, "-q"]):
        code, seconds = measured(shelf, *words)
        assert code in (0, 1, 9), f"{words}: {code}"
        assert seconds < SOON, words
    shelf.clear()
    tried(f"hostile: {name} of 1 GiB", 3)


def test_a_request_of_a_gibibyte(bench: Bench, shelf: Shelf) -> None:
    requests = shelf.run / "_system/requests"
    requests.mkdir()
    (requests / "cancel.json").touch()
    os.truncate(requests / "cancel.json", GIB)
    store = LocalFilesystemStore(shelf.path / ".waivern")
    began = time.monotonic()
    assert store.requests(RUN) == {}
    assert time.monotonic() - began < 1


def test_a_journal_of_many_lines(bench: Bench, shelf: Shelf, tried: Count) -> None:
    """Read in time that grows as it does; the list of runs does not read it at all."""
    lines = 1_000_000 if ALL else 60_000
    path = shelf.run / "_system/events.jsonl"
    records = [json.loads(raw)["event"] for raw in path.read_bytes().splitlines()]
    started = next(r for r in records if r["type"] == "artifact_started")
    seconds = []
    for count in (lines // 10, lines):
        chain = journal.JournalChain()
        data = chain.extend([*records[:2], *[started] * (count - 3), records[-1]])
        path.write_bytes(data)
        document = json.loads((shelf.run / "_system/run.json").read_bytes())
        document["journal"] = {"count": chain.count, "head": chain.head}
        (shelf.run / "_system/run.json").write_text(json.dumps(document))
        code, listed = measured(shelf, "runs")
        assert (code, listed < 2) == (0, True)
        began = time.process_time()
        assert len(journal.read(data).lines) == count
        seconds.append(time.process_time() - began)
    assert seconds[1] < 30 * seconds[0] + 0.5, seconds  # 100 if it grew as the square
    print(f"a journal of {lines:,} lines, {len(data) >> 20} MiB, is read in {seconds[1]:.1f} s")
    shelf.clear()
    tried("hostile: lines of a journal, read in linear time", lines)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no line ends": lambda data: data.replace(b"\n", b" "),
    "only line ends": lambda data: b"\n" * len(data),
    "zeros": lambda data: b"\0" * len(data),
    "one good line, then noise": lambda data: data[: data.index(b"\n") + 1] + b"x\n" * len(data),
    "braces": lambda data: b"{" * len(data),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_large_journal_of_noise(shelf: Shelf, damage: str) -> None:
    """Is refused or cut as any other, and as soon."""
    from contextlib import suppress

    from waivern.errors import IntegrityError

    whole = (shelf.run / "_system/events.jsonl").read_bytes() * 200
    began = time.process_time()
    with suppress(IntegrityError):
        assert len(journal.read(DAMAGES[damage](whole)).lines) <= 1
    assert time.process_time() - began < 5
