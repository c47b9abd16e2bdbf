"""The project as a newcomer finds it: the package, the repository, the documents."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import waivern
from waivern.plugins.catalogue import Catalogue
from waivern.store.opening import open_store

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], key=lambda page: str(page.relative_to(ROOT))
)


def test_what_is_installed_is_what_is_declared() -> None:
    declared = PROJECT["project"]["entry-points"]
    for group, wanted in declared.items():
        installed = {e.name: e.value for e in entry_points(group=group) if e.dist is not None}
        assert wanted.items() <= installed.items()
    for kind in ("connectors", "processors"):
        for name in declared[f"waivern.{kind}"]:
            assert Catalogue().load(kind, name).name == name


def test_types_and_data_are_part_of_the_package() -> None:
    """The build takes every file of the package's folder, so git must not ignore one of them."""
    package = Path(waivern.__file__).parent
    needed = [package / "py.typed", *(package / "detection").glob("**/*.yaml")]
    assert len(needed) == 2
    ignored = subprocess.run(
        ["git", "check-ignore", *map(str, needed)], cwd=ROOT, capture_output=True, check=False
    )
    assert ignored.stdout == b""
    assert all(path.is_file() for path in needed)


def test_all_that_is_installed_has_one_version() -> None:
    """Set-up must not change on a day when the project did not, the build included."""
    pinned = {
        line.partition("==")[0]
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    }
    declared = [*PROJECT["project"]["dependencies"]]
    for extra in PROJECT["project"]["optional-dependencies"].values():
        declared += [each for each in extra if not each.startswith("waivern[")]  # another extra
    names = {re.split(r"[^\w-]", text)[0].lower() for text in declared}
    assert names | {"pip"} <= pinned
    assert all("==" in each for each in PROJECT["build-system"]["requires"])
    assert all(">=" in each for each in declared), "the lowest version is tested, too"


def test_only_the_runtime_dependencies_that_were_agreed() -> None:
    names = {re.match(r"[\w-]+", text)[0] for text in PROJECT["project"]["dependencies"]}  # type: ignore[index]
    assert names == {"pydantic", "pyyaml", "click", "anyio"}


async def test_the_store_of_the_repository_ignores_itself(tmp_path: Path) -> None:
    store = open_store(tmp_path / ".waivern")
    await store.save_json("run", "state", {})
    written = (tmp_path / ".waivern" / ".gitignore").read_bytes()
    assert written == (ROOT / ".waivern" / ".gitignore").read_bytes()


def test_continuous_integration_can_be_started() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "set -euo pipefail" in script.read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_mention_no_file_that_does_not_exist(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    rooms = "src|docs|tests|runbooks|benchmarks|engine|store|record|planning|runs|builtin|cli"
    rooms += "|language|yamldoc|plugins|detection|api"
    named = re.findall(rf"`((?:{rooms})/[\w./-]*\w)/?`", text)
    missing += [name for name in named if not any(place.exists() for place in places(name))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_anchors_of_links_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^):\s]*)#([^)\s]+)\)", page.read_text())
    missing = [
        f"{path}#{anchor}"
        for path, anchor in links
        if anchor not in anchors((page.parent / path) if path else page)
    ]
    assert missing == []


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-").strip() for heading in headings
    }


def places(name: str) -> list[Path]:
    """Return where `store/disk.py`, `store/disk` and `store/disk.sync_all` may lie."""
    homes = (ROOT, ROOT / "src" / "waivern")
    names = (name, f"{name}.py", f"{name.rpartition('.')[0]}.py")
    return [home / each for home in homes for each in names]
