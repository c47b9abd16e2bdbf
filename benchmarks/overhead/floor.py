"""The bare loop: the same files, written one after the other, each as durably as we write ours.

python floor.py FOLDER COUNT
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(folder: str, count: int) -> None:
    Path(folder).mkdir(parents=True)
    directory = os.open(folder, os.O_RDONLY)
    for n in range(count):
        name = f"{folder}/a{n}.json"
        data = json.dumps({"id": f"a{n}", "content": "x" * 200}).encode()
        fd = os.open(name + ".tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(fd, data)
        os.fsync(fd)
        os.close(fd)
        os.rename(name + ".tmp", name)  # noqa: PTH104 - the bare call is what is measured
        os.fsync(directory)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
