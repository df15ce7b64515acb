"""The ways to speak TLS without a client library that the standard library leaves to its users: every step by hand."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from typing import TYPE_CHECKING, TypeVar

from .clients import BODY, HOST, TIMEOUT, client

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


@client("socket, non-blocking", "ssl", "`context.wrap_socket(...)` after `setblocking(False)`", protocol="echo")
def non_blocking_socket(context: ssl.SSLContext, port: int) -> None:
    """Shake hands, send and receive whenever the socket is ready."""
    with socket.create_connection((HOST, port), TIMEOUT) as tcp:
        tcp.setblocking(False)
        with context.wrap_socket(tcp, server_hostname=HOST, do_handshake_on_connect=False) as tls:
            _when_ready(tls, tls.do_handshake)
            assert len(BODY) == _when_ready(tls, lambda: tls.send(BODY))
            assert BODY == _when_ready(tls, lambda: tls.recv(len(BODY)))


def _when_ready(tls: ssl.SSLSocket, step: Callable[[], Result]) -> Result:
    """Take a step again until the socket no longer asks to be waited for."""
    while True:
        try:
            return step()
        except ssl.SSLWantReadError:
            ready, _, _ = select.select([tls], [], [], TIMEOUT)
        except ssl.SSLWantWriteError:
            _, ready, _ = select.select([], [tls], [], TIMEOUT)
        assert ready, "the server does not answer"


@client("memory BIO", "ssl", "`context.wrap_bio(incoming, outgoing, server_hostname=host)`", protocol="echo")
def memory_bio(context: ssl.SSLContext, port: int) -> None:
    """Carry every byte between the TLS object and the network."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    with socket.create_connection((HOST, port), TIMEOUT) as tcp:
        _carrying(tcp, incoming, outgoing, tls.do_handshake)
        _carrying(tcp, incoming, outgoing, lambda: tls.write(BODY))
        assert BODY == _carrying(tcp, incoming, outgoing, lambda: tls.read(len(BODY)))


@client("memory BIO, no handshake", "ssl", "`context.wrap_bio(...)`, then `write`", protocol="echo")
def memory_bio_deferred(context: ssl.SSLContext, port: int) -> None:
    """Write without ever asking for a handshake, and carry out whatever comes out, even after a refusal."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    with socket.create_connection((HOST, port), TIMEOUT) as tcp:
        try:
            _carrying(tcp, incoming, outgoing, lambda: tls.write(BODY))
            assert BODY == _carrying(tcp, incoming, outgoing, lambda: tls.read(len(BODY)))
        finally:
            tcp.sendall(outgoing.read())


def _carrying(
    tcp: socket.socket, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, step: Callable[[], Result]
) -> Result:
    """Take a step again until it needs no more of the network, and carry what it wrote."""
    while True:
        try:
            result = step()
        except ssl.SSLWantReadError:
            tcp.sendall(outgoing.read())
            received = tcp.recv(65_536)
            incoming.write(received) if received else incoming.write_eof()
        else:
            tcp.sendall(outgoing.read())
            return result


@client("asyncio loop.start_tls", "asyncio", "`loop.start_tls(transport, protocol, context, ...)`", protocol="smtp")
async def loop_start_tls(context: ssl.SSLContext, port: int) -> None:
    """Upgrade an SMTP connection's transport."""
    loop = asyncio.get_running_loop()
    transport, replies = await loop.create_connection(_Replies, HOST, port)
    try:
        await replies.next()
        for command in (b"EHLO client\r\n", b"STARTTLS\r\n"):
            transport.write(command)
            await replies.next()
        upgraded = await loop.start_tls(transport, replies, context, server_hostname=HOST)
        assert upgraded is not None
        transport = upgraded
        transport.write(b"EHLO " + BODY + b"\r\n")
        assert (await replies.next()).startswith(b"250")
    finally:
        transport.close()
        await replies.lost


class _Replies(asyncio.Protocol):
    """Collects an SMTP server's replies, each of one line or more."""

    def __init__(self) -> None:
        self._pending = b""
        self._replies: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Put every reply that is whole in the queue."""
        self._pending += data
        lines = self._pending.split(b"\r\n")
        if lines[-1] == b"" and lines[-2][3:4] == b" ":
            self._pending = b""
            self._replies.put_nowait(b"\n".join(lines))

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is over."""
        self.lost.set_result(None)

    async def next(self) -> bytes:
        """Return the next reply."""
        return await asyncio.wait_for(self._replies.get(), TIMEOUT)
