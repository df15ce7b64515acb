"""
Clients on their way through a proxy that is asked to CONNECT, in clear and through TLS of its own (TLS in TLS).

The proxy has its own authority and its own, unpinned context: the pinned one is for the server behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import ssl
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.lab.server import TlsServer

from .clients import BODY, HOST, RACES_IN_TLS_1_3, SECRET, TIMEOUT, client, to_its_end

if TYPE_CHECKING:
    from collections.abc import Callable

    Exchange = Callable[[ssl.SSLContext, int], object]
    ProxiedExchange = Callable[[ssl.SSLContext, int, "Proxy"], Any]


@dataclass(frozen=True)
class Proxy:
    """Where a proxy is, and for a proxy that speaks TLS the context that trusts its authority."""

    port: int
    trusting: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """The proxy's address as clients take it."""
        return f"{'https' if self.trusting else 'http'}://{HOST}:{self.port}"


@dataclass(frozen=True)
class Way:
    """One exchange through a proxy, before a proxy is chosen for it."""

    name: str
    exchange: ProxiedExchange = field(repr=False)
    protocol: str = "http"
    talks_at_most: ssl.TLSVersion | None = None

    def __str__(self) -> str:
        return self.name


IN_CLEAR: list[Way] = []
IN_TLS: list[Way] = []
IN_TLS_OF_ASYNCIO: list[Way] = []
"""Those that leave TLS in TLS to asyncio's own transports, which lost refusals until CPython's issue 113214."""


def through(exchange: ProxiedExchange, *, secured: bool = False) -> Exchange:
    """Play an exchange through a proxy of its own, and assert that the proxy was asked and did not see the secret."""

    def play(context: ssl.SSLContext, port: int) -> None:
        refusal: BaseException | None = None
        with TlsServer(_shown(), protocol="connect-proxy-tls" if secured else "connect-proxy", tickets=False) as server:
            try:
                exchange(context, port, Proxy(server.port, _trusting() if secured else None))
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  (raised below, once the proxy was looked at)
                refusal = error
            server.wait_idle()
            seen = [record.plaintext + record.content for record in server.evidence.connections]
        # Raised outside the handler: an assertion must not carry the refusal in its context and pass for it.
        assert seen
        assert all(sent.startswith(b"CONNECT ") and b"correct-horse" not in sent for sent in seen)
        if refusal is not None:
            raise refusal

    return play


@functools.cache
def _authority() -> Authority:
    return Authority.root("Proxy Root")


@functools.cache
def _shown() -> HeldCertificate:
    return _authority().issue(HOST)


def _trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=_authority().pem.decode())


def proxied(name: str, package: str, how: str, **server: Any) -> Callable[[Any], Any]:
    """Put an exchange through a proxy in clear on the table."""
    return _registered(f"{name}, CONNECT", package, how, server, secured=False)


def tls_in_tls(name: str, package: str, how: str, **server: Any) -> Callable[[Any], Any]:
    """Put an exchange through a proxy that speaks TLS itself on the table."""
    return _registered(f"{name}, TLS in TLS", package, how, server, secured=True)


def _registered(name: str, package: str, how: str, server: dict[str, Any], *, secured: bool) -> Callable[[Any], Any]:
    def register(exchange: Any) -> Any:
        played = _run(exchange) if asyncio.iscoroutinefunction(exchange) else exchange
        (IN_TLS if secured else IN_CLEAR).append(Way(name, played, **server))
        client(name, package, how, **server)(through(played, secured=secured))
        return exchange

    return register


def _run(exchange: Any) -> ProxiedExchange:
    return lambda context, port, proxy: asyncio.run(to_its_end(exchange, context, port, proxy))


def _url(port: int) -> str:
    return f"https://{HOST}:{port}/"


@proxied("http.client", "http.client", "`HTTPSConnection(proxy, context=context)`, then `set_tunnel(host)`")
def http_client(context: ssl.SSLContext, port: int, proxy: Proxy) -> None:
    """Post a form."""
    with contextlib.closing(http.client.HTTPSConnection(HOST, proxy.port, context=context, timeout=TIMEOUT)) as tunnel:
        tunnel.set_tunnel(HOST, port)
        tunnel.request("POST", "/", BODY)
        assert 200 == tunnel.getresponse().status


@proxied("urllib.request", "urllib.request", "`build_opener(ProxyHandler(...), HTTPSHandler(context=context))`")
def urllib_request(context: ssl.SSLContext, port: int, proxy: Proxy) -> None:
    """Post a form."""
    handlers = urllib.request.ProxyHandler({"https": proxy.url}), urllib.request.HTTPSHandler(context=context)
    with urllib.request.build_opener(*handlers).open(_url(port), BODY, TIMEOUT) as answer:
        assert 200 == answer.status


