"""IP and MAC addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from heapq import merge

from waivern.detection.expressions import expression
from waivern.detection.prepared_text import Candidate, PreparedText, in_word, occurrences, pattern

_QUAD = expression(rb"0{1,3}\.0{1,3}\.0{1,3}\.0{1,3}")
_COMPARED = pattern(r"(?:\(=|[=<>!~]=|<|(?<![\w\"'.)%])[~^]|(?<![-=])>|~>|<<|>>) {0,2}\Z")
_TAG_BEFORE = pattern(r"<[A-Za-z/!?][^<>]{0,200}>\s{0,2}\Z")
_EPOCH = pattern(r"[\s(=]\d{1,2}:\Z")
_SUFFIX = pattern(r"[+~][A-Za-z0-9]")
_REVISION = pattern(r"-(\d{1,9})([.+~]?\w)?")
_PRODUCT = pattern(r"[A-Za-z][\w.+-]{0,40}/\Z")
_V6_RUN = pattern(r"[0-9A-Fa-f:]{2,45}(?:\.\d{1,3}){0,3}")
_V6_ANCHOR = expression(rb"::|h:h{1,4}:h{1,4}:")
_PATH_DATA = frozenset("0123456789.-, cslhvmaqtzCSLHVMAQTZ\n")
_FOUR = pattern(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_PREFIX = pattern(r"/(\d{1,3})(?![\w/]|\.\d)")
_ZONE = pattern(r"%[A-Za-z0-9_.-]{1,15}")
_MAPPED = pattern(r"::(?:[fF]{4}:)?\d{1,3}\.")
"""The beginning of an IPv4 address that is written as an IPv6 address."""
_GLOBAL = pattern(r"[23fF][0-9A-Fa-f]{3}:")
"""The first group of addresses that are in use, if they have only two groups."""
_MAC_ANCHORS = {
    b"hh:hh:hh:hh:hh:hh": b":hh:",
    b"hh-hh-hh-hh-hh-hh": b"-hh-",
    b"hhhh.hhhh.hhhh": b".hhhh.",
}
"""The notations, and the first part of each that begins and ends with a mark."""
_NO_MAKER = "000000"
_WRAPPED = expression(r":[0-9A-Fa-f]{2}:\s{1,50}\Z")
_SMALL = 20
"""Parts of versions are less."""
_KNOWN_SMALL = frozenset({"1.1.1.1", "8.8.8.8", "9.9.9.9", "1.0.0.1", "8.8.4.4", "4.2.2.2"})


def ip_addresses(doc: PreparedText) -> Iterator[Candidate]:
    """Yield IPv6 addresses, then the IPv4 addresses that are not part of one."""
    taken = -1
    sixes = []
    for anchor in merge(
        doc.places_near_digits(doc.hexes, b"::"), doc.places_near_digits(doc.hexes, b"h:h")
    ):
        if anchor < taken or not _V6_ANCHOR.match(doc.hexes, anchor):
            continue
        taken, found = _ipv6(doc, anchor)
        if found:
            sixes.append(found)
    yield from sixes
    spans = iter([(c.start, c.end) for c in sixes])
    span = next(spans, None)
    for quad in _quads(doc):
        while span and span[1] <= quad.start():
            span = next(spans, None)
        if span and span[0] <= quad.start():
            continue
        four = ipv4_here(doc, quad.start(), quad.end())
        if four:
            yield four


def _quads(doc: PreparedText) -> Iterator[re.Match[bytes]]:
    """Yield four groups of digits with dots between them; to look for one dot first is faster."""
    numbers, done = doc.numbers, 0
    for last in doc.numeral_places(b"0.0"):  # of the digits before a dot
        if last < done:
            continue
        start = last
        while start > done and last - start < 2 and numbers[start - 1] == ord("0"):
            start -= 1
        if quad := _QUAD.match(numbers, start):
            done = quad.end()
            yield quad


def _is_compared(text: str, start: int) -> bool:
    before = text[max(0, start - 6) : start]
    if not _COMPARED.search(before):
        return False
    return before.rstrip()[-1] != ">" or not _TAG_BEFORE.search(text, max(0, start - 210), start)


def _is_release(text: str, start: int, end: int) -> bool:
    """Return whether it is written as releases are: `1:3.0.8.2-6.1`, `10.2.3.4+dfsg`, `0.6.3.4`."""
    value = text[start:end]
    if value.startswith("0.") and value != "0.0.0.0":  # noqa: S104 - not bound to
        return True
    if _EPOCH.search(text, max(0, start - 6), start):
        return True
    in_cell = text[start - 1 : start] == text[end : end + 1]  # '~' may be a delimiter
    if _SUFFIX.match(text, end) and not in_cell:
        return True
    revision = _REVISION.match(text, end)
    if revision is None or _FOUR.match(text, end + 1):
        return False
    number, more = revision.groups()  # a range of addresses ascends: 10.0.0.1-254
    bracketed = text[start - 1 : start] == "(" and text[revision.end() : revision.end() + 1] == ")"
    if bracketed and _looks_like_version([int(part) for part in value.split(".")]):
        return True  # package (3.12.7.1-2)
    return bool(more) or int(number) <= int(value.rpartition(".")[2])


def ipv4_here(doc: PreparedText, start: int, end: int) -> Candidate | None:
    """Return the address that the four numbers at [start, end) are."""
    text = doc.text
    value = text[start:end]
    octets = value.split(".")
    if any(int(o) > 255 or (len(o) > 1 and o[0] == "0") for o in octets):
        return None
    if octets[0] == "255" or not _ipv4_bounded(text, start, end) or _drawn(text, start, end):
        return None
    if text[start - 1 : start] == "/" and _PRODUCT.search(text[max(0, start - 44) : start]):
        return None  # Chrome/120.0.0.0
    if _is_compared(text, start) or _is_release(text, start, end):
        return None  # a version that a package requires
    numbers = [int(o) for o in octets]
    small = _looks_like_version(numbers) and value not in _KNOWN_SMALL
    network = text[end : end + 1] in ("/", ":") and text[end + 1 : end + 2].isdigit()
    weak = small and not network
    rule = "ipv4.small" if weak else "ipv4"
    end = _with_prefix(text, start, end, 32)
    return Candidate("IP_ADDRESS", start, end, 0.4 if weak else 0.75, rule, ("ipaddress",))


_OCTETS = {str(octet): octet for octet in range(256)}
_OWN_NETWORKS = frozenset({(192, 0), (198, 51), (203, 0)})
"""The first two numbers of networks for documentation."""


def network_of(value: str) -> tuple[int, ...] | None:
    """Return the network that says all of a value with the form of an IPv4 address.

    () for one of which nothing else is to be said. None: the whole address has to be read.
    """
    first, second, *_ = numbers = [_OCTETS.get(octet, -1) for octet in value.split(".")]
    if -1 in numbers or (first, second) in _OWN_NETWORKS:
        return None
    if first in (10, 127):
        return (first,)
    if first < _SMALL or second < _SMALL:
        return None
    return (first, second) if first in (169, 172, 192, 255) else ()


def _looks_like_version(numbers: list[int]) -> bool:
    """Return whether an address looks like a version, an object identifier or a section number."""
    first, second, *_ = numbers
    if first in (0, 10, 127, 169, 172, 192):
        return False
    return sum(number < _SMALL for number in numbers) >= 3 or (first <= 2 and second < 40)


def _drawn(text: str, start: int, end: int) -> bool:
    """Return whether the value is in a run of decimals, as in a drawing's path: `1.2-.5.7.3`."""
    sides = (text[max(0, start - 24) : start], text[end : end + 24])
    near = (text[max(0, start - 16) : start], text[end : end + 16])
    if all(len(side) == 16 and _PATH_DATA.issuperset(side) for side in near):
        return any(map(str.isalpha, "".join(near))) and not any(map(_FOUR.search, sides))
    return any(
        side.count(".") >= 4 and _PATH_DATA.issuperset(side) and not _FOUR.search(side)
        for side in sides
    )


