"""Numbers of companies and sole traders: VAT numbers of Europe, registers, legal entities.

That of a sole trader is personal data, and nothing distinguishes it from that of a company.
"""

from __future__ import annotations

from collections.abc import Callable

from waivern.detection.identifiers.checks import (
    luhn,
    luhn_rest,
    mod11_10,
    mod97_10,
    weighted,
)
from waivern.detection.identifiers.identifier import (
    CERTAIN,
    LIKELY,
    POSSIBLE,
    UNLIKELY,
    VAT,
    Identifier,
    by_separator,
    form,
)


def _at_check(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[1:7:2])
    total = sum(map(int, digits[0:7:2])) + sum(doubled)
    return (96 - total) % 10 == int(digits[7])


def be_enterprise(digits: str) -> bool:
    """Enterprise number of Belgium: the last two digits make up for the rest by 97."""
    padded = digits.zfill(10)
    return padded[0] in "01" and (int(padded[:8]) + int(padded[8:])) % 97 == 0


def _bg(digits: str) -> bool:
    if len(digits) == 10:
        return True  # a person's number, with checks of its own
    check = weighted(digits[:8], range(1, 9)) % 11
    if check == 10:
        check = weighted(digits[:8], range(3, 11)) % 11
    return check % 10 == int(digits[8])


def _cy(value: str) -> bool:
    odd = {"0": 1, "1": 0, "2": 5, "3": 7, "4": 9, "5": 13, "6": 15, "7": 17, "8": 19, "9": 21}
    total = sum(odd[char] for char in value[:8:2]) + sum(map(int, value[1:8:2]))
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[total % 26] == value[8]


def _cz(digits: str) -> bool:
    if len(digits) != 8:
        return True  # a birth number
    return (11 - weighted(digits[:7], range(8, 1, -1)) % 11) % 10 == int(digits[7])


