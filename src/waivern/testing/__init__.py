"""Conformance suites for authors of stores, executors and components; they need pytest."""

import pytest

# or a failed assertion shows no values
pytest.register_assert_rewrite(
    "waivern.testing.artifact_conformance",
    "waivern.testing.components",
    "waivern.testing.run_conformance",
    "waivern.testing.stream_conformance",
    "waivern.testing.stores",
    "waivern.testing.executors",
)
