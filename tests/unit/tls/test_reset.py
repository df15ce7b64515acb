"""A peer that is gone before TLS begins."""

from __future__ import annotations

import gc
import select
import socket
import struct
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.tls.conftest import Scene


def test_a_socket_that_was_reset_before_tls_is_closed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error is the reset, and nothing of it stays open: the standard library would leave the socket it made."""
    left: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: left.append(found.exc_value))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=10)
        peer, _ = listener.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        select.select([client], [], [], 10)
        with pytest.raises(ConnectionResetError):
            scene.context().wrap_socket(client, server_hostname="bank.test")
    gc.collect()
    assert [] == left
