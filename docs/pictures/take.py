"""The pictures of the pages in docs/: `python docs/pictures/take.py`, after `tests/servers/run`.

Runs of the shipped runbooks are opened in a headless Chromium.
"""

from __future__ import annotations

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
    "run.png": ("/runs/gdpr#findings", 900, 1000),
    "decision.png": ("/runs/review", 900, 600),
}
"""The path, width and height of each picture, which has nothing of the machine that took it."""
LARGEST = 200 * 1024


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
            for name, (path, width, height) in PICTURES.items():
                picture = Path(__file__).with_name(name)
                browser.open(path, width=width, height=height).save(picture)
                assert picture.stat().st_size <= LARGEST, picture
        finally:
            browser.close()
            server.end()
            place.close()


if __name__ == "__main__":
    main()
