"""
The HTTP server, and the patience that it has with slow clients.

uvicorn closes a connection that is idle between two requests, and waits without end for the head of a request whose
bytes trickle in, and for a client that does not read its answer.

Rules of this file:

1. A connection without a request under way is closed after a few seconds, whatever it sends.
2. What is written is taken within a few seconds and at a slow line's pace, or the connection is cut: an answer, a
   stream of news, and what is left when a connection closes.
3. No address, and no network of 64 bits of IPv6, holds more than half of the connections. The loopback may, for a proxy
   there speaks for everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING, ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pinscher.monitor.limits import network_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp

HEAD_SECONDS = 10.0
"""How long a client may take until the head of a request is there."""
TAKE_SECONDS = 10.0
"""How long a client may let an answer wait, beside the time that a slow line takes for it."""
SLOWEST = 16 * 1024
"""Octets a second of a slow line."""
MOST_CONNECTIONS = 1_000
"""Connections at once; one more gets 503."""
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


class PatientProtocol(H11Protocol):
    """An HTTP/1.1 connection that is closed when no request comes in time, or no answer is taken."""

    head_seconds = HEAD_SECONDS
    take_seconds = TAKE_SECONDS
    slowest: float = SLOWEST
    most_of_address = MOST_CONNECTIONS // 2
    of_many: ClassVar[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]] = LOOPBACK
    """Addresses that may speak for many clients (rule 3)."""
    network = ""
    """What the client's address counts as."""
    _closing: asyncio.TimerHandle | None = None
    _cutting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        # Every octet that the operating system does not take counts as waiting (rule 2).
        transport.set_write_buffer_limits(high=0)
        if self._is_one_too_many():
            transport.abort()
        else:
            self._wait()

    def _is_one_too_many(self) -> bool:
        """Tell whether this connection's network has as many as it may have already (rule 3)."""
        address = self.client[0] if self.client else ""
        self.network = network_of(address)
        with contextlib.suppress(ValueError):
            parsed = ipaddress.ip_address(address.partition("%")[0])
            if any(parsed in network for network in self.of_many):
                return False
        # HTTP/1.1 is the only protocol here, so every connection is of this class.
        theirs = sum(one.client is not None and one.network == self.network for one in self.connections)  # type: ignore[union-attr]
        return theirs > self.most_of_address

    def data_received(self, data: bytes) -> None:
        """Read on; while a request is under way, its body has a time limit of its own."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._closing is None:
            self._wait()

    def pause_writing(self) -> None:
        """Give the client time to take what waits (rule 2)."""
        super().pause_writing()
        seconds = self.take_seconds + self.transport.get_write_buffer_size() / self.slowest
        self._cutting = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on, for everything was taken."""
        self._stop_cutting()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_waiting()
        self._stop_cutting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._closing = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def _stop_cutting(self) -> None:
        if self._cutting is not None:
            self._cutting.cancel()
            self._cutting = None


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 is any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


class Server(uvicorn.Server):
    """A server whose caller looks after signals; *ending* ends answers that would go on for ever, before it stops."""

    ending: Callable[[], None] | None = None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, once every answer is given."""
        if self.ending is not None:
            self.ending()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]  # noqa: ANN201
        """Leave signals to the caller."""
        yield


def server_of(app: ASGIApp, protocol: type[asyncio.Protocol] = PatientProtocol) -> Server:
    """Return a server for an application; it trusts no header of a proxy and says nothing of itself."""
    return Server(
        uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=10,
            h11_max_incomplete_event_size=32 * 1024,
        )
    )


async def serve(server: Server, listener: socket.socket, work: Awaitable[object]) -> None:
    """Serve until the server is told to stop; *work* goes on until the last answer was given."""
    working = asyncio.ensure_future(work)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await asyncio.wait({working, serving}, return_when=asyncio.FIRST_COMPLETED)
        # Work that ends has failed, and nothing is to be acknowledged any more.
        server.should_exit = True
        await serving
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