@tls_in_tls("urllib3", "urllib3", "`ProxyManager(url, ssl_context=context, proxy_ssl_context=other)`")
@proxied("urllib3", "urllib3", "`ProxyManager(url, ssl_context=context)`")
def urllib3_proxy(context: ssl.SSLContext, port: int, proxy: Proxy) -> None:
    """Post a form, with the retries that urllib3 makes by default."""
    import urllib3

    with urllib3.ProxyManager(
        proxy.url, ssl_context=context, proxy_ssl_context=proxy.trusting, timeout=TIMEOUT
    ) as pool:
        assert 200 == pool.request("POST", _url(port), body=BODY).status


@tls_in_tls("requests", "requests", "an adapter whose `proxy_manager_for` passes both contexts")
@proxied("requests", "requests", "an adapter whose `proxy_manager_for` passes `ssl_context=context`")
def requests_session(context: ssl.SSLContext, port: int, proxy: Proxy) -> None:
    """Post a form."""
    import requests
    from requests.adapters import HTTPAdapter

    class Pinned(HTTPAdapter):
        def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
            contexts = {"ssl_context": context, "proxy_ssl_context": proxy.trusting}
            return super().proxy_manager_for(*args, **options, **contexts)

    with requests.Session() as session:
        session.mount("https://", Pinned())
        answer = session.post(_url(port), data=BODY, timeout=TIMEOUT, proxies={"https": proxy.url})
        assert 200 == answer.status_code


def _httpx_sync(module: str) -> ProxiedExchange:
    def exchange(context: ssl.SSLContext, port: int, proxy: Proxy) -> None:
        httpx = __import__(module)
        way = httpx.Proxy(proxy.url, ssl_context=proxy.trusting)
        with httpx.Client(verify=context, timeout=TIMEOUT, proxy=way) as session:
            assert 200 == session.post(_url(port), content=BODY).status_code

    return exchange


def _httpx_async(module: str) -> ProxiedExchange:
    async def exchange(context: ssl.SSLContext, port: int, proxy: Proxy) -> None:
        httpx = __import__(module)
        way = httpx.Proxy(proxy.url, ssl_context=proxy.trusting)
        async with httpx.AsyncClient(verify=context, timeout=TIMEOUT, proxy=way) as session:
            assert 200 == (await session.post(_url(port), content=BODY)).status_code

    return exchange


def _on_trio(exchange: ProxiedExchange) -> ProxiedExchange:
    def play(context: ssl.SSLContext, port: int, proxy: Proxy) -> None:
        import trio

        trio.run(exchange, context, port, proxy)

    return play


for _module in ("httpx", "httpx2"):
    for _name, _class, _exchange in (
        (_module, "Client", _httpx_sync(_module)),
        (f"{_module}, asyncio", "AsyncClient", _httpx_async(_module)),
        (f"{_module}, trio", "AsyncClient", _on_trio(_httpx_async(_module))),
    ):
        proxied(_name, _module, f"`{_class}(verify=context, proxy=url)`")(_exchange)
        tls_in_tls(_name, _module, f"`{_class}(verify=context, proxy=Proxy(url, ssl_context=other))`")(_exchange)


@proxied("aiohttp", "aiohttp", "`session.post(url, ssl=context, proxy=url)`")
async def aiohttp_session(context: ssl.SSLContext, port: int, proxy: Proxy) -> None:
    """Post a form."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        async with session.post(_url(port), data=BODY, ssl=context, proxy=proxy.url) as answer:
            assert 200 == answer.status


IN_TLS_OF_ASYNCIO.append(Way("aiohttp", _run(aiohttp_session)))


@proxied("websockets", "websockets", "`connect(uri, ssl=context, proxy=url)`", protocol="websocket")
async def websockets_asyncio(context: ssl.SSLContext, port: int, proxy: Proxy) -> None:
    """Echo a message."""
    from websockets.asyncio.client import connect

    way: dict[str, Any] = {"proxy": proxy.url} | ({"proxy_ssl": proxy.trusting} if proxy.trusting else {})
    async with connect(f"wss://{HOST}:{port}/", ssl=context, open_timeout=TIMEOUT, **way) as socket_:
        await socket_.send(SECRET)
        assert SECRET == await socket_.recv()


IN_TLS_OF_ASYNCIO.append(Way("websockets", _run(websockets_asyncio), "websocket"))


@tls_in_tls(
    "websockets, sync", "websockets", "`connect(uri, ssl=context, proxy=url, proxy_ssl=other)`", **RACES_IN_TLS_1_3
)
@proxied("websockets, sync", "websockets", "`connect(uri, ssl=context, proxy=url)`", **RACES_IN_TLS_1_3)
def websockets_sync(context: ssl.SSLContext, port: int, proxy: Proxy) -> None:
    """Echo a message."""
    from websockets.sync.client import connect

    way: dict[str, Any] = {"proxy": proxy.url} | ({"proxy_ssl": proxy.trusting} if proxy.trusting else {})
    with connect(f"wss://{HOST}:{port}/", ssl=context, open_timeout=TIMEOUT, **way) as socket_:
        socket_.send(SECRET)
        assert SECRET == socket_.recv()
