"""Recall in real trees: values under labels are planted in their files, and counted.

python benchmarks/detection/recall_in_trees.py FOLDER

FOLDER has the trees of precision_trees.py. Each value is written on a line of its own between two
lines of a file, as an assignment, a comment, a record or a sentence. What precision costs in recall
would show here: run it with the code before and after a change.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from waivern.detection import field_names, load_ruleset, scan

SEED = 20261130
FILES = 60
"""Files in which each type is planted once in each form."""
AROUND = 3_000
"""Characters of the file before and after the line."""
FORMS = (
    '{label} = "{value}"',
    "# {label}: {value}",
    '{{"{label}": "{value}", "id": 7}}',
    "The {label} is {value} since Monday.",
)
FIELDS = (
    "email",
    "phone_number",
    "date_of_birth",
    "passport_number",
    "salary",
    "password",
    "diagnosis",
)
FIELD_FORMS = (
    '    {name} = request["{name}"]',
    "  {name}: string;",
    '  "{name}": "x1",',
    "{name} VARCHAR(50) NOT NULL,",
    '<input name="{name}">',
)


def main(folder: Path) -> None:
    chance = random.Random(SEED)
    texts = [_text(path) for path in sorted(folder.rglob("*")) if path.is_file()]
    usable = [text for text in texts if text.count("\n") > 20]
    found: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    for kind, (label, make) in VALUES.items():
        for text in chance.sample(usable, FILES):
            for form in FORMS:
                value = make(chance)
                whole, at = _planted(text, form.format(label=label, value=value), value, chance)
                planted[kind] += 1
                found[kind] += any(
                    m.type == kind and m.start <= at < m.end for m in scan(whole, types={kind})
                )
    for name in FIELDS:
        for text in chance.sample(usable, FILES):
            for form in FIELD_FORMS:
                whole, _ = _planted(text, form.format(name=name), name, chance)
                planted[f"field: {name}"] += 1
                names = {use.field.name for use in field_names(whole, load_ruleset())}
                found[f"field: {name}"] += name in names
    print("| planted | found | of | recall |\n|---|---|---|---|")
    for kind, count in planted.items():
        print(f"| {kind} | {found[kind]} | {count} | {found[kind] / count:.3f} |")


def _text(path: Path) -> str:
    return path.read_bytes()[:400_000].decode("utf-8", "replace")


def _planted(text: str, line: str, value: str, chance: random.Random) -> tuple[str, int]:
    """Return a part of a file with the line in it, and where the value begins."""
    at = text.find("\n", chance.randrange(len(text))) + 1
    before, after = text[max(0, at - AROUND) : at], text[at : at + AROUND]
    return f"{before}{line}\n{after}", len(before) + line.index(value)


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choice("0123456789") for _ in range(count))


def _card(chance: random.Random) -> str:
    body = "4" + _digits(chance, 14)
    doubled = (int(d) * (2 - n % 2) for n, d in enumerate(body))
    return body + str(-sum(d - 9 * (d > 9) for d in doubled) % 10)


def _iban(chance: random.Random) -> str:
    account = _digits(chance, 18)
    return f"DE{98 - int(account + '131400') % 97:02}{account}"


def _mac(chance: random.Random) -> str:
    return ":".join(f"{chance.randrange(1, 255):02x}" for _ in range(6))


def _token(chance: random.Random) -> str:
    letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "ghp_" + "".join(chance.choice(letters) for _ in range(36))


VALUES: dict[str, tuple[str, Callable[[random.Random], str]]] = {
    "EMAIL_ADDRESS": ("email", lambda chance: f"ann.lee{_digits(chance, 3)}@acme.io"),
    "PHONE_NUMBER": ("phone", lambda chance: f"+44 20 7{_digits(chance, 3)} {_digits(chance, 4)}"),
    "IP_ADDRESS": (
        "client_ip",
        lambda chance: ".".join(str(chance.randrange(20, 250)) for _ in range(4)),
    ),
    "MAC_ADDRESS": ("mac", _mac),
    "CREDIT_CARD": ("card_number", _card),
    "IBAN_CODE": ("iban", _iban),
    "GITHUB_TOKEN": ("token", _token),
    "PASSWORD": ("password", lambda chance: f"kW{_digits(chance, 4)}x!pL"),
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