def dk_cvr(digits: str) -> bool:
    """CVR: weights 2 7 6 5 4 3 2 1, mod 11."""
    return digits[0] != "0" and weighted(digits, (2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def _ee(digits: str) -> bool:
    return weighted(digits, (3, 7, 1) * 3) % 10 == 0


def _el(digits: str) -> bool:
    return weighted(digits, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10 == int(digits[8])


def fi_ytunnus(digits: str) -> bool:
    """Business ID of Finland: weights 7 9 10 5 8 4 2 1, mod 11."""
    return weighted(digits, (7, 9, 10, 5, 8, 4, 2, 1)) % 11 == 0


def _hu(digits: str) -> bool:
    return weighted(digits, (9, 7, 3, 1, 9, 7, 3, 1)) % 10 == 0


def _lt(digits: str) -> bool:
    body = digits[:-1]
    check = sum((1 + n % 9) * int(digit) for n, digit in enumerate(body)) % 11
    if check == 10:
        check = sum((1 + (n + 2) % 9) * int(digit) for n, digit in enumerate(body)) % 11
    return check % 10 == int(digits[-1])


def _lu(digits: str) -> bool:
    return int(digits[:6]) % 89 == int(digits[6:])


def _lv(digits: str) -> bool:
    if digits[0] < "4":
        return True  # a personal code
    return weighted(digits, (9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1)) % 11 == 3


def _mt(digits: str) -> bool:
    return weighted(digits, (3, 4, 6, 7, 8, 9, 10, 1)) % 37 == 0


def _nl(value: str) -> bool:
    legal = weighted(value[:9], (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0
    return legal or mod97_10(f"NL{value}")


def _pl(digits: str) -> bool:
    return weighted(digits, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(digits[9])


def _pt(digits: str) -> bool:
    return (11 - weighted(digits[:8], range(9, 1, -1)) % 11) % 11 % 10 == int(digits[8])


def _ro(digits: str) -> bool:
    body = digits[:-1].zfill(9)
    return weighted(body, (7, 5, 3, 2, 1, 7, 5, 3, 2)) * 10 % 11 % 10 == int(digits[-1])


def _se(digits: str) -> bool:
    return digits.endswith("01") and luhn(digits[:10])


def _si(digits: str) -> bool:
    check = 11 - weighted(digits[:7], range(8, 1, -1)) % 11
    return check != 11 and check % 10 == int(digits[7])


def _sk(digits: str) -> bool:
    birth_number = int(digits[:9]) % 11 == 10 and digits[9] == "0"
    return int(digits) % 11 == 0 or birth_number


def _ie(value: str) -> bool:
    letters = "WABCDEFGHIJKLMNOPQRSTUV"
    total = weighted(value[:7], range(8, 1, -1))
    if len(value) == 9:
        total += 9 * letters.index(value[8]) if value[8] in letters else 0
    return letters[total % 23] == value[7]


def _gb(digits: str) -> bool:
    return weighted(digits[:9], (8, 7, 6, 5, 4, 3, 2, 10, 1)) % 97 in (0, 42)


def es_cif(value: str) -> bool:
    """CIF: Luhn over the digits, as a digit or a letter."""
    check = -luhn_rest(value[1:8] + "0") % 10
    return value[8] in (str(check), "JABCDEFGHI"[check])


_VAT_CHECKS: dict[str, Callable[[str], bool]] = {
    "AT": lambda value: _at_check(value[1:]),
    "BE": be_enterprise,
    "BG": _bg,
    "CY": _cy,
    "CZ": _cz,
    "DK": dk_cvr,
    "EE": _ee,
    "EL": _el,
    "ES": es_cif,
    "FI": fi_ytunnus,
    "HR": mod11_10,
    "HU": _hu,
    "IE": _ie,
    "LT": _lt,
    "LU": _lu,
    "LV": _lv,
    "MT": _mt,
    "NL": _nl,
    "PL": _pl,
    "PT": _pt,
    "RO": _ro,
    "SE": _se,
    "SI": _si,
    "SK": _sk,
    "GB": _gb,
    "XI": _gb,
}


def eu_vat(value: str) -> bool:
    """The country's own check of a VAT number with its prefix."""
    return _VAT_CHECKS[value[:2]](value[2:])


def ch_uid(value: str) -> bool:
    """UID of Switzerland: weights 5 4 3 2 7 6 5 4, mod 11."""
    digits = value[3:12]
    return -weighted(digits[:8], (5, 4, 3, 2, 7, 6, 5, 4)) % 11 == int(digits[8])


def no_organisation(digits: str) -> bool:
    """Organisation number of Norway: weights 3 2 7 6 5 4 3 2, mod 11."""
    return digits[0] in "89" and weighted(digits, (3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def lei(value: str) -> bool:
    """ISO 17442: mod 97,10."""
    return mod97_10(value)


IDENTIFIERS = (
    Identifier(
        "EU_VAT_NUMBER",
        form(
            r"(?:ATU\d{8}|BE ?[01]?\d{3}\.?\d{3}\.?\d{3}|BG\d{9,10}|CY\d{8}[A-Z]|CZ\d{8,10}|DK\d{8}"
            r"|EE\d{9}|EL\d{9}|ES[A-W]\d{7}[0-9A-J]|FI\d{8}|HR\d{11}|HU\d{8}|IE\d{7}[A-W][A-I]?"
            r"|LT(?:\d{12}|\d{9})|LU\d{8}|LV\d{11}|MT\d{8}|NL ?\d{9}B\d{2}|PL\d{10}|PT\d{9}"
            r"|RO\d{6,10}|SE\d{12}|SI\d{8}|SK\d{10}|(?:GB|XI) ?\d{3} ?\d{4} ?\d{2})"
        ),
        """vat, btw nummer, btw, tva, nip, uid nummer, ust id, iva, moms, momsnummer, alv, pvm,
        vat registration, dic, dph, afm, cif, numero tva""",
        eu_vat,
        ("check digit",),
        LIKELY,
        kind=VAT,
        category="employment",
        severity="low",
        example="GB 414 1163 01",
    ),
    Identifier(
        "CH_UID",
        form(r"CHE-?\d{3}\.?\d{3}\.?\d{3}"),
        "uid, unternehmens identifikationsnummer, ide, idi, mwst nummer, mwst",
        ch_uid,
        ("mod11",),
        CERTAIN,
        category="employment",
        severity="low",
        example="CHE-129047.690",
    ),
    Identifier(
        "FR_SIRET",
        form(r"\d{3} ?\d{3} ?\d{3} ?\d{5}"),
        "siret, numero siret, no siret",
        lambda digits: luhn(digits) and luhn_rest(digits[:9]) == 0,
        ("luhn",),
        POSSIBLE,
        category="employment",
        severity="low",
        example="083 071308 91527",
    ),
    Identifier(
        "FR_SIREN",
        form(r"\d{3} ?\d{3} ?\d{3}"),
        "siren, numero siren, no siren, rcs",
        luhn,
        ("luhn",),
        UNLIKELY,
        category="employment",
        severity="low",
        example="927 099085",
    ),
    Identifier(
        "BE_ENTERPRISE_NUMBER",
        form(r"[01]\d{3}\.\d{3}\.\d{3}|[01]\d{9}"),
        "ondernemingsnummer, numero d entreprise, kbo, bce, enterprise number",
        be_enterprise,
        ("mod97",),
        by_separator(LIKELY, UNLIKELY),
        category="employment",
        severity="low",
        example="0620.101.499",
    ),
    Identifier(
        "DK_CVR",
        form(r"\d{2} ?\d{2} ?\d{2} ?\d{2}"),
        "cvr, cvr nr, cvr nummer, se nummer",
        dk_cvr,
        ("mod11",),
        UNLIKELY,
        category="employment",
        severity="low",
        example="96 971036",
    ),
    Identifier(
        "FI_BUSINESS_ID",
        form(r"\d{7}-\d"),
        "y tunnus, ytunnus, business id, fo nummer",
        fi_ytunnus,
        ("mod11",),
        POSSIBLE,
        category="employment",
        severity="low",
        example="7483378-5",
    ),
    Identifier(
        "NO_ORGANISATION_NUMBER",
        form(r"[89]\d{2} ?\d{3} ?\d{3}"),
        "organisasjonsnummer, org nr, orgnr, foretaksnummer, organisation number",
        no_organisation,
        ("mod11",),
        UNLIKELY,
        category="employment",
        severity="low",
        example="859 907 377",
    ),
    Identifier(
        "ES_CIF",
        form(r"[A-HJNP-SUVW]-?\d{7}-?[0-9A-J]"),
        "cif, nif, codigo de identificacion fiscal, cif empresa",
        es_cif,
        ("luhn",),
        by_separator(LIKELY, 0.3),
        category="employment",
        severity="low",
        example="H9791907-J",
    ),
    Identifier(
        "UK_COMPANY_NUMBER",
        form(r"(?:SC|NI|OC|SO|LP)\d{6}|0\d{7}"),
        """company number, company no, companies house number, crn, company registration number,
        registered in england, registered number""",
        confidence=UNLIKELY,
        category="employment",
        severity="low",
        example="LP597910",
    ),
    Identifier(
        "NL_KVK",
        form(r"\d{8}"),
        "kvk, kvk nummer, kamer van koophandel, handelsregister",
        confidence=UNLIKELY,
        category="employment",
        severity="low",
        example="98259790",
    ),
    Identifier(
        "LEI",
        form(r"\d{4}[0-9A-Z]{14}\d{2}"),
        "lei, legal entity identifier, lei code",
        lei,
        ("mod97",),
        POSSIBLE,
        category="employment",
        severity="info",
        example="010946WWVKAK4MOOJN31",
    ),
)
