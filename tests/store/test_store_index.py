"""The cache as it lies on the disk: bad lines, strangers in its place, many at once, its growth."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from waivern.errors import ArtifactNotFoundError, IntegrityError, StoreError, WaivernError
from waivern.message import Json, sha256
from waivern.store import cache_index, disk
from waivern.store.local import LocalFilesystemStore
from waivern.testing.store_helpers import begin

SHARD = "ab.jsonl"


def key(n: int, shard: str = "ab") -> str:
    """Return a key; all of one shard lie in one file."""
    return f"sha256:{shard}{n:062x}"


def names(local: LocalFilesystemStore) -> list[str]:
    """Return what lies in the cache's folder."""
    return sorted(path.name for path in Path(local.path, "cache").iterdir())


def entry(n: int, run: str = "r") -> dict[str, Json]:
    return {"run": run, "artifact": f"a{n}"}


@pytest.fixture
def local(tmp_path: Path) -> LocalFilesystemStore:
    """A store with a run `r` in it."""
    store = LocalFilesystemStore(tmp_path / "store")
    begin(store).release()
    return store


@pytest.fixture
def cache(local: LocalFilesystemStore) -> Path:
    """The folder of its cache, which holds one entry."""
    local.remember({key(1): entry(1)})
    return Path(local.path, "cache")


def test_an_entry_is_a_line_that_can_be_read(local: LocalFilesystemStore, cache: Path) -> None:
    (line,) = (cache / SHARD).read_text().splitlines()
    assert json.loads(line) == {"key": key(1), "entry": entry(1)}
    local.remember({key(1): entry(2)})
    assert len((cache / SHARD).read_text().splitlines()) == 2
    assert local.recall(key(1)) == entry(2)


ODD = [
    b"",
    b"\n",
    b"\x00\xff\n",
    b"null\n",
    b"[]\n",
    b'"text"\n',
    b"{}\n",
    b'{"key": "%s"}\n' % key(1).encode(),
    b'{"key": "%s", "entry": null}\n' % key(1).encode(),
    b'{"key": "%s", "entry": 3}\n' % key(1).encode(),
    b'{"key": "%s", "entry": "text"}\n' % key(1).encode(),
    b'{"entry": {}}\n',
    b'{"key": ["%s"], "entry": {}}\n' % key(1).encode(),
    b'{"key": "sha256:ab", "entry": {"run": "%s"}}\n' % key(1).encode(),
    b"[" * 100_000 + key(1).encode() + b"\n",
    b'{"key": "%s", "entry": {"run": %s}}\n' % (key(1).encode(), b"9" * 10_000),
    b'\xff{"key": "%s", "entry": {"run": "x"}}\n' % key(1).encode(),
]


@pytest.mark.parametrize("line", ODD, ids=range(len(ODD)))
def test_a_line_that_cannot_be_read_is_none(
    local: LocalFilesystemStore, cache: Path, line: bytes
) -> None:
    good = (cache / SHARD).read_bytes()
    (cache / SHARD).write_bytes(line + good + line)
    assert local.recall(key(1)) == entry(1)
    local.remember({key(2): entry(2)})
    assert local.recall(key(1)) == entry(1)
    assert local.recall(key(2)) == entry(2)


def test_a_shard_cut_anywhere(local: LocalFilesystemStore, cache: Path) -> None:
    """What a crash leaves: whole lines count, the last does not, and the next is on its own."""
    local.remember({key(2): entry(2)})
    whole = (cache / SHARD).read_bytes()
    first = whole.index(b"\n") + 1
    for size in range(len(whole) + 1):
        (cache / SHARD).write_bytes(whole[:size])
        assert local.recall(key(1)) == (entry(1) if size >= first else None)
        assert local.recall(key(2)) == (entry(2) if size == len(whole) else None)
        local.remember({key(3): entry(3)})
        assert local.recall(key(3)) == entry(3)


Place = Callable[[Path, Path], object]
KINDS: dict[str, Place] = {
    "a link": lambda path, outside: path.symlink_to(outside),
    "a link to nothing": lambda path, outside: path.symlink_to(outside / "nothing"),
    "a FIFO": lambda path, _outside: os.mkfifo(path),
    "a folder": lambda path, _outside: path.mkdir(),
    "a link to a device": lambda path, _outside: path.symlink_to("/dev/zero"),
}
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A file of somebody's, which nothing may read or change."""
    path = tmp_path / "outside"
    path.write_bytes(b"x" * cache_index.KEY_BYTES)
    yield path
    assert path.read_bytes() == b"x" * cache_index.KEY_BYTES


