"""The kinds of errors that pydantic reports, with the words that runbooks have for them.

Workers check the properties of components and read no runbook: they do not import its models.
"""

from __future__ import annotations

from waivern.yamldoc.runbook_codes import RunbookCode

KINDS = {
    "string_type": (RunbookCode.TYPE, "must be text"),
    "bool_type": (RunbookCode.TYPE, "must be true or false"),
    "int_type": (RunbookCode.TYPE, "must be a whole number"),
    "list_type": (RunbookCode.TYPE, "must be a list"),
    "tuple_type": (RunbookCode.TYPE, "must be a list"),
    "dict_type": (RunbookCode.TYPE, "must be a mapping"),
    "model_type": (RunbookCode.TYPE, "must be a mapping"),
    "missing": (RunbookCode.MISSING, "is missing"),
    "string_too_short": (RunbookCode.MISSING, "is empty"),
    "too_short": (RunbookCode.MISSING, "is empty"),
    "literal_error": (RunbookCode.VALUE, "can only be {expected}"),
    "greater_than_equal": (RunbookCode.VALUE, "must be at least {ge}"),
    "less_than_equal": (RunbookCode.VALUE, "must be at most {le}"),
}
"""The code and the message for each kind of error that pydantic reports."""
