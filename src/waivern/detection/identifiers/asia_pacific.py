"""Identifiers of Asia, Australia and New Zealand."""

from __future__ import annotations

from waivern.detection.identifiers.checks import (
    ALPHABET,
    is_date,
    luhn,
    repeated,
    short_date,
    verhoeff,
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
    TAX,
    UNLIKELY,
    Identifier,
    bare,
    by_separator,
    form,
    if_valid,
)


def in_aadhaar(digits: str) -> bool:
    """Aadhaar: Verhoeff; it begins with 2 to 9, and is no palindrome."""
    return digits[0] in "23456789" and digits != digits[::-1] and verhoeff(digits)


def in_gstin(value: str) -> bool:
    """GSTIN: a state, and a check character over weights 1 and 2, base 36."""
    total = 0
    for place, char in enumerate(value[:14]):
        product = ALPHABET.index(char) * (1 + place % 2)
        total += product // 36 + product % 36
    return ALPHABET[-total % 36] == value[14]


def in_voter(value: str) -> bool:
    """EPIC number: Luhn over the seven digits."""
    return luhn(value[3:])


def kr_rrn(digits: str) -> bool:
    """Resident registration number before October 2020: weights 2 to 9, 2 to 5, mod 11."""
    total = weighted(digits, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5))
    return (11 - total % 11) % 10 == int(digits[12])


def _born(digits: str, sexes: str) -> bool:
    return digits[6] in sexes and short_date(digits[:6])


def kr_brn(digits: str) -> bool:
    """Business registration number: weights 1 3 7 1 3 7 1 3 5."""
    total = weighted(digits, (1, 3, 7, 1, 3, 7, 1, 3, 5)) + int(digits[8]) * 5 // 10
    return -total % 10 == int(digits[9])