@kinds
def test_in_place_of_a_shard(
    local: LocalFilesystemStore, cache: Path, outside: Path, kind: str
) -> None:
    (cache / SHARD).unlink()
    KINDS[kind](cache / SHARD, outside)
    assert local.recall(key(1)) is None
    with pytest.raises((StoreError, IntegrityError)):
        local.remember({key(2): entry(2)})
    local.remember({key(2, "cd"): entry(2)})
    assert local.recall(key(2, "cd")) == entry(2)


@kinds
def test_in_place_of_the_key(
    local: LocalFilesystemStore, cache: Path, outside: Path, kind: str
) -> None:
    local.cache_secret()
    (cache / "key").unlink()
    KINDS[kind](cache / "key", outside)
    for make in (True, False):
        with pytest.raises((StoreError, IntegrityError)):
            local.cache_secret(make=make)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "a folder"])
def test_in_place_of_the_folder(
    local: LocalFilesystemStore, cache: Path, outside: Path, kind: str
) -> None:
    shutil.rmtree(cache)
    KINDS[kind](cache, outside)
    for look in (
        lambda: local.recall(key(1)),
        local.cache_secret,
        lambda: local.remember({key(1): {}}),
    ):
        with pytest.raises((StoreError, IntegrityError)):
            look()


def test_a_link_to_a_folder_in_place_of_the_folder(
    local: LocalFilesystemStore, cache: Path, tmp_path: Path
) -> None:
    shutil.move(cache, tmp_path / "elsewhere")
    cache.symlink_to(tmp_path / "elsewhere")
    before = sorted(path.name for path in (tmp_path / "elsewhere").iterdir())
    for look in (
        lambda: local.recall(key(1)),
        local.cache_secret,
        lambda: local.remember({key(1): {}}),
    ):
        with pytest.raises((StoreError, IntegrityError)):
            look()
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == before


@pytest.mark.parametrize("size", [0, 31, 33, 5000])
def test_a_damaged_key(local: LocalFilesystemStore, size: int) -> None:
    local.cache_secret()
    Path(local.path, "cache/key").write_bytes(b"k" * size)
    with pytest.raises(IntegrityError):
        local.cache_secret()


# making


def test_the_key_is_made_once(local: LocalFilesystemStore) -> None:
    """By many threads of many stores at the same time."""
    stores = [LocalFilesystemStore(local.path) for _ in range(16)]
    together = threading.Barrier(len(stores))

    def ask(store: LocalFilesystemStore) -> bytes:
        together.wait()
        return store.cache_secret()

    with ThreadPoolExecutor(len(stores)) as pool:
        found = set(pool.map(ask, stores))
    assert found == {Path(local.path, "cache/key").read_bytes()}
    assert names(local) == ["key"]


ASK = """
import sys
from waivern.store.local import LocalFilesystemStore
store = LocalFilesystemStore(sys.argv[1])
sys.stdin.read()
print(store.cache_secret().hex())
store.remember({f"sha256:ab{n:062x}": {"run": "r", "artifact": sys.argv[2]}
                for n in range(int(sys.argv[2]), 400, 4)})
"""


