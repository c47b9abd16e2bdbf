"""Strict F1 by type on generated documents in fourteen layouts.

    python benchmarks/detection/layouts.py [--seed 1] [--documents 20] [--misses 20]

Each document has values of sixteen types and look-alikes that must not be reported, in the layouts
that exports, configurations, messages and terminals have. The values are independent of the
detector: python-stdnum and phonenumbers decide which are valid. A marked document has
`⟦TYPE|value⟧` for each value; the look-alikes are not marked.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import NamedTuple

from prose import card, phone

from waivern.detection import scan

MARK = re.compile(r"⟦(\w+)\|([^⟧]*)⟧")


class Field(NamedTuple):
    """A value with its name; `type` is None for a look-alike."""

    name: str
    value: str
    type: str | None

    @property
    def marked(self) -> str:
        return f"⟦{self.type}|{self.value}⟧" if self.type else self.value


def valid(rng: random.Random, module: str, form: str) -> str:
    """Return a value of the form (9: a digit, A: a letter) that python-stdnum accepts."""
    check = import_module(f"stdnum.{module}")
    while True:
        value = "".join(
            rng.choice("0123456789")
            if char == "9"
            else rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ")
            if char == "A"
            else char
            for char in form
        )
        if check.is_valid(value):
            return value


def iban(rng: random.Random) -> str:
    country, form = rng.choice(
        (("DE", "9" * 18), ("GB", "AAAA" + "9" * 14), ("NL", "AAAA" + "9" * 10))
    )
    account = "".join(rng.choice("0123456789") if c == "9" else rng.choice("ABCKLN") for c in form)
    number = "".join(str(int(c, 36)) for c in account + country + "00")
    value = f"{country}{98 - int(number) % 97:02d}{account}"
    return (
        value if rng.random() < 0.5 else " ".join(value[n : n + 4] for n in range(0, len(value), 4))
    )


def email(rng: random.Random) -> str:
    first = rng.choice(("ines", "t.okafor", "li-wen", "m_haddad", "jo+lists", "k.nystrom"))
    host, suffix = (
        rng.choice(("harbor", "mail.cedar", "lantern")),
        rng.choice(("io", "de", "co.uk")),
    )
    return f"{first}{rng.choice(('', '7', '88'))}@{host}.{suffix}"


def address(rng: random.Random) -> str:
    if rng.random() < 0.25:
        groups = [f"{rng.randint(4096, 60000):x}" for _ in range(2)]
        return f"2001:db{rng.randint(1, 7)}:{groups[0]}::{groups[1]}"
    rest = ".".join(str(rng.randint(20, 250)) for _ in range(3))
    return f"{rng.choice((81, 93, 172, 188, 203))}.{rest}"


def mac(rng: random.Random) -> str:
    parts = [f"{rng.randint(16, 255):02x}" for _ in range(6)]
    return rng.choice((":", "-")).join(parts)


def born(rng: random.Random) -> str:
    year, month, day = rng.randint(1940, 2008), rng.randint(1, 12), rng.randint(1, 28)
    return rng.choice(
        (
            f"{year}-{month:02d}-{day:02d}",
            f"{day:02d}/{month:02d}/{year}",
            f"{day:02d}.{month:02d}.{year}",
        )
    )


def pesel(rng: random.Random) -> str:
    return valid(
        rng,
        "pl.pesel",
        f"{rng.randint(40, 99)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}99999",
    )


def nir(rng: random.Random) -> str:
    born_in = f"{rng.choice('12')}{rng.randint(40, 99)}{rng.randint(1, 12):02d}"
    head = f"{born_in}{rng.randint(1, 94):02d}{rng.randint(1, 300):03d}{rng.randint(1, 200):03d}"
    return f"{head}{97 - int(head) % 97:02d}"


def ssn(rng: random.Random) -> str:
    return f"{rng.randint(101, 665)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"


def nino(rng: random.Random) -> str:
    digits = f"{rng.randint(0, 999999):06d}"
    value = f"{rng.choice('ABCEHJKLMPRS')}{rng.choice('ABCEHJKLMPRS')}{digits}{rng.choice('ABCD')}"
    return value.replace("GB", "AB").replace("KN", "KA").replace("NT", "AT")


def wallet(rng: random.Random) -> str:
    return "0x" + "".join(rng.choices("0123456789abcdef", k=40))


def spaced_nhs(rng: random.Random) -> str:
    value = valid(rng, "gb.nhs", "9" * 10)
    return value if rng.random() < 0.5 else f"{value[:3]} {value[3:6]} {value[6:]}"


TYPES: dict[str, tuple[Callable[[random.Random], str], tuple[str, ...]]] = {
    "EMAIL_ADDRESS": (email, ("email", "E-Mail", "contact_mail", "courriel", "mailAddress")),
    "PHONE_NUMBER": (
        lambda rng: phone(rng, rng.choice(("GB", "DE", "FR", "ES", "PL"))),
        ("phone", "mobile", "Telefon", "tel_home", "contactPhone"),
    ),
    "CREDIT_CARD": (card, ("card_number", "cardNo", "credit_card", "Kreditkarte", "pan")),
    "IBAN_CODE": (iban, ("iban", "IBAN", "bank_iban", "account_iban")),
    "IP_ADDRESS": (address, ("client_ip", "ip", "lastLoginIp", "remote_addr")),
    "MAC_ADDRESS": (mac, ("mac", "device_mac", "hwaddr", "macAddress")),
    "US_SSN": (ssn, ("ssn", "SSN", "social_security_number", "socialSecurity")),
    "UK_NINO": (nino, ("nino", "ni_number", "nationalInsuranceNumber", "NI no")),
    "UK_NHS": (spaced_nhs, ("nhs_number", "nhsNo", "NHS")),
    "NL_BSN": (lambda rng: valid(rng, "nl.bsn", "9" * 9), ("bsn", "BSN", "burgerservicenummer")),
    "PL_PESEL": (pesel, ("pesel", "PESEL", "numer_pesel")),
    "FR_NIR": (nir, ("nir", "numero_secu", "numeroSecuriteSociale")),
    "ES_NIF": (lambda rng: valid(rng, "es.dni", "99999999A"), ("nif", "dni", "DNI")),
    "DE_TAX_ID": (
        lambda rng: valid(rng, "de.idnr", "9" * 11),
        ("steuer_id", "steuerId", "IdNr", "tax_id"),
    ),
    "DATE_OF_BIRTH": (
        born,
        ("date_of_birth", "dob", "birthDate", "geburtsdatum", "fecha_nacimiento"),
    ),
    "CRYPTO": (wallet, ("wallet", "eth_address", "payoutWallet")),
}


def look_alike(rng: random.Random) -> Field:
    digits = "".join(rng.choices("123456789", k=16))
    name, value = rng.choice(
        (
            ("order_no", card(rng).replace(" ", "").replace("-", "")),
            ("order_id", valid(rng, "gb.nhs", "9" * 10)),
            ("invoice", f"{rng.randint(2019, 2026)}-{digits[:7]}"),
            ("tracking_number", digits[:12]),
            ("created_at", f"2024-0{digits[0]}-1{digits[1]}T22:27:28Z"),
            ("epoch_ms", f"16{digits[:11]}"),
            ("version", f"v{digits[0]}.{digits[1:3]}.{digits[3]}.{digits[4]}"),
            ("sha1", "".join(rng.choices("0123456789abcdef", k=40))),
            ("request_id", f"{digits[:8]}-{digits[8:12]}-4abc-9def-{digits[:12]}"),
            ("amount", f"{digits[:2]},{digits[2:5]}.{digits[5:7]}"),
            ("sku", f"{digits[:3]}-{digits[3:5]}-{digits[5:9]}"),
            ("isbn", f"978-3-16-{digits[:6]}-0"),
            ("ean", valid(rng, "ean", "9" * 13)),
            ("package", f"@cedar/orbit@{digits[0]}.{digits[1]}.{digits[2]}"),
            ("handle", "@falcon"),
            ("latitude", f"51.{digits[:7]}"),
            ("bytes", digits[:10]),
            ("release_date", f"20{digits[0]}1-0{digits[1]}-1{digits[2]}"),
            ("building_size", f"{digits[:4]}x{digits[4:8]}"),
            ("batch", nino(rng)),
        )
    )
    return Field(name, value, None)


def person(rng: random.Random) -> list[Field]:
    """Return the fields of a person, and look-alikes among them."""
    fields = [
        Field(rng.choice(names), make(rng), kind)
        for kind, (make, names) in rng.sample(sorted(TYPES.items()), rng.randint(5, 9))
    ]
    fields += [look_alike(rng) for _ in range(rng.randint(2, 4))]
    rng.shuffle(fields)
    return fields


def ldif(people: list[list[Field]], _: random.Random) -> str:
    return "\n\n".join(
        f"dn: uid=u{n},ou=people,dc=cedar\nobjectClass: person\n"
        + "\n".join(f"{f.name}: {f.marked}" for f in fields)
        for n, fields in enumerate(people)
    )


def ini(people: list[list[Field]], _: random.Random) -> str:
    return "\n".join(
        f"[user.{n}]\n; imported\n" + "\n".join(f"{f.name} = {f.marked}" for f in fields)
        for n, fields in enumerate(people)
    )


def dotenv(people: list[list[Field]], _: random.Random) -> str:
    return "\n".join(
        f"export USER{n}_{re.sub('[^A-Za-z]', '_', f.name).upper()}='{f.marked}'"
        for n, fields in enumerate(people)
        for f in fields
    )


def xml(people: list[list[Field]], _: random.Random) -> str:
    rows = "".join(
        "  <Kunde>\n"
        + "".join(
            f"    <{f.name.replace(' ', '')}>{f.marked}</{f.name.replace(' ', '')}>\n"
            for f in fields
        )
        + "  </Kunde>\n"
        for fields in people
    )
    return f'<?xml version="1.0"?>\n<Kunden>\n{rows}</Kunden>\n'


def xml_attributes(people: list[list[Field]], _: random.Random) -> str:
    rows = "".join(
        "  <row " + " ".join(f'{f.name.replace(" ", "_")}="{f.marked}"' for f in fields) + "/>\n"
        for fields in people
    )
    return f"<rows>\n{rows}</rows>\n"


def _table(people: list[list[Field]]) -> tuple[list[str], list[list[str]]]:
    """Return the first person's fields as columns; every row has other values of them."""
    names = [f.name for f in people[0]]
    return names, [[f.marked for f in fields] for fields in people]


