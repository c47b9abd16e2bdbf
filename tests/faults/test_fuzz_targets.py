"""The fuzzer's targets over its seeds, and for a few seconds with what hypothesis thinks of.

The coverage-guided run is `tests/faults/fuzz/run SECONDS`.
"""

from __future__ import annotations

import importlib.util
import json
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Count
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

FUZZ = Path(__file__).parent / "fuzz"
Target = Callable[[bytes], None]


def _targets() -> dict[str, Target]:
    spec = importlib.util.spec_from_file_location("fuzz_targets", FUZZ / "targets.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Target] = module.TARGETS
    return found


TARGETS = _targets()
SOON = 5.0
"""Seconds for one input; each takes a few milliseconds on an idle machine."""
MEMORY = 512 << 20


def seeds(name: str) -> list[bytes]:
    found = [path.read_bytes() for path in sorted((FUZZ / "seeds" / name).iterdir())]
    assert found
    return found


def carry_out(name: str, data: bytes) -> None:
    began = time.process_time()
    TARGETS[name](data)
    assert time.process_time() - began < SOON


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_what_is_near_them(name: str, tried: Count) -> None:
    """Every seed; cut at every length; and each with pieces of the others put in its place."""
    chance = random.Random(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    executed = 0
    all_ = seeds(name)
    for seed in all_:
        carry_out(name, seed)
        for at in range(0, len(seed), max(1, len(seed) // 80)):
            carry_out(name, seed[:at])
            carry_out(name, seed[at:])
            executed += 2
        for _ in range(150):
            data = bytearray(seed)
            for _ in range(chance.randrange(1, 4)):
                at = chance.randrange(len(data) + 1)
                other = chance.choice(all_)
                start = chance.randrange(len(other) + 1)
                data[at : at + chance.randrange(30)] = other[start : start + chance.randrange(30)]
            carry_out(name, bytes(data))
            executed += 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < MEMORY
    tried(f"hostile: {name}, near its seeds", executed)


ODD = ["../x", "_system", "a", "a/b", "\ud800", "completed", "9" * 200]
KEYS = st.sampled_from(["a", "b", "run", "kind", "name", "version"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
EVENTS = [json.loads(line) for line in (FUZZ / "seeds/events/whole").read_text().splitlines()]
MESSAGE = json.loads((FUZZ / "seeds/artifact/small").read_bytes())


@st.composite
def journals(draw: st.DrawFn) -> bytes:
    chosen = draw(st.lists(st.sampled_from(EVENTS), max_size=6))
    lines = []
    for event in [EVENTS[0], *chosen]:
        name = draw(st.sampled_from([*event, "more"]))
        lines.append(json.dumps(event | {name: draw(JSON)} if draw(st.booleans()) else event))
    return "\n".join(lines).encode()


@st.composite
def artifacts(draw: st.DrawFn) -> bytes:
    odd = draw(st.dictionaries(st.sampled_from([*MESSAGE, "more"]), JSON, max_size=3))
    return json.dumps(MESSAGE | odd).encode()


DRAWN = {"events": journals(), "artifact": artifacts(), "journal": st.binary(max_size=300)}
EXAMPLES = 300


@pytest.mark.parametrize("name", DRAWN)
def test_what_hypothesis_thinks_of(name: str, tried: Count) -> None:
    executed = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(DRAWN[name])
    def attempt(data: bytes) -> None:
        nonlocal executed
        executed += 1
        carry_out(name, data)

    attempt()
    tried(f"hostile: {name}, drawn by hypothesis", executed)
