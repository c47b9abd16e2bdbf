"""Addresses of the pages of single persons at networks and directories on the web."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.detection.prepared_text import Candidate, PreparedText, occurrences, pattern

TYPE = "PROFILE_URL"
_PATHS = {
    b"linkedin.com/in/": 0.6,
    b"linkedin.com/pub/": 0.6,
    b"xing.com/profile/": 0.6,
    b"facebook.com/profile.php?id=": 0.6,
    b"facebook.com/people/": 0.6,
    b"researchgate.net/profile/": 0.6,
    b"stackoverflow.com/users/": 0.6,
    b"strava.com/athletes/": 0.6,
    b"vk.com/id": 0.6,
    b"scholar.google.com/citations?user=": 0.6,
    b"tiktok.com/@": 0.3,
    b"threads.net/@": 0.3,
    b"medium.com/@": 0.3,
    b"instagram.com/": 0.2,
    b"twitter.com/": 0.2,
    b"facebook.com/": 0.2,
}
"""What precedes the name of a page, and how certain it is that the page is a person's."""
_BY_HOST = {
    host: {path: sure for path, sure in _PATHS.items() if host in path}
    for host in (b".com/", b".net/")
}
_HOST = pattern(r"(?:https?://)?(?:[a-z]{2,3}\.|www\.|m\.)?\Z")
_NAME = pattern(r"[\w%.~-]{2,100}/?(?:[\w%.~-]{1,100})?")
_PAGES = frozenset(
    """
    about api ads apps business careers company content dialog directory docs events explore feed
    groups help hashtag home i intent js legal login marketplace media p pages permalink photo php
    plugins policies privacy press reel search settings share sharer signup status stories support
    terms tos tr user video watch web widgets
    """.split()  # noqa: SIM905
)
"""First parts of addresses that are not the name of an account."""


def profiles(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the addresses of pages that belong to a person, scheme included."""
    lower = doc.folded
    for host, paths in _BY_HOST.items():
        for path, sure in paths.items() if host in lower else ():
            for at in occurrences(lower, path):
                if found := _read(doc, at, at + len(path), sure):
                    yield found


def _read(doc: PreparedText, host: int, name: int, sure: float) -> Candidate | None:
    text = doc.text
    found = _NAME.match(text, name)
    before = _HOST.search(text, max(0, host - 14), host)
    if found is None or before is None:
        return None
    begin = before.start()
    if begin and (text[begin - 1].isalnum() or text[begin - 1] in ".-_@"):
        return None
    account = found.group().partition("/")[0].partition(".")[0].lower()
    if sure < 0.5 and (account in _PAGES or "." in text[host:name].partition("/")[2]):
        return None
    end = found.end()
    while text[end - 1] in "./-~":
        end -= 1
    return Candidate(TYPE, begin, end, sure, "profile-url", ())
