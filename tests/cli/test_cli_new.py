"""`wct new`: a package whose tests pass, for each kind of component."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from wct_process import Place, Wct

KINDS = {"connector": "mail_boxes", "processor": "tallies", "exporter": "board"}


@pytest.fixture
def packages(place: Place, wct: Wct) -> dict[str, Path]:
    wct("runs")
    found = {}
    for kind, name in KINDS.items():
        done = wct("new", kind, name)
        assert done.code == 0, done.err
        found[kind] = place.path / f"waivern-{name.replace('_', '-')}"
        assert len(done.out.splitlines()) == 4
    return found


def declare(package: Path) -> None:
    """Install what a package declares, as far as Python is concerned."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    home = package / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    home.mkdir()
    (home / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    ((group, entries),) = project["entry-points"].items()
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (home / "entry_points.txt").write_text(f"[{group}]\n{lines}")


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KINDS)
def test_the_tests_of_a_new_package_pass(
    packages: dict[str, Path], place: Place, kind: str
) -> None:
    package = packages[kind]
    declare(package)
    words = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*words, "-p", "no:asyncio"],
        cwd=package,
        env=place.environ(PYTHONPATH=str(package)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.sweep
def test_a_component_that_breaks_the_contract_is_found(
    packages: dict[str, Path], place: Place
) -> None:
    package = packages["connector"]
    module = package / "waivern_mail_boxes.py"
    text = module.read_text().replace(
        '{"lines": lines}', '{"lines": lines, "at": str(ctx.path("."))}'
    )
    module.write_text(text.replace("        ctx.read(len(lines))\n", ""))
    declare(package)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    environ = place.environ(PYTHONPATH=str(package))
    done = subprocess.run(
        words, cwd=package, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    for name in ("test_equal_sources_give_equal_content", "test_it_reports_what_it_examined"):
        assert name in done.stdout


def test_the_package_is_well_formed(packages: dict[str, Path]) -> None:
    for package in packages.values():
        ruff = [str(Path(sys.executable).with_name("ruff")), "check", "-q", "--isolated"]
        done = subprocess.run(
            [*ruff, "--select", "E,F,I,B,UP", "--line-length", "100", "."],
            cwd=package,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.sweep
def test_a_package_is_installed_with_pip(packages: dict[str, Path], place: Place) -> None:
    package, venv = packages["processor"], place.path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (site,) = venv.glob("lib/python3*/site-packages")
    here = Path(pytest.__file__).parents[1]
    (site / "here.pth").write_text(f"import site; site.addsitedir({str(here)!r})\n")
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-qq", "--no-deps"]
    subprocess.run([*pip, "-e", str(package)], check=True, cwd=place.path)
    done = subprocess.run(
        [str(python), "-m", "pytest", "-q"],
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["Mail", "a-b", "../x", "1a", "a__b", "class", "x" * 61, ""])
def test_a_name_that_no_module_can_have_is_refused(place: Place, wct: Wct, name: str) -> None:
    wct("runs")
    before = sorted(place.path.iterdir())
    assert wct("new", "processor", name).code == 2
    assert sorted(place.path.iterdir()) == before


def test_nothing_is_overwritten(packages: dict[str, Path], wct: Wct) -> None:
    package = packages["exporter"]
    (package / "README.md").write_text("mine")
    done = wct("new", "exporter", "board")
    assert done.code == 5
    assert (package / "README.md").read_text() == "mine"
    shutil.rmtree(package)
    assert wct("new", "connector", "sqlite").code == 2
