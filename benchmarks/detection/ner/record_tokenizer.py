"""Records what the library `tokenizers` makes of texts, for tests/detection/data/wordpiece.json.

pip install --no-deps tokenizers==0.23.3
python benchmarks/detection/ner/record_tokenizer.py > tests/detection/data/wordpiece.json
"""

from __future__ import annotations

import json

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

TEXTS = (
    "Yesterday John Smith met Maria Garcia.",
    "O'Brien, née Müller-Lüdenscheidt — at 12 High Street!",
    "日本語 mixed \uff21\uff11 \ufb01n ß İstanbul naïve",
    "tabs\tand\u00a0nbsp\u200bzero\u00adshy e\u0301 \ufffd \x07 bell\r\nnew",
    "emoji 😀👍🏽 $5.00 a_b #tag ^`~ «quoted» „low“",
    "हिन्दी ไทย العربية русский Ελληνικά",
    "x" * 120,
    "",
    "   ",
)
WORDS = """
    john smith maria garcia yester met O o ' brien ne muller lu den scheid high street 1 2 本 日 語
    John Smith naive istanbul tab tabs and z shy e emoji $ 5 . a _ # tag русск ελλη ss
    ##day ##e ##en ##t ##er ##2 ##s ##ий ##νικα ##bsp ##ero ##bell ##an
""".split()  # noqa: SIM905
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(WORDS)]


def pieces(lowercase: bool, text: str) -> list[str]:
    """Return the pieces of a text."""
    vocabulary = {token: n for n, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return list(tokenizer.encode(text).tokens)


if __name__ == "__main__":
    cases = [
        {"text": text, "lower": pieces(True, text), "as written": pieces(False, text)}
        for text in TEXTS
    ]
    print(json.dumps({"vocabulary": VOCABULARY, "cases": cases}, indent=1))
