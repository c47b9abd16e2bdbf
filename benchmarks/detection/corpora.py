"""Four corpora of which the speed of detection is measured: source, prose, logs, a customer table.

All are reproduced from a seed, byte for byte; the source tree is unpacked from a wheel of PyPI.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from pydoc_data.topics import topics  # type: ignore[import-not-found, unused-ignore]

SOURCE = ("django==5.2", "sphinx==8.2.3")
"""The packages whose wheels are the source tree."""
MIB = 1 << 20
FIRST, LAST, STREETS, CITIES, DOMAINS = (
    names.split("|")
    for names in (
        "Anna|Jan|Maria|Peter|Lucía|Jürgen|Sofie|Piotr|Élodie|Mary|James|Linda|Omar|Yuki|Chen",
        "Müller|Smith|Jansen|García|Kowalski|Rossi|Dubois|Svensson|Brown|Novák|Silva|Tanaka",
        "High Street|Hauptstraße|Rue de la Paix|Via Roma|Kerkstraat|Main St|Elm Ave",
        "London|Berlin|Paris|Roma|Utrecht|Chicago|Madrid|Wien|Oslo|Gent",
        "gmail.com|web.de|orange.fr|acme.io|mail.example.com|kpn.nl|outlook.com|libero.it",
    )
)
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36",
    "curl/7.88.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) Version/17.1 Mobile/15E148",
)
PATHS = (
    "/",
    "/api/v1/orders/{n}",
    "/img/icon@2x.png",
    "/login",
    "/static/app.{n}.js",
    "/cart?id={n}",
)


class Maker:
    """Values that look like those of people, from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.pick = self.random.choice

    def digits(self, count: int) -> str:
        return "".join(self.random.choices("0123456789", k=count))

    def ip(self) -> str:
        return ".".join(str(self.random.randrange(1, 255)) for _ in range(4))

    def email(self) -> str:
        name = f"{self.pick(FIRST)}.{self.pick(LAST)}{self.random.randrange(999)}"
        return f"{name}@{self.pick(DOMAINS)}".lower()

    def date(self, first: int, last: int) -> str:
        day = self.random.randrange(1, 29)
        return f"{self.random.randrange(first, last)}-{self.random.randrange(1, 13):02}-{day:02}"

    def time(self) -> str:
        return ":".join(f"{self.random.randrange(n):02}" for n in (24, 60, 60))

    def card(self) -> str:
        digits = "4" + self.digits(14)
        total = sum(sum(divmod(int(d) * (2 - n % 2), 10)) for n, d in enumerate(digits))
        return digits + str(-total % 10)

    def iban(self) -> str:
        account = self.digits(18)
        return f"DE{98 - int(account + '131400') % 97:02}{account}"

    def phone(self) -> str:
        return self.pick(("+49 30 {}", "+44 20 7{}", "+33 1 42 {}")).format(self.digits(6))

    def ssn(self) -> str:
        return f"{self.random.randrange(100, 665)}-{self.random.randrange(10, 99)}-{self.digits(4)}"


def source(folder: Path, size: int) -> None:
    """Unpack the wheels, up to `size` bytes of text."""
    wheels = folder.with_name("wheels")
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels)]
    if not wheels.exists():
        subprocess.run([*pip, "--only-binary=:all:", *SOURCE], check=True)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith((".py", ".js", ".html", ".css", ".po", ".txt", ".json", ".tex")):
                    data = archive.read(name)
                    size -= len(data)
                    if size < 0:
                        return
                    path = folder / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)


def prose_lines(made: Maker) -> Iterator[str]:
    """Yield paragraphs of English that a Markov chain over Python's manual writes."""
    tokens = re.findall(r"[A-Za-z][a-z']*[,.;]?", " ".join(topics.values()))
    after = defaultdict(list)
    for first, second, third in zip(tokens, tokens[1:], tokens[2:], strict=False):
        after[first, second].append(third)
    pair, line = (tokens[0], tokens[1]), []
    while True:
        pair = (pair[1], made.pick(after.get(pair) or tokens))
        line.append(pair[1])
        if len(line) > 80 and pair[1].endswith("."):
            if made.random.random() < 0.05:
                line.append(
                    f"Write to {made.pick(FIRST)} at {made.email()} or call {made.phone()}."
                )
            yield " ".join(line) + "\n\n"
            line = []


