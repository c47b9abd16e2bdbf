"""The values of variables that a run used, redacted in texts that people add to it later.

A note, a reason and a tag are recorded as they are written. If a person pastes into one the value
of a variable that the run used, its name is recorded instead.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from waivern.errors import WaivernError
from waivern.language import template
from waivern.language.secrets import Secrets
from waivern.record.fold import RunRecord
from waivern.runs import queries, recorded_runbooks
from waivern.store.base import RunStore


def variable_values(
    store: RunStore, record: RunRecord, environ: Mapping[str, str] = os.environ
) -> Secrets:
    """Return the variables that a run used, as far as they are set now.

    Raises IntegrityError if the bytes of its runbook are lost.
    """
    named = template.names(dict(record.project))
    return Secrets({*recorded_runbooks.placeholders(store, record), *named}, environ)


def without_values(store: RunStore, run_id: str, text: str | None) -> str | None:
    """Return a text with the names of variables in place of their values.

    Of a run that cannot be read the variables are not known: the text stays as it is.
    """
    if not text:
        return text
    try:
        return variable_values(store, queries.load(store, run_id)).hide(text)
    except WaivernError:
        return text