def sg_nric(value: str) -> bool:
    """NRIC and FIN: weights 2 7 6 5 4 3 2, and the letter of the series."""
    total = weighted(value[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(value[0], 0)
    if value[0] == "M":
        return "KLJNPQRTUWX"[10 - total % 11] == value[8]
    letters = "JZIHGFEDCBA" if value[0] in "ST" else "XWUTRQPNMLK"
    return letters[total % 11] == value[8]


def th_tnin(digits: str) -> bool:
    """Thai identification number: a province from 10 to 96, weights 13 to 2, mod 11."""
    return 10 <= int(digits[1:3]) <= 96 and (
        11 - weighted(digits, range(13, 1, -1)) % 11
    ) % 10 == int(digits[12])


def cn_resident(value: str) -> bool:
    """Resident identity number: a date of birth, ISO 7064 mod 11,2."""
    if not is_date(int(value[6:10]), int(value[10:12]), int(value[12:14])):
        return False
    total = sum(int(digit) * 2 ** (17 - n) for n, digit in enumerate(value[:17]))
    return "10X98765432"[total % 11] == value[17]


def jp_my_number(digits: str) -> bool:
    """My Number: weights 6 5 4 3 2 7 6 5 4 3 2, mod 11."""
    rest = weighted(digits, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if rest < 2 else 11 - rest) == int(digits[11]) and not repeated(digits)


def hk_hkid(value: str) -> bool:
    """Hong Kong identity card: weights 9 to 1 over letters and digits, mod 11."""
    body, check = value[:-1], value[-1]
    values = [ALPHABET.index(char) for char in body]
    total = (0 if len(body) == 8 else 36 * 9) + sum(
        number * weight for number, weight in zip(values, range(len(body) + 1, 1, -1), strict=True)
    )
    return (total + (10 if check == "A" else int(check))) % 11 == 0


def tw_id(value: str) -> bool:
    """Taiwanese identity card: the letter as two digits, weights 1 9 8 7 6 5 4 3 2 1 1."""
    number = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(value[0]) + 10
    return weighted(f"{number}{value[1:]}", (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)) % 10 == 0


def il_id(digits: str) -> bool:
    """Israeli identity number: Luhn over nine digits."""
    return luhn(digits)


def au_tfn(digits: str) -> bool:
    """Tax file number: weights 1 4 3 7 5 8 6 9 10, mod 11."""
    return weighted(digits, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0 and not repeated(digits)


def au_abn(digits: str) -> bool:
    """Business number: one less in front, mod 89."""
    if digits[0] == "0":
        return False
    less = str(int(digits[0]) - 1) + digits[1:]
    return weighted(less, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) % 89 == 0


def au_acn(digits: str) -> bool:
    """Company number: weights 8 to 1."""
    return -weighted(digits[:8], range(8, 0, -1)) % 10 == int(digits[8]) and not repeated(digits)


def au_medicare(digits: str) -> bool:
    """Medicare card: it begins with 2 to 6, weights 1 3 7 9, then an issue number."""
    check = weighted(digits[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10
    return digits[0] in "23456" and check == int(digits[8])


def nz_ird(digits: str) -> bool:
    """IRD number: weights 3 2 7 6 5 4 3 2, a second set if the check digit is 10."""
    digits = digits.zfill(9)
    if not 10_000_000 < int(digits) < 150_000_000:
        return False
    for weights in ((3, 2, 7, 6, 5, 4, 3, 2), (7, 4, 3, 2, 5, 2, 7, 6)):
        check = -weighted(digits[:8], weights) % 11
        if check != 10:
            return check == int(digits[8])
    return False


_STATES = (
    "(?:AN|AP|AR|AS|BR|CG|CH|DD|DL|DN|GA|GJ|HP|HR|JH|JK|KA|KL|LA|LD|MH|ML|MN|MP|MZ|NL|OD|OR|PB|PY"
    "|RJ|SK|TN|TR|TS|UK|UP|WB)"
)
"""The states of India in registration marks."""
_PAN = r"[A-Z]{5}\d{4}[A-Z]"


def _capitals(text: str) -> float:
    """Return the confidence of a value of digits and letters: hexadecimal digits look the same."""
    return LIKELY if text.isupper() and set(text) - _HEX else POSSIBLE


_HEX = frozenset("0123456789ABCDEF")


IDENTIFIERS = (
    Identifier(
        "IN_AADHAAR",
        form(r"[2-9]\d{3}([-: ]?)\d{4}\1\d{4}"),
        "aadhaar, aadhar, uidai, aadhaar number, aadhar number, aadhaar no, uid",
        in_aadhaar,
        ("verhoeff",),
        by_separator(LIKELY, POSSIBLE),
        kind=NATIONAL_ID,
        example="200053000001",
    ),
    Identifier(
        "IN_PAN",
        form(r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]"),
        "pan, pan number, pan card, permanent account number, pan no",
        lambda value: value[5:9] != "0000",
        confidence=_capitals,
        kind=TAX,
        example="ATQAA0010F",
    ),
    Identifier(
        "IN_GSTIN",
        form(rf"(?:0[1-9]|[12]\d|3[0-8]|97|99){_PAN}[1-9A-Z]Z[0-9A-Z]"),
        "gstin, gst, gst number, gst registration, gstin number, gst no",
        confidence=if_valid(in_gstin, CERTAIN, LIKELY),
        category="employment",
        severity="low",
        example="01WAAPF8001N1Z1",
    ),
    Identifier(
        "IN_PASSPORT",
        form(r"[A-PR-WY][1-9]\d ?\d{4}[1-9]"),
        "passport, passport number, passport no, indian passport",
        kind=PASSPORT,
        example="A1111071",
    ),
    Identifier(
        "IN_VOTER",
        form(r"[A-Z]{3}\d{7}"),
        "voter, voter id, epic, election card, voter card, voter number, elector, vote",
        confidence=if_valid(in_voter, 0.3, POSSIBLE),
        example="XAA0710210",
    ),
    Identifier(
        "IN_VEHICLE_REGISTRATION",
        form(rf"{_STATES}[ -]?\d{{1,2}}[ -]?[A-Z]{{1,3}}[ -]?\d{{4}}"),
        """registration number, vehicle number, registration, vehicle registration, number plate,
        rto, bike, car""",
        confidence=_capitals,
        category="location",
        severity="medium",
        kind=PLATE,
        example="GJ0A0000",
    ),
    Identifier(
        "KR_RRN",
        form(r"\d{6}-?[1-4]\d{6}"),
        "rrn, resident registration number, korean rrn, 주민등록번호, resident number",
        lambda digits: _born(digits, "1234"),
        ("date",),
        lambda text: (
            (CERTAIN if kr_rrn(bare(text)) else LIKELY)
            if "-" in text
            else (LIKELY if kr_rrn(bare(text)) else POSSIBLE)
        ),
        kind=NATIONAL_ID,
        example="710210-1000000",
    ),
    Identifier(
        "KR_FRN",
        form(r"\d{6}-?[5-8]\d{6}"),
        "frn, foreigner registration number, korean frn, 외국인등록번호, alien registration number",
        lambda digits: _born(digits, "5678"),
        ("date",),
        by_separator(LIKELY, POSSIBLE),
        kind=NATIONAL_ID,
        example="001002-7200000",
    ),
    Identifier(
        "KR_BRN",
        form(r"\d{3}(-?)\d{2}\1\d{5}"),
        "brn, business registration number, 사업자등록번호, business number",
        kr_brn,
        ("weights",),
        by_separator(LIKELY, POSSIBLE),
        category="employment",
        severity="low",
        example="0000560100",
    ),
    Identifier(
        "KR_DRIVER_LICENSE",
        form(r"(?:1[1-9]|2[0-8])(-?)\d{2}\1\d{6}\1\d{2}"),
        "driver license, driving license, license, 운전면허, 운전면허번호, licence, license number",
        confidence=by_separator(LIKELY, POSSIBLE),
        kind=LICENCE,
        example="13-71-021000-00",
    ),
    Identifier(
        "KR_PASSPORT",
        form(r"[MSROGD](?:\d{8}|\d{3}[A-Z]\d{4})"),
        "passport, passport number, passport no, 여권, 여권번호, korean passport",
        confidence=lambda text: 0.3 if text[4].isalpha() and text.isupper() else POSSIBLE,
        kind=PASSPORT,
        example="D450A0000",
    ),
    Identifier(
        "SG_NRIC_FIN",
        form(r"[STFGM]\d{7}[A-Z]"),
        "nric, fin, nric number, singapore id, identity card, nric fin, ic number, ic no",
        confidence=lambda text: CERTAIN if sg_nric(text.upper()) and text.isupper() else 0.3,
        kind=NATIONAL_ID,
        example="F0000002A",
    ),
    Identifier(
        "SG_UEN",
        form(r"\d{8}[A-Z]|(?:19|20)\d{7}[A-Z]|[TSR]\d{2}[A-Z]{2}\d{4}[A-Z]"),
        "uen, unique entity number, business registration, company registration, uen number",
        confidence=lambda text: 0.3 if text.isupper() else POSSIBLE,
        category="employment",
        severity="low",
        example="00100271A",
    ),
    Identifier(
        "TH_TNIN",
        form(r"[1-8](-?)\d{4}\1\d{5}\1\d{2}\1\d"),
        """tnin, thai id, national id, เลขประจำตัวประชาชน, บัตรประชาชน, citizen id, thai national id,
        identification number, pin""",
        th_tnin,
        ("mod11",),
        by_separator(CERTAIN, 0.3),
        kind=NATIONAL_ID,
        example="1100040020000",
    ),
    Identifier(
        "PH_TIN",
        form(r"\d{3}-\d{3}-\d{3}(?:-\d{3,5})?|\d{9}|\d{12}"),
        "tin, tax identification number, tax identification, bir, tin number, tin no",
        lambda digits: "000" not in (digits[:3], digits[3:6]) and not repeated(digits),
        confidence=by_separator(POSSIBLE, UNLIKELY),
        kind=TAX,
        example="700210100",
    ),
    Identifier(
        "CN_RESIDENT_ID",
        form(r"[1-8]\d{16}[0-9X]"),
        "身份证, 身份证号, resident identity card, chinese id, id card number, 公民身份号码",
        cn_resident,
        ("date", "mod11-2"),
        CERTAIN,
        kind=NATIONAL_ID,
        example="101980020101081000",
    ),
    Identifier(
        "JP_MY_NUMBER",
        form(r"\d{4}([- ]?)\d{4}\1\d{4}"),
        "my number, mynumber, マイナンバー, 個人番号, individual number",
        jp_my_number,
        ("mod11",),
        POSSIBLE,
        kind=NATIONAL_ID,
        example="200053000001",
    ),
    Identifier(
        "HK_HKID",
        form(r"[A-Z]{1,2}\d{6}\(?[0-9A]\)?"),
        "hkid, hong kong id, hong kong identity card, 身份證, hkid number, identity card number",
        hk_hkid,
        ("mod11",),
        lambda text: CERTAIN if "(" in text else POSSIBLE,
        kind=NATIONAL_ID,
        example="C110172(0",
    ),
    Identifier(
        "TW_NATIONAL_ID",
        form(r"[A-Z][12]\d{8}"),
        "身分證字號, taiwan id, national id, 身分證, id number, taiwan national id",
        tw_id,
        ("weights",),
        _capitals,
        kind=NATIONAL_ID,
        example="A111070000",
    ),
    Identifier(
        "IL_ID_NUMBER",
        form(r"\d{9}"),
        "teudat zehut, תעודת זהות, israeli id, tz, id number",
        il_id,
        ("luhn",),
        UNLIKELY,
        kind=NATIONAL_ID,
        example="010027100",
    ),
    Identifier(
        "AU_TFN",
        form(r"\d{3}([ -]?)\d{3}\1\d{3}"),
        "tfn, tax file number, tax file, tfn number",
        au_tfn,
        ("mod11",),
        by_separator(LIKELY - 0.1, POSSIBLE),
        kind=TAX,
        example="072101100",
    ),
    Identifier(
        "AU_ABN",
        form(r"\d{2} ?\d{3} ?\d{3} ?\d{3}"),
        "abn, australian business number, business number",
        au_abn,
        ("mod89",),
        by_separator(LIKELY, POSSIBLE),
        category="employment",
        severity="low",
        example="41 010710040",
    ),
    Identifier(
        "AU_ACN",
        form(r"\d{3}([ -]?)\d{3}\1\d{3}"),
        "acn, australian company number, company number",
        au_acn,
        ("weights",),
        by_separator(LIKELY - 0.1, POSSIBLE),
        category="employment",
        severity="low",
        example="007002100",
    ),
    Identifier(
        "AU_MEDICARE",
        form(r"\d{4} ?\d{5} ?\d(?:[ /-]?\d)?"),
        "medicare, medicare number, medicare card, medicare no",
        au_medicare,
        ("weights",),
        by_separator(PLAUSIBLE, POSSIBLE),
        category="health",
        example="619800110 0",
    ),
    Identifier(
        "NZ_IRD",
        form(r"\d{2,3}([- ]?)\d{3}\1\d{3}"),
        "ird, ird number, ird no, inland revenue",
        nz_ird,
        ("mod11",),
        POSSIBLE,
        kind=TAX,
        example="080021100",
    ),
)
