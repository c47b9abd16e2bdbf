"""Names of persons in a text, by what stands around them.

No word of running text is looked at: the words of the text decide which signals are searched for at
all, and each of these is a search for one literal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from waivern.detection.expressions import expression
from waivern.detection.people import address_fields, name_fields
from waivern.detection.people import name_signals as signals
from waivern.detection.people.address_fields import address_field, addresses_of
from waivern.detection.people.declared_columns import named_columns
from waivern.detection.people.name_columns import names_of, whole_value
from waivern.detection.people.name_fields import name_field
from waivern.detection.people.name_labels import labelled
from waivern.detection.prepared_text import Candidate, PreparedText
from waivern.detection.word_splitting import tokens_in

_INSIDE = expression(r"\w")


def persons(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the names in a text; each signal is only searched for if its words occur."""
    if doc.field is not None:
        yield from whole_value(doc)
    text = doc.text
    if "@" in text:
        yield from signals.addressed_names(text)
    for signal in _SIGNALS:
        for word in signal.words.keys() & doc.spelled:
            for literal in signal.words[word]:
                for at in doc.places_of(word, literal):
                    if not (at and _INSIDE.match(text, at - 1)):
                        yield from signal.find(text, at, at + len(literal))
    if "\n  [ " in text:
        yield from signals.bracketed_names(text)
    yield from labelled(doc)
    yield from _in_columns(doc)


def _in_columns(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the names and the addresses in the columns of tables."""
    if doc.columns_read:
        return
    if (name_fields.ANCHORS | address_fields.ANCHORS).isdisjoint(doc.seen) and doc.text.isascii():
        return
    for column in named_columns(doc, lambda name: name_field(name) or address_field(name)):
        if kind := name_field(column.name):
            yield from names_of(doc, column, kind)
        elif part := address_field(column.name):
            yield from addresses_of(doc, column, part)


class _Signal(NamedTuple):
    find: Callable[[str, int, int], Iterator[Candidate]]
    """Takes the text and the place of the literal."""
    words: dict[str, tuple[str, ...]]
    """The literals by the word, as it is spelled, without which they do not occur."""


def _each(phrases: str) -> dict[str, tuple[str, ...]]:
    """Return the phrases, which are separated by '|', by their longest words."""
    found: dict[str, tuple[str, ...]] = {}
    for phrase in phrases.split("|"):
        word = max(sorted(tokens_in(phrase)), key=len)
        found[word] = (*found.get(word, ()), phrase)
    return found


_VERBS = """
    written maintained created contributed reported edited prepared approved translated designed
    developed implemented ported signed reviewed acked tested suggested authored requested spotted
    noticed submitted
""".split()  # noqa: SIM905
_SIGNALS = (
    _Signal(signals.copyright_names, _each("Copyright|copyright|COPYRIGHT|(c)|(C)")),
    _Signal(
        signals.credited_names,
        _each(
            "|".join(f"{verb} by|{verb.title()} by|{verb.title()}-by" for verb in _VERBS)
            + "|Signed-off-by|Co-authored-by|Co-developed-by|Patch by|patch by|Patch from|Fix by"
        ),
    ),
    _Signal(
        signals.titled_names,
        _each(
            "Mr.|Mrs.|Ms.|Mr |Mrs |Ms |MR |MRS |Dr.|Dr |Prof.|Mme |Mlle |Madame |Monsieur |Herr |"
            "Herrn |Frau |Sr.|Sra.|Señor |Señora |Sig.|Signor |Signora |Dhr.|dhr.|Meneer |meneer |"
            "Mevrouw |mevrouw |Senhor |Senhora |Fru |Hr.|Pani |pani |Panie |paní |Paní "
        ),
    ),
    _Signal(
        signals.greeting_names,
        _each(
            "Dear |dear |Hi |Hello |Liebe |Lieber |Hallo |Bonjour |Salut |Cher |Chère |Estimado |"
            "Estimada |Querido |Querida |Hola |Gentile |Caro |Cara |Ciao |Beste |Geachte |Hej "
            "|Hei |"
            "Kære |Kjære |Bästa |Prezado |Prezada |Milý |Milá |Drogi |Droga |Hyvä |Kedves "
        ),
    ),
    _Signal(
        signals.sign_off_names,
        _each(
            "regards|Regards|sincerely|Sincerely|faithfully|truly|Cheers|cheers|wishes|Thanks"
            "|thanks|"
            "Best|Love|Yours|Grüßen|Grüssen|Grüße|Grüsse|Gruß|Gruss|Hochachtungsvoll|Cordialement|"
            "cordialement|salutations|Atentamente|Saludos|saludos|saludo|saluti|Saluti|groet"
            "|groeten|"
            "Groet|Groeten|hilsen|Hilsen|hälsningar|Hälsningar|Pozdrawiam|poważaniem|pozdravem|"
            "cumprimentos|Atenciosamente|terveisin"
        ),
    ),
    _Signal(signals.quoted_names, _each("wrote:|writes:|schrieb:|escribió:|a écrit")),
)
SPELLED = frozenset(word for signal in _SIGNALS for word in signal.words)
"""The words without which a text has no signal, as they are spelled."""
