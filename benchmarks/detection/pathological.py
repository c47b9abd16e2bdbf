"""The time of detection for texts of one repeated unit, and for four times as much of each.

    python benchmarks/detection/pathological.py [KILOBYTES]

Each line has the processor seconds for a quarter of the size, for the whole size, and their ratio:
4 where the time is in proportion to the text.
"""

from __future__ import annotations

import sys
import time

from waivern.detection import field_names, load_ruleset, scan

UNITS = (
    *"aA0@,;|.-+(<\"'=:/\\%& \n\té",
    *("Dear ", "0.", "0-", "0 ", "00 ", "1/", "1:", "a@", "a@b.", "A0", "A 0 ", "AA00", "ab "),
    *("jo@acme.io ", "jo@acme.io,", "81.2.69.142 ", "::1 ", "aa:", "4111111111111111 "),
    *("+44 20 7946 0152\n", "1980-05-12 ", "born 1 2 1980 ", "email: jo@acme.io\n", "a,b\n"),
    *("<th>a</th>", "Anna Smith, ", "key=", "password ", "&#64;", "\\u0040", "%40", "=40"),
    *("High Street 12, ", "12345 Berlin\n"),
)


def main() -> None:
    """Print a line for each unit."""
    size = int(sys.argv[1] if len(sys.argv) > 1 else 1000) * 1000
    for unit in UNITS:
        quarter, whole = (_seconds(unit * (n // len(unit))) for n in (size // 4, size))
        print(f"{unit!r:24} {quarter:7.3f} {whole:7.3f} {whole / quarter:5.1f}", flush=True)


def _seconds(text: str) -> float:
    rules, began = load_ruleset(), time.process_time()
    scan(text, rules)
    field_names(text, rules)
    return time.process_time() - began


if __name__ == "__main__":
    main()
