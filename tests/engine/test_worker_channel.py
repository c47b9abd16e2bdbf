"""The channel between the coordinator and a worker."""

from __future__ import annotations

import socket
import sys

import pytest

from waivern.engine.workers.channel import Channel, Document, UnreadError

LARGE: Document = {"text": "x" * 200_000}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say what is unread")
@pytest.mark.parametrize("first", [{"site": 1}, LARGE])
def test_a_document_that_a_worker_has_not_received_is_known_to_be_unread(first: Document) -> None:
    ours, theirs = socket.socketpair()
    coordinator, worker = Channel(ours), Channel(theirs)
    for end in (ours, theirs):
        end.settimeout(5)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    coordinator.send(first)
    coordinator.send({"call": 2})
    assert worker.receive() == first
    worker.close()
    with pytest.raises(UnreadError):
        coordinator.arrived()
    coordinator.close()


def test_a_document_that_a_worker_has_received_is_not_unread() -> None:
    ours, theirs = socket.socketpair()
    coordinator, worker = Channel(ours), Channel(theirs)
    coordinator.send({"call": 2})
    worker.receive()
    worker.close()
    with pytest.raises(EOFError) as error:
        coordinator.arrived()
    assert not isinstance(error.value, UnreadError)
    coordinator.close()
