"""The cost of planted values: processor time of each form, beside that of a scan of 1 MB.

    python benchmarks/detection/planted_values.py > benchmarks/detection/planted_values.txt

Samples are planted once for each form in each process of an attempt; the cost does not depend on
the size of the source.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from waivern.builtin.findings import Detector
from waivern.builtin.personal_data import PersonalData
from waivern.builtin.planted_values import FILE_FORMS, SamplePlanter
from waivern.builtin.text_search import TextSearch
from waivern.detection import load_ruleset
from waivern.plugins.context import Context

ROUNDS = 7
SIZE = 1_000_000
LINES = {
    "prose": "It was late when the two of them came home, and the light was still on.\n",
    "log": "2026-03-04T05:06:07Z INFO web[{n}]: GET /orders/{n} 200 client=198.51.100.{k} {n}ms\n",
    "customers": "{n},Person {n},p{n}@shop{k}.example,+44 20 7946 0{k:03},GB82WEST12345698765432\n",
}
HEAD = {"customers": "id,name,email,phone,iban\n"}


def text_of(kind: str) -> str:
    lines, size, n = [HEAD.get(kind, "")], 0, 0
    while size < SIZE:
        n += 1
        lines.append(LINES[kind].format(n=n, k=n % 250))
        size += len(lines[-1])
    return "".join(lines)


def measured(work: object) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()  # type: ignore[operator]
        times.append(time.process_time() - began)
    return statistics.median(times)


def main() -> None:
    """Print the median of seven rounds for each form and each text."""
    rules, config = load_ruleset(), PersonalData.Config()
    planting = {}
    for form in FILE_FORMS:
        context = [Context("a", Path())]

        def plant(form: str = form, context: list[Context] = context) -> None:
            context[0] = Context("a", Path())  # another attempt: nothing is known
            SamplePlanter(rules, config, context[0]).plant(form)

        plant()
        planting[form] = measured(plant)
        count = context[0].coverage.planted[form].planted
        print(f"{form:15} {planting[form] * 1000:7.1f} ms for {count} samples")
    detector = Detector(rules, config)
    for kind, number in (("prose", 0), ("log", 1), ("customers", 2)):
        text = text_of(kind)

        def search(text: str = text) -> None:
            found = TextSearch(detector, "k", "a.txt")
            found.add({"text": text})
            list(found.records())

        seconds, name = measured(search), FILE_FORMS[number]
        share = planting[name] / seconds
        print(f"1 MB of {kind:9} {seconds * 1000:8.0f} ms; planting {name}: {share:.1%} of it")


if __name__ == "__main__":
    main()
