"""Conformance suites for authors of stores; they need pytest."""

import pytest

pytest.register_assert_rewrite("waivern.testing.stores")  # or a failed assertion shows no values
