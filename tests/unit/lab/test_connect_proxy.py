"""Proxies of the lab that are asked to CONNECT."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.protocols.connect_proxy import ConnectProxy
from pinscher.lab.server import TlsServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.lab.authority import Authority, HeldCertificate


def asked(proxy: TlsServer, context: ssl.SSLContext, target: tuple[str, int] = ("bank.test", 443)) -> bytes:
    """Post a password to *target* through *proxy* and return the answer."""
    client = http.client.HTTPSConnection(proxy.host, proxy.port, context=context, timeout=10)
    client.set_tunnel(*target)
    try:
        client.request("POST", "/", b"pa55word")
        return client.getresponse().read()
    finally:
        client.close()


def test_a_tunnel_is_passed_on_unread(held: HeldCertificate, intermediate: Authority, trusting: ssl.SSLContext) -> None:
    """A proxy leads to the server of its routes, and sees no more than how many bytes passed."""
    with TlsServer(intermediate.issue("bank.test")) as bank:
        with TlsServer(held, protocol=ConnectProxy({"bank.test": bank.address})) as proxy:
            assert b"pa55word" in asked(proxy, trusting)
            proxy.wait_idle()
            record = proxy.evidence[0]
            bank.wait_idle()
        assert b"pa55word" in bank.evidence[0].content
    assert record.plaintext.startswith(b"CONNECT bank.test:443 HTTP/1.")
    assert (0, True) == (record.application_bytes, record.tunnelled_bytes > 500)


def test_a_tunnel_within_the_loopback(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A proxy without routes leads to ports of the loopback."""
    with TlsServer(held) as server, TlsServer(held, protocol="connect-proxy") as proxy:
        assert b"pa55word" in asked(proxy, trusting, server.address)


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"CONNECT elsewhere.test:443", b"403"), (b"CONNECT 127.0.0.1:99999", b"403"), (b"GET /", b"405")],
)
def test_a_proxy_leads_nowhere_else(held: HeldCertificate, request_line: bytes, status: bytes) -> None:
    """A proxy of the lab refuses hosts that it has no route to, and anything but CONNECT."""
    with TlsServer(held, protocol="connect-proxy") as proxy, socket.create_connection(proxy.address) as client:
        client.sendall(request_line + b" HTTP/1.1\r\n\r\n")
        assert status == client.recv(100).split()[1]


def test_tls_to_the_proxy_and_through_it(
    held: HeldCertificate, intermediate: Authority, trusting: ssl.SSLContext
) -> None:
    """A client can speak TLS to the proxy and, inside of it, to the server."""
    with (
        TlsServer(intermediate.issue("bank.test"), protocol="echo") as bank,
        TlsServer(held, protocol=ConnectProxy({"bank.test": bank.address}, secured=True)) as proxy,
        socket.create_connection(proxy.address) as raw,
        trusting.wrap_socket(raw, server_hostname="localhost") as outer,
    ):
        outer.sendall(b"CONNECT bank.test:443 HTTP/1.1\r\n\r\n")
        assert outer.recv(100).startswith(b"HTTP/1.1 200 ")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = trusting.wrap_bio(incoming, outgoing, server_hostname="bank.test")
        _until_done(inner.do_handshake, outer, incoming, outgoing)
        inner.write(b"pa55word")
        assert b"pa55word" == _until_done(lambda: inner.read(100), outer, incoming, outgoing)
        assert b"pa55word" == bank.evidence[0].content
        assert b"pa55word" not in proxy.evidence[0].content


def _until_done(
    attempt: Callable[[], object], outer: ssl.SSLSocket, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
) -> object:
    while True:
        try:
            found = attempt()
        except ssl.SSLWantReadError:
            outer.sendall(outgoing.read())
            incoming.write(outer.recv(65_536))
        else:
            outer.sendall(outgoing.read())
            return found


def test_an_intercepting_proxy_reads_what_it_is_trusted_with(
    held: HeldCertificate, intermediate: Authority, trusting: ssl.SSLContext
) -> None:
    """A proxy that answers in the server's place reads the password of a client that trusts its CA."""
    with TlsServer(intermediate.issue("bank.test"), protocol="connect-intercept") as proxy:
        assert b"pa55word" in asked(proxy, trusting)
        with pytest.raises(ssl.SSLCertVerificationError):
            asked(proxy, ssl.create_default_context())
        proxy.wait_idle()
        trusted, refused = proxy.evidence.connections
    assert b"pa55word" in trusted.content
    assert 0 == refused.application_bytes


def test_a_tunnel_to_nobody(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A proxy whose server is gone records that and hangs up."""
    with TlsServer(held) as gone:
        pass
    with TlsServer(held, protocol=ConnectProxy({"bank.test": gone.address})) as proxy:
        with pytest.raises((OSError, http.client.HTTPException)):
            asked(proxy, trusting)
        proxy.wait_idle()
        assert "refused" in str(proxy.evidence[0].error)
