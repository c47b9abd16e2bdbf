"""Identifiers of Germany, Austria and Switzerland."""

from __future__ import annotations

from collections.abc import Callable

from waivern.detection.identifiers.checks import (
    icao_9303,
    mod11_10,
    repeated,
    short_date,
    weighted,
)
from waivern.detection.identifiers.identifier import (
    CERTAIN,
    LICENCE,
    LIKELY,
    NATIONAL_ID,
    PASSPORT,
    PLATE,
    PLAUSIBLE,
    POSSIBLE,
    SOCIAL_SECURITY,
    TAX,
    UNLIKELY,
    VAT,
    Identifier,
    by_separator,
    form,
    if_valid,
)


def de_tax_id(digits: str) -> bool:
    """Steuer-ID: ISO 7064 mod 11,10, no leading zero, no digit more than three times."""
    often = max(map(digits[:10].count, digits[:10]))
    return digits[0] != "0" and often <= 3 and mod11_10(digits)


def _cross_sum(number: int) -> int:
    return sum(map(int, str(number)))


def _letter_as_digits(letter: str) -> str:
    return f"{ord(letter) - 64:02}"


def de_social_security(value: str) -> bool:
    """Pension insurance number: area, date of birth, letter of the surname, serial, check digit."""
    day = int(value[2:4]) - (50 if value[2] > "4" else 0)
    digits = value[:8] + _letter_as_digits(value[8]) + value[9:11]
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    total = sum(_cross_sum(int(d) * w) for d, w in zip(digits, weights, strict=True))
    return short_date(f"{day:02}{value[4:8]}", "dmy") and total % 10 == int(value[11])


def de_health_insurance(value: str) -> bool:
    """Health insurance number (KVNR): weights 1 and 2 in turn, cross sums."""
    digits = _letter_as_digits(value[0]) + value[1:9]
    total = sum(_cross_sum(int(d) * (1 + n % 2)) for n, d in enumerate(digits))
    return total % 10 == int(value[9])


def de_document(value: str) -> bool:
    """Identity card or passport: letters that are used, and the check digit if it is written."""
    if not set(value) <= set("0123456789CFGHJKLMNPRTVWXYZ"):
        return False
    return len(value) == 9 or icao_9303(value[:9], value[9])


def de_lanr(digits: str) -> bool:
    """Number of a physician: weights 4 and 9 in turn over six digits."""
    check = -weighted(digits[:6], (4, 9, 4, 9, 4, 9)) % 10
    return check == int(digits[6]) and not repeated(digits)


def de_vat(value: str) -> bool:
    """Value added tax id: ISO 7064 mod 11,10 over the nine digits."""
    return value[2] != "0" and mod11_10(value[2:])


