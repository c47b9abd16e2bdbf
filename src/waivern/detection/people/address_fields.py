"""Fields and columns of postal addresses: street, postcode and city, and whole addresses."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import Enum
from functools import lru_cache

from waivern.detection.expressions import expression
from waivern.detection.people.declared_columns import DeclaredColumn
from waivern.detection.prepared_text import Candidate, PreparedText
from waivern.detection.word_splitting import words


class AddressField(Enum):
    """The part of an address that a field holds."""

    STREET = "street"
    """A street with its number, or a whole address."""
    POSTCODE = "postcode"
    CITY = "city"


_STREET = frozenset(
    """
    address addr adresse adress adres anschrift strasse street streetaddress addressline
    direccion domicilio indirizzo morada endereco osoite ulica ulice adresa straat rue calle via
    gade gata gate vei katuosoite lahiosoite straatnaam wohnanschrift rechnungsadresse
    lieferadresse hausadresse postadresse adresszeile homeaddress postaladdress mailingaddress
    billingaddress shippingaddress
    """.split()  # noqa: SIM905
) | {"住所", "所在地", "주소"}
_OTHER = frozenset(
    """
    ip ipv email mail mac e web http https url bitcoin btc eth wallet crypto memory base bind listen
    server host remote client source src dest dst destination network net hardware physical return
    call function virtual start end load entry reply from to sender recipient contact peer local
    proxy gateway smtp socket broadcast bus device register node contract token
    """.split()  # noqa: SIM905
)
_LINES = frozenset({"line", "1", "2", "3", "full", "zeile"})
_POSTCODE = frozenset(
    """
    zip zipcode postcode postalcode plz postleitzahl codepostal cap postnummer postnr psc kod cep cp
    codigopostal postinumero
    """.split()  # noqa: SIM905
)
_CITY = frozenset(
    """
    city town ort wohnort stadt ville ciudad poblacion citta comune localita cidade localidade
    plaats woonplaats by stad ort kaupunki postitoimipaikka miasto miejscowosc mesto obec
    locality
    """.split()  # noqa: SIM905
)
_PLAIN = expression(r"[^\W\d_][^@<>{}=\\]{0,80}")
_DIGITS = expression(r"(?<![\w.:])\d{1,5}(?: ?[a-zA-Z])?(?:[-/]\d{1,4})?(?![\w.:]\d|\w)")
_CODE = expression(
    r"(?:[A-Z]{1,3}-)?\d[\d -]{2,8}(?: ?[A-Z]{2})?|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
    r"|[A-Z]\d[A-Z] ?\d[A-Z]\d"
)
_PLACE = expression(r"[^\W\d_][^\W\d_'\u2019. -]*(?:[ '\u2019./-]{1,2}[^\W\d_]+){0,5}(?: \d{1,2})?")
_PARTS = {AddressField.POSTCODE: _CODE, AddressField.CITY: _PLACE}
_FIELD, _PART = 0.65, 0.5


@lru_cache(maxsize=4096)
def address_field(name: str) -> AddressField | None:
    """Return the part of an address that a field of this name holds; None for other fields."""
    parts = words(name)
    while parts and parts[-1] in _LINES:
        parts = parts[:-1]
    if not parts or len(parts) > 5:
        return None
    last, joined = parts[-1], "".join(parts[-2:])
    if last in _STREET or joined in _STREET:
        return AddressField.STREET if _OTHER.isdisjoint(parts[:-1]) else None
    if last in _POSTCODE or joined in _POSTCODE:
        return AddressField.POSTCODE
    return AddressField.CITY if last in _CITY else None


ANCHORS = _STREET | _POSTCODE
"""The words one of which the columns of an address have."""
LABELS = frozenset({"address", "adresse", "anschrift", "direccion", "indirizzo", "adres", "morada"})
"""Words of labels that stand before an address in running text."""


def whole_address(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the text itself if it is the value of a field of addresses."""
    value = doc.text.strip()
    begin = doc.text.find(value)
    yield from address_in(begin, value, address_field(doc.field or ""), doc.beside)


def addresses_of(
    doc: PreparedText, column: DeclaredColumn, kind: AddressField
) -> Iterator[Candidate]:
    """Yield the cells of a column of addresses, or of a part of them."""
    for start, end in column.cells:
        yield from address_in(start, doc.text[start:end], kind, column.beside)


def part_key(kind: AddressField, value: str) -> str | None:
    """Return what decides whether a value is the part of an address; None: it has to be read."""
    if kind is AddressField.POSTCODE:
        return str(_CODE.fullmatch(value) is not None)
    return value


def address_in(
    start: int, value: str, kind: AddressField | None, beside: Collection[str]
) -> Iterator[Candidate]:
    """Yield the address, or the part of one, that a cell at `start` consists of."""
    if kind is None or not value or len(value) > _LONGEST:
        return
    if kind is AddressField.STREET:
        if is_street(value):
            yield Candidate(
                "POSTAL_ADDRESS", start, start + len(value), _FIELD, "address.field", ("number",)
            )
    elif _beside_street(beside) and _PARTS[kind].fullmatch(value):
        yield Candidate("POSTAL_ADDRESS", start, start + len(value), _PART, "address.part")


_LONGEST = 120
_DOTTED = expression(r"\d\.\d{1,3}\.\d")


def is_street(value: str) -> bool:
    """Return whether a value has words and a house number, and is no other kind of address."""
    if "://" in value or "@" in value or value.count(":") > 1 or _DOTTED.search(value):
        return False
    letters = sum(map(str.isalpha, value))
    return letters >= 3 and len(value.split()) > 1 and _DIGITS.search(value) is not None


def _beside_street(beside: Collection[str]) -> bool:
    return any(address_field(name) is AddressField.STREET for name in beside)
