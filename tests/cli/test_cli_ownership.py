"""A store that somebody else could have planted is refused by name, by whoever reads or writes.

Real accounts: files are given to others, so these tests are run by root, as in a container.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from wct_process import WCT, Done

pytestmark = pytest.mark.sweep

STRANGER, OWNER = 54321, 54322
"""Two accounts without a name; OWNER has the project, STRANGER has nothing to do with it."""
BOOK = """
artifacts:
  a: {source: {type: command, properties: {argv: [echo, '{"n": 1}']}}, cache: true, output: true}
"""


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder in which everybody may make files, as /tmp, with a project of root's in it."""
    assert os.geteuid() == 0, "these tests give files to other accounts: run them as root"
    place = tmp_path / "shared"
    place.mkdir()
    place.chmod(0o1777)
    (place / "mine").mkdir()
    (place / "mine/book.yaml").write_text(BOOK)
    return place


def wct(
    folder: Path, *args: str, uid: int = 0, before: tuple[str, ...] = (), **environ: str
) -> Done:
    """Run `wct` as an account that may pass all folders: the interpreter's may be closed."""
    switch = [] if uid == 0 else ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    switch += [] if uid == 0 else ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("WAIVERN_")}
    done = subprocess.run(
        [*before, *switch, WCT, *args],
        cwd=folder,
        env=clean | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def give(path: Path, uid: int) -> None:
    for each in (path, *path.rglob("*")):
        os.chown(each, uid, uid, follow_symlinks=False)


def planted(shared: Path) -> Path:
    """Lay a store with a run and a cache into the shared folder, as a stranger's."""
    assert wct(shared / "mine", "run", "book.yaml", "--store", str(shared / ".waivern")).code == 0
    give(shared / ".waivern", STRANGER)
    return shared / ".waivern"


def refused(done: Done, store: Path, why: str = f"uid {STRANGER}") -> None:
    assert done.code == 5, done.err + done.out
    assert str(store) in done.err
    assert why in done.err
    assert "--trust-store" in done.err
    assert "WAIVERN_TRUST_STORE" in done.err
    assert done.out == ""


VERBS = (
    ("runs",),
    ("run", "book.yaml"),
    ("plan", "book.yaml"),
    ("inspect", "@last"),
    ("runs", "verify", "--all"),
    ("runs", "verify", "@last"),
    ("runs", "resume", "@last"),
    ("runs", "replay", "@last"),
    ("runs", "approve", "@last"),
    ("runs", "cancel", "@last"),
    ("runs", "pin", "@last"),
    ("runs", "delete", "@last", "--force"),
    ("runs", "prune", "--keep-last", "0"),
)


def test_the_store_of_a_stranger_above(shared: Path) -> None:
    store = planted(shared)
    before = sorted(store.rglob("*"))
    for verb in VERBS:
        refused(wct(shared / "mine", *verb), store)
    assert sorted(store.rglob("*")) == before


def test_nothing_is_taken_from_the_cache_of_a_stranger(shared: Path) -> None:
    planted(shared)
    done = wct(shared / "mine", "run", "book.yaml", "--store", ".waivern")
    assert done.code == 0
    assert "cached" not in done.out


def test_a_way_to_trust_it(shared: Path) -> None:
    store = planted(shared)
    assert wct(shared / "mine", "runs", "--trust-store").code == 0
    for named in ("*", str(store), f"/elsewhere:{store}"):
        assert wct(shared / "mine", "runs", WAIVERN_TRUST_STORE=named).code == 0
    refused(wct(shared / "mine", "runs", WAIVERN_TRUST_STORE="/elsewhere"), store)
    assert wct(shared / "mine", "run", "book.yaml", "--trust-store").code == 0


@pytest.mark.parametrize("target", ["stranger", "own"])
def test_a_link_of_a_stranger(shared: Path, target: str) -> None:
    """Also to a store of one's own: it is not the one that was meant."""
    assert wct(shared / "mine", "run", "book.yaml", "--store", str(shared / "real")).code == 0
    if target == "stranger":
        give(shared / "real", STRANGER)
    link = shared / ".waivern"
    link.symlink_to(shared / "real")
    os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
    refused(wct(shared / "mine", "runs"), link)
    refused(wct(shared / "mine", "run", "book.yaml"), link)


def test_a_link_of_a_stranger_on_the_way(shared: Path) -> None:
    assert wct(shared / "mine", "run", "book.yaml").code == 0
    (shared / "way").symlink_to(shared / "mine")
    os.chown(shared / "way", STRANGER, STRANGER, follow_symlinks=False)
    store = shared / "way/.waivern"
    refused(wct(shared / "mine", "runs", "--store", str(store)), store)


def test_a_link_of_ones_own(shared: Path) -> None:
    (shared / "real").mkdir()
    (shared / "mine/.waivern").symlink_to(shared / "real")
    assert wct(shared / "mine", "run", "book.yaml").code == 0
    assert len(wct(shared / "mine", "runs").rows) == 1


@pytest.mark.parametrize("part", ["", "runs", "cache"])
@pytest.mark.parametrize("mode", [0o1777, 0o707])
def test_a_store_that_everybody_can_write_to(shared: Path, part: str, mode: int) -> None:
    folder = shared / "mine"
    assert wct(folder, "run", "book.yaml").code == 0
    (folder / ".waivern" / part).chmod(mode)
    refused(wct(folder, "run", "book.yaml"), folder / ".waivern", f"mode {mode:04o}")
    refused(wct(folder, "runs"), folder / ".waivern", "chmod -R go-w")


@pytest.mark.parametrize("uid", [0, OWNER])
def test_group_bits_on_ones_own_folders_are_repaired(shared: Path, uid: int) -> None:
    folder = shared / "mine"
    give(folder, uid)
    assert wct(folder, "run", "book.yaml", uid=uid).code == 0
    for part in ("", "runs", "cache"):
        (folder / ".waivern" / part).chmod(0o775)
    assert wct(folder, "runs", uid=uid).code == 0
    assert wct(folder, "run", "book.yaml", uid=uid).code == 0
    for part in ("", "runs", "cache"):
        assert not (folder / ".waivern" / part).stat().st_mode & 0o022


def test_group_bits_that_are_not_ones_own_to_repair(shared: Path) -> None:
    assert wct(shared / "mine", "run", "book.yaml").code == 0
    store = shared / "mine/.waivern"
    store.chmod(0o775)
    refused(wct(shared / "mine", "runs", uid=OWNER), store, "its group")


def test_a_part_that_a_stranger_planted(shared: Path) -> None:
    """As one of the group could, before the bits were repaired."""
    folder = shared / "mine"
    assert wct(folder, "run", "book.yaml", "--run-id", "good").code == 0
    runs = folder / ".waivern/runs"
    subprocess.run(["cp", "-r", runs / "good", runs / "forged"], check=True)
    give(runs / "forged", STRANGER)
    rows = {row[0]: row for row in wct(folder, "runs").rows}
    assert rows["good"][1] == "completed"
    assert rows["forged"][1] == "corrupt"
    assert f"uid {STRANGER}" in rows["forged"][9]
    assert wct(folder, "inspect", "forged").code == 9
    assert wct(folder, "runs", "delete", "forged", "--force", "--yes").code == 0
    os.chown(runs / "good/a.json", STRANGER, STRANGER)
    looked = wct(folder, "runs", "verify", "good")
    assert looked.code == 9
    assert "a.json" in looked.out
    os.chown(folder / ".waivern/cache", STRANGER, STRANGER)
    refused(wct(folder, "run", "book.yaml"), folder / ".waivern")


def test_root_in_the_folder_of_a_user(shared: Path) -> None:
    """A container's root works in a folder that is mounted from outside, whoever made the store."""
    folder = shared / "mine"
    give(folder, OWNER)
    assert wct(folder, "run", "book.yaml", uid=OWNER).code == 0
    assert wct(folder, "run", "book.yaml").code == 0
    assert len(wct(folder, "runs").rows) == 2
    assert wct(folder, "runs", "verify", "--all").code == 0
    store = folder / ".waivern"
    refused(wct(shared, "runs", "--store", str(store)), store, f"uid {OWNER}")


def test_an_account_that_is_not_root(shared: Path) -> None:
    """What is root's is trusted, as is one's own; what is another user's is not."""
    ours = shared / "ours"
    ours.mkdir()
    (ours / "book.yaml").write_text(BOOK)
    give(ours, OWNER)
    assert wct(ours, "run", "book.yaml", uid=OWNER).code == 0
    assert wct(ours, "runs", uid=OWNER).code == 0
    assert wct(shared / "mine", "run", "book.yaml").code == 0
    store = shared / "mine/.waivern"
    assert wct(ours, "runs", "--store", str(store), uid=OWNER).code == 0
    give(store, STRANGER)
    refused(wct(ours, "runs", "--store", str(store), uid=OWNER), store)


API = """
import sys, waivern
from waivern.store.local import LocalFilesystemStore
try:
    LocalFilesystemStore(sys.argv[1]).runs()
except waivern.WaivernError as error:
    print(type(error).__name__, error.message)
print(len(LocalFilesystemStore(sys.argv[1], trust=True).runs()))
"""


def test_for_programs(shared: Path) -> None:
    store = planted(shared)
    done = subprocess.run(
        [sys.executable, "-c", API, store], cwd=shared / "mine", capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert first.startswith(f"RefusedError the store {store} belongs to uid {STRANGER}")
    assert second == "1"


def test_the_refusal_is_a_document_for_programs(shared: Path) -> None:
    store = planted(shared)
    done = wct(shared / "mine", "runs", "--json")
    text = done.out or done.err
    assert str(store) in json.dumps(json.loads(text))
