"""Recall and precision of phones and cards in sentences of ten languages.

    python benchmarks/detection/prose.py [--seed 1] [--misses 40]

The sentences name a person and give a phone number or a card number, as letters, notes and chats
do. Others have look-alikes that must not be reported: order numbers, tracking numbers, references,
amounts, product codes, page ranges. Phone numbers are valid ones of the country according to
phonenumbers, in the formats that it knows and in those that people write; card numbers have the
prefixes and lengths of their networks and a check digit that holds. The values and the sentences
are independent of the detector.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import phonenumbers

from waivern.detection import scan

LANGUAGES = {
    "en_GB": "GB",
    "en_US": "US",
    "de": "DE",
    "fr": "FR",
    "es": "ES",
    "it": "IT",
    "nl": "NL",
    "pl": "PL",
    "pt": "PT",
    "sv": "SE",
}
NAMES = {
    "en_GB": ["Harriet Bell", "Mr Okafor", "Ewan", "Dr Pritchard", "Aisha Rahman"],
    "en_US": ["Marisol Vega", "Mr. Whitaker", "Tyrone", "Kim Tran", "Dr. Olsen"],
    "de": ["Anke Vogt", "Herr Brandl", "Frau Dr. Seidel", "Cem Yildiz", "Jonas"],
    "fr": ["Camille Perrin", "M. Lefort", "Mme Diallo", "Yanis", "le docteur Roux"],
    "es": ["Lucía Herrero", "el señor Campos", "doña Pilar", "Iker", "la doctora Soto"],
    "it": ["Chiara Fontana", "il signor Greco", "Matteo", "la dottoressa Villa", "Sara"],
    "nl": ["Sanne de Wit", "de heer Bakker", "mevrouw Smit", "Daan", "Youssef"],
    "pl": ["Agnieszka Wilk", "pan Sikora", "pani Zając", "Kuba", "doktor Lis"],
    "pt": ["Inês Moura", "o senhor Teixeira", "a dona Rosa", "Tiago", "a doutora Pires"],
    "sv": ["Elsa Nyström", "herr Bergman", "Kerstin", "doktor Sandell", "Amir"],
}
PHONES = {
    "en_GB": [
        "You can reach {name} on {value} after six.",
        "{name} rang from {value} about the boiler.",
        "Her new mobile is {value}, please update the list.",
        "If there is no answer, try {value} or leave a note.",
        "{name}'s number: {value}",
        "Text {name} at {value} when you arrive.",
        "I called {value} twice yesterday and got no reply.",
        "Tel. {value} (evenings only), ask for {name}",
        "Please ring {name} back; the number is {value}.",
        "Emergency contact: {name}, {value}",
    ],
    "en_US": [
        "Call {name} at {value} before noon.",
        "{name} left a voicemail from {value}.",
        "My cell is {value}; my office line is different.",
        "Please fax the form to {value}, attention {name}.",
        "Contact {name}, {value}, for the keys.",
        "You may also text {value} with questions.",
        "The patient can be reached by phone at {value}.",
        "{name} ({value}) will pick up the package.",
        "Phone number on file for {name}: {value}",
        "Dial {value} and ask for {name}.",
    ],
    "de": [
        "Sie erreichen {name} unter {value}.",
        "{name} hat von {value} aus angerufen.",
        "Meine neue Handynummer lautet {value}.",
        "Bitte rufen Sie {name} zurück: {value}",
        "Tel.: {value}, am besten abends",
        "Die Telefonnummer von {name} ist {value}.",
        "Rückfragen an {name} (Tel. {value})",
        "Im Notfall bitte {name} anrufen, {value}.",
        "Mobil {value}, Büro nur vormittags",
        "Schick mir eine SMS an {value}.",
    ],
    "fr": [
        "Vous pouvez joindre {name} au {value}.",
        "{name} a appelé du {value} hier soir.",
        "Mon nouveau portable est le {value}.",
        "Merci de rappeler {name} au {value} avant midi.",
        "Tél. : {value} (demander {name})",
        "Le numéro de téléphone de {name} est le {value}.",
        "Envoyez un SMS au {value}.",
        "En cas d'urgence, contacter {name} : {value}",
        "Son fixe, c'est le {value}.",
        "Téléphonez à {name}, {value}, pour confirmer.",
    ],
    "es": [
        "Puede llamar a {name} al {value}.",
        "{name} llamó desde el {value} anoche.",
        "Mi nuevo móvil es el {value}.",
        "Tel.: {value}, preguntar por {name}",
        "El teléfono de {name} es {value}.",
        "Envíame un WhatsApp al {value}.",
        "Contacto de emergencia: {name}, {value}",
        "Para cualquier duda, llame al {value}.",
        "El número de {name} es el {value}.",
        "Se puede contactar con {name} en el {value}.",
    ],
    "it": [
        "Può chiamare {name} al {value}.",
        "{name} ha telefonato dal {value} ieri sera.",
        "Il mio nuovo cellulare è {value}.",
        "Tel. {value}, chiedere di {name}",
        "Il numero di telefono di {name} è {value}.",
        "Mandami un messaggio al {value}.",
        "In caso di emergenza contattare {name}: {value}",
        "Per informazioni telefonare al {value}.",
        "Richiamare {name} al numero {value} entro sera.",
        "Fisso: {value}; risponde {name}.",
    ],
    "nl": [
        "U kunt {name} bereiken op {value}.",
        "{name} belde gisteren vanaf {value}.",
        "Mijn nieuwe mobiele nummer is {value}.",
        "Bel {name} terug op {value} voor vijf uur.",
        "Tel.: {value} (vragen naar {name})",
        "Het telefoonnummer van {name} is {value}.",
        "Stuur een sms naar {value}.",
        "Bij nood contact opnemen met {name}, {value}.",
        "Telefonisch bereikbaar op {value}.",
        "Mobiel: {value}, alleen 's avonds",
    ],
    "pl": [
        "Proszę zadzwonić do {name} pod numer {value}.",
        "{name} dzwonił z numeru {value} wczoraj.",
        "Mój nowy telefon to {value}.",
        "Tel. {value}, prosić {name}",
        "Numer telefonu {name}: {value}",
        "Wyślij SMS na {value}.",
        "W nagłych przypadkach kontakt: {name}, {value}",
        "Komórka: {value}, najlepiej po 18",
        "Kontakt telefoniczny: {value}",
        "{name} jest dostępny pod {value}.",
    ],
    "pt": [
        "Pode ligar para {name} pelo {value}.",
        "{name} telefonou do {value} ontem à noite.",
        "O meu novo telemóvel é {value}.",
        "Tel.: {value}, falar com {name}",
        "O número de telefone de {name} é {value}.",
        "Envie uma mensagem para {value}.",
        "Em caso de emergência contactar {name}: {value}",
        "Ligue para o {value} para confirmar.",
        "Contacto de {name}: {value}",
        "O telefone fixo é {value}.",
    ],
    "sv": [
        "Du når {name} på {value}.",
        "{name} ringde från {value} i går.",
        "Mitt nya mobilnummer är {value}.",
        "Ring {name} på {value} före lunch.",
        "Tel. {value}, fråga efter {name}",
        "Telefonnumret till {name} är {value}.",
        "Skicka ett sms till {value}.",
        "Vid nödfall kontakta {name}, {value}.",
        "Mobil: {value}, helst på kvällen",
        "{name} har telefon {value}.",
    ],
}
CARDS = {
    "en_GB": [
        "Please charge it to my card {value}, thanks, {name}",
        "{name} paid with {value} last Friday.",
        "The card ending soon is {value}, expiry 09/27.",
        "I gave them my Visa number, {value}, over the phone.",
        "Refund to {value} please.",
    ],
    "en_US": [
        "{name} wants the deposit on card {value}.",
        "My credit card number is {value} and it expires in May.",
        "Use {value} for the room, not the old one.",
        "Customer said the card {value} was stolen.",
        "Payment was declined for {value}.",
    ],
    "de": [
        "Bitte von meiner Karte {value} abbuchen.",
        "{name} hat mit {value} bezahlt.",
        "Die Kreditkarte {value} läuft im Mai ab.",
        "Meine Kartennummer lautet {value}.",
        "Erstattung bitte auf {value}.",
    ],
    "fr": [
        "Merci de débiter ma carte {value}.",
        "{name} a payé avec {value} vendredi.",
        "Le numéro de ma carte bancaire est le {value}.",
        "Remboursement sur la carte {value}, s'il vous plaît.",
        "La carte bleue {value} expire en mai.",
    ],
    "es": [
        "Cárguelo a mi tarjeta {value}, por favor.",
        "{name} pagó con {value} el viernes.",
        "El número de mi tarjeta es {value}.",
        "La tarjeta {value} caduca en mayo.",
        "Devolución a {value}, gracias.",
    ],
    "it": [
        "Addebitare sulla mia carta {value}.",
        "{name} ha pagato con {value} venerdì.",
        "Il numero della mia carta di credito è {value}.",
        "La carta {value} scade a maggio.",
        "Rimborso su {value}, grazie.",
    ],
    "nl": [
        "Graag afschrijven van mijn kaart {value}.",
        "{name} heeft met {value} betaald.",
        "Mijn creditcardnummer is {value}.",
        "De kaart {value} verloopt in mei.",
        "Terugbetaling op {value} graag.",
    ],
    "pl": [
        "Proszę obciążyć moją kartę {value}.",
        "{name} zapłacił kartą {value} w piątek.",
        "Numer mojej karty to {value}.",
        "Karta {value} traci ważność w maju.",
        "Zwrot na {value}, dziękuję.",
    ],
    "pt": [
        "Pode debitar no meu cartão {value}.",
        "{name} pagou com {value} na sexta.",
        "O número do meu cartão é {value}.",
        "O cartão {value} expira em maio.",
        "Reembolso para {value}, obrigada.",
    ],
    "sv": [
        "Dra det från mitt kort {value}, tack.",
        "{name} betalade med {value} i fredags.",
        "Mitt kortnummer är {value}.",
        "Kortet {value} går ut i maj.",
        "Återbetala till {value}, tack.",
    ],
}
LOOK_ALIKES = {
    "en_GB": [
        "Your order {number} has left our warehouse.",
        "The parcel with tracking number {number} is late, {name} says.",
        "See pages {range} of the annual report.",
        "Ticket {number} was closed by {name}.",
        "We sold {amount} units of article {number}.",
        "Your customer number {number} is on the letter.",
        "The number of visitors reached {amount} in March.",
    ],
    "en_US": [
        "Invoice {number} is past due.",
        "{name} opened case number {number} on Monday.",
        "The build {number} failed at step {amount}.",
        "Confirmation code {number}, please keep it.",
        "Sales grew in {range}, according to {name}.",
        "Member number {number} renewed, says {name}.",
        "Message {number} was delivered to {name}.",
    ],
    "de": [
        "Ihre Bestellung {number} wurde versandt.",
        "Die Rechnung {number} ist noch offen, schreibt {name}.",
        "Siehe Seiten {range} im Jahresbericht.",
        "Vorgang {number} wurde geschlossen.",
        "Artikelnummer {number}, {amount} Stück",
        "Ihre Kundennummer {number} steht auf dem Brief.",
        "Die Zahl der Besucher erreichte {amount} im März.",
    ],
    "fr": [
        "Votre commande {number} est partie.",
        "La facture {number} reste impayée, selon {name}.",
        "Voir les pages {range} du rapport.",
        "Le dossier {number} est clos.",
        "Colis {number}, {amount} pièces",
        "Votre numéro de client {number} figure sur la lettre.",
        "Le message {number} est arrivé.",
    ],
    "es": [
        "Su pedido {number} ha salido del almacén.",
        "La factura {number} sigue pendiente, dice {name}.",
        "Véanse las páginas {range} del informe.",
        "El envío {number} llega mañana.",
        "Referencia {number}, {amount} unidades",
        "Su número de cliente {number} figura en la carta.",
        "El mensaje {number} ha llegado.",
    ],
    "it": [
        "Il suo ordine {number} è partito.",
        "La fattura {number} non è pagata, dice {name}.",
        "Si vedano le pagine {range} del rapporto.",
        "La pratica {number} è chiusa.",
        "Articolo {number}, {amount} pezzi",
        "Il suo codice cliente {number} è sulla lettera.",
        "Il messaggio {number} è arrivato.",
    ],
    "nl": [
        "Uw bestelling {number} is verzonden.",
        "De factuur {number} staat nog open, zegt {name}.",
        "Zie pagina's {range} van het verslag.",
        "Zaak {number} is gesloten.",
        "Artikel {number}, {amount} stuks",
        "Uw klantnummer {number} staat op de brief.",
        "Bericht {number} is bezorgd.",
    ],
    "pl": [
        "Państwa zamówienie {number} zostało wysłane.",
        "Faktura {number} jest nieopłacona, pisze {name}.",
        "Zob. strony {range} sprawozdania.",
        "Sprawa {number} jest zamknięta.",
        "Artykuł {number}, {amount} sztuk",
        "Pana numer klienta {number} jest w liście.",
        "Wiadomość {number} dotarła.",
    ],
    "pt": [
        "A sua encomenda {number} foi enviada.",
        "A fatura {number} está por pagar, diz {name}.",
        "Ver as páginas {range} do relatório.",
        "O processo {number} foi encerrado.",
        "Artigo {number}, {amount} unidades",
        "O seu número de cliente {number} consta da carta.",
        "A mensagem {number} chegou.",
    ],
    "sv": [
        "Din beställning {number} har skickats.",
        "Faktura {number} är obetald, skriver {name}.",
        "Se sidorna {range} i årsredovisningen.",
        "Ärende {number} är avslutat.",
        "Artikel {number}, {amount} stycken",
        "Ditt kundnummer {number} står i brevet.",
        "Meddelande {number} har kommit fram.",
    ],
}
NETWORKS = (
    ("4", 16, (4, 4, 4, 4)),
    ("51", 16, (4, 4, 4, 4)),
    ("55", 16, (4, 4, 4, 4)),
    ("2223", 16, (4, 4, 4, 4)),
    ("34", 15, (4, 6, 5)),
    ("37", 15, (4, 6, 5)),
    ("6011", 16, (4, 4, 4, 4)),
    ("36", 14, (4, 6, 4)),
    ("3530", 16, (4, 4, 4, 4)),
)


class Case(NamedTuple):
    """A sentence, and the value in it that must be reported, if any."""

    text: str
    kind: str | None
    span: tuple[int, int] | None


def check_digit(digits: str) -> str:
    """Return the digit that makes a number hold Luhn's check (ISO/IEC 7812-1)."""
    total = 0
    for n, char in enumerate(reversed(digits)):
        double = int(char) * (2 if n % 2 == 0 else 1)
        total += double - 9 if double > 9 else double
    return str(-total % 10)


