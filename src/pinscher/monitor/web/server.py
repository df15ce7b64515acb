"""
The HTTP server, and the patience that it has with slow clients.

uvicorn closes a connection that is idle between two requests, and waits for the head of a request as long as its bytes
trickle in. Here a connection without a request under way is closed after a few seconds, whatever it sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp

HEAD_SECONDS = 10.0
"""How long a client may take until the head of a request is there."""
MOST_CONNECTIONS = 1_000
"""Connections at once; one more gets 503."""


class PatientProtocol(H11Protocol):
    """An HTTP/1.1 connection that is closed when no request comes in time."""

    head_seconds = HEAD_SECONDS
    _closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on; while a request is under way, its body has a time limit of its own."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._closing is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._closing = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None


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
