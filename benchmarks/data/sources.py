"""Sources that are written for the measurements: filler, logs, small files.

Each word of theirs that could only come from the source contains MARK, so that a copy of the text
is found wherever it lands. What is written depends on nothing but the arguments.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

MARK = "qzxv"
"""Letters that occur in no file of a run unless text of the source was copied into it."""
MB = 1_000_000
WORDS = (
    *("the", "of", "and", "committee", "document", "section", "review", "approval", "budget"),
    *("meeting", "quarter", "annual", "policy", "system", "network", "update", "version"),
    *("station", "letter", "winter", "summer", "engine", "bridge", "garden", "window"),
)
PARAGRAPH = 8_000
USERS, DOMAINS = 20_000, 200
COUNTRIES = (
    *("de", "fr", "it", "es", "pl", "nl", "at", "ch", "be", "se"),
    *("no", "fi", "dk", "cz", "pt", "gr", "ie", "ro", "hu", "uk"),
)
CALLING = (49, 44, 33, 39, 34, 48, 31)


def filler(folder: Path, size: int) -> None:
    """Write files of 1 MB, together `size` bytes, with three e-mail addresses in each."""
    chance = random.Random(1)
    paragraphs = [_paragraph(chance) for _ in range(500)]
    for number in range(max(1, size // MB)):
        below = folder / f"{number // 100:03}"
        below.mkdir(parents=True, exist_ok=True)
        parts = chance.choices(paragraphs, k=MB // PARAGRAPH)
        for at in (3, 60, 110):
            parts[at] = f"Write to {MARK}{number}x{at}@example.org about it.\n" + parts[at][50:]
        (below / f"{number:05}.txt").write_text("".join(parts))


def logs(folder: Path, size: int, files: int) -> None:
    """Write lines of a log, each with an e-mail address; together `size` bytes in `files` files."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = _log_lines()
    for number in range(files):
        left = size // files
        with (folder / f"app-{number:04}.log").open("w") as log:
            while left > 0:
                left -= log.write("".join(islice(lines, 1_000)))


def mixed_logs(folder: Path, size: int, files: int) -> None:
    """Write logs with values of many kinds: of six types, and addresses of twenty countries."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = _mixed_lines()
    for number in range(files):
        left = size // files
        with (folder / f"app-{number:04}.log").open("w") as log:
            while left > 0:
                left -= log.write("".join(islice(lines, 200)))


def small_files(folder: Path, count: int) -> None:
    """Write `count` files of 4 kB, with an e-mail address in each."""
    chance = random.Random(2)
    paragraphs = [_paragraph(chance)[:4_000] for _ in range(200)]
    for number in range(count):
        below = folder / f"{number // 100:03}"
        below.mkdir(parents=True, exist_ok=True)
        (below / f"{number:05}.txt").write_text(small_text(number, chance.choice(paragraphs)))


def small_text(number: int, text: str) -> str:
    """Return the text of a small file with an address of its own."""
    return f"Write to {MARK}{number}@example.org about it.\n{text}"


def _mixed_lines() -> Iterator[str]:
    chance = random.Random(4)
    pick, number = chance.choice, chance.randrange
    while True:
        yield f"{MARK} user={MARK}.{number(USERS)}@host.acme-mail.{pick(COUNTRIES)} opened\n"
        yield f"{MARK} from {number(1, 220)}.{number(50, 250)}.{number(256)}.{number(1, 255)}\n"
        yield f"{MARK} call +{pick(CALLING)} 30 {number(1_000_000, 9_999_999)} back\n"
        yield f"{MARK} ssn: 536-{number(10, 99)}-{number(1_000, 9_999)}\n"
        yield f"{MARK} dob: 19{number(40, 99)}-0{number(1, 9)}-1{number(9)}\n"
        yield f"{MARK} mac 00:1b:44:11:{number(16, 99)}:{number(16, 99)}\n"


def _paragraph(chance: random.Random) -> str:
    """Return lines of PARAGRAPH characters."""
    text = ""
    while len(text) < PARAGRAPH:
        text += f"{' '.join(chance.choices(WORDS, k=12))} {MARK}word.\n"
    return text[: PARAGRAPH - 1] + "\n"


def _log_lines() -> Iterator[str]:
    chance = random.Random(3)
    second = 0
    while True:
        second += 1
        user = chance.randrange(USERS)
        yield (
            f"2026-11-29T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}Z INFO "
            f"session {MARK} user={MARK}.{user}@host{user % DOMAINS}.example.org opened report "
            f"in {chance.randrange(900)} ms\n"
        )