def card(rng: random.Random) -> str:
    prefix, length, groups = rng.choice(NETWORKS)
    digits = prefix + "".join(rng.choices("0123456789", k=length - len(prefix) - 1))
    digits += check_digit(digits)
    separator = rng.choice((" ", " ", "-", ""))
    parts, at = [], 0
    for size in groups:
        parts.append(digits[at : at + size])
        at += size
    return separator.join(parts)


def phone(rng: random.Random, region: str) -> str:
    kinds = phonenumbers.PhoneNumberType
    while True:
        kind = rng.choice((kinds.MOBILE, kinds.MOBILE, kinds.FIXED_LINE))
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            continue
        digits = str(example.national_number)
        keep = rng.choice((2, 3, 4))
        digits = digits[:keep] + "".join(rng.choices("0123456789", k=len(digits) - keep))
        number = phonenumbers.parse(digits, region)
        if phonenumbers.is_valid_number_for_region(number, region):
            return _written(rng, number, region)


def _written(rng: random.Random, number: phonenumbers.PhoneNumber, region: str) -> str:
    forms = phonenumbers.PhoneNumberFormat
    national = phonenumbers.format_number(number, forms.NATIONAL)
    international = phonenumbers.format_number(number, forms.INTERNATIONAL)
    if region == "GB":
        with_trunk = international.replace("+44 ", "+44 (0)", 1)
    elif region == "DE":
        with_trunk = international.replace("+49 ", "+49 (0) ", 1)
    else:
        with_trunk = international
    choice = rng.choice("nnniiiedhstz")
    return {
        "n": national,
        "i": international,
        "e": phonenumbers.format_number(number, forms.E164),
        "d": national.replace(" ", "."),
        "h": national.replace(" ", "-") if "(" not in national else national,
        "s": "".join(c for c in national if c.isdigit()),
        "t": with_trunk,
        "z": "00" + international[1:],
    }[choice]


