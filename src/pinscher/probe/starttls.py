"""
The words in clear before a TLS handshake, one small dialogue per protocol.

Rules of this file:

1. Replies are read one byte at a time up to their exact end, so that no byte a server (or somebody before it) sent in
   clear stays behind in a buffer and is later taken for something that TLS protected (CVE-2011-0411 and its kin).
2. A byte that lies waiting between the reply and the ClientHello is an injection, and an error.
3. A server that does not offer TLS is an error, never a reason to go on in clear.
4. Replies are bounded in length and number; the caller's deadline covers them all.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pinscher.errors import PinningError, escaped
from pinscher.probe.endpoint import Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_LINE = 2048
"""Octets of one reply line; RFC 5321 section 4.5.3.1.5 allows 512, servers with long banners send more."""

MOST_LINES = 64
"""Reply lines read in one dialogue before the server is taken for hostile."""


class StarttlsRefusedError(PinningError):
    """A server that would not begin TLS; ``reply`` is what it said instead, as bytes."""

    def __init__(self, protocol: Protocol, expected: str, reply: bytes) -> None:
        shown = escaped(reply.decode("latin-1"))
        super().__init__(f"the {protocol.value} server does not begin TLS: expected {expected}, found '{shown}'")
        self.protocol = protocol
        self.reply = reply


class ResponseInjectionError(PinningError):
    """Bytes in clear between a server's agreement to begin TLS and the handshake; ``stray`` holds the first of them."""

    def __init__(self, protocol: Protocol, stray: bytes) -> None:
        shown = escaped(stray.decode("latin-1"), limit=60)
        super().__init__(
            f"plaintext was injected before the TLS handshake: after the {protocol.value} server agreed to begin TLS "
            f"it sent '{shown}' in clear, expected nothing"
        )
        self.protocol = protocol
        self.stray = stray


def speak_preamble(connection: socket.socket, protocol: Protocol, *, left: Callable[[], float]) -> None:
    """
    Bring *connection* to the point where a ClientHello comes next; for plain TLS that is at once.

    *left* returns the seconds that may still be waited, or raises :class:`TimeoutError`.
    """
    if protocol is Protocol.TLS:
        return
    dialogue = _Dialogue(connection, protocol, left)
    _PREAMBLES[protocol](dialogue)
    dialogue.refuse_stray_bytes()


class _Dialogue:
    """One side of a line protocol, reading byte by byte (rule 1)."""

    def __init__(self, connection: socket.socket, protocol: Protocol, left: Callable[[], float]) -> None:
        self._connection = connection
        self._left = left
        self._lines = 0
        self.protocol = protocol

    def send(self, message: bytes) -> None:
        self._connection.settimeout(self._left())
        self._connection.sendall(message)

    def byte(self) -> bytes:
        self._connection.settimeout(self._left())
        received = self._connection.recv(1)
        if not received:
            raise StarttlsRefusedError(self.protocol, "a reply", b"(the connection was closed)")
        return received

    def line(self) -> bytes:
        self._lines += 1
        received = bytearray()
        while not received.endswith(b"\n"):
            received += self.byte()
            if len(received) > LONGEST_LINE or self._lines > MOST_LINES:
                raise StarttlsRefusedError(self.protocol, "a reply of reasonable length", bytes(received))
        return bytes(received).rstrip(b"\r\n")

    def reply(self, code: bytes) -> list[bytes]:
        """Read a reply of SMTP or FTP, whose last line has a space after the three digits (RFC 959 section 4.2)."""
        lines = [self.line()]
        first = lines[0][:3]
        while lines[-1][:3] != first or lines[-1][3:4] not in {b" ", b""}:
            lines.append(self.line())
        if first != code:
            raise StarttlsRefusedError(self.protocol, f"reply {code.decode()}", lines[-1])
        return lines

    def refuse_stray_bytes(self) -> None:
        """Look, without waiting, whether a byte lies between the reply and the handshake (rule 2)."""
        self._connection.setblocking(False)
        try:
            stray = self._connection.recv(64, socket.MSG_PEEK)
        except BlockingIOError:
            return
        if stray:
            raise ResponseInjectionError(self.protocol, stray)
        raise StarttlsRefusedError(self.protocol, "a TLS handshake", b"(the connection was closed)")


def _smtp(dialogue: _Dialogue) -> None:
    """Speak RFC 3207."""
    dialogue.reply(b"220")
    dialogue.send(b"EHLO pinscher.invalid\r\n")
    offered = dialogue.reply(b"250")
    if not any(line[4:].strip().upper() == b"STARTTLS" for line in offered):
        raise StarttlsRefusedError(dialogue.protocol, "STARTTLS among its extensions", offered[-1])
    dialogue.send(b"STARTTLS\r\n")
    dialogue.reply(b"220")


def _imap(dialogue: _Dialogue) -> None:
    """Speak RFC 9051 section 6.2.1."""
    greeting = dialogue.line()
    if not greeting.upper().startswith(b"* OK"):
        raise StarttlsRefusedError(dialogue.protocol, "an OK greeting", greeting)
    dialogue.send(b"a1 STARTTLS\r\n")
    line = dialogue.line()
    while line.startswith(b"* "):
        line = dialogue.line()
    if not line.upper().startswith(b"A1 OK"):
        raise StarttlsRefusedError(dialogue.protocol, "'a1 OK'", line)


def _pop3(dialogue: _Dialogue) -> None:
    """Speak RFC 2595 section 4."""
    _expect_ok(dialogue)
    dialogue.send(b"STLS\r\n")
    _expect_ok(dialogue)


def _expect_ok(dialogue: _Dialogue) -> None:
    line = dialogue.line()
    if not line.startswith(b"+OK"):
        raise StarttlsRefusedError(dialogue.protocol, "'+OK'", line)


def _ftp(dialogue: _Dialogue) -> None:
    """Speak RFC 4217 section 4."""
    dialogue.reply(b"220")
    dialogue.send(b"AUTH TLS\r\n")
    dialogue.reply(b"234")


def _postgres(dialogue: _Dialogue) -> None:
    """Send the SSLRequest of the PostgreSQL protocol (its manual, "Message Flow"): one byte answers it."""
    dialogue.send((8).to_bytes(4) + (80877103).to_bytes(4))
    answer = dialogue.byte()
    if answer != b"S":
        raise StarttlsRefusedError(dialogue.protocol, "'S'", answer)


_PREAMBLES: dict[Protocol, Callable[[_Dialogue], None]] = {
    Protocol.SMTP: _smtp,
    Protocol.IMAP: _imap,
    Protocol.POP3: _pop3,
    Protocol.FTP: _ftp,
    Protocol.POSTGRES: _postgres,
}
