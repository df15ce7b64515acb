"""
TLS over a stream whose two directions end one by one, which asyncio's own TLS does not offer.

Rules of this file:

1. Nothing is sent through a stream whose handshake was not finished and judged: there is no object to send through.
2. ``close_notify`` ends one direction. The other goes on, as RFC 8446 section 6.1 has it.
3. A TCP connection that ends without ``close_notify`` is truncated, and an error: somebody may have cut the answer.
4. Whatever ciphertext arrives is decrypted at once. The standard library's ``unwrap`` also reads, and fails on
   application data that it finds waiting.
5. Buffers are bounded: one block is read when the last was passed on, and written when the last has left the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Self, TypeAlias

from pinscher.tls import PinMismatchError

if TYPE_CHECKING:
    from pinscher.tls import PinnedContext, PinnedObject

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

BLOCK = 65_536
"""Octets that are read at once, and at which a stream stops reading for us."""


class TruncatedError(ConnectionError):
    """The upstream's TCP connection ended, and TLS did not (rule 3)."""


def hold_nothing_back(writer: asyncio.StreamWriter) -> None:
    """Have ``drain`` wait until everything written is with the operating system (rule 5)."""
    writer.transport.set_write_buffer_limits(high=0)


class SecuredStream:
    """A pinned TLS connection; ``open`` makes one."""

    def __init__(self, context: PinnedContext, host: str, streams: Streams) -> None:
        self._reader, self._writer = streams
        hold_nothing_back(self._writer)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._arrived = b""
        self._has_ended = False
        """Whether the upstream has ended its direction."""
        self._is_finished = False
        """Whether nothing more can be sent at all."""
        self.tls: PinnedObject = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    @classmethod
    async def open(cls, context: PinnedContext, host: str, streams: Streams) -> Self:
        """Shake hands and have the upstream judged; whatever goes wrong aborts the connection."""
        try:
            stream = cls(context, host, streams)
            await stream._handshake()
        except BaseException:
            streams[1].transport.abort()
            raise
        return stream

    async def _handshake(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
            except PinMismatchError:
                # A client certificate may lie ready to be sent.
                raise
            except ssl.SSLCertVerificationError:
                # OpenSSL's own refusal has an alert to say.
                self._writer.write(self._outgoing.read())
                raise
            else:
                break
            self._incoming.write(await self._ciphertext())
        self._arrived = self._decrypted()
        await self._flush()

    async def receive(self) -> bytes:
        """Return what comes next, or nothing once the upstream has ended its direction."""
        arrived, self._arrived = self._arrived, b""
        while not arrived and not self._has_ended:
            self._incoming.write(await self._ciphertext())
            arrived = self._decrypted()
            await self._flush()
        return arrived

    async def send(self, block: bytes) -> None:
        """Send, and wait until it has left the process."""
        self.tls.write(block)
        await self._flush()

    async def end(self) -> None:
        """Say that nothing more will be sent; what the upstream sends still arrives."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        # Where the upstream has ended its direction before, it may be gone altogether.
        with contextlib.suppress(*([ConnectionError] if self._has_ended else [])):
            await self._flush()

    def finish(self) -> None:
        """End our direction of TCP too; what the upstream sends still arrives."""
        self._is_finished = True
        self._writer.write_eof()

    def close(self) -> None:
        """Close the TCP connection after both directions have ended."""
        self._writer.close()

    def abort(self) -> None:
        """Cut the connection, without a word that would make it look complete."""
        self._writer.transport.abort()

    async def _ciphertext(self) -> bytes:
        try:
            arrived = await self._reader.read(BLOCK)
        except ConnectionError as error:
            raise TruncatedError(error.errno, error.strerror or "the connection broke") from None
        if not arrived:
            raise TruncatedError("the connection ended without close_notify")
        return arrived

    def _decrypted(self) -> bytes:
        found = []
        try:
            while piece := self.tls.read(BLOCK):
                found.append(piece)
            self._has_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._has_ended = True
        return b"".join(found)

    async def _flush(self) -> None:
        if self._outgoing.pending and not self._is_finished:
            self._writer.write(self._outgoing.read())
            await self._writer.drain()
