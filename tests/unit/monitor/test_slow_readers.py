"""Clients that do not take their answers, and addresses that take too many connections; see ``web/server.py``."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pinscher.monitor.database import Database
from pinscher.monitor.monitor import Monitor
from pinscher.monitor.web import application
from pinscher.monitor.web.server import PatientProtocol, listening, serve, server_of
from tests.unit.monitor.scene import Clock, policy_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

pytestmark = pytest.mark.anyio
ASKED = b"GET /static/x/pinscher.css HTTP/1.1\r\nHost: x\r\n\r\n"
Address = tuple[str, int]


class Impatient(PatientProtocol):
    """Cuts whoever takes nothing for a moment, however much waits; two connections of an address are enough."""

    take_seconds = 0.2
    slowest = 1e12
    most_of_address = 2


class Distant(Impatient):
    """Takes nobody for a proxy."""

    of_many: ClassVar[Any] = ()


def _never(_: object) -> Any:
    raise AssertionError("nothing is looked at")


class Serving:
    """An application on its real server, until the block ends."""

    def __init__(self, app: ASGIApp, protocol: type[PatientProtocol] = Impatient) -> None:
        self._server = server_of(app, protocol)

    async def __aenter__(self) -> Address:
        self._listener = listening("127.0.0.1", 0)
        forever = asyncio.get_running_loop().create_future()
        self._running = asyncio.create_task(serve(self._server, self._listener, forever))
        address: Address = self._listener.getsockname()
        return address

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        async with asyncio.timeout(30):
            await self._running
        self._listener.close()


@pytest.fixture
async def monitor(tmp_path: Path) -> AsyncIterator[Monitor]:
    """Return a monitor that looks at nothing."""
    database = await Database.in_folder(tmp_path)
    yield await Monitor.open(database, policy_of("sha256/" + "A" * 43 + "="), _never, now=Clock())
    await database.close()


async def _connected(address: Address, *, source: str = "127.0.0.1") -> socket.socket:
    """Return a connection with little room for an answer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    client.bind((source, 0))
    await asyncio.get_running_loop().sock_connect(client, address)
    return client


async def test_slow_readers_of_answers_that_they_ask_for_without_end(monitor: Monitor) -> None:
    """A client that sends request after request and reads no answer is cut, and holds no connection."""
    async with Serving(application(monitor)) as address:
        with await _connected(address) as client:
            async with asyncio.timeout(30):
                with pytest.raises(ConnectionError):
                    await asyncio.get_running_loop().sock_sendall(client, ASKED * 1_000_000)


@pytest.mark.parametrize("pieces", [1, 10_000], ids=["one answer", "a stream"])
async def test_slow_reader_of_a_long_answer(pieces: int) -> None:
    """An answer and a stream of news that nobody takes are cut; the application is told that the client left."""
    left = asyncio.Event()

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        """Answer with many octets, and wait for the client to leave."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _piece in range(pieces):
            await send({"type": "http.response.body", "body": bytes((16 << 20) // pieces), "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            continue
        left.set()

    async with Serving(app) as address:
        with await _connected(address) as client:
            await asyncio.get_running_loop().sock_sendall(client, ASKED)
            async with asyncio.timeout(30):
                await left.wait()


async def test_a_closed_connection_waits_for_no_reader() -> None:
    """The little that is left of an answer when its connection closes does not keep the connection."""
    lost = asyncio.Event()

    class Told(Impatient):
        """A connection with a small buffer, whose end is told of."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Make the buffer small."""
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            """Tell."""
            super().connection_lost(exc)
            lost.set()

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        """Answer and close."""
        del receive
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": bytes(60_000)})

    async with Serving(app, Told) as address:
        with await _connected(address) as client:
            await asyncio.get_running_loop().sock_sendall(client, ASKED)
            async with asyncio.timeout(30):
                await lost.wait()


async def test_a_client_that_takes_its_time_gets_a_whole_answer() -> None:
    """A long answer over a slow line has the time that it takes there, beside the patience that everybody has."""

    class Fair(Impatient):
        """A server that waits for as long as a slow line takes."""

        take_seconds = 0.0
        slowest = 1 << 20

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        """Answer with many octets."""
        del receive
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"16777216")]})
        await send({"type": "http.response.body", "body": bytes(16 << 20)})

    async with Serving(app, Fair) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(ASKED)
        async with asyncio.timeout(30):
            await reader.readuntil(b"\r\n\r\n")
            assert 16 << 20 == len(await reader.readexactly(16 << 20))
        writer.close()
        await writer.wait_closed()


async def _answer(client: socket.socket) -> bytes:
    """Ask for the stylesheet, and return the first octets of the answer, or nothing where there is none."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(30):
        try:
            await loop.sock_sendall(client, ASKED)
            return await loop.sock_recv(client, 12)
        except ConnectionError:
            return b""


async def test_no_address_takes_every_connection(monitor: Monitor) -> None:
    """One address has so many connections and no more, and another one is answered all the same."""
    async with Serving(application(monitor), Distant) as address:
        sources = ["127.0.0.1"] * 3 + ["127.0.0.2"]
        clients = [await _connected(address, source=source) for source in sources]
        answers = [await _answer(client) for client in clients]
        for client in clients:
            client.close()
    assert [b"HTTP/1.1 200"] * 2 + [b"", b"HTTP/1.1 200"] == answers


class _From(asyncio.Transport):
    """The server's end of a connection from an address, of which nothing is read."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 40000)})
        self.is_cut = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Hold nothing."""

    def close(self) -> None:
        """Leave nothing open, for nothing is."""

    def abort(self) -> None:
        """Note that the connection was cut."""
        self.is_cut = True


async def test_no_ipv6_network_takes_every_connection(monitor: Monitor) -> None:
    """The addresses of one network of 64 bits have as many connections together as one address has."""
    server = server_of(application(monitor), Distant)
    server.config.load()
    ends = [_From(address) for address in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1")]
    protocols = [Distant(server.config, server.server_state, {}) for _ in ends]
    for protocol, end in zip(protocols, ends, strict=True):
        protocol.connection_made(end)
    for protocol in protocols:
        protocol.connection_lost(None)
    assert [False, False, True, False] == [end.is_cut for end in ends]


async def test_a_proxy_on_this_machine_speaks_for_everybody(monitor: Monitor) -> None:
    """The loopback has no bound of its own: behind a proxy there all come from it."""
    async with Serving(application(monitor)) as address:
        clients = [await _connected(address) for _ in range(4)]
        answers = [await _answer(client) for client in clients]
        for client in clients:
            client.close()
    assert [b"HTTP/1.1 200"] * 4 == answers
