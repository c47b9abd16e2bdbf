"""Identifiers of South and Central America and the Caribbean."""

from __future__ import annotations

from waivern.detection.identifiers.checks import (
    day_of_century,
    luhn,
    luhn_rest,
    repeated,
    weighted,
)
from waivern.detection.identifiers.identifier import (
    CERTAIN,
    LIKELY,
    NATIONAL_ID,
    POSSIBLE,
    UNLIKELY,
    Identifier,
    by_separator,
    form,
)


def br_cpf(digits: str) -> bool:
    """CPF: two check digits mod 11."""
    if repeated(digits):
        return False
    first = -weighted(digits, range(10, 1, -1)) % 11 % 10
    second = -weighted(digits, range(11, 1, -1)) % 11 % 10
    return f"{first}{second}" == digits[9:]


def br_cnpj(digits: str) -> bool:
    """CNPJ: two check digits mod 11."""
    if repeated(digits):
        return False
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = -weighted(digits, weights[1:]) % 11 % 10
    second = -weighted(digits, weights) % 11 % 10
    return f"{first}{second}" == digits[12:]


def cl_rut(value: str) -> bool:
    """RUT and RUN: weights 2 to 7 in turn from the right, mod 11, K for 10."""
    digits, check = value[:-1], value[-1]
    total = sum(int(digit) * (2 + n % 6) for n, digit in enumerate(reversed(digits)))
    return "0K987654321"[total % 11] == check


def ar_cuit(digits: str) -> bool:
    """CUIT and CUIL: kind of holder, mod 11."""
    total = weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2))
    kind = digits[:2] in ("20", "23", "24", "25", "26", "27", "30", "33", "34")
    return kind and "012345678990"[(11 - total % 11) % 11] == digits[10]


def co_nit(digits: str) -> bool:
    """NIT of Colombia: prime weights from the right, mod 11."""
    weights = (3, 7, 13, 17, 19, 23, 29, 37, 41)
    rest = weighted(digits[-2::-1], weights) % 11
    return "01987654321"[rest] == digits[-1]


def ec_cedula(digits: str) -> bool:
    """Cedula of Ecuador: a province, a kind below 7, Luhn."""
    province = 1 <= int(digits[:2]) <= 24 or digits[:2] in ("30", "50")
    return province and digits[2] < "7" and luhn_rest(digits) == 0


def pe_ruc(digits: str) -> bool:
    """RUC of Peru: kind of holder, mod 11."""
    if digits[:2] not in ("10", "15", "17", "20"):
        return False
    total = weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2))
    return (11 - total % 11) % 10 == int(digits[10])


def ve_rif(value: str) -> bool:
    """RIF of Venezuela: kind of holder, mod 11."""
    total = {"V": 4, "E": 8, "J": 12, "P": 16, "G": 20}[value[0]]
    total += weighted(value[1:9], (3, 2, 7, 6, 5, 4, 3, 2))
    return "00987654321"[total % 11] == value[9]


def uy_ci(digits: str) -> bool:
    """Cedula of Uruguay: weights 2 9 8 7 6 3 4, mod 10."""
    padded = digits.zfill(8)
    return -weighted(padded, (2, 9, 8, 7, 6, 3, 4)) % 10 == int(padded[7])


def cu_ni(digits: str) -> bool:
    """Identity number of Cuba: a date of birth, and the century as a digit."""
    century = 1800 if digits[6] == "9" else 1900 if digits[6] < "6" else 2000
    return day_of_century(digits, century)


