"""The checks of identifiers, held against those of another library (python-stdnum)."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from importlib import import_module
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from waivern.detection import load_ruleset, scan
from waivern.detection.identifiers import IDENTIFIERS
from waivern.detection.identifiers.identifier import Identifier, bare, starts

BY_TYPE = {each.type: each for each in IDENTIFIERS}
EQUAL = {
    "CA_SIN": "ca.sin",
    "UK_NHS": "gb.nhs",
    "UK_UTR": "gb.utr",
    "IE_PPS": "ie.pps",
    "CH_AHV": "ch.ssn",
    "ES_NIE": "es.nie",
    "PT_NIF": "pt.nif",
    "IT_VAT_CODE": "it.iva",
    "GR_AMKA": "gr.amka",
    "PL_PESEL": "pl.pesel",
    "PL_NIP": "pl.nip",
    "NL_BSN": "nl.bsn",
    "RO_CNP": "ro.cnp",
    "BG_EGN": "bg.egn",
    "HR_OIB": "hr.oib",
    "SI_EMSO": "si.emso",
    "IN_AADHAAR": "in_.aadhaar",
    "IN_PAN": "in_.pan",
    "JP_MY_NUMBER": "jp.in_",
    "IL_ID_NUMBER": "il.idnr",
    "NZ_IRD": "nz.ird",
    "TR_NATIONAL_ID": "tr.tckimlik",
    "BR_CPF": "br.cpf",
    "BR_CNPJ": "br.cnpj",
    "CL_RUT": "cl.rut",
    "CO_NIT": "co.nit",
    "EC_CEDULA": "ec.ci",
    "PE_RUC": "pe.ruc",
    "VE_RIF": "ve.rif",
    "CU_NI": "cu.ni",
    "MU_NID": "mu.nid",
    "PK_CNIC": "pk.cnic",
    "CH_UID": "ch.uid",
    "FR_SIRET": "fr.siret",
    "BE_ENTERPRISE_NUMBER": "be.vat",
    "DK_CVR": "dk.cvr",
    "FI_BUSINESS_ID": "fi.ytunnus",
    "ES_CIF": "es.cif",
    "LEI": "lei",
    "RS_PIB": "rs.pib",
}
"""Types whose numbers are valid for the one exactly if they are for the other."""
STRICTER = {
    "ABA_ROUTING_NUMBER": "us.rtn",
    "SE_ORGANISATIONSNUMMER": "se.orgnr",
    "TH_TNIN": "th.pin",
    "IMEI": "imei",
    "DO_CEDULA": "do.cedula",
    "FR_SIREN": "fr.siren",
    "NO_ORGANISATION_NUMBER": "no.orgnr",
    "RU_INN": "ru.inn",
    "UA_RNTRC": "ua.rntrc",
    "ORCID": "isni",
    "MY_NRIC": "my.nric",
}
"""Types of which fewer numbers are valid here: prefixes, provinces and dates are checked, too."""
LOOSER = {
    "US_ITIN": "us.itin",
    "DE_TAX_ID": "de.idnr",
    "FI_PERSONAL_IDENTITY_CODE": "fi.hetu",
    "IS_KENNITALA": "is_.kennitala",
    "ZA_ID_NUMBER": "za.idnr",
    "DK_CPR": "dk.cpr",
    "EU_VAT_NUMBER": "eu.vat",
}
"""Types of which more are valid here: rules that not every number that was issued fulfils."""


def written(form: Any, numbers: random.Random, groups: dict[int, str]) -> str:
    """Return a text of a form, with one digit or letter for each set of them."""
    text = ""
    for kind, value in form:
        match str(kind):
            case "LITERAL":
                text += chr(value)
            case "IN":
                text += numbers.choice(sorted(_set(value)))
            case "MAX_REPEAT":
                least, most, inner = value
                for _ in range(numbers.randint(least, min(most, least + 3))):
                    text += written(inner, numbers, groups)
            case "SUBPATTERN":
                part = written(value[3], numbers, groups)
                groups[value[0]] = part
                text += part
            case "BRANCH":
                text += written(numbers.choice(value[1]), numbers, groups)
            case "GROUPREF":
                text += groups[value]
    return text


def _set(items: Any) -> set[str]:
    found: set[str] = set()
    for kind, value in items:
        match str(kind):
            case "LITERAL":
                found.add(chr(value))
            case "RANGE":
                found |= {chr(code) for code in range(value[0], value[1] + 1)}
            case _:
                found |= set("0123456789")
    return found - set(" ./-") or {" "}


def values(each: Identifier, seed: int) -> Iterator[str]:
    """Yield values of the form: many with a date in them, each with every last character."""
    numbers = random.Random(seed)
    form = _parser.parse(each.form.pattern)
    for _ in range(300):
        text = written(form, numbers, {})
        places = [n for n, char in enumerate(text) if char.isdigit()]
        if len(places) >= 9 and numbers.random() < 0.7:
            year, month, day = (
                f"{numbers.randint(*span):02}" for span in ((30, 99), (1, 12), (1, 28))
            )
            date = numbers.choice((year + month + day, day + month + year))
            begin = numbers.choice((0, 1, 2))
            chars = list(text)
            for place, char in zip(places[begin : begin + 6], date, strict=True):
                chars[place] = char
            text = "".join(chars)
        last = "0123456789" if text[-1].isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        yield from filter(each.form.fullmatch, (text[:-1] + char for char in last))


def judged(kind: str, module: str) -> tuple[int, list[str], list[str]]:
    """Return how many values both accept, and those that only this or only the other one does."""
    each, other = BY_TYPE[kind], import_module(f"stdnum.{module}").is_valid
    both, ours, theirs = 0, [], []
    for value in values(each, seed=11):
        plain = bare(value).upper()
        here, there = bool(each.check(plain)), bool(other(plain))
        both += here and there
        if here and not there:
            ours.append(value)
        if there and not here:
            theirs.append(value)
    return both, ours, theirs


@pytest.mark.parametrize(("kind", "module"), EQUAL.items())
def test_the_check_is_that_of_the_other_library(kind: str, module: str) -> None:
    both, ours, theirs = judged(kind, module)
    assert both >= 5
    assert (ours, theirs) == ([], [])


@pytest.mark.parametrize(("kind", "module"), STRICTER.items())
def test_the_check_accepts_nothing_that_the_other_library_refuses(kind: str, module: str) -> None:
    both, ours, _ = judged(kind, module)
    assert both >= 5
    assert ours == []


@pytest.mark.parametrize(("kind", "module"), LOOSER.items())
def test_the_check_refuses_nothing_that_the_other_library_accepts(kind: str, module: str) -> None:
    both, _, theirs = judged(kind, module)
    assert both >= 5
    assert theirs == []


EXAMPLES = {
    "US_MBI": "1EG4-TE5-MK73",
    "US_NPI": "1234567893",
    "MEDICAL_LICENSE": "GL0285191",
    "MX_CURP": "BOXW310820HNERXN09",
    "UK_DRIVING_LICENCE": "MORGA657054SM9IJ",
    "DE_SOCIAL_SECURITY": "65070803A019",
    "DE_HEALTH_INSURANCE": "A123456780",
    "DE_LANR": "123456601",
    "AT_SOCIAL_SECURITY": "1237010180",
    "FR_VAT": "FR40303265045",
    "IT_FISCAL_CODE": "RSSMRA85T10A562S",
    "SE_PERSONNUMMER": "19121212-1212",
    "NO_FODSELSNUMMER": "15108695088",
    "CZ_BIRTH_NUMBER": "710319/2745",
    "LT_ASMENS_KODAS": "33309240064",
    "EE_ISIKUKOOD": "36805280109",
    "LU_NATIONAL_ID": "1893120105732",
    "IN_GSTIN": "27AAPFU0939F1ZV",
    "SG_NRIC_FIN": "S2740116C",
    "HK_HKID": "A123456(3)",
    "TW_NATIONAL_ID": "A123456789",
    "CN_RESIDENT_ID": "11010519491231002X",
    "AU_TFN": "876 543 210",
    "AU_ABN": "51 824 753 556",
    "AU_ACN": "004 085 616",
    "AU_MEDICARE": "2123456701",
    "VIN": "1M8GDM9AXKP042788",
    "KR_RRN": "960121-1234567",
}
"""Published examples."""


@pytest.mark.parametrize(("kind", "value"), EXAMPLES.items())
def test_a_published_example_is_found_under_its_label(kind: str, value: str) -> None:
    term = BY_TYPE[kind].terms.partition(",")[0].strip()
    text = f"{'Something else is written here. ' * 10}\n{term}: {value}\n"
    assert (kind, value) in [(m.type, text[m.start : m.end]) for m in scan(text)]


@pytest.mark.parametrize("label", ["order no", "commit", "foo_17"])
def test_what_many_values_look_like_is_reported_under_no_other_label(label: str) -> None:
    for each in IDENTIFIERS:
        if each.needs_label and (value := EXAMPLES.get(each.type)):
            text = f"{label}: {value}"
            assert [m.type for m in scan(text)] == [], text


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("AAA123456 is the number of my passport", "ES_PASSPORT", "AAA123456"),
        ("AAA123456 es mi número de pasaporte", "ES_PASSPORT", "AAA123456"),
        ("passports: AAA123456 and BBB123456", "ES_PASSPORT", "BBB123456"),
        ('{"BirthDate": "1962-02-18T00:00:00"}', "DATE_OF_BIRTH", "1962-02-18T00:00:00"),
        ("44051401359", "PL_PESEL", "44051401359"),
    ],
)
def test_what_is_said_around_a_value_labels_it(text: str, kind: str, value: str) -> None:
    assert (kind, value) in [(m.type, text[m.start : m.end]) for m in scan(text)]


def test_every_type_is_in_the_ruleset_with_labels_of_its_own() -> None:
    rules = load_ruleset()
    assert len(BY_TYPE) == len(IDENTIFIERS)
    for each in IDENTIFIERS:
        rule = rules.types[each.type]
        assert rule.category in rules.categories
        assert any(each.type in types for types in rules.labels.values())


def test_a_form_is_tried_where_its_values_begin() -> None:
    for each in IDENTIFIERS:
        numbers = random.Random(3)
        parsed = _parser.parse(each.form.pattern)
        for _ in range(50):
            text = written(parsed, numbers, {})
            if found := re.search(r"\d+", text):
                start = (found.start(), len(found.group()))
                assert start in starts(each.form), (each.type, text)
