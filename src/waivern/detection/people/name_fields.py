"""Names of fields that hold a person's name, in the languages of Europe and in Japanese."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

from waivern.detection.word_splitting import words


class NameField(Enum):
    """The kind of name that a field holds."""

    FULL = "full"
    """A whole name, of a person: `patient_name`."""
    PART = "part"
    """A given name or a surname, mostly of one word: `first_name`."""
    WEAK = "weak"
    """A name of a person or of anything else: `name`, `author`, `owner`, `contact`."""


_NAME = frozenset(
    """
    name nom nombre nome naam navn namn nimi nazwa jmeno ime imie nev
    """.split()  # noqa: SIM905
)
_GIVEN = frozenset(
    """
    first given fore middle christian second preferred
    """.split()  # noqa: SIM905
)
_FAMILY = frozenset(
    """
    last family sur maiden birth paternal maternal father mother
    """.split()  # noqa: SIM905
)
_PERSON = frozenset(
    """
    full complete completo complet real legal person personal customer client patient employee
    contact member guest student pupil teacher doctor physician nurse parent guardian spouse partner
    husband wife child recipient sender applicant candidate passenger beneficiary insured tenant
    buyer seller purchaser signer signatory holder cardholder cardholders subscriber participant
    attendee resident citizen voter driver author owner assignee reporter manager supervisor
    kunde kunden mitarbeiter patienten ansprechpartner inhaber cliente paciente empleado titular
    beneficiario dipendente paziente klant medewerker pasient kund
    """.split()  # noqa: SIM905
)
_PARTS = frozenset(
    """
    firstname lastname forename surname givenname familyname middlename fname lname vorname nachname
    familienname geburtsname rufname zuname prenom apellido apellidos cognome voornaam achternaam
    tussennaam fornavn efternavn etternavn mellomnavn fornamn efternamn tilltalsnamn etunimi
    sukunimi imie nazwisko prijmeni krestni sobrenome apelido keresztnev vezeteknev jmeno prenume
    """.split()  # noqa: SIM905
)
_FULLS = frozenset(
    """
    fullname kundenname patientenname mitarbeitername kontoinhaber karteninhaber cardholder
    nominativo ragazzo customername patientname employeename clientname contactname holdername
    """.split()  # noqa: SIM905
)
_WEAK = frozenset(
    """
    name nom nombre nome naam navn namn nimi nev meno customer client patient employee contact
    person author autor auteur autore owner assignee reporter manager doctor physician
    recipient sender applicant beneficiary insured tenant signatory cliente paciente titular
    kunde kundin patientin ansprechpartner inhaber klant medewerker maintainer creator artist
    composer editor reviewer teacher student guest member passenger driver witness attendee
    speaker submitter
    """.split()  # noqa: SIM905
)
_NEUTRAL = frozenset(
    """
    the a an of your my his her our their de la le el il du der die das is in
    """.split()  # noqa: SIM905
)
OTHER_SCRIPTS = {
    "氏名": NameField.FULL,
    "名前": NameField.FULL,
    "お名前": NameField.FULL,
    "患者名": NameField.FULL,
    "顧客名": NameField.FULL,
    "担当者": NameField.FULL,
    "担当者名": NameField.FULL,
    "姓": NameField.PART,
    "名": NameField.PART,
    "苗字": NameField.PART,
    "フリガナ": NameField.FULL,
    "ふりがな": NameField.FULL,
    "姓名": NameField.FULL,
    "이름": NameField.FULL,
    "ФИО": NameField.FULL,
    "Имя": NameField.PART,
    "имя": NameField.PART,
    "Фамилия": NameField.PART,
    "фамилия": NameField.PART,
    "Прізвище": NameField.PART,
    "Όνομα": NameField.PART,
    "Επώνυμο": NameField.PART,
    "성명": NameField.FULL,
}
"""Labels in other scripts than Latin."""
FIELD_WORDS = _NAME | _PARTS | _FULLS
"""Words for a name itself: a value with one of them is a heading, as in a translation."""
ANCHORS = _NAME | _PARTS | _FULLS | _WEAK
"""The last word of every such field."""


@lru_cache(maxsize=4096)
def name_field(name: str) -> NameField | None:
    """Return the kind of name that a field of this name holds; None for other fields."""
    if not name.isascii() and (found := OTHER_SCRIPTS.get(name.strip(" :\uff1a*"))):
        return found
    parts = words(name)
    if not parts or len(parts) > _LONGEST:
        return None
    last, before = parts[-1], parts[:-1]
    joined = "".join(parts[-2:])
    if last in _PARTS or joined in _PARTS:
        return NameField.PART
    if last in _FULLS or joined in _FULLS:
        return NameField.FULL
    if last in _NAME:
        return _qualified(before)
    if last in _COMPLETE and before and before[-1] in _NAME:
        return NameField.FULL
    if last in _WEAK and all(word in _NEUTRAL | _PERSON for word in before):
        return NameField.WEAK
    return None


_LONGEST = 6
_ACCOUNT = frozenset(
    """
    user display account screen profile owner
    """.split()  # noqa: SIM905
)
_COMPLETE = frozenset(
    """
    completo complet complete completa
    """.split()  # noqa: SIM905
)
_PEOPLE = frozenset(
    """
    email mail courriel correo phone telephone tel telefon telefono mobile birth birthday birthdate
    dob born geburtsdatum geburtstag naissance nacimiento nascita gender sex ssn salary salutation
    nationality passport iban vorname nachname surname pesel bsn nhs nino insurance steuer steuerid
    secu nir aadhaar cpf dni curp personnummer cpr fodselsnummer hetu fiscale oib egn cnp jmbg
    diagnosis marital spouse religion employer occupation
    """.split()  # noqa: SIM905
)


def _qualified(before: tuple[str, ...]) -> NameField | None:
    """Return the kind of a field whose last word is `name`, by the word that qualifies it."""
    rest = [word for word in before if word not in _NEUTRAL]
    if not rest:
        return NameField.WEAK
    if rest[-1] in _GIVEN or rest[-1] in _FAMILY:
        return NameField.PART
    if rest[-1] in _PERSON:
        return NameField.FULL
    return NameField.WEAK if rest[-1] in _ACCOUNT else None


def describes_people(fields: Iterable[str]) -> bool:
    """Return whether fields beside a name show that the record is about a person."""
    return any(
        name_field(field) is NameField.PART or not _PEOPLE.isdisjoint(words(field))
        for field in fields
    )