IDENTIFIERS = (
    Identifier(
        "BR_CPF",
        form(r"\d{3}\.\d{3}\.\d{3}-\d{2}|\d{11}|\d{9}-\d{2}"),
        "cpf, cpf number, numero do cpf, cadastro de pessoas fisicas",
        br_cpf,
        ("two check digits",),
        by_separator(CERTAIN, 0.3),
        kind=NATIONAL_ID,
        example="008002010-00",
    ),
    Identifier(
        "BR_CNPJ",
        form(r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}|\d{14}"),
        "cnpj, cnpj number, cadastro nacional da pessoa juridica",
        br_cnpj,
        ("two check digits",),
        by_separator(CERTAIN, 0.4),
        category="employment",
        severity="low",
        example="01017200001000",
    ),
    Identifier(
        "CL_RUT",
        form(r"\d{1,2}\.\d{3}\.\d{3}-[0-9K]|\d{7,8}-[0-9K]"),
        "rut, run, rol unico tributario, rut number, rol unico nacional",
        cl_rut,
        ("mod11",),
        lambda text: 0.6 if "." in text else 0.45,
        kind=NATIONAL_ID,
        example="71021100-0",
    ),
    Identifier(
        "AR_CUIT",
        form(r"\d{2}-\d{8}-\d|\d{11}"),
        "cuit, cuil, cuit number, clave unica de identificacion tributaria",
        ar_cuit,
        ("mod11",),
        by_separator(CERTAIN, POSSIBLE),
        example="27800111000",
    ),
    Identifier(
        "AR_DNI",
        form(r"\d{1,2}\.\d{3}\.\d{3}|\d{7,8}"),
        "dni, documento nacional de identidad, numero de documento, nro de documento",
        confidence=by_separator(0.15, UNLIKELY),
        example="5.919.740",
    ),
    Identifier(
        "CO_NIT",
        form(r"\d{3}\.\d{3}\.\d{3}-\d|\d{9,10}|\d{9}-\d"),
        "nit, numero de identificacion tributaria, rut",
        co_nit,
        ("mod11",),
        by_separator(LIKELY, UNLIKELY),
        example="900.721.833-7",
    ),
    Identifier(
        "CO_CEDULA",
        form(r"\d{1,3}\.\d{3}\.\d{3}(?:\.\d{3})?|\d{6,10}"),
        "cedula, cedula de ciudadania, cedula ciudadania, numero de cedula, cc no",
        confidence=UNLIKELY + 0.02,
        example="827.099.040",
    ),
    Identifier(
        "EC_CEDULA",
        form(r"\d{9}-?\d"),
        "cedula, cedula de identidad, cedula ecuatoriana, numero de cedula, ci",
        ec_cedula,
        ("province", "luhn"),
        by_separator(POSSIBLE, UNLIKELY),
        example="120024243-4",
    ),
    Identifier(
        "PE_DNI",
        form(r"\d{8}(?:-\d)?"),
        "dni, documento nacional de identidad, dni peru, documento de identidad",
        confidence=UNLIKELY,
        example="48490913-0",
    ),
    Identifier(
        "PE_RUC",
        form(r"\d{11}"),
        "ruc, numero de ruc, registro unico de contribuyentes",
        pe_ruc,
        ("mod11",),
        UNLIKELY,
        category="employment",
        severity="low",
        example="10600218099",
    ),
    Identifier(
        "VE_RIF",
        form(r"[VEJPG]-?\d{8}-?\d"),
        "rif, registro de informacion fiscal, registro unico de informacion fiscal",
        ve_rif,
        ("mod11",),
        by_separator(CERTAIN, 0.3),
        example="P-232860125",
    ),
    Identifier(
        "UY_CI",
        form(r"\d\.\d{3}\.\d{3}-\d|\d{7}-\d|\d{8}"),
        "ci, cedula, cedula de identidad, cedula uruguaya, documento",
        uy_ci,
        ("weights",),
        by_separator(LIKELY, UNLIKELY),
        example="9.597.907-4",
    ),
    Identifier(
        "DO_CEDULA",
        form(r"\d{3}-\d{7}-\d|\d{11}"),
        "cedula, cedula de identidad, cedula dominicana, numero de cedula",
        luhn,
        ("luhn",),
        by_separator(LIKELY, UNLIKELY),
        kind=NATIONAL_ID,
        example="900-7214833-2",
    ),
    Identifier(
        "CU_NI",
        form(r"\d{11}"),
        "carnet de identidad, numero de identidad, carne de identidad, nit cubano",
        cu_ni,
        ("date",),
        UNLIKELY,
        example="42101470690",
    ),
)
