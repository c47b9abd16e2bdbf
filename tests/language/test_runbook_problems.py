"""Runbooks that are wrong: which code, where exactly, and what is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from runbook_text import places, problems, runbook, unmarked

from waivern.diagnostics import InvalidError
from waivern.yamldoc.runbook_codes import RunbookCode

OK = "artifacts: {ok: {source: {type: t}}}\n"
SPACES = " " * 6

REFUSALS = {
    # text that is not YAML
    "colon": ("artifacts: a«:» b", "WCT101", "a ':' is not expected here"),
    "unclosed list": ("artifacts: [a\nb«:» c", "WCT101", "is not closed"),
    "unclosed quote": ('artifacts: «"»abc\n', "WCT101", "a quote is opened and never closed"),
    "tab": ("artifacts:\n«\t»a: 1\n", "WCT101", "the line is indented with a tab"),
    "at sign": ("artifacts: «@»a\n", "WCT101", "no value can begin with this character"),
    "escape": ('artifacts: "a«\\»q"\n', "WCT101", "no such escape"),
    "surrogate": ('artifacts: "\\u«d»800"\n', "WCT101", "half of a pair of escapes"),
    "indentation": ("artifacts:\n  a: 1\n «b»: 2\n", "WCT101", "does not belong"),
    "no key": ("artifacts:\n  a: 1\n  b\n«c»: 1\n", "WCT101", "a key without its ':'"),
    # features that are left out
    "merge key": (OK + "name: x\nconfig: {«<<»: {}}\n", "WCT110", "merge keys"),
    "python tag": (f"{OK}name: «!!python/name:os.system x»\n", "WCT110", "!!python/name:os.sys"),
    "own tag": (f"{OK}name: «!secret x»\n", "WCT110", "'!secret'"),
    "tag on a list": (f"{OK}config: «!x {{»}}\n", "WCT110", "'!x'"),
    "map tag on a list": (
        OK.replace("type: t", "type: t, properties: {a: «!!map [»]}"),
        "WCT110",
        "",
    ),
    "two documents": (f"{OK}«---»\n{OK}", "WCT110", "second document"),
    "nan": (OK.replace("type: t", "type: t, properties: {a: [«.nan»]}"), "WCT110", "'.nan'"),
    "infinity": (OK.replace("type: t", "type: t, properties: {a: «-.Inf»}"), "WCT110", "'-.Inf'"),
    "overflow": (OK.replace("type: t", "type: t, properties: {a: «1e999»}"), "WCT107", "too large"),
    "wrong tag": (OK.replace("type: t", "type: t, properties: {a: «!!int x»}"), "WCT107", "!!int"),
    # keys
    "number key": (
        OK.replace("type: t", "type: t, properties: {«1»: 2}"),
        "WCT109",
        "must be text",
    ),
    "true key": (OK.replace("type: t", "type: t, properties: {«true»: 2}"), "WCT109", ""),
    "null key": (OK.replace("type: t", "type: t, properties: {«~»: 2}"), "WCT109", ""),
    "list key": (OK.replace("type: t", "type: t, properties: {? «[»1] : 2}"), "WCT109", "one text"),
    "alias key": (OK.replace("type: t", "type: &t t, properties: {«*t» : 2}"), "WCT109", "alias"),
    "duplicate": (f"name: x\n{OK}«name»: y\n", "WCT108", "the key 'name' is given twice"),
    "deep duplicate": (OK.replace("type: t", "type: t, «'type'»: t"), "WCT108", "'type'"),
    # aliases
    "no anchor": ("artifacts: «*here»\n", "WCT112", "'*here' has no anchor"),
    "self": (OK.replace("type: t", "type: t, properties: &p {a: «*p»}"), "WCT112", "within"),
    # the top level
    "missing artifacts": ("«n»ame: x\n", "WCT105", "'artifacts' is missing"),
    "no artifacts": ("artifacts: «{»}\n", "WCT105", "'artifacts' is empty"),
    "null artifacts": ("artifacts:«»\nname: x\n", "WCT106", "'artifacts' must be a mapping"),
    "list of artifacts": ("artifacts:\n  «-» a\n", "WCT106", "'artifacts' must be a mapping"),
    "top-level list": ("«-» a\n", "WCT106", "must be a mapping"),
    "top-level text": ("«h»ello\n", "WCT106", "must be a mapping"),
    "unknown top": (f"«artefacts»: 1\n{OK}", "WCT103", "unknown key 'artefacts' in the runbook"),
    "name number": (f"name: «12»\n{OK}", "WCT106", "'name' must be text"),
    "name empty": (f"«name»: ''\n{OK}", "WCT105", "'name' is empty"),
    "name escape": (f'name: «"a\\e[31m"»\n{OK}', "WCT107", "'name' must be one line"),
    "version list": (f"version: «[»1]\n{OK}", "WCT106", "'version' must be text"),
    "version bool": (f"version: «true»\n{OK}", "WCT106", "'version' must be text"),
    "outputs": (f"outputs: {{«o»: {{}}}}\n{OK}", "WCT105", "'artifact' of 'o' of 'outputs'"),
    "inputs": (f"inputs: {{«i»: {{}}}}\n{OK}", "WCT105", "'input_schema' of 'i' of 'inputs'"),
    "default": (
        f"inputs: {{i: {{input_schema: s, default: «1»}}}}\n{OK}",
        "WCT114",
        "only an optional input",
    ),
    "param type": (f"params: {{p: {{type: «text»}}}}\n{OK}", "WCT107", "must be one of string"),
    "param default": (
        f"params: {{p: {{type: integer, default: «x»}}}}\n{OK}",
        "WCT106",
        "a whole number",
    ),
    # config
    "config list": (f"config: «[»]\n{OK}", "WCT106", "'config' must be a mapping"),
    "timeout text": (f"config: {{timeout: «soon»}}\n{OK}", "WCT106", "must be a length of time"),
    "timeout bool": (f"config: {{timeout: «true»}}\n{OK}", "WCT106", "must be a length of time"),
    "timeout zero": (f"config: {{timeout: «0»}}\n{OK}", "WCT107", "'timeout' of 'config' must be"),
    "timeout huge": (f"config: {{timeout: «99999999h»}}\n{OK}", "WCT107", "at most a year"),
    "no concurrency": (f"config: {{max_concurrency: «0»}}\n{OK}", "WCT107", "at least 1"),
    "concurrency text": (f"config: {{max_concurrency: «'4'»}}\n{OK}", "WCT106", "a whole number"),
    "cost": (f"config: {{«cost_limit»: 1}}\n{OK}", "WCT104", "'cost_limit' of 'config'"),
    "templates": (f"config: {{template_paths: «t»}}\n{OK}", "WCT106", "must be a list"),
    "child depth": (f"config: {{max_child_depth: «0»}}\n{OK}", "WCT107", "at least 1"),
    "pool": (f"config: {{pools: {{db: «0»}}}}\n{OK}", "WCT107", "at least 1"),
    "unknown config": (f"config: {{«timeuot»: 1}}\n{OK}", "WCT103", "in 'config'"),
    # artifact ids
    "id slash": ("artifacts: {«a/b»: {inputs: c}}", "WCT113", "'a/b' has a character"),
    "id dot": ("artifacts: {«.a»: {inputs: c}}", "WCT113", "character"),
    "id system": ("artifacts: {«_system»: {inputs: c}}", "WCT113", "reserved"),
    "id json": ("artifacts: {«a.json»: {inputs: c}}", "WCT113", "like a file name"),
    "id long": (f"artifacts: {{? «{'a' * 129}» : {{inputs: c}}}}", "WCT113", "longer than 128"),
    "id unicode": ("artifacts: {«é😀»: {inputs: c}}", "WCT113", "'é😀'"),
    "ids alike": ("artifacts: {a: {inputs: c}, «A»: {inputs: c}}", "WCT113", "'a' and 'A'"),
    # an artifact
    "artifact null": ("artifacts: {a: «»}", "WCT106", "artifact 'a' must be a mapping"),
    "artifact text": ("artifacts: {a: «b»}", "WCT106", "artifact 'a' must be a mapping"),
    "no producer": ("artifacts: {«a»: {output: true}}", "WCT105", "where it comes from"),
    "null producer": ("artifacts: {«a»: {source: }}", "WCT105", "where it comes from"),
    "two producers": (
        "artifacts: {a: {inputs: b, «source»: {type: t}}}",
        "WCT114",
        "'inputs' and 'source' cannot be combined in artifact 'a'",
    ),
    "reuse and source": (
        "artifacts: {a: {source: {type: t}, «reuse»: {from_run: r, artifact: b}}}",
        "WCT114",
        "cannot be combined",
    ),
    "source and process": (
        "artifacts: {a: {source: {type: t}, «process»: {type: t}}}",
        "WCT114",
        "'process' of artifact 'a' has no 'inputs'",
    ),
    "process alone": ("artifacts: {«a»: {process: {type: t}}}", "WCT105", "where it comes from"),
    "typo": ("artifacts: {a: {«input»: b}}", "WCT103", "unknown key 'input' in artifact 'a'"),
    "child": ("artifacts: {a: {inputs: b, «child_runbook»: {}}}", "WCT105", "'path' of 'child_run"),
    "child alone": ("artifacts: {a: {«child_runbook»: {}}}", "WCT105", "'path' of"),
    "no output": (
        "artifacts: {a: {child_runbook: «{»path: c.yaml}}}",
        "WCT114",
        "either 'output' or 'output_mapping'",
    ),
    "condition": ("artifacts: {a: {inputs: b, when: «1 +»}}", "WCT117", "cannot be read"),
    "until": (
        "artifacts: {a: {inputs: b, process: {type: t}, repeat: {max: 2, until: «x»}}}",
        "WCT117",
        "cannot be read",
    ),
    "condition empty": ("artifacts: {a: {inputs: b, when: «''»}}", "WCT117", "is empty"),
    "condition list": ("artifacts: {a: {inputs: b, when: «[»]}}", "WCT106", "must be a condition"),
    "condition map": ("artifacts: {a: {inputs: b, when: «{»}}}", "WCT106", "must be a condition"),
    "condition zero": ("artifacts: {a: {inputs: b, when: «0»}}", "WCT106", "must be a condition"),
    "condition one": ("artifacts: {a: {inputs: b, when: «1.5»}}", "WCT106", "must be a condition"),
    "until null": (
        "artifacts: {a: {inputs: b, process: {type: t}, repeat: {max: 2, until: «~»}}}",
        "WCT106",
        "'until' of 'repeat' of artifact 'a' must be a condition",
    ),
    "until number": (
        "artifacts: {a: {inputs: b, process: {type: t}, repeat: {max: 2, until: «3»}}}",
        "WCT106",
        "must be a condition",
    ),
    "no delay": (
        "artifacts: {a: {inputs: b, retry: {max: 1, delay: «~»}}}",
        "WCT106",
        "'delay' of 'retry' of artifact 'a' must be a length of time",
    ),
    "each alone": ("artifacts: {a: {inputs: b, when: «each == 1»}}", "WCT117", "name 'each'"),
    "until each": (
        "artifacts: {a: {inputs: b, process: {type: t}, repeat: {max: 2, until: «each == 1»}}}",
        "WCT117",
        "unknown name 'each'",
    ),
    "input system": (
        "inputs: {_system: «{»input_schema: s, optional: true}}\n" + OK,
        "WCT113",
        "'_system' of 'inputs' is reserved",
    ),
    "spliced": (
        "params: {p: {type: string, default: x}}\n"
        "artifacts: {a: {inputs: b, when: «\"'${params.p}' == 'x'\"»}}",
        "WCT117",
        "only a boolean parameter",
    ),
    "spliced whole": (
        "params: {p: {type: string, default: 1 < 2}}\n"
        "artifacts: {a: {inputs: b, when: «'${params.p}'»}}",
        "WCT117",
        "only a boolean parameter",
    ),
    "spliced until": (
        "params: {p: {type: string, default: 'true'}}\n"
        "artifacts: {a: {inputs: b, process: {type: t}, repeat: {max: 2, until: «'${params.p}'»}}}",
        "WCT117",
        "only a boolean parameter",
    ),
    "spliced variable": ("artifacts: {a: {inputs: b, when: «'${B}'»}}", "WCT117", "only a boolean"),
    "question variable": (
        "artifacts: {a: {gate: {show: b, question: «'At ${HOME}?'»}}}",
        "WCT107",
        "'${HOME}' is not replaced in 'question'",
    ),
    "question item": (
        "artifacts: {a: {gate: {show: b, question: «'For ${each}?'»}}}",
        "WCT115",
        "'${each}' has no meaning here",
    ),
    "question secret": (
        "params: {t: {type: string, secret: true}}\n"
        "artifacts: {a: {gate: {show: b, question: «'Is ${params.t} ok?'»}}}",
        "WCT107",
        "'${params.t}' has no value in 'question'",
    ),
    "pool item": (
        "artifacts: {a: {inputs: b, for_each: [1], pool: «'${each}'»}}",
        "WCT107",
        "'${each}' has no value in 'pool'",
    ),
    "templates unset": (f"config: {{template_paths: [«'${{T}}'»]}}\n{OK}", "WCT115", "'T'"),
    "rounds": (
        "artifacts: {a: {inputs: b, process: {type: t}, repeat: {max: «0», until: 'true'}}}",
        "WCT107",
        "at least 1",
    ),
    "for text": ("artifacts: {a: {inputs: b, for_each: «abc»}}", "WCT106", "must be a list or"),
    "gate alone": ("artifacts: {a: {«gate»: {question: q}}}", "WCT105", "'show' of 'gate'"),
    "gate retried": (
        "artifacts: {a: {gate: {question: q, show: b}, «retry»: {max: 1}}}",
        "WCT114",
        "cannot be combined with 'gate'",
    ),
    "execute": ("artifacts: {a: {inputs: b, «execute»: {}}}", "WCT104", "is not supported"),
    "output yes": ("artifacts: {a: {inputs: b, output: «yes»}}", "WCT106", "true or false"),
    "optional number": ("artifacts: {a: {inputs: b, optional: «1»}}", "WCT106", "true or false"),
    "description": ("artifacts: {a: {inputs: b, description: «[»]}}", "WCT106", "must be text"),
    # sources, processes, reuse
    "source text": ("artifacts: {a: {source: «files»}}", "WCT106", "must be a mapping"),
    "no type": ("artifacts: {a: {«source»: {}}}", "WCT105", "'type' of 'source' of artifact 'a'"),
    "empty type": ("artifacts: {a: {source: {«type»: ''}}}", "WCT105", "is empty"),
    "source typo": (
        "artifacts: {a: {source: {type: t, «path»: x}}}",
        "WCT103",
        "'path' in 'source'",
    ),
    "properties": ("artifacts: {a: {source: {type: t, properties: «[»]}}}", "WCT106", "a mapping"),
    "reuse typo": ("artifacts: {a: {reuse: {from_run: r, artifact: b, «x»: 1}}}", "WCT103", ""),
    "reuse number": ("artifacts: {a: {reuse: {from_run: «12», artifact: b}}}", "WCT106", "text"),
    "reuse escape": ("artifacts: {a: {reuse: {from_run: r, artifact: «../b»}}}", "WCT113", ""),
    "reuse nothing": (
        "artifacts: {a: {«reuse»: {from_run: r}}}",
        "WCT105",
        "'artifact' of 'reuse'",
    ),
    # inputs
    "no inputs": ("artifacts: {a: {«inputs»: []}}", "WCT105", "'inputs' of artifact 'a' is empty"),
    "inputs map": ("artifacts: {a: {inputs: «{»b: c}}}", "WCT106", "must be a list"),
    "inputs number": ("artifacts: {a: {inputs: [b, «3»]}}", "WCT106", "item 2 of 'inputs'"),
    "inputs empty": ("artifacts: {a: {inputs: [b, «''»]}}", "WCT105", "item 2 of 'inputs'"),
    "inputs twice": ("artifacts: {a: {inputs: [b, c, «b»]}}", "WCT107", "item 3 of 'inputs' of"),
    "inputs lines": ('artifacts: {a: {inputs: «"b\\nc"»}}', "WCT107", "one line"),
    # merge and schema
    "merge other": ("artifacts: {a: {inputs: [b, c], merge: «zip»}}", "WCT107", "'concatenate'"),
    "merge one": ("artifacts: {a: {inputs: b, «merge»: concatenate}}", "WCT114", "has no effect"),
    "merge process": (
        "artifacts: {a: {inputs: [b, c], process: {type: t}, «merge»: concatenate}}",
        "WCT114",
        "has no effect",
    ),
    "schema": ("artifacts: {a: {inputs: b, output_schema: «s/1»}}", "WCT107", "name of a schema"),
    "schema path": ("artifacts: {a: {inputs: b, output_schema: «../s»}}", "WCT107", ""),
    # variables
    "unset": (f"{OK[:-3]}, output_schema: «'${{S}}'»}}}}", "WCT115", "variable 'S' is not set"),
    "unset deep": (
        "artifacts: {a: {source: {type: t, properties: {p: [{q: «'x${A_1}'»}]}}}}",
        "WCT115",
        "environment variable 'A_1' is not set",
    ),
    "unset type": ("artifacts: {a: {source: {type: «'${T}'»}}}", "WCT115", "'T'"),
    "unset input": ("artifacts: {a: {inputs: [b, «'${T}'»]}}", "WCT115", "'T'"),
    "unset one input": ("artifacts: {a: {inputs: «'${T}'»}}", "WCT115", "'T'"),
    "variable in a run": (
        "artifacts: {a: {reuse: {from_run: «'${T:-x}'», artifact: b}}}",
        "WCT107",
        "it is recorded in the run",
    ),
    "variable in a reused id": (
        "artifacts: {a: {reuse: {from_run: '@last', artifact: «'b_${T:-x}'»}}}",
        "WCT107",
        "it is recorded in the run",
    ),
    "variable in a child's path": (
        "artifacts: {a: {child_runbook: {path: «'${T:-x}.yaml'», output: b}}}",
        "WCT107",
        "it is recorded in the run",
    ),
    "variable and item": (
        "artifacts: {a: {for_each: [1], child_runbook: {path: «'${each}${T:-x}'», output: b}}}",
        "WCT107",
        "it is recorded in the run",
    ),
    "malformed": ("artifacts: {a: {inputs: b, output_schema: «'${1}'»}}", "WCT116", "'${'"),
    "empty": ("artifacts: {a: {inputs: «'${E:-}'»}}", "WCT105", "is empty once"),
}


@pytest.mark.parametrize(("marked", "code", "said"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_has_its_code_and_place(marked: str, code: str, said: str) -> None:
    text, expected = unmarked(marked)
    if not expected:  # an empty mark: nothing is there to be underlined but the place itself
        text = marked.replace("«»", "")
        before = marked[: marked.index("«»")]
        expected = [(before.count("\n") + 1, len(before) - before.rfind("\n"), 1)]
    [problem] = problems(text)
    assert (problem.code, places((problem,))) == (code, expected)
    assert said in problem.message


def test_every_code_is_met_in_a_test() -> None:
    met = {code for _, code, _ in REFUSALS.values()}
    elsewhere = {RunbookCode.UNREADABLE, RunbookCode.ENCODING, RunbookCode.LIMIT}
    assert met | elsewhere == set(RunbookCode)
    assert all(code.meaning and re.fullmatch("WCT1[0-9]{2}", code) for code in RunbookCode)


@pytest.mark.parametrize(
    ("data", "line", "column", "said"),
    [
        (b"a: 1\n\xc3\xa9: x\xffy\n", 2, 5, "the byte 0xff is not UTF-8"),
        (b"\xef\xbb\xbfa: \xc3", 1, 4, "the byte 0xc3 is not UTF-8"),
        (b"a: 1\r\nb: \x1b[31m\n", 2, 4, "U+001B"),
        (b"a: 1\nb: \xc2\x9b\n", 2, 4, "U+009B"),
        (b"a: 1 # \x00\n", 1, 8, "U+0000"),
        ("a: 1".encode("utf-16"), 1, 1, "UTF-16"),
        ("a: 1".encode("utf-16-le"), 1, 1, "UTF-16"),
        ("a: 1".encode("utf-32-be"), 1, 1, "UTF-32"),
    ],
)
def test_bytes_that_are_not_text_are_placed(data: bytes, line: int, column: int, said: str) -> None:
    [problem] = problems(data)
    assert (problem.code, places((problem,))) == ("WCT102", [(line, column, 1)])
    assert said in problem.message
    assert "\x1b" not in str(problem)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "~\n", "---\n...\n"])
def test_an_empty_file_is_said_to_be_empty(text: str) -> None:
    [problem] = problems(text)
    assert (problem.code, problem.message) == ("WCT105", "the runbook is empty")


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text, expected = unmarked("""\
name: «12»
artifacts:
  schema:
    «sorce»: {type: sqlite}
  findings:
    inputs: [schema, «schema»]
    process:
      type: personal_data
      properties: {secret: «"${MISSING}"», limit: «.inf», «7»: x}
    output: true
    «output»: false
  report:
    inputs: findings
    «source»: {type: «3»}
