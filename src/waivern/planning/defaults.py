"""The defaults of a project for all its runbooks."""

from collections.abc import Mapping
from typing import NamedTuple

from waivern.language.artifact_spec import Keep, OnChange, OnError
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument


class ProjectDefaults(NamedTuple):
    """The defaults for runbooks that leave a setting out."""

    components: Mapping[str, Mapping[str, Json]] = {}
    """Properties by component type, over which a runbook's own are laid."""
    on_error: OnError | None = None
    keep: Keep | None = None
    on_change: OnChange | None = None
    document: YamlDocument | None = None
    """The project's file, which has them; None if a run has recorded them."""


SETTINGS = ("on_error", "keep", "on_change")
"""The defaults that a runbook's `config` can have too."""
NO_DEFAULTS = ProjectDefaults()


def laid_over(base: Mapping[str, Json], own: Mapping[str, Json]) -> dict[str, Json]:
    """Return `base` with `own` laid over it, key by key.

    Mappings are laid over mappings at any depth; anything else, a list or null too, takes the place
    of what is below it. Neither argument is changed.
    """
    result = dict(base)
    for key, value in own.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = laid_over(result[key], value) if both else value
    return result
