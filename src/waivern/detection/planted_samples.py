"""Samples that are planted among the data of a scan, to prove that its types are found.

The value of a type is reserved for documentation where the issuer reserves some; otherwise it is
made up. It has the label that a value of the type needs.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterator
from hashlib import sha512
from typing import NamedTuple

from waivern.detection.ruleset import Ruleset
from waivern.detection.value_types import VALUE_TYPES, ValueType
from waivern.detection.written_examples import written_example

NO_LABEL = "value"
"""The label of a value that needs none."""


class PlantedSample(NamedTuple):
    """A value of a type, and the label beside it, also where it needs none."""

    type: str
    label: str
    value: str


def planted_samples(
    rules: Ruleset, types: Collection[str] | None
) -> tuple[list[PlantedSample], list[str]]:
    """Return the samples of the types that are searched for, and the types without a sample.

    `types` restricts the types of the ruleset.
    """
    samples: list[PlantedSample] = []
    without: list[str] = []
    for kind in rules.types:
        if types is None or kind in types:
            found = list(_samples(rules, kind))
            samples += found
            without += [] if found else [kind]
    return samples, without


def _written(shipped: ValueType) -> str:
    if shipped.name in _COMPOSED:
        return _COMPOSED[shipped.name]()
    form = shipped.form
    return "" if form is None else written_example(shipped.name, form.form, form.check)


def _samples(rules: Ruleset, kind: str) -> Iterator[PlantedSample]:
    shipped = VALUE_TYPES.get(kind)
    if shipped is not None and (value := shipped.example or _written(shipped)):
        yield PlantedSample(kind, shipped.label or _LABELS.get(kind, NO_LABEL), value)
    own = rules.samples.get(kind)
    if own is not None:
        name = kind.lower().replace("_", " ")
        yield from (PlantedSample(kind, own.label or name, value) for value in own.values)


def _web_token() -> str:
    parts = ('{"alg":"HS256"}', '{"sub":"planted"}', "signature of a planted token, 32 by")
    return ".".join(urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def _private_key() -> str:
    key = urlsafe_b64encode(b"a planted key, which opens nothing at all: 48 bytes").decode()
    return f"-----BEGIN PRIVATE KEY-----\\n{key}\\n-----END PRIVATE KEY-----"


def _password() -> str:
    return _digest_of("PASSWORD", 12) + "!"


def _api_key() -> str:
    return _digest_of("API_KEY", 32)


def _aws_key() -> str:
    return _digest_of("AWS_SECRET_KEY", 40)


def _azure_key() -> str:
    return _digest_of("AZURE_KEY", 86) + "=="


def _digest_of(name: str, size: int) -> str:
    """Return letters and digits that look random, always the same."""
    digest = sha512(f"a planted {name}".encode()).digest()
    return urlsafe_b64encode(digest + digest).decode().replace("-", "x").replace("_", "y")[:size]


_COMPOSED = {
    "JSON_WEB_TOKEN": _web_token,
    "PRIVATE_KEY": _private_key,
    "PASSWORD": _password,
    "API_KEY": _api_key,
    "AWS_SECRET_KEY": _aws_key,
    "AZURE_KEY": _azure_key,
}
"""Examples whose parts have to be valid themselves, or that nothing but a label makes one."""
_LABELS = {
    "PASSWORD": "password",
    "API_KEY": "api_key",
    "AWS_SECRET_KEY": "secret_access_key",
    "AZURE_KEY": "accountkey",
}
"""The labels of those that have to have one."""