def columns(rng: random.Random) -> list[list[Field]]:
    """Return several people who have the same fields."""
    first = person(rng)
    people = [first]
    for _ in range(4):
        row = []
        for field in first:
            if field.type:
                row.append(field._replace(value=TYPES[field.type][0](rng)))
            else:
                again = look_alike(rng)
                while again.name != field.name:
                    again = look_alike(rng)
                row.append(again)
        people.append(row)
    return people


def psql(_: list[list[Field]], rng: random.Random) -> str:
    names, rows = _table(columns(rng))
    widths = [
        max(len(name), *(len(MARK.sub(r"\2", row[n])) for row in rows))
        for n, name in enumerate(names)
    ]

    def padded(cell: str, width: int) -> str:
        return cell + " " * (width - len(MARK.sub(r"\2", cell)))

    lines = [" | ".join(padded(name, width) for name, width in zip(names, widths, strict=True))]
    lines.append("-+-".join("-" * width for width in widths))
    lines += [" | ".join(padded(c, w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return " " + "\n ".join(lines) + f"\n({len(rows)} rows)\n"


def vertical(people: list[list[Field]], _: random.Random) -> str:
    return "\n".join(
        f"*************************** {n + 1}. row ***************************\n"
        + "\n".join(f"{f.name:>24}: {f.marked}" for f in fields)
        for n, fields in enumerate(people)
    )


def bullets(people: list[list[Field]], _: random.Random) -> str:
    return "\n\n".join(
        f"### Participant {n + 1}\n\n" + "\n".join(f"- **{f.name}**: {f.marked}" for f in fields)
        for n, fields in enumerate(people)
    )


def query(people: list[list[Field]], _: random.Random) -> str:
    return "\n".join(
        "POST /submit?"
        + "&".join(f"{f.name.replace(' ', '+')}={f.marked.replace(' ', '+')}" for f in fields)
        for fields in people
        for fields in [
            [
                f
                for f in fields
                if f.type not in (None, "PHONE_NUMBER", "EMAIL_ADDRESS") and " " not in f.value
            ]
        ]
    )


def transposed(_: list[list[Field]], rng: random.Random) -> str:
    names, rows = _table(columns(rng))
    return (
        "field;"
        + ";".join(f"person {n + 1}" for n in range(len(rows)))
        + "\n"
        + "\n".join(f"{name};" + ";".join(row[n] for row in rows) for n, name in enumerate(names))
    )


def grid(_: list[list[Field]], rng: random.Random) -> str:
    names, rows = _table(columns(rng))
    head = "^ " + " ^ ".join(names) + " ^"
    return head + "\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def python_dict(people: list[list[Field]], _: random.Random) -> str:
    return (
        "PEOPLE = [\n"
        + "".join(
            "    {" + ", ".join(f"'{f.name}': '{f.marked}'" for f in fields) + "},\n"
            for fields in people
        )
        + "]\n"
    )


def chat(people: list[list[Field]], _: random.Random) -> str:
    return "\n".join(
        f"[12:{n:02d}] sam> the {f.name.replace('_', ' ')} is {f.marked}, got it?"
        for n, f in enumerate(f for fields in people for f in fields)
    )


def update(people: list[list[Field]], _: random.Random) -> str:
    return "\n".join(
        "UPDATE members SET "
        + ", ".join(f"{f.name.replace(' ', '_')} = '{f.marked}'" for f in fields)
        + f" WHERE id = {1000 + n};"
        for n, fields in enumerate(people)
    )


LAYOUTS: dict[str, Callable[[list[list[Field]], random.Random], str]] = {
    each.__name__: each
    for each in (
        ldif,
        ini,
        dotenv,
        xml,
        xml_attributes,
        psql,
        vertical,
        bullets,
        query,
        transposed,
        grid,
        python_dict,
        chat,
        update,
    )
}


def documents(seed: int, each: int) -> Iterator[tuple[str, str, set[tuple[str, int, int]]]]:
    """Yield (layout, text, the values in it as type, start, end)."""
    rng = random.Random(seed)
    for layout, write in LAYOUTS.items():
        for _ in range(each):
            marked = write([person(rng) for _ in range(3)], rng)
            text, labels, at = "", set(), 0
            for mark in MARK.finditer(marked):
                text += marked[at : mark.start()]
                labels.add((mark[1], len(text), len(text) + len(mark[2])))
                text += mark[2]
                at = mark.end()
            yield layout, text + marked[at:], labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--documents", type=int, default=20)
    parser.add_argument("--misses", type=int, default=0, help="print so many wrong values")
    options = parser.parse_args()
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    wrong = []
    for layout, text, labels in documents(options.seed, options.documents):
        found = {(m.type, m.start, m.end) for m in scan(text) if m.type in TYPES}
        for key, want, got in (
            (f"layout {layout}", labels, found),
            *(
                (kind, {x for x in labels if x[0] == kind}, {x for x in found if x[0] == kind})
                for kind in TYPES
            ),
            ("all", labels, found),
        ):
            row = (len(got & want), len(got - want), len(want - got))
            counts[key] = [a + b for a, b in zip(counts[key], row, strict=True)]
        for sign, spans in (("-", labels - found), ("+", found - labels)):
            for kind, start, end in sorted(spans, key=lambda x: x[1]):
                line = text[max(0, start - 60) : end + 20].replace("\n", "⏎")
                wrong.append(f"{sign} {layout} {kind} {text[start:end]!r} in {line!r}")
    print("of\tright\tfalse\tmissed\tF1")
    for key, (hit, false, missed) in counts.items():
        print(f"{key}\t{hit}\t{false}\t{missed}\t{2 * hit / max(1, 2 * hit + false + missed):.3f}")
    step = max(1, len(wrong) // options.misses) if options.misses else 1
    for line in wrong[::step] if options.misses else ():
        print(line)


if __name__ == "__main__":
    main()
