"""The pictures in docs/ and the README: `python docs/pictures/take.py`, after `tests/servers/run`.

Runs of the shipped runbooks are opened in a headless Chromium.
"""

from __future__ import annotations

import base64
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("cli", "server", "servers")]

from browser_kit import Browser  # noqa: E402
from server_kit import start_server  # noqa: E402
from wct_process import Place  # noqa: E402

PICTURES = {
    "run.webp": ("/runs/gdpr#findings", 900, 1000),
    "decision.webp": ("/runs/review", 900, 600),
    "report.webp": ("file:gdpr.html", 1000, 660),
}
"""The path, width and height of each picture, which has nothing of the machine that took it."""
LARGEST = 100 * 1000
"""Bytes of a picture."""


def picture_of(browser: Browser) -> bytes:
    """Return what is visible; WebP is a third of PNG."""
    how = {"format": "webp", "quality": 85}
    taken = browser.driver.execute_cdp_cmd("Page.captureScreenshot", how)
    return base64.b64decode(taken["data"])


def save(name: str, picture: bytes) -> None:
    """Save a picture, if it is small enough for a repository."""
    assert len(picture) <= LARGEST, (name, len(picture))
    Path(__file__).with_name(name).write_bytes(picture)


def main() -> None:
    """Take the pictures."""
    os.environ["LOGNAME"] = "ann"
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        shutil.copytree(ROOT / "runbooks", place.path / "runbooks")
        for run_id, name in (("gdpr", "gdpr"), ("review", "programme")):
            place.wct("run", f"runbooks/{name}.yaml", "--run-id", run_id)
        server = start_server(place)
        browser = Browser(server.address)
        try:
            place.wct("report", "gdpr", "-o", "gdpr.html")
            for name, (path, width, height) in PICTURES.items():
                kind, _, file = path.rpartition(":")
                browser.address = f"file://{place.path}/" if kind else server.address.rstrip("/")
                browser.open(file, width=width, height=height)
                save(name, picture_of(browser))
            drawn = place.wct("graph", "gdpr", "--format", "svg")
            save("graph.svg", drawn.out.encode())
        finally:
            browser.close()
            server.end()
            place.close()


if __name__ == "__main__":
    main()