def access_lines(made: Maker) -> Iterator[str]:
    while True:
        user = made.email() if made.random.random() < 0.3 else "-"
        path = made.pick(PATHS).format(n=made.digits(6))
        yield (
            f"{made.ip()} - {user} [12/Mar/2025:{made.time()} +0100] "
            f'"GET {path} HTTP/1.1" {made.pick((200, 304, 404))} {made.digits(4)} '
            f'"https://shop.example.org/" "{made.pick(AGENTS)}"\n'
        )


def mail_lines(made: Maker) -> Iterator[str]:
    while True:
        head = f"Mar 12 {made.time()} mx1 postfix/smtpd[{made.digits(5)}]: {made.digits(9)}A:"
        yield f"{head} from=<{made.email()}>, size={made.digits(5)}, nrcpt=1 (queue active)\n"
        relay = f"relay=mx.web.de[{made.ip()}]:25, delay=0.{made.digits(2)}"
        yield f"{head} to=<{made.email()}>, {relay}, status=sent\n"


def ssh_lines(made: Maker) -> Iterator[str]:
    while True:
        user = made.pick(FIRST).lower()
        yield (
            f"{made.date(2024, 2026)}T{made.time()}.{made.digits(6)}+01:00 "
            f"web{made.digits(1)} sshd[{made.digits(5)}]: "
            f"Failed password for {user} from {made.ip()} port {made.digits(5)} ssh2\n"
        )


def application_lines(made: Maker) -> Iterator[str]:
    while True:
        yield (
            f"{made.date(2024, 2026)} {made.time()},{made.digits(3)} INFO  [http-{made.digits(2)}] "
            f"c.a.shop.UserService - user {made.email()} logged in from {made.ip()}, "
            f"session={made.digits(12)}, took {made.digits(3)} ms\n"
        )


def json_lines(made: Maker) -> Iterator[str]:
    while True:
        yield (
            json.dumps(
                {
                    "ts": f"{made.date(2024, 2026)}T{made.time()}Z",
                    "level": made.pick(("info", "warn")),
                    "msg": "order placed",
                    "user_email": made.email(),
                    "client_ip": made.ip(),
                    "order": int(made.digits(9)),
                    "phone": made.phone(),
                }
            )
            + "\n"
        )


def customer_lines(made: Maker) -> Iterator[str]:
    names = "customer_id,first_name,last_name,email,phone,birth_date,street,postcode,city,country"
    yield names + ",iban,card_number,ip_address,ssn,created_at\n"
    number = 100_000
    while True:
        number += 1
        yield (
            f"{number},{made.pick(FIRST)},{made.pick(LAST)},{made.email()},{made.phone()},"
            f"{made.date(1940, 2006)},{made.pick(STREETS)} {made.digits(2)},{made.digits(5)},"
            f"{made.pick(CITIES)},DE,{made.iban()},{made.card()},{made.ip()},{made.ssn()},"
            f"{made.date(2020, 2026)} {made.time()}\n"
        )


Lines = Callable[[Maker], Iterator[str]]
FILES: dict[str, dict[str, Lines]] = {
    "prose": {"book.txt": prose_lines},
    "logs": {
        "access.log": access_lines,
        "mail.log": mail_lines,
        "auth.log": ssh_lines,
        "app.log": application_lines,
        "events.jsonl": json_lines,
    },
    "customers": {"customers.csv": customer_lines},
}
CORPORA = ("source", *FILES)


def corpus(name: str, folder: Path, size: int) -> Path:
    """Return the folder of a corpus of about `size` bytes, which is written if it is missing."""
    here = folder / name
    if not here.exists():
        here.mkdir(parents=True)
        if name == "source":
            source(here, size)
        for file, lines in FILES.get(name, {}).items():
            _write(here / file, lines(Maker(7)), size // len(FILES[name]))
    return here


def _write(path: Path, lines: Iterator[str], size: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            size -= len(line.encode())
            if size < 0:
                return
            file.write(line)
