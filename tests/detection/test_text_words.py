"""What a long text is cut into for speed: what is found in it does not depend on where."""

from __future__ import annotations

import random

import pytest

from waivern.detection import field_names, load_ruleset, scan
from waivern.detection.identifiers import IDENTIFIERS
from waivern.detection.identifiers.class_forms import class_form
from waivern.detection.people import address_fields, name_fields
from waivern.detection.prepared_text import PreparedText
from waivern.detection.text_words import PARTS, TextWords
from waivern.detection.word_splitting import tokens_in, words_of

BLOCK = 1 << 14
PASSAGES = (
    "Dear Anna Kowalski,\nwe thank you.\n",
    "Signed-off-by: Jan Novak <jan@acme.io>\n",
    "He lives at 12, rue de la Paix, 75002 Paris.\n",
    "Write to PO Box 123, London NW1 6XE.\n",
    "password = 'Kx8!pQz7wLm2'\n",
    "authorization: basic dXNlcjpLeDghcFF6N3dM\n",
    "Call +44 20 7183 8750, or connect to 2001:db8:0:1::2 and 81.2.69.142.\n",
    "The adapter 3c:22:fb:ab:cd:ef was seen.\n",
    "See https://www.linkedin.com/in/anna-kowalski-42/ for more.\n",
    "INSERT INTO people (full_name, ssn) VALUES ('Anna Kowalski', '536-90-4399');\n",
    "Sehr geehrte Frau Müller-Lüdenscheidt, Ihre Straße ist lang.\n",
)


def found_at(text: str, begin: int) -> list[tuple[str, int, int]]:
    return [(match.type, match.start - begin, match.end - begin) for match in scan(text)]


@pytest.mark.parametrize("passage", PASSAGES)
def test_a_value_is_found_where_two_blocks_meet(passage: str) -> None:
    # long enough for its words to be read, and short enough for one block
    alone = "word " * 60 + "\n\n" + passage
    expected = found_at(alone, len(alone) - len(passage))
    assert expected
    filler = "word " * (BLOCK // 5)
    for size in range(BLOCK - len(passage), BLOCK):
        before = filler[: size - 2] + "\n\n"
        text = before + passage + "\n" + "word " * 100
        assert found_at(text, len(before)) == expected, size


def test_the_classes_of_a_value_have_its_form() -> None:
    for each in IDENTIFIERS:
        value = each.example
        if value and each.form.fullmatch(value):
            classes = PreparedText(value).numbers
            assert class_form(each.form.pattern).match(classes), each.type


def test_an_example_is_found_in_a_long_text() -> None:
    examples = [each for each in IDENTIFIERS if each.example and each.form.fullmatch(each.example)]
    text = "".join(f"{each.first_term}: {each.example}\n" for each in examples)
    found = {match.value for match in scan(text)}
    assert {each.example for each in examples} - found == set()


def test_the_words_that_matter_are_those_of_the_text() -> None:
    rules = load_ruleset()
    wanted = {word for term in (*rules.labels, *rules.hints) for word in term.split(" ")}
    wanted |= name_fields.ANCHORS | address_fields.ANCHORS | {"insert", "stdin"}
    spellings = ["{}", "{}s", "{}es", "user{}", "X{}", "{}2", "{}-{}", "_{}_", "é{}", "{}é"]
    made = random.Random(7)
    for _ in range(100):
        words = made.choices(sorted(wanted), k=8)
        cased = [made.choice((word, word.upper(), word.title())) for word in words]
        text = " ".join(made.choice(spellings).replace("{}", word) for word in cased)
        known = TextWords(text, rules.lexicon)
        assert known.spelled == tokens_in(text)
        assert known.seen & wanted == words_of(tokens_in(text)) & wanted


def test_a_part_of_a_word_is_known() -> None:
    rules = load_ruleset()
    for part in PARTS:
        assert part in TextWords(f"some my{part.title()}word here", rules.lexicon).parts
    assert TextWords("nothing of it", rules.lexicon).parts == frozenset()


def test_a_field_is_found_in_each_block() -> None:
    line = '"email": "x", "date_of_birth": "y", "address2": "z",\n'
    text = ("word " * 700 + "\n" + line) * 30
    uses = {use.field.name: use.count for use in field_names(text, load_ruleset())}
    assert uses == {"email": 30, "date_of_birth": 30, "address2": 30}
