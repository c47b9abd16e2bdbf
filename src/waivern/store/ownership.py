"""Ownership of a store: the accounts that may have written it, and a refusal of all others.

A file that another account planted must not be taken for a run or a cached result: on a shared
machine any account can put a `.waivern` into a folder above. Every folder and file of a store is
checked by its open descriptor, so that it makes no difference who can rename the folders that lead
to it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import TypeAlias

from waivern.errors import IntegrityError, RefusedError
from waivern.files import at_home, trusted_owners

VARIABLE = "WAIVERN_TRUST_STORE"
"""Names stores, separated by ':', that are trusted with any owner; '*' names all."""
ANY = "*"

Owners: TypeAlias = frozenset[int] | None
"""The accounts to which all of a store must belong; None: to any."""

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class ForeignOwnerError(IntegrityError):
    """A file or a folder of a store belongs to an account that is not trusted."""


def owners_of(path: str, folder: str, *, trust: bool) -> Owners:
    """Return the accounts that are trusted with the store at a path, used from `folder`."""
    return None if trust or _is_named(path) else trusted_owners(folder)


def _is_named(path: str) -> bool:
    named = [each for each in os.environ.get(VARIABLE, "").split(os.pathsep) if each]
    if ANY in named:
        return True
    return os.path.realpath(path) in [os.path.realpath(at_home(e)) for e in named]


def check_owner(found: os.stat_result, owners: Owners, name: str) -> None:
    """Raise ForeignOwnerError if a file or folder belongs to an account that is not trusted."""
    if owners is not None and found.st_uid not in owners:
        raise ForeignOwnerError(f"{name} belongs to {account(found.st_uid)}")


def check_folder(
    fd: int, path: str, owners: Owners, *, repair: bool, store: str | None = None
) -> None:
    """Raise RefusedError if an account that is not trusted may write to an open folder of a store.

    `store` is the store of which it is a part; without it the folder is the store itself.

    Group bits, as a umask of 002 leaves them, are no reason if they can be taken away: with
    `repair` they are.
    """
    found = os.fstat(fd)
    check_found(found, path, owners, store)
    if repair and owners is not None and found.st_mode & OTHERS_WRITE:
        os.fchmod(fd, stat.S_IMODE(found.st_mode) & ~OTHERS_WRITE)


def check_found(found: os.stat_result, path: str, owners: Owners, store: str | None = None) -> None:
    """Raise RefusedError unless only trusted accounts may write to a folder of a store."""
    if owners is None:
        return
    if found.st_uid not in owners:
        raise refused(path, f"belongs to {account(found.st_uid)}", store=store)
    if stat.S_ISLNK(found.st_mode):
        return  # it is not followed, and its mode says nothing
    mode = stat.S_IMODE(found.st_mode)
    repairable = not mode & stat.S_IWOTH and os.geteuid() in (0, found.st_uid)
    if mode & OTHERS_WRITE and not repairable:
        who = "everybody" if mode & stat.S_IWOTH else "its group"
        raise refused(
            path, f"can be written to by {who} (mode {mode:04o})", writable=True, store=store
        )


def check_links(path: str, owners: Owners) -> None:
    """Raise RefusedError if a symbolic link of a stranger leads to a store."""
    if owners is None:
        return
    for link, uid in _links(path):
        if uid not in owners:
            raise refused(path, f"is reached by {link}, a link that belongs to {account(uid)}")


def _links(path: str) -> Iterator[tuple[str, int]]:
    """Yield the links on the way to a path, with their owners."""
    at, rest = "/", path.split("/")[::-1]
    followed = 0
    while rest and followed < 40:  # as many as the system follows
        part = rest.pop()
        here = os.path.dirname(at) if part == ".." else os.path.join(at, part)
        try:
            found = os.lstat(here)
        except OSError:
            return  # opening it says what is wrong
        if not stat.S_ISLNK(found.st_mode):
            at = here
            continue
        yield here, found.st_uid
        followed += 1
        target = os.readlink(here)
        at = "/" if target.startswith("/") else at
        rest += target.split("/")[::-1]


def refused(
    path: str, why: str, *, writable: bool = False, store: str | None = None
) -> RefusedError:
    """Return the error that names a store which is not used, and how it can be."""
    mend = f"after a look at it: `chmod -R go-w {path}`; or " if writable else ""
    return RefusedError(
        f"the store {path} {why}: another account could have planted its content",
        hint=f"{mend}choose another with --store; if you trust it, give --trust-store "
        f"or set {VARIABLE}={store or path}",
    )


def account(uid: int) -> str:
    """Return the name of an account, for people."""
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
