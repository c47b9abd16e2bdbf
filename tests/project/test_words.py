"""Words and names of the project, held against CONTRIBUTING.md and docs/glossary.md."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/waivern"
PARTS = sorted({path.relative_to(SOURCE).parts[0] for path in SOURCE.rglob("*.py")})
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if path.parent.name != "adr" and path.name != "glossary.md"
    ),
]
"""All pages but the decisions, which are of their day, and the glossary, which names the words not
to use; the help texts of the commands are in `docs/reference/cli.md`."""
EXAMPLES = [*(ROOT / "runbooks").rglob("*.yaml"), *(ROOT / "benchmarks").rglob("*.py")]

NO_HEAD = re.compile(r"(What|Where|Whether|How|Who|Whom|Whose|Which|That|Of|When|Why)\b")
"""A docstring that begins so is a clause without a head."""

BANNED = {
    r"tells?\b|told\b|telling\b": "report, notify, name, state",
    r"whoever\b|whatever ends\b": "name who or what is meant",
    r"nobody\b|somebody\b": "no one is meant: name the process, the user, the caller",
    r"goes? on\b|went on\b|going on\b": "continue, proceed, happen",
    r"goes? before\b": "precede, run first",
    r"lets? go\b|letting go\b": "release",
    r"leaves? with\b|left with\b": "exit with",
    r"hangs? on\b": "depend on",
    r"made of\b|made again\b|made anew\b": "produced from, rebuilt",
    r"comes? to\b|came to\b": "results in, evaluates to, reaches",
    r"stands? for\b": "resolves to, represents",
    r"counts? no longer\b|no longer counts?\b": "is invalidated",
    r"given to whom\b|what there is\b": "say what it is",
    r"takes? note of\b|takes? in\b": "record, receive",
    r"(?<!of )births?\b": "initial state",
    r"pepper\b": "cache key secret",
    r"foreman\b|foresee\w*": "supervisor, forecast",
}
"""Words that the field does not use so, each with what it says instead."""


def sources(part: str) -> list[Path]:
    place = SOURCE / part
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


def documented(path: Path) -> Iterator[tuple[int, str, ast.AST]]:
    """Yield the line and the text of every docstring of a module, class or function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and (text := ast.get_docstring(node)):
            yield getattr(node, "lineno", 1), text, node


def is_property(node: ast.AST) -> bool:
    """Return whether a function is read like an attribute, and described like one."""
    decorators = getattr(node, "decorator_list", [])
    return any("property" in ast.unparse(each) for each in decorators)


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of every line in a string or comment."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT):
            for n, line in enumerate(token.string.splitlines()):
                yield token.start[0] + n, line


def offences(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    """Yield each banned word, with what to say instead."""
    for number, line in lines:
        for pattern, instead in BANNED.items():
            if found := re.search(rf"(?<![\w-])({pattern})", line, re.IGNORECASE):
                yield f"{number}: {found[0]!r} (say: {instead}): {line.strip()[:90]}"


@pytest.mark.parametrize("part", PARTS)
def test_docstrings_have_a_head(part: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path in sources(part)
        for line, text, node in documented(path)
        if NO_HEAD.match(text) and not is_property(node)
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("part", PARTS)
def test_the_words_of_the_field_are_used(part: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{offence}"
        for path in sources(part)
        for offence in offences(prose(path))
        if part != "detection" or "'birth'" not in offence  # it searches for dates of birth
    ]
    assert not found, f"\n{len(found)} places\n" + "\n".join(found)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_documents_use_them_too(path: Path) -> None:
    found = list(offences(enumerate(path.read_text().splitlines(), 1)))
    assert not found, f"\n{len(found)} places\n" + "\n".join(found)


def test_no_merge_is_left_half_done() -> None:
    """No page, source or test has the marks of a merge that was not completed."""
    marks = re.compile(r"^(<{7} |>{7} )", re.MULTILINE)
    folders = ("docs", "src", "tests", "runbooks", "benchmarks")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    texts = [
        path for path in [*paths, *ROOT.glob("*.md")] if path.suffix in (".md", ".py", ".yaml")
    ]
    assert not [str(path) for path in texts if marks.search(path.read_text(errors="replace"))]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_use_them_too(path: Path) -> None:
    found = list(offences(enumerate(path.read_text().splitlines(), 1)))
    assert not found, "\n" + "\n".join(found)


def test_no_name_is_used_twice() -> None:
    """No two modules and no two public classes share a name."""
    modules, classes = defaultdict(list), defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        place = str(path.relative_to(SOURCE))
        if path.stem != "__init__":
            modules[path.stem].append(place)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name].append(place)
    twice = {
        name: places
        for names in (modules, classes)
        for name, places in names.items()
        if len(places) > 1
    }
    assert not twice
