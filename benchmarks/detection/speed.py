"""The speed of detection on four corpora: the library alone, and a whole `wct run`.

    python benchmarks/detection/speed.py [--only logs,customers] [--rounds 3] [--megabytes 20]
        [--folder DIR] [--out FILE] [--findings FILE] [--profile library|processor]

All times are processor time of one process. Beside each stands the processor time of
`hashlib.sha256` over the same bytes: their ratio compares machines and busy hours. `--findings`
writes a digest of the findings of each corpus, which shows whether a change of the code changed
any. `--profile` prints where the time goes in place of the measurement.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import json
import os
import platform
import pstats
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from corpora import CORPORA, MIB, corpus

WCT = str(Path(sys.executable).with_name("wct"))
RUNBOOK = """artifacts:
  files: {source: {type: filesystem, properties: {path: %s}}}
  findings: {inputs: files, process: {type: personal_data}}
"""


def main() -> None:
    """Measure the corpora that were asked for, and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(CORPORA))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "speed-corpora"
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--findings", type=Path)
    parser.add_argument("--profile", choices=("library", "processor"))
    asked = parser.parse_args()
    measured = []
    for name in asked.only.split(","):
        folder = corpus(name, asked.folder, asked.megabytes * MIB)
        if asked.profile:
            profile(folder, asked.profile)
            continue
        measured.append(measure(name, folder, asked.rounds))
        print(line(measured[-1]), flush=True)
    if asked.out:
        asked.out.write_text(json.dumps(document(measured), indent=1) + "\n")
    if asked.findings:
        digests = {each["corpus"]: each["findings"] for each in measured}
        asked.findings.write_text(json.dumps(digests, indent=1) + "\n")


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield path and text of each file of a corpus."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_text("utf-8", "replace")


def measure(name: str, folder: Path, rounds: int) -> dict[str, object]:
    """Return the median processor times of a corpus, and all that they are medians of."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    units, library, whole, found = [], [], [], ""
    for _ in range(rounds):
        units.append(_unit(folder))
        library.append(float(_child("--library", str(folder))))
        seconds, found = _run(folder)
        whole.append(seconds)
    return {
        "corpus": name,
        "bytes": size,
        "sha256_s": units,
        "library_s": library,
        "whole_s": whole,
        "findings": found,
    }


def line(measured: dict[str, object]) -> str:
    """Return the medians of a corpus as a line: MB/s, and times the processor time of sha256."""
    size = float(str(measured["bytes"])) / 1e6
    unit, library, whole = (
        statistics.median(measured[key])  # type: ignore[arg-type]
        for key in ("sha256_s", "library_s", "whole_s")
    )
    return (
        f"{measured['corpus']:10} {size:6.1f} MB  library {size / library:6.2f} MB/s "
        f"({library / unit:6.0f} x sha256)  whole {size / whole:6.2f} MB/s ({whole / unit:6.0f} x)"
    )


def document(measured: list[dict[str, object]]) -> dict[str, object]:
    here = Path(__file__).parent
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "corpora": measured,
        "lines": [line(each) for each in measured],
    }


def _unit(folder: Path) -> float:
    data = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    began = time.process_time()
    for _ in range(10):
        hashlib.sha256(data)
    return round((time.process_time() - began) / 10, 4)


def _child(*words: str) -> str:
    command = [sys.executable, __file__, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _run(folder: Path) -> tuple[float, str]:
    """Return the processor time of `wct run` over a folder, and a digest of the findings."""
    place = Path(tempfile.mkdtemp(prefix="speed-"))
    try:
        (place / "runbook.yaml").write_text(RUNBOOK % json.dumps(str(folder.resolve())))
        with (place / "out.txt").open("wb") as out:
            process = subprocess.Popen(
                [WCT, "run", "runbook.yaml"], cwd=place, stdout=out, stderr=out
            )
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit((place / "out.txt").read_text())
        shown = subprocess.run(
            [WCT, "inspect", "@last/findings", "--full"], cwd=place, capture_output=True, check=True
        )
        return round(used.ru_utime + used.ru_stime, 3), hashlib.sha256(shown.stdout).hexdigest()
    finally:
        shutil.rmtree(place)


def scan_library(folder: Path) -> float:
    """Return the processor time of `scan` and `field_names` over all texts of a folder."""
    from waivern.detection import field_names, load_ruleset, scan

    rules = load_ruleset()
    read = list(texts(folder))
    began = time.process_time()
    for _, text in read:
        scan(text, rules)
        field_names(text, rules)
    return time.process_time() - began


def search(folder: Path) -> list[object]:
    """Return the findings of the processor over all texts of a folder."""
    from waivern.builtin.personal_data import PersonalData
    from waivern.message import SchemaRef
    from waivern.plugins.context import Context
    from waivern.plugins.inputs import Input

    content = {"files": [{"path": path, "text": text} for path, text in texts(folder)]}
    given = Input("files", content, SchemaRef("file_set"))
    return [*PersonalData().process([given], PersonalData.Config(), Context("findings", Path()))]


def profile(folder: Path, what: str) -> None:
    """Print the functions that take the most time."""
    profiler = cProfile.Profile()
    profiler.runcall(scan_library if what == "library" else search, folder)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--library"]:
        print(scan_library(Path(sys.argv[2])))
    else:
        main()