def _with_prefix(text: str, start: int, end: int, most: int) -> int:
    """Return the end of a network prefix after the address (`10.0.0.0/8`), or of the address."""
    prefix = _PREFIX.match(text, end)
    if prefix and int(prefix.group(1)) <= most and text[start - 1 : start] != "/":
        return prefix.end()
    return end


def _ipv4_bounded(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    if in_word(before) or before in ("_", "."):
        return False
    if before in ("-", "+") and text[max(0, start - 2)].isalpha():
        return False
    if in_word(after) or after == "_":
        return False
    following = text[end + 1 : end + 2]
    return not (after == "." and following.isalnum()) and not (after == "-" and following.isalpha())


def _ipv6(doc: PreparedText, near: int) -> tuple[int, Candidate | None]:
    """Read the address around `near`; also return where reading stopped."""
    text = doc.text
    start = near
    while start > 0 and near - start < 40 and text[start - 1] in "0123456789abcdefABCDEF:":
        start -= 1
    run = _V6_RUN.match(text, start)
    if run is None:
        return near + 1, None
    value = run.group()
    if value.startswith(":") and not value.startswith("::"):
        start, value = start + 1, value[1:]  # host:fe80::1
    if value.endswith(":") and not value.endswith("::"):
        value = value[:-1]
    end = start + len(value)
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return run.end(), None
    if not _ipv6_bounded(text, start, end) or not _ipv6_likely(text, start, end):
        return run.end(), None
    zone = _ZONE.match(text, end)
    stop = _with_prefix(text, start, zone.end() if zone else end, 128)
    return run.end(), Candidate("IP_ADDRESS", start, stop, 0.8, "ipv6", ("ipaddress",))


def _ipv6_bounded(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    if in_word(before) or before in ("_", "."):
        return False
    if in_word(after) or after in ("_", ":"):
        return False
    return not (after == "." and text[end + 1 : end + 2].isalnum())


def _ipv6_likely(text: str, start: int, end: int) -> bool:
    """Return whether it is an address: no slice (`a[::2]`), scope (`dead::beef`) or fingerprint."""
    value = text[start:end]
    groups = [g for g in value.split(":") if g]
    if _MAPPED.match(value):
        return True
    if not any(c.isdigit() for c in value) or value.lower().startswith("ffff:ffff:"):
        return False  # indistinguishable from a name; or a netmask
    if "::" not in value:
        return not all(len(g) == 2 for g in groups)
    if len(groups) <= 2 and value != "::1" and not _GLOBAL.match(value):
        return False  # a name with two parts: MIMS::2003
    if len(groups) > 2 or any(len(g) > 2 for g in groups):
        return True
    if value != "::1":
        return False
    if text[start - 1 : start] in ("'", '"') and text[max(0, start - 2)].isalnum():
        return False  # a mistake of JSON: {"a"::1}
    bracket = text[start - 1 : start] == "["
    sliced = start > 1 and (text[start - 2].isalnum() or text[start - 2] in "_)]")
    return not (bracket and sliced) and (bracket or text[end : end + 1] != "]")


def _macs(hexes: bytes, anchor: bytes, part: bytes) -> Iterator[int]:
    """Yield where a notation occurs; to look for the marks first is faster."""
    before = anchor.index(part)
    for at in occurrences(hexes, part):
        if at >= before and hexes.startswith(anchor, at - before):
            yield at - before


def mac_addresses(doc: PreparedText) -> Iterator[Candidate]:
    """Yield EUI-48 addresses in the three common notations, null and broadcast left out."""
    text = doc.text
    for anchor, part in _MAC_ANCHORS.items():
        for start in _macs(doc.hexes, anchor, part):
            end = start + len(anchor)
            mark = text[start + (4 if len(anchor) == 14 else 2)]
            before, after = text[start - 1 : start] if start else "", text[end : end + 1]
            if in_word(before) or before in ("_", mark) or in_word(after) or after == "_":
                continue
            if after == mark and text[end + 1 : end + 2].isalnum():
                continue
            if (
                mark == ":"
                and before.isspace()
                and _WRAPPED.search(text, max(0, start - 60), start)
            ):
                continue  # the last bytes of a signature, on a line of their own
            digits = text[start:end].replace(mark, "").lower()
            if digits in ("0" * 12, "f" * 12):
                continue
            sure = not digits.isdigit() and not digits.isalpha()
            base = 0.8 if sure else 0.55 if mark == ":" or digits.isalpha() else 0.3
            if digits.startswith(_NO_MAKER) and not sure:
                base = 0.3  # a part of a header that is mostly empty
            if mark == ".":  # the form of routers is that of hexadecimal numbers, too
                base = min(base, 0.3)
            yield Candidate("MAC_ADDRESS", start, end, base, "mac")
