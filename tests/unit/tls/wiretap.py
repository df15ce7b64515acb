"""A tap on the wire: passes a connection on byte for byte, and says which TLS records the client sent."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.lab.server import TlsServer

HANDSHAKE = 22
APPLICATION_DATA = 23
CHANGE_CIPHER_SPEC = 20
CLIENT_HELLO = 1
CERTIFICATE = 11


class Wiretap:
    """What one client sent to one server, as the bytes that arrived there."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.port = 0

    @property
    def records(self) -> list[tuple[int, bytes]]:
        """The type and the fragment of each TLS record that the client sent whole."""
        found, rest = [], bytes(self.sent)
        while len(rest) >= 5 and len(rest) >= 5 + int.from_bytes(rest[3:5]):
            end = 5 + int.from_bytes(rest[3:5])
            found.append((rest[0], rest[5:end]))
            rest = rest[end:]
        assert rest == b"", "a record was cut in the middle"
        return found

    @property
    def clear_messages(self) -> list[int]:
        """The types of the handshake messages that the client sent in clear, before its ChangeCipherSpec."""
        stream = b""
        for kind, fragment in self.records:
            if kind == CHANGE_CIPHER_SPEC:
                break
            stream += fragment if kind == HANDSHAKE else b""
        found = []
        while stream:
            found.append(stream[0])
            stream = stream[4 + int.from_bytes(stream[1:4]) :]
        return found

    @property
    def encrypted_records(self) -> int:
        """How many records the client sent encrypted: in TLS 1.3 its certificate and Finished are in one of them."""
        kinds = [kind for kind, _ in self.records]
        after = kinds[kinds.index(CHANGE_CIPHER_SPEC) + 1 :] if CHANGE_CIPHER_SPEC in kinds else []
        return kinds.count(APPLICATION_DATA) + after.count(HANDSHAKE)


@contextlib.contextmanager
def tapped(server: TlsServer) -> Iterator[Wiretap]:
    """Listen in front of a server for one connection, and pass it on; whole once the block has ended."""
    tap = Wiretap()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tap.port = listener.getsockname()[1]
        thread = threading.Thread(target=_pass_on, args=(listener, server, tap))
        thread.start()
        try:
            yield tap
        finally:
            thread.join(10)


def _pass_on(listener: socket.socket, server: TlsServer, tap: Wiretap) -> None:
    client, _ = listener.accept()
    with client, socket.create_connection(server.address) as onward:
        back = threading.Thread(target=_copy, args=(onward, client, bytearray()))
        back.start()
        _copy(client, onward, tap.sent)
        back.join(10)


def _copy(source: socket.socket, sink: socket.socket, seen: bytearray) -> None:
    with contextlib.suppress(OSError):
        while received := source.recv(65536):
            seen += received
            sink.sendall(received)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