def at_social_security(digits: str) -> bool:
    """Austrian social insurance: the fourth digit checks the others; a date of birth follows."""
    rest = weighted(digits, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11
    month = int(digits[6:8])
    dated = short_date(digits[4:10], "dmy") or month in (13, 14, 15)
    return digits[0] != "0" and dated and rest == int(digits[3])


def ch_ahv(digits: str) -> bool:
    """Swiss social insurance: the prefix 756, and the check digit of an EAN-13."""
    return -weighted(digits[:12], (1, 3) * 6) % 10 == int(digits[12])


def _document(first_letters: str) -> Callable[[str], float]:
    """Return the confidence of a number of a document, which begins with one of the letters.

    Authorities that issue passports have other letters than those that issue identity cards.
    Further letters among the digits make a number distinctive.
    """

    def certainty(text: str) -> float:
        letters = sum(map(str.isalpha, text))
        own = text[0] in first_letters
        return 0.3 if own and text.isupper() and 2 <= letters <= 5 else POSSIBLE

    return certainty


_DOCUMENT = form(r"[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}\d?")
_DOCUMENT_STARTS = tuple((letters, size) for letters in (1, 2, 3) for size in range(1, 10))

IDENTIFIERS = (
    Identifier(
        "DE_TAX_ID",
        form(r"\d{2} ?\d{3} ?\d{3} ?\d{3}"),
        """steuer id, steuerid, steueridentifikationsnummer, steuer identifikationsnummer,
        idnr, id nr,
        identifikationsnummer, steuer idnr, tax id, german tax id, tin, steueridentnr, steuerident,
        steuerliche identifikationsnummer, steuernummer, steueridentnummer""",
        de_tax_id,
        ("mod11-10",),
        kind=TAX,
        example="31980011080",
    ),
    Identifier(
        "DE_TAX_NUMBER",
        form(r"\d{2,3}/\d{3,4}/\d{4,5}|\d{5}/\d{5}|\d{10,13}"),
        """steuernummer, steuer nummer, st nr, stnr, steuernr, tax number, german tax number,
        finanzamt""",
        confidence=by_separator(0.3, UNLIKELY),
        kind=TAX,
        example="00101/07140",
    ),
    Identifier(
        "DE_SOCIAL_SECURITY",
        form(r"\d{2} ?\d{6} ?[A-Z] ?\d{3}"),
        """sozialversicherungsnummer, rentenversicherungsnummer, sv nummer, rvnr, svnr, sv nr,
        versicherungsnummer, rentenversicherung, sozialversicherung, social security number""",
        de_social_security,
        ("date", "weights"),
        CERTAIN,
        kind=SOCIAL_SECURITY,
        example="19711001A000",
    ),
    Identifier(
        "DE_HEALTH_INSURANCE",
        form(r"[A-Z]\d{9}"),
        """krankenversichertennummer, kvnr, versichertennummer, krankenversicherung, krankenkasse,
        versicherten id, gesundheitskarte, health insurance number, kv nummer""",
        de_health_insurance,
        ("weights",),
        lambda text: PLAUSIBLE if text.isupper() else POSSIBLE,
        category="health",
        example="A070001009",
    ),
    Identifier(
        "DE_ID_CARD",
        _DOCUMENT,
        """personalausweis, ausweisnummer, ausweis nr, personalausweisnummer, ausweis, id card,
        identity card, perso, identity card number""",
        de_document,
        confidence=_document("LMNPRTVWXYZ"),
        kind=NATIONAL_ID,
        example="C009Z0000",
    ),
    Identifier(
        "DE_PASSPORT",
        _DOCUMENT,
        """reisepass, passnummer, reisepassnummer, pass nr, passport, passport number, passport no,
        travel document""",
        de_document,
        confidence=_document("CFGHJK"),
        kind=PASSPORT,
        example="C009Z0000",
    ),
    Identifier(
        "DE_FUEHRERSCHEIN",
        form(r"[A-Z]{2}\d{8}[0-9A-Z]|[A-Z0-9]\d{2}[0-9A-Z]{6}\d[0-9A-Z]"),
        """fuehrerschein, führerschein, führerscheinnummer, fahrerlaubnis, fahrerlaubnisnummer,
        driver license, driving licence, licence number""",
        lambda value: not value.isdigit(),
        confidence=lambda text: 0.3 if text.isupper() else POSSIBLE,
        kind=LICENCE,
        example="00000GIL000",
    ),
    Identifier(
        "DE_LANR",
        form(r"\d{9}"),
        "lanr, arztnummer, lebenslange arztnummer, arzt nr, physician number, vertragsarztnummer",
        de_lanr,
        ("weights",),
        category="employment",
        severity="medium",
        example="041000070",
    ),
    Identifier(
        "DE_BSNR",
        form(r"\d{9}"),
        "bsnr, betriebsstättennummer, betriebsstaettennummer, praxisnummer, betriebsstätte",
        lambda digits: not repeated(digits) and digits[:2] != "00",
        confidence=UNLIKELY,
        category="employment",
        severity="low",
        example="019700101",
    ),
    Identifier(
        "DE_HANDELSREGISTER",
        form(r"HR[AB] ?\d{1,6}(?: ?[A-Z]{1,2})?(?![A-Za-z])"),
        "handelsregister, registergericht, amtsgericht, register, handelsregisternummer, hr nummer",
        confidence=LIKELY,
        category="employment",
        severity="low",
        example="HRB0000",
    ),
    Identifier(
        "DE_KFZ",
        form(r"[A-ZÄÖÜ]{1,3}[ -][A-Z]{1,2}[ -]?[1-9]\d{0,3}[HE]?"),
        """kennzeichen, kfz kennzeichen, kfz, nummernschild, autokennzeichen, license plate, plate,
        amtliches kennzeichen, registration, fahrzeug""",
        confidence=lambda text: 0.3 if text.isupper() else UNLIKELY,
        category="location",
        severity="medium",
        kind=PLATE,
        example="AAU A1000",
    ),
    Identifier(
        "DE_PLZ",
        form(r"\d{5}"),
        "plz, postleitzahl",
        lambda digits: "01000" < digits < "99999",
        confidence=UNLIKELY,
        category="location",
        severity="low",
        example="05000",
    ),
    Identifier(
        "DE_VAT_ID",
        form(r"DE[ .-]?(?:\d{9}|\d{3}[ .-]\d{3}[ .-]\d{3})"),
        """ust idnr, ustid, ust id, umsatzsteuer identifikationsnummer, vat id, vat number, vat,
        umsatzsteuer id, umsatzsteueridentifikationsnummer, vat no, ustidnr""",
        confidence=if_valid(de_vat, CERTAIN, POSSIBLE),
        category="employment",
        severity="low",
        kind=VAT,
        example="DE010000000",
    ),
    Identifier(
        "AT_SOCIAL_SECURITY",
        form(r"\d{4}[ -]?\d{6}"),
        """svnr, sozialversicherungsnummer, sv nummer, versicherungsnummer, social security number,
        sv nr, sozialversicherung""",
        at_social_security,
        ("weights", "date"),
        by_separator(LIKELY, POSSIBLE),
        kind=SOCIAL_SECURITY,
        example="6197 010110",
    ),
    Identifier(
        "CH_AHV",
        form(r"756([. ]?)\d{4}\1\d{4}\1\d{2}"),
        """ahv, ahv nummer, ahv nr, avs, numero avs, sozialversicherungsnummer, avs number,
        numero ahv, social security number""",
        ch_ahv,
        ("ean13",),
        by_separator(CERTAIN, LIKELY),
        kind=SOCIAL_SECURITY,
        example="7560100000001",
    ),
)