config:
  timeout: «never»
  «workers»: 4
""")
    found = problems(text)
    assert places(found) == expected
    assert [problem.code[-2:] for problem in found] == [
        *("06", "03", "07", "15", "10", "09", "08", "14", "06", "06", "03"),
    ]


def test_a_parameter_that_is_declared_wrong_hides_nothing_else() -> None:
    text, expected = unmarked("""\
params: {p: {type: «strin»}, q: {type: integer, default: «x»}, r: {type: string, default: "0"}}
«nme»: y
artifacts:
  a: {inputs: b, when: params.q > 1, timeout: «"${params.r}"», pool: "${params.p}"}
  c: {inputs: «"${params.nope}"», retry: {max: "${params.q}"}}
""")
    assert sorted(places(problems(text))) == expected


def test_a_duplicate_key_names_both_places_and_the_first_counts() -> None:
    [problem] = problems("artifacts:\n  a: {inputs: b}\n  c: {inputs: d}\n  a: nonsense\n")
    assert places((problem,)) == [(4, 3, 1)]
    assert problem.hint == "it is first given at line 2; keep one of the two"


def test_a_problem_behind_an_alias_is_placed_where_it_is_written() -> None:
    text, expected = unmarked("artifacts:\n  a: &a {source: {type: «1»}}\n  b: «*a»\n")
    assert places(problems(text)) == expected


@pytest.mark.parametrize(
    ("marked", "hint"),
    [
        (
            "artifacts: {a: {inputs: b, proces: {}}}",
            "did you mean 'process'? allowed here: source, ",
        ),
        ("artifacts: {a: {inputs: b, zzz: {}}}", "allowed here: source, inputs, process, reuse"),
        ("artefacts: {}", "did you mean 'artifacts'?"),
        ("name: 1\n" + OK, "put it in quotes"),
        ("artifacts: {a: {inputs: b, output: on}}", "write true or false, without quotes"),
        ("artifacts: {a: {source: {type: '${T}'}}}", "set it, or write ${T:-default}"),
    ],
)
def test_a_hint_says_what_to_do(marked: str, hint: str) -> None:
    assert any((problem.hint or "").startswith(hint) for problem in problems(marked))


def test_an_error_reads_like_a_compilers() -> None:
    [problem] = problems("artifacts:\n  a: {name: 日本, inputs: x, proces: {}}\n")
    assert str(problem) == (
        "error[WCT103]: unknown key 'proces' in artifact 'a'\n"
        " --> x.yaml:2:28\n"
        "  |\n"
        "2 |   a: {name: 日本, inputs: x, proces: {}}\n"
        "  |                              ^^^^^^\n"
        "  = help: did you mean 'process'? allowed here: source, inputs, process, reuse, "
        "child_runbook, gate, merge, output, optional, output_schema, when, after, for_each, "
        "repeat, retry, timeout, max_memory, pool, on_error, cache, keep, on_change, tags, "
        "name, description, contact"
    )


def test_a_very_long_line_is_cut_around_the_problem() -> None:
    many = ", ".join(f"a{n}: {{inputs: b}}" for n in range(1000))
    [problem] = problems(f"{{artifacts: {{{many}, z: {{inputz: b}}, {many.replace('a', 'c')}}}}}")
    drawn = str(problem).splitlines()
    assert max(map(len, drawn)) < 280
    caret = drawn[4].index("^")
    assert drawn[3][caret : caret + drawn[4].count("^")] == "inputz"


def test_only_the_first_problems_are_shown_and_the_rest_counted() -> None:
    text = "artifacts:\n" + "".join(f"  a{n}: 1\n" for n in range(25))
    with pytest.raises(InvalidError) as caught:
        runbook(text)
    assert len(caught.value.problems) == 25
    assert caught.value.message.count("error[") == 20
    assert caught.value.message.endswith("and 5 more problems")


def test_a_document_places_what_others_find() -> None:
    document = runbook("artifacts:\n  a:\n    inputs:\n      - b\n      - c\n").document
    at = ("artifacts", "a", "inputs", 1)
    assert places((document.problem("WCT201", "m", at),)) == [(5, 9, 1)]
    assert places((document.problem("WCT201", "m", at, on="key"),)) == [(5, 9, 1)]
    assert places((document.problem("WCT201", "m", at[:2], on="key"),)) == [(2, 3, 1)]
    beyond = (*at[:3], 7, "deeper")
    assert places((document.problem("WCT201", "m", beyond, on="key"),)) == [(3, 5, 6)]
    problem = document.problem("WCT201", "m", at, hint="h")
    assert (problem.code, problem.message, problem.hint) == ("WCT201", "m", "h")
    assert str(problem.position) == "x.yaml:5:9"


def test_a_document_without_text_still_has_problems() -> None:
    from waivern.yamldoc.document import YamlDocument

    document = YamlDocument(None, Path("/"), b"")
    assert document.problem("WCT201", "m", ("artifacts",)).position is None