def test_many_processes(local: LocalFilesystemStore, tmp_path: Path) -> None:
    """One key, and no line is lost."""
    script = tmp_path / "ask.py"
    script.write_text(ASK)
    asked = [
        subprocess.Popen(
            [sys.executable, script, local.path, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in asked:
        assert process.stdin
        process.stdin.close()
    said = set()
    for process in asked:
        with process:
            assert process.stdout
            said.add(process.stdout.read().strip())
        assert process.returncode == 0
    assert said == {local.cache_secret(make=False).hex()}
    for n in range(400):
        assert local.recall(key(n)) == {"run": "r", "artifact": str(n % 4)}


def test_only_looking_makes_nothing(tmp_path: Path) -> None:
    store = LocalFilesystemStore(tmp_path / "store")
    with pytest.raises(ArtifactNotFoundError):
        store.cache_secret(make=False)
    assert store.recall(key(1)) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("umask", [0o777, 0o000, 0o277])
def test_modes(tmp_path: Path, umask: int) -> None:
    store = LocalFilesystemStore(tmp_path / "store")
    before = os.umask(umask)
    try:
        store.cache_secret()
        store.remember({key(1): entry(1)})
    finally:
        os.umask(before)
    cache = tmp_path / "store/cache"
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in [cache, *cache.iterdir()]}
    assert modes == {"cache": 0o700, "key": 0o600, SHARD: 0o600}
    assert store.recall(key(1)) == entry(1)


# growing


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let shards be written anew when they are larger than a few lines."""
    monkeypatch.setattr(cache_index, "SHARD_BYTES", 4000)
    return 4000


def test_a_shard_does_not_grow_without_end(local: LocalFilesystemStore, small: int) -> None:
    shard = Path(local.path, "cache", SHARD)
    for n in range(500):
        local.remember({key(n % 5): entry(n)})
        assert shard.stat().st_size <= small
    assert [local.recall(key(n)) for n in range(5)] == [entry(495 + n) for n in range(5)]


def test_of_many_keys_the_newest_stay(local: LocalFilesystemStore, small: int) -> None:
    shard = Path(local.path, "cache", SHARD)
    for n in range(200):
        local.remember({key(n): entry(n)})
        assert shard.stat().st_size <= small
        assert local.recall(key(n)) == entry(n)
    there = [n for n in range(200) if local.recall(key(n))]
    assert there == list(range(there[0], 200))
    assert 10 < len(there) < 100


def test_entries_of_runs_that_are_gone_make_room(local: LocalFilesystemStore, small: int) -> None:
    begin(local, "other").release()
    local.remember({key(n): entry(n, "gone") for n in range(20)})
    local.remember({key(n): entry(n, "other") for n in range(20, 24)})
    local.remember({key(n): entry(n) for n in range(24, 35)})
    there = [n for n in range(35) if local.recall(key(n))]
    assert there == list(range(20, 35))


def test_a_shard_that_is_far_too_large(
    local: LocalFilesystemStore, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody filled it: it is not read, and begun anew."""
    monkeypatch.setattr(cache_index, "SHARD_BYTES", 4000)
    monkeypatch.setattr(cache_index, "READ_BYTES", 10_000)
    with (cache / SHARD).open("ab") as file:
        file.write(b"x" * 20_000 + b"\n")
    assert local.recall(key(1)) is None
    local.remember({key(2): entry(2)})
    assert local.recall(key(2)) == entry(2)
    assert (cache / SHARD).stat().st_size <= 4000


def test_many_threads_grow_a_shard(local: LocalFilesystemStore, small: int) -> None:
    """Each finds its own last entry, and nothing half made is left."""
    stores = [LocalFilesystemStore(local.path) for _ in range(6)]

    def work(number: int) -> None:
        for n in range(40):
            stores[number].remember({key(number): entry(n)})

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(work, range(len(stores))))
    local.remember({key(99): entry(99)})
    assert names(local) == [SHARD]
    found = [local.recall(key(number)) for number in range(len(stores))]
    assert found == [entry(39)] * len(stores)


def test_what_a_crash_left_is_swept(local: LocalFilesystemStore, cache: Path) -> None:
    (cache / ".tmp-key-1-x").write_bytes(b"half")
    (cache / f".tmp-{SHARD}-1").write_bytes(b"half")
    local.remember({key(2): entry(2)})
    assert names(local) == [SHARD]


# trouble


def test_a_disk_that_fails(
    local: LocalFilesystemStore, cache: Path, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever operation fails, the error is one of the store's, and old entries stay."""
    plain, count = disk.step, 0

    def fail(at: int) -> Callable[[str, str], None]:
        def step(operation: str, name: str) -> None:
            nonlocal count
            count += 1
            if count == at:
                raise OSError(5, "Input/output error")
            plain(operation, name)

        return step

    for at in range(1, 200):
        count = 0
        monkeypatch.setattr(disk, "step", fail(at))
        with suppress(WaivernError):
            local.remember({key(100 + n): entry(n) for n in range(40)})
        monkeypatch.setattr(disk, "step", plain)
        if count < at:
            break
        local.remember({key(2): entry(at)})
        assert local.recall(key(2)) == entry(at)
    else:
        pytest.fail("it never came to an end")
    assert at > 5


def test_the_folder_is_removed_meanwhile(
    local: LocalFilesystemStore, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = disk.step

    def step(operation: str, name: str) -> None:
        if operation == "open" and name == SHARD:
            shutil.rmtree(cache)
        plain(operation, name)

    monkeypatch.setattr(disk, "step", step)
    with pytest.raises(StoreError):
        local.remember({key(2): entry(2)})
    monkeypatch.setattr(disk, "step", plain)
    local.remember({key(2): entry(2)})
    assert local.recall(key(2)) == entry(2)


def test_keys_are_digests(local: LocalFilesystemStore) -> None:
    for odd in ("", "x", "../../x", "sha256:/" + "0" * 63, "sha256:" + "A" * 64):
        with pytest.raises(WaivernError):
            local.remember({odd: entry(1)})
        with pytest.raises(WaivernError):
            local.recall(odd)
    local.remember({sha256(b"x"): entry(1)})
    assert names(local) == [sha256(b"x")[7:9] + ".jsonl"]
