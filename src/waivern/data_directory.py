"""The data directory: the folder that a relative path of a store starts from.

It is the folder of the nearest `waivern.yaml` upward; without one, the folder that has the nearest
`.waivern`; without either, the folder where a program is used.
"""

from __future__ import annotations

import os

from waivern.files import owner_of, trusted_owners
from waivern.ids import PROJECT, STORE


def data_directory(folder: str) -> str:
    """Return the data directory of an absolute folder."""
    if (file := project_file(folder)) is not None:
        return os.path.dirname(file)
    store = nearest_store(folder)
    return folder if store is None else os.path.dirname(store)


def project_file(folder: str) -> str | None:
    """Return the path of the nearest project file upward; None if there is none.

    One that belongs to an account which is not trusted in the folder is passed over.
    """
    at = os.path.abspath(folder)
    trusted = trusted_owners(at)
    while True:
        path = os.path.join(at, PROJECT)
        if owner_of(path) in trusted:
            return path
        at, below = os.path.dirname(at), at
        if at == below:
            return None


def nearest_store(folder: str) -> str | None:
    """Return the path of the nearest `.waivern` upward; None if there is none."""
    at, above = folder, os.path.dirname(folder)
    while not os.path.isdir(os.path.join(at, STORE)):
        if at == above:
            return None
        at, above = above, os.path.dirname(above)
    return os.path.join(at, STORE)