def look_alike(rng: random.Random) -> dict[str, str]:
    number = rng.choice(
        (
            "".join(rng.choices("0123456789", k=rng.choice((8, 9, 10, 11, 12, 13)))),
            f"{rng.randint(100, 999)}-{rng.randint(10**6, 10**7)}-{rng.randint(10**6, 10**7)}",
            f"{rng.randint(2019, 2026)}-{rng.randint(100000, 999999)}",
            f"{rng.randint(10, 99)}.{rng.randint(100, 999)}.{rng.randint(100, 999)}",
            f"{rng.randint(100, 999)} {rng.randint(100, 999)} {rng.randint(100, 999)}",
            f"0{rng.randint(10**8, 10**9 - 1)}",
        )
    )
    first = rng.randint(100, 900)
    years = rng.randint(1990, 2015)
    return {
        "number": number,
        "range": rng.choice((f"{first}-{first + 40}", f"{years}-{years + 9}")),
        "amount": f"{rng.randint(1000, 99000):,}",
    }


def cases(seed: int, each: int) -> Iterator[tuple[str, Case]]:
    """Yield (language, case), `each` times every sentence."""
    rng = random.Random(seed)
    for language, region in LANGUAGES.items():
        for _ in range(each):
            for kind, sentences in (("PHONE_NUMBER", PHONES), ("CREDIT_CARD", CARDS)):
                for sentence in sentences[language]:
                    value = phone(rng, region) if kind == "PHONE_NUMBER" else card(rng)
                    head = sentence.replace("{name}", rng.choice(NAMES[language]))
                    at = head.index("{value}")
                    text = head.replace("{value}", value)
                    yield language, Case(text, kind, (at, at + len(value)))
            for sentence in LOOK_ALIKES[language]:
                text = sentence.format(name=rng.choice(NAMES[language]), **look_alike(rng))
                yield language, Case(text, None, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--misses", type=int, default=0, help="print so many wrong sentences")
    options = parser.parse_args()
    counts: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    wrong: list[str] = []
    for language, case in cases(options.seed, options.each):
        found = {(m.type, m.start, m.end) for m in scan(case.text)}
        for kind in ("PHONE_NUMBER", "CREDIT_CARD"):
            got = {(a, b) for t, a, b in found if t == kind}
            want = {case.span} if case.kind == kind else set()
            row = [len(got & want), len(got - want), len(want - got)]
            for key in (language, "all"):
                counts[key, kind] = [a + b for a, b in zip(counts[key, kind], row, strict=True)]
            if row[1] or row[2]:
                sign = "-" if row[2] else "+"
                spans = ", ".join(f"{t} {case.text[a:b]}" for t, a, b in sorted(found))
                wrong.append(f"{sign} {language} {kind}: {case.text}   [{spans}]")
    print("language\ttype\tright\tfalse\tmissed\tprecision\trecall")
    for (language, kind), (hit, false, missed) in sorted(counts.items()):
        precision = hit / (hit + false) if hit + false else 1.0
        recall = hit / (hit + missed) if hit + missed else 1.0
        print(f"{language}\t{kind}\t{hit}\t{false}\t{missed}\t{precision:.3f}\t{recall:.3f}")
    step = max(1, len(wrong) // options.misses) if options.misses else len(wrong) + 1
    for line in wrong[::step] if options.misses else ():
        print(line)


if __name__ == "__main__":
    main()
