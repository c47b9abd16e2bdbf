"""The attestation of a run: an in-toto Statement v1 in a DSSE envelope, signed or not.

DSSE signs the type of the payload together with its bytes, so that neither can be taken for
something else: the pre-authentication encoding.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping

from waivern.message import Json

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:waivern:run:1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def statement(subject: Mapping[str, str], predicate: dict[str, Json]) -> bytes:
    """Return a statement about files, of which `subject` has the SHA-256 by name."""
    document = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": hex_}} for name, hex_ in subject.items()],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def pre_authentication_encoding(payload: bytes) -> bytes:
    """Return the bytes that are signed for a payload."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope(payload: bytes, sign: Callable[[bytes], str] | None) -> bytes:
    """Return the envelope of a payload; `sign` returns the base64 of a signature of bytes."""
    signatures = [{"sig": sign(pre_authentication_encoding(payload))}] if sign else []
    document = {
        "payloadType": PAYLOAD_TYPE,
        "payload": b64encode(payload).decode(),
        "signatures": signatures,
    }
    return json.dumps(document, indent=2).encode() + b"\n"
