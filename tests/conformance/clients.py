"""
Every client that takes a context, as data: how the context goes in, and one exchange that carries a secret.

The tests play each against the genuine server and against impostors, and the table in the docs is made from them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import imaplib
import itertools
import smtplib
import socket
import ssl
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pinscher.lab.protocols import Protocol

HOST = "localhost"
SECRET = "password=correct-horse-battery-staple"
BODY = SECRET.encode()
TIMEOUT = 30

Exchange = "Callable[[ssl.SSLContext, int], object]"


@dataclass(frozen=True)
class Client:
    """One client: its name, its package, how the context goes in, and its exchange with a server on a port."""

    name: str
    package: str
    how: str
    exchange: Callable[[ssl.SSLContext, int], object]
    protocol: str | Protocol = "http"
    talks_at_most: ssl.TLSVersion | None = None
    """The newest TLS in which a conversation that is let through is safe from the client's own races."""
    loses_errors: bool = False
    """Whether the client throws the error away and leaves its text in the log, where the verdict's id is found."""

    def __str__(self) -> str:
        return self.name


CLIENTS: list[Client] = []


def client(name: str, package: str, how: str, **more: Any) -> Callable[[Any], Any]:
    """Put an exchange on the table; an asynchronous one is run to its end by asyncio."""

    def register(exchange: Any) -> Any:
        played = functools.partial(_run, exchange) if _is_async(exchange) else exchange
        CLIENTS.append(Client(name, package, how, played, **more))
        return exchange

    return register


def _run(exchange: Callable[..., Awaitable[None]], context: ssl.SSLContext, port: int) -> None:
    asyncio.run(to_its_end(exchange, context, port))


