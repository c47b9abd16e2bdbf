"""Explanations of the codes of problems, for `wct explain`: meaning, an example, and its remedy.

The examples are checked by a test: the first runbook of each has the problem, the second has not.
"""

from __future__ import annotations

from typing import NamedTuple


class ProblemExplanation(NamedTuple):
    """The explanation of one code."""

    title: str
    meaning: str
    remedy: str
    wrong: str | None = None
    """A runbook that has the problem; None where no text can show it."""
    right: str | None = None
    """The same without it."""


def artifacts(text: str) -> str:
    """Return a runbook with these artifacts."""
    return f"artifacts:\n{text}"


_FILES = "  files: {source: {type: filesystem, properties: {path: data}}}\n"
_FOUND = "  found: {inputs: files, process: {type: personal_data}}\n"

EXPLANATIONS: dict[str, ProblemExplanation] = {
    "WCT100": ProblemExplanation(
        "the file cannot be read",
        "The path names no file, or a file that your account cannot read. Paths on the command "
        "line are relative to the current folder; paths in a runbook are relative to its folder.",
        "Check the path with `ls -l`, or write a first runbook with `wct init`.",
    ),
    "WCT101": ProblemExplanation(
        "the text is not YAML",
        "The position is the place where reading stopped. The mistake is there or just before: a "
        "bracket that is not closed, a missing space after a colon, or an indentation that fits "
        "no line above.",
        "Correct the line, or the one before it.",
        artifacts("  files: {source: {type: filesystem}\n"),
        artifacts(_FILES),
    ),
    "WCT102": ProblemExplanation(
        "the file is not UTF-8 text",
        "A runbook is text in UTF-8. The file has other bytes, or a control character that no "
        "editor shows.",
        "Save the file as UTF-8. `file NAME` says what it is now.",
    ),
    "WCT103": ProblemExplanation(
        "unknown key",
        "The key has no meaning at this place. It may be misspelt, or indented too far or too "
        "little, so that it belongs to another mapping. Unknown keys are refused because an "
        "ignored one would change what a run does without a word.",
        "Use the key that the hint names. All keys are in docs/reference/runbook-keys.md, and "
        "editors complete them after `wct schema --install vscode`.",
        artifacts(_FILES + "  found: {inputs: files, proces: {type: personal_data}}\n"),
        artifacts(_FILES + _FOUND),
    ),
    "WCT104": ProblemExplanation(
        "a key that is not supported",
        "The key is known from other tools, and has no equivalent here under this name.",
        "Follow the hint: it names what replaces the key, or says to remove it.",
        "config: {cost_limit: 5}\n" + artifacts(_FILES),
        artifacts(_FILES),
    ),
    "WCT105": ProblemExplanation(
        "something required is missing",
        "A mapping lacks a key that it must have, or a list or mapping is empty.",
        "Add what the message names.",
        artifacts("  files: {source: {properties: {path: data}}}\n"),
        artifacts(_FILES),
    ),
    "WCT106": ProblemExplanation(
        "a value of the wrong type",
        "The value is text where a number is expected, a list where a mapping is expected, and so "
        "on. YAML decides: 5 is a number, '5' is text, `no` and `12:30` are text.",
        "Write the type that the message names; remove the quotes around numbers.",
        "config: {max_concurrency: many}\n" + artifacts(_FILES),
        "config: {max_concurrency: 4}\n" + artifacts(_FILES),
    ),
    "WCT107": ProblemExplanation(
        "a value that is not allowed",
        "The value has the right type, but is outside of what the key accepts: a number beyond its "
        "limits, or a word that is not among the allowed ones.",
        "Use one of the values that the message names.",
        artifacts("  files: {source: {type: filesystem, properties: {path: data}}, keep: all}\n"),
        artifacts(
            "  files: {source: {type: filesystem, properties: {path: data}}, keep: content}\n"
        ),
    ),
    "WCT108": ProblemExplanation(
        "the same key twice",
        "A mapping has two entries of one name. Many YAML readers silently use the last one; here "
        "it is an error, as one of the two would be lost.",
        "Remove or rename one of them.",
        artifacts(_FILES + _FILES),
        artifacts(_FILES),
    ),
    "WCT109": ProblemExplanation(
        "a key that is not text",
        "YAML reads 1, true, null and [a] as values that are no text, also as keys.",
        "Quote the key.",
        artifacts("  1: {source: {type: filesystem, properties: {path: data}}}\n"),
        artifacts("  '1': {source: {type: filesystem, properties: {path: data}}}\n"),
    ),
    "WCT110": ProblemExplanation(
        "a feature of YAML that runbooks do not have",
        "Tags (`!name`), merge keys (`<<`), `.nan` and `.inf`, and several documents in one file "
        "are refused: they are read differently by different programs, or run code in some.",
        "Write the value out. To share values, use `params` or a child runbook.",
        artifacts("  files: !mine {source: {type: filesystem, properties: {path: data}}}\n"),
        artifacts(_FILES),
    ),
    "WCT111": ProblemExplanation(
        "too large or too deep",
        "The file is larger, more deeply nested or has more aliases than a runbook may have. The "
        "limits protect against files that take all memory when they are read.",
        "Split the runbook into child runbooks, or move lists of values to a file that a "
        "connector reads.",
    ),
    "WCT112": ProblemExplanation(
        "an alias without its anchor",
        "`*name` repeats the value that `&name` marks before it. There is no such mark, or the "
        "alias is within the value that it repeats.",
        "Mark the value with `&name` above the alias, or write the value out.",
        artifacts("  files: {source: {type: filesystem, properties: *where}}\n"),
        artifacts(_FILES),
    ),
    "WCT113": ProblemExplanation(
        "an id that cannot name an artifact",
        "An id becomes the name of a file. It has letters of ASCII, digits, `_`, `-` and `.`, does "
        "not begin with a dot, is not `_system`, and does not end in .json, .jsonl, .log or .tmp.",
        "Choose another id, and put words for people under `name`.",
        artifacts("  my files: {source: {type: filesystem, properties: {path: data}}}\n"),
        artifacts("  my_files: {source: {type: filesystem, properties: {path: data}}}\n"),
    ),
    "WCT114": ProblemExplanation(
        "keys that cannot be combined",
        "The keys exclude each other: an artifact, for example, comes from a `source` or from "
        "`inputs`, and not from both.",
        "Remove one of them, or split the artifact in two.",
        artifacts(
            _FILES
            + "  found:\n    source: {type: filesystem, properties: {path: data}}\n"
            + "    inputs: files\n"
        ),
        artifacts(_FILES + _FOUND),
    ),
    "WCT115": ProblemExplanation(
        "a variable or parameter without a value",
        "`${NAME}` is an environment variable that is not set, or `${params.NAME}` a parameter "
        "that `params` does not declare.",
        "Set the variable, write `${NAME:-default}`, or declare the parameter.",
        artifacts(
            "  files: {source: {type: filesystem, properties: {path: '${params.folder}'}}}\n"
        ),
        "params: {folder: {type: string, default: data}}\n"
        + artifacts(
            "  files: {source: {type: filesystem, properties: {path: '${params.folder}'}}}\n"
        ),
    ),
    "WCT116": ProblemExplanation(
        "a reference that cannot be read",
        "`${` begins a reference: `${NAME}`, `${NAME:-default}`, `${params.NAME}` or `${each}`. "
        "What follows is none of these.",
        "Correct the reference. For the two characters themselves, write `$${`.",
        artifacts("  files: {source: {type: filesystem, properties: {path: '${my folder}'}}}\n"),
        artifacts(_FILES),
    ),
    "WCT117": ProblemExplanation(
        "a condition that cannot be read",
        "`when`, `until` and `--fail-on` take an expression with comparisons, `and`, `or`, `not`, "
        "`in` and a few functions. It is no Python and no shell.",
        "docs/reference/conditions.md has the whole language.",
        artifacts(
            _FILES + "  found:\n    inputs: files\n    process: {type: personal_data}\n"
            "    when: inputs.files.files = 1\n"
        ),
        artifacts(
            _FILES + "  found:\n    inputs: files\n    process: {type: personal_data}\n"
            "    when: count(inputs.files.files) > 1\n"
        ),
    ),
    "WCT201": ProblemExplanation(
        "an input that is not defined",
        "`inputs`, `after`, `show` or a condition names an artifact that the runbook lacks.",
        "Correct the name as the hint says, or add the artifact. The order of artifacts is free.",
        artifacts(_FILES + "  found: {inputs: file, process: {type: personal_data}}\n"),
        artifacts(_FILES + _FOUND),
    ),
    "WCT202": ProblemExplanation(
        "artifacts that need each other",
        "Each artifact of the circle waits for the next, so that none could ever be produced. The "
        "message shows the circle.",
        "Remove one of the inputs. For work that is repeated until it is good, use `repeat`.",
        artifacts("  a: {inputs: b}\n  b: {inputs: a}\n"),
        artifacts(_FILES + "  a: {inputs: files}\n  b: {inputs: a}\n"),
    ),
    "WCT203": ProblemExplanation(
        "an unknown component",
        "No installed package and no folder of the project offers a connector or processor of "
        "this name, or it cannot be imported.",
        "`wct connectors` and `wct processors` list what is there. Install the package, or add its "
        "folder to `component_paths` in waivern.yaml.",
        artifacts("  files: {source: {type: filesytem, properties: {path: data}}}\n"),
        artifacts(_FILES),
    ),
    "WCT204": ProblemExplanation(
        "a property that the component does not accept",
        "What stands under `properties` is checked by the component before anything runs: a "
        "property is unknown, missing or has a value that does not fit.",
        "`wct connectors NAME` or `wct processors NAME` shows the properties of the component.",
        artifacts("  files: {source: {type: filesystem, properties: {pth: data}}}\n"),
        artifacts(_FILES),
    ),
    "WCT205": ProblemExplanation(
        "an input that the processor cannot read",
        "A processor declares the schemas that it accepts, and the schema of the input is not "
        "among them.",
        "Put a processor in between that converts the input, or choose another input. `wct "
        "processors NAME --json` has what it accepts.",
        artifacts(_FILES + _FOUND + "  again: {inputs: found, process: {type: personal_data}}\n"),
        artifacts(_FILES + _FOUND),
    ),
    "WCT206": ProblemExplanation(
        "inputs of different schemas",
        "`merge` joins artifacts of one schema. These inputs have several.",
        "Merge them separately, or convert one of them first.",
        artifacts(_FILES + _FOUND + "  all: {inputs: [files, found]}\n"),
        artifacts(_FILES + _FOUND + "  all: {inputs: [found]}\n"),
    ),
    "WCT207": ProblemExplanation(
        "a run that cannot be reused",
        "`reuse` names a run or an artifact that the store does not have, that is not completed, "
        "or that several runs fit.",
        "`wct runs` lists the runs; `@last` and `<runbook>@last` name the newest.",
        artifacts("  old: {reuse: {from_run: no-such-run, artifact: found}}\n"),
        artifacts(_FILES),
    ),
    "WCT208": ProblemExplanation(
        "another schema than expected",
        "`output_schema` says what the artifact must be, and the component produces something "
        "else. It is checked before anything runs.",
        "Correct `output_schema`, or remove it: the default is the component's own.",
        artifacts(
            "  files:\n    source: {type: filesystem, properties: {path: data}}\n"
            "    output_schema: findings/1.0.0\n"
        ),
        artifacts(_FILES),
    ),
    "WCT209": ProblemExplanation(
        "a child runbook that does not fit",
        "The child cannot be found or read, an input or a parameter of it has no value, or an "
        "output that is used is not offered.",
        "Compare `input_mapping`, `params` and `output` with the child's `inputs`, `params` and "
        "`outputs`.",
        artifacts("  part: {child_runbook: {path: no-such-child.yaml, output: found}}\n"),
        artifacts(_FILES),
    ),
    "WCT210": ProblemExplanation(
        "two artifacts of one id, or an id that is too long",
        "Once children and items are expanded, two artifacts would be stored in one file: their "
        "ids are equal, or differ only in capital letters, which some file systems do not "
        "distinguish. An expanded id has at most 800 characters.",
        "Rename one of them, or the artifact that includes the child.",
    ),
    "WCT211": ProblemExplanation(
        "an item that cannot be used",
        "`for_each` repeats an artifact for each item, and `${each}` inserts the item. This item "
        "gives no name where one is needed, or there are too many items, artifacts or inputs.",
        "Correct the item that the message names.",
        artifacts(
            _FILES + "  found: {for_each: [files, ''], inputs: '${each}', "
            "process: {type: personal_data}}\n"
        ),
        artifacts(
            _FILES + "  found: {for_each: [files], inputs: '${each}', "
            "process: {type: personal_data}}\n"
        ),
    ),
    "WCT212": ProblemExplanation(
        "a condition that can never be evaluated",
        "The condition can be read, but asks for something that does not exist: an artifact that "
        "is not an input, or a field that the content does not have.",
        "Use the names that the hint lists; `wct inspect RUN/ARTIFACT` shows the fields.",
        artifacts(
            _FILES + "  found:\n    inputs: files\n    process: {type: personal_data}\n"
            "    when: inputs.letters.total > 1\n"
        ),
        artifacts(
            _FILES + "  found:\n    inputs: files\n    process: {type: personal_data}\n"
            "    when: count(inputs.files.files) > 1\n"
        ),
    ),
    "WCT213": ProblemExplanation(
        "an unknown pool",
        "`pool` names a limit that `config.pools` does not declare.",
        "Declare it, as in `config: {pools: {db: 2}}`, or correct the name.",
        artifacts("  files: {source: {type: filesystem, properties: {path: data}}, pool: db}\n"),
        "config: {pools: {db: 2}}\n"
        + artifacts("  files: {source: {type: filesystem, properties: {path: data}}, pool: db}\n"),
    ),
    "WCT214": ProblemExplanation(
        "a warning: this is likely to fail",
        "The runbook is valid, but something that it names is not there now: a folder, a function, "
        "a program, a ruleset. It may be there when the run starts, so this is no error.",
        "Correct the name, or create what is missing before the run.",
        artifacts("  files: {source: {type: filesystem, properties: {path: no-such-folder}}}\n"),
        artifacts(_FILES),
    ),
    "WCT215": ProblemExplanation(
        "a service that is not installed",
        "The component needs a service, such as a language model, and no installed package offers "
        "one of this name in the group `waivern.services`.",
        "Install the package that offers the service.",
    ),
    "WCT216": ProblemExplanation(
        "a source that cannot be kept like this",
        "`keep: reference` stores a list of the items and reads them again when they are needed. "
        "The connector can read its source only once, or `keep` belongs to no source.",
        "Use `keep: content`, which stores the data, or remove the key.",
        artifacts(
            "  said: {source: {type: command, properties: {argv: [date]}}, keep: reference}\n"
        ),
        artifacts("  said: {source: {type: command, properties: {argv: [date]}}, keep: content}\n"),
    ),
}
