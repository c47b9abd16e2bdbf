"""Coverage-guided: `python atheris_main.py TARGET [libFuzzer options] [corpus folders]`."""

from __future__ import annotations

import importlib
import sys

atheris = importlib.import_module("atheris")  # only `run` installs it
with atheris.instrument_imports(include=["waivern"]):
    from targets import TARGETS


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