async def to_its_end(exchange: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    """Await an exchange, and wait until the transports that the client has closed have heard the goodbye."""
    try:
        await exchange(*arguments)
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                for turn in itertools.count():
                    if turn > _TURNS and not _some_end(asyncio.get_running_loop()):
                        break
                    await asyncio.sleep(0 if turn < _TURNS else 0.001)


_TURNS = 100
"""Of the loop, in which what was closed begins to end; a client that forgets a transport is not waited for."""


def _some_end(loop: Any) -> bool:
    """Tell whether a transport was closed and has its socket still: TLS waits for the other side's goodbye."""
    open_now = [one for one in list(getattr(loop, "_transports", {}).values()) if one._sock is not None]
    secured = [getattr(one.get_protocol(), "_app_transport", None) for one in open_now]
    return any(one is not None and one.is_closing() for one in (*open_now, *secured))


def _is_async(exchange: Callable[..., Any]) -> bool:
    return asyncio.iscoroutinefunction(getattr(exchange, "func", exchange))


def _url(port: int) -> str:
    return f"https://{HOST}:{port}/"


def _echoed(secured: ssl.SSLSocket) -> None:
    secured.sendall(BODY)
    assert BODY == secured.recv(len(BODY))


@client("socket", "ssl", "`context.wrap_socket(sock, server_hostname=host)`", protocol="echo")
def blocking_socket(context: ssl.SSLContext, port: int) -> None:
    """Wrap a connected socket."""
    with socket.create_connection((HOST, port), TIMEOUT) as tcp, context.wrap_socket(tcp, server_hostname=HOST) as tls:
        _echoed(tls)


@client("socket, connected later", "ssl", "`context.wrap_socket(...)`, then `connect`", protocol="echo")
def late_socket(context: ssl.SSLContext, port: int) -> None:
    """Wrap a socket, then connect it."""
    with socket.socket() as tcp, context.wrap_socket(tcp, server_hostname=HOST) as tls:
        tls.settimeout(TIMEOUT)
        tls.connect(("127.0.0.1", port))
        _echoed(tls)


@client("socket, deferred handshake", "ssl", "`do_handshake_on_connect=False`", protocol="echo")
def deferred_socket(context: ssl.SSLContext, port: int) -> None:
    """Send without ever asking for a handshake."""
    with (
        socket.create_connection((HOST, port), TIMEOUT) as tcp,
        context.wrap_socket(tcp, server_hostname=HOST, do_handshake_on_connect=False) as tls,
    ):
        _echoed(tls)


@client("http.client", "http.client", "`HTTPSConnection(host, context=context)`")
def http_client(context: ssl.SSLContext, port: int) -> None:
    """Post a form."""
    with contextlib.closing(http.client.HTTPSConnection(HOST, port, context=context, timeout=TIMEOUT)) as connection:
        connection.request("POST", "/", BODY)
        assert 200 == connection.getresponse().status


@client("urllib.request", "urllib.request", "`urlopen(url, context=context)`")
def urllib_request(context: ssl.SSLContext, port: int) -> None:
    """Post a form."""
    with urllib.request.urlopen(_url(port), BODY, TIMEOUT, context=context) as answer:
        assert 200 == answer.status


@client("urllib3", "urllib3", "`PoolManager(ssl_context=context)`")
def urllib3_pool(context: ssl.SSLContext, port: int) -> None:
    """Post a form, with the retries that urllib3 makes by default."""
    import urllib3

    with urllib3.PoolManager(ssl_context=context, timeout=TIMEOUT) as pool:
        assert 200 == pool.request("POST", _url(port), body=BODY).status


@client("requests", "requests", "an adapter whose `init_poolmanager` passes `ssl_context=context`")
def requests_session(context: ssl.SSLContext, port: int) -> None:
    """Post a form; requests adds its own CA bundle to the context, which the pins survive."""
    import requests
    from requests.adapters import HTTPAdapter

    class Pinned(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> Any:
            return super().init_poolmanager(*args, **options, ssl_context=context)

        def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
            return super().proxy_manager_for(*args, **options, ssl_context=context)

    with requests.Session() as session:
        session.mount("https://", Pinned())
        assert 200 == session.post(_url(port), data=BODY, timeout=TIMEOUT).status_code


def _httpx_sync(module: str, **options: Any) -> Callable[[ssl.SSLContext, int], None]:
    def exchange(context: ssl.SSLContext, port: int) -> None:
        httpx = __import__(module)
        with httpx.Client(verify=context, timeout=TIMEOUT, **options) as session:
            assert 200 == session.post(_url(port), content=BODY).status_code

    return exchange


def _httpx_async(module: str, **options: Any) -> Callable[[ssl.SSLContext, int], Awaitable[None]]:
    async def exchange(context: ssl.SSLContext, port: int) -> None:
        httpx = __import__(module)
        async with httpx.AsyncClient(verify=context, timeout=TIMEOUT, **options) as session:
            assert 200 == (await session.post(_url(port), content=BODY)).status_code

    return exchange


def _on_trio(exchange: Callable[[ssl.SSLContext, int], Awaitable[None]]) -> Callable[[ssl.SSLContext, int], None]:
    def play(context: ssl.SSLContext, port: int) -> None:
        import trio

        trio.run(exchange, context, port)

    return play


for _module in ("httpx", "httpx2"):
    client(_module, _module, "`Client(verify=context)`")(_httpx_sync(_module))
    client(f"{_module}, HTTP/2", _module, "`Client(verify=context, http2=True)`", protocol="http2")(
        _httpx_sync(_module, http2=True)
    )
    client(f"{_module}, asyncio", _module, "`AsyncClient(verify=context)`")(_httpx_async(_module))
    client(f"{_module}, asyncio, HTTP/2", _module, "`AsyncClient(verify=context, http2=True)`", protocol="http2")(
        _httpx_async(_module, http2=True)
    )
    client(f"{_module}, trio", _module, "`AsyncClient(verify=context)`")(_on_trio(_httpx_async(_module)))


@client("aiohttp", "aiohttp", "`TCPConnector(ssl=context)`")
async def aiohttp_connector(context: ssl.SSLContext, port: int) -> None:
    """Post a form."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        async with session.post(_url(port), data=BODY) as answer:
            assert 200 == answer.status


@client("aiohttp, per request", "aiohttp", "`session.post(url, ssl=context)`")
async def aiohttp_request(context: ssl.SSLContext, port: int) -> None:
    """Post a form."""
    import aiohttp

    async with aiohttp.ClientSession() as session, session.post(_url(port), data=BODY, ssl=context) as answer:
        assert 200 == answer.status


@client("asyncio streams", "asyncio", "`open_connection(host, port, ssl=context)`", protocol="echo")
async def asyncio_streams(context: ssl.SSLContext, port: int) -> None:
    """Echo a line."""
    reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
    try:
        writer.write(BODY)
        assert BODY == await reader.readexactly(len(BODY))
    finally:
        writer.close()
        with contextlib.suppress(ssl.SSLError, OSError):
            await writer.wait_closed()


async def _offer_starttls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for command in (None, b"EHLO client\r\n", b"STARTTLS\r\n"):
        if command is not None:
            writer.write(command)
        while (await reader.readline())[3:4] == b"-":
            pass


@client("asyncio start_tls", "asyncio", "`StreamWriter.start_tls(context, server_hostname=host)`", protocol="smtp")
async def asyncio_start_tls(context: ssl.SSLContext, port: int) -> None:
    """Upgrade an SMTP connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        await _offer_starttls(reader, writer)
        await writer.start_tls(context, server_hostname=HOST)
        writer.write(b"EHLO " + BODY + b"\r\n")
        assert (await reader.readline()).startswith(b"250")
    finally:
        writer.close()
        with contextlib.suppress(ssl.SSLError, OSError):
            await writer.wait_closed()


@client("trio", "trio", "`SSLStream(stream, context, server_hostname=host)`", protocol="echo")
def trio_stream(context: ssl.SSLContext, port: int) -> None:
    """Echo a line."""
    import trio

    async def exchange() -> None:
        """Run inside trio's own loop."""
        async with await trio.open_ssl_over_tcp_stream(HOST, port, ssl_context=context) as stream:
            await stream.send_all(BODY)
            assert BODY == await stream.receive_some(len(BODY))

    trio.run(exchange)


def _anyio(back_end: str) -> Callable[[ssl.SSLContext, int], None]:
    def play(context: ssl.SSLContext, port: int) -> None:
        import anyio

        async def exchange() -> None:
            async with await anyio.connect_tcp(HOST, port, tls=True, ssl_context=context) as stream:
                await stream.send(BODY)
                assert BODY == await stream.receive(len(BODY))

        anyio.run(exchange, backend=back_end)

    return play


client("anyio on asyncio", "anyio", "`connect_tcp(..., ssl_context=context)`", protocol="echo")(_anyio("asyncio"))
client("anyio on trio", "anyio", "`connect_tcp(..., ssl_context=context)`", protocol="echo")(_anyio("trio"))


@client("websockets", "websockets", "`connect(uri, ssl=context)`", protocol="websocket")
async def websockets_asyncio(context: ssl.SSLContext, port: int) -> None:
    """Echo a message."""
    from websockets.asyncio.client import connect

    async with connect(f"wss://{HOST}:{port}/", ssl=context, proxy=None, open_timeout=TIMEOUT) as socket_:
        await socket_.send(SECRET)
        assert SECRET == await socket_.recv()


# The synchronous websockets client reads in one thread while another writes, on one blocking SSL object. Under TLS 1.3,
# whose session tickets wake the reader early, the two now and then wait for each other for ever, with plain contexts too.
# Under TLS 1.2 they did not in thousands of connections. An impostor is refused before there is a second thread.
RACES_IN_TLS_1_3: Any = {"protocol": "websocket", "talks_at_most": ssl.TLSVersion.TLSv1_2}


@client("websockets, sync", "websockets", "`connect(uri, ssl=context)`", **RACES_IN_TLS_1_3)
def websockets_sync(context: ssl.SSLContext, port: int) -> None:
    """Echo a message."""
    # Its two threads share one TLS object, and under TLS 1.3 they now and then wait for ever: prefer the asyncio client.
    from websockets.sync.client import connect

    with connect(f"wss://{HOST}:{port}/", ssl=context, proxy=None, open_timeout=TIMEOUT) as socket_:
        socket_.send(SECRET)
        assert SECRET == socket_.recv()


@client("smtplib", "smtplib", "`SMTP_SSL(host, port, context=context)`", protocol="smtps")
def smtp_implicit(context: ssl.SSLContext, port: int) -> None:
    """Say a secret where anything can be said."""
    with smtplib.SMTP_SSL(HOST, port, context=context, timeout=TIMEOUT) as session:
        session.ehlo(SECRET)


@client("smtplib, STARTTLS", "smtplib", "`starttls(context=context)`", protocol="smtp")
def smtp_upgraded(context: ssl.SSLContext, port: int) -> None:
    """Say a secret once the connection is upgraded."""
    with smtplib.SMTP(HOST, port, timeout=TIMEOUT) as session:
        session.starttls(context=context)
        session.ehlo(SECRET)


@client("imaplib", "imaplib", "`IMAP4_SSL(host, port, ssl_context=context)`", protocol="imaps")
def imap_implicit(context: ssl.SSLContext, port: int) -> None:
    """Log in."""
    with imaplib.IMAP4_SSL(HOST, port, ssl_context=context, timeout=TIMEOUT) as session:
        session.login("ada", SECRET)


@client("imaplib, STARTTLS", "imaplib", "`starttls(ssl_context=context)`", protocol="imap")
def imap_upgraded(context: ssl.SSLContext, port: int) -> None:
    """Log in once the connection is upgraded."""
    with imaplib.IMAP4(HOST, port, timeout=TIMEOUT) as session:
        session.starttls(ssl_context=context)
        session.login("ada", SECRET)


@client("asyncpg", "asyncpg", "`connect(..., ssl=context)`", protocol="postgres")
async def asyncpg_connection(context: ssl.SSLContext, port: int) -> None:
    """Connect as a user whose name is the secret."""
    import asyncpg

    connection = await asyncpg.connect(
        host=HOST, port=port, user=SECRET, database="bank", ssl=context, timeout=TIMEOUT, statement_cache_size=0
    )
    await connection.close()
