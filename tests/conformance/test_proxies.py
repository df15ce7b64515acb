"""Proxies that intercept, and proxies that are themselves pinned: neither gets what the pins do not allow."""

from __future__ import annotations

import asyncio.sslproto
import inspect
import ssl

import pytest

import pinscher
from pinscher.lab.server import TlsServer

from .clients import HOST
from .proxied import IN_CLEAR, IN_TLS, IN_TLS_OF_ASYNCIO, Proxy, Way
from .test_clients import World

FORMS = [way for way in IN_CLEAR if way.protocol == "http"]
EVERY_TLS_IN_TLS = pytest.mark.parametrize("way", [*IN_TLS, *IN_TLS_OF_ASYNCIO], ids=str)
refusals_get_through = pytest.mark.skipif(
    "exc" not in inspect.signature(asyncio.sslproto.SSLProtocol._abort).parameters,
    reason="this asyncio loses every refusal of TLS in TLS: https://github.com/python/cpython/issues/113214",
)


@pytest.fixture
def world() -> World:
    """Return a world with fresh keys."""
    return World()


def refused(way: Way, context: ssl.SSLContext, port: int, proxy: Proxy) -> pinscher.Verdict | None:
    """Play an exchange that must fail, and return the verdict behind what its user catches."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  (each client has an error of its own)
        way.exchange(context, port, proxy)
    return pinscher.verdict_of(caught.value)


@pytest.mark.parametrize("way", FORMS, ids=str)
def test_an_intercepting_proxy_gets_nothing(world: World, way: Way) -> None:
    """A proxy that answers in the server's place, with a CA that the machine trusts, gets CONNECT and nothing more."""
    with TlsServer(world.root.issue(HOST), protocol="connect-intercept", tickets=False) as proxy:
        verdict = refused(way, world.context(), 443, Proxy(proxy.port))
        proxy.wait_idle()
        assert 0 == proxy.application_bytes
        seen = [record.plaintext for record in proxy.evidence.connections]
    assert seen
    assert all(plaintext.startswith(b"CONNECT ") and b"correct-horse" not in plaintext for plaintext in seen)
    assert verdict is not None
    assert ["NO_MATCHING_PIN"] == world.outcomes()
    assert world.told[0].id == verdict.id


@pytest.mark.parametrize("way", FORMS, ids=str)
def test_an_intercepting_proxy_reads_what_is_not_pinned(world: World, way: Way) -> None:
    """The same client with the standard library's context hands the same proxy the secret: pins make the difference."""
    unpinned = ssl.create_default_context(cadata=world.root.pem.decode())
    with TlsServer(world.root.issue(HOST), protocol="connect-intercept", tickets=False) as proxy:
        way.exchange(unpinned, 443, Proxy(proxy.port))
        proxy.wait_idle()
        assert b"correct-horse" in proxy.evidence[0].content


@EVERY_TLS_IN_TLS
def test_one_context_judges_proxy_and_server(world: World, way: Way) -> None:
    """With a pinned context on both legs the proxy and the server behind it are judged, each by itself."""
    context = world.context()
    with TlsServer(world.genuine, protocol=way.protocol, maximum_version=way.talks_at_most) as server:
        with TlsServer(world.genuine, protocol="connect-proxy-tls", tickets=False) as proxy:
            way.exchange(context, server.port, Proxy(proxy.port, context))
            proxy.wait_idle()
        server.wait_idle()
        assert server.application_bytes > 0
    assert ["MATCH", "MATCH"] == world.outcomes()


@EVERY_TLS_IN_TLS
def test_a_rogue_proxy_is_not_even_told_the_way(world: World, way: Way) -> None:
    """A proxy with a rogue key sees neither CONNECT nor credentials for the proxy when its own leg is pinned."""
    context = world.context()
    with TlsServer(world.root.issue(HOST), protocol="connect-proxy-tls", tickets=False) as proxy:
        verdict = refused(way, context, 443, Proxy(proxy.port, context))
        proxy.wait_idle()
        assert (0, 0) == (proxy.application_bytes, proxy.evidence[0].tunnelled_bytes)
    assert verdict is not None
    assert ["NO_MATCHING_PIN"] == world.outcomes()


@refusals_get_through
@pytest.mark.parametrize("way", IN_TLS_OF_ASYNCIO, ids=str)
def test_a_rogue_server_behind_asyncio_in_tls_gets_nothing(world: World, way: Way) -> None:
    """Behind a genuine proxy, a server with a rogue key gets nothing through asyncio's own TLS in TLS."""
    context = world.context()
    with TlsServer(world.root.issue(HOST), protocol=way.protocol, tickets=False) as server:
        with TlsServer(world.genuine, protocol="connect-proxy-tls", tickets=False) as proxy:
            verdict = refused(way, context, server.port, Proxy(proxy.port, context))
            proxy.wait_idle()
        server.wait_idle()
        assert (1, 0) == (len(server.evidence), server.application_bytes)
    assert verdict is not None
    assert ["MATCH", "NO_MATCHING_PIN"] == world.outcomes()
