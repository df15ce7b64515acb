"""Real interception by mitmproxy, which has to be installed for it."""

from __future__ import annotations

import asyncio
import http.client
import importlib
import os
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.interception import InterceptionError, Interceptor
from pinscher.lab.mitmdump import MitmproxyMissingError, provide_mitmdump
from pinscher.lab.server import TlsServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pinscher.lab.authority import Authority, HeldCertificate


@pytest.fixture(scope="module")
def bank(intermediate: Authority) -> Iterator[TlsServer]:
    """The server that clients mean to talk to."""
    with TlsServer(intermediate.issue("bank.test")) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(bank: TlsServer, root: Authority) -> Iterator[Interceptor]:
    """The real mitmproxy in front of the bank."""
    try:
        command = provide_mitmdump(progress=print)
    except MitmproxyMissingError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"mitmproxy cannot be had here: {error}")
    with Interceptor(routes={"bank.test": bank.address}, upstream_ca=root.pem, mitmdump=command) as interceptor:
        yield interceptor


def unpinned(proxy: Interceptor) -> ssl.SSLContext:
    """Return the context of a client that trusts the proxy's CA."""
    return ssl.create_default_context(cadata=proxy.ca_pem.decode())


@contextmanager
def through(proxy: Interceptor, host: str) -> Iterator[ssl.SSLSocket]:
    """Connect to *host* through *proxy* as an unpinned client."""
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as raw:
        raw.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
        assert raw.recv(1000).startswith(b"HTTP/1.1 200 ")
        with unpinned(proxy).wrap_socket(raw, server_hostname=host) as secured:
            yield secured


def posted(proxy: Interceptor, trusted: bytes, host: str = "bank.test", port: int = 443) -> int:
    """Post a password to *host* through *proxy*, as a client that trusts *trusted*."""
    context = ssl.create_default_context(cadata=trusted.decode())
    client = http.client.HTTPSConnection(proxy.host, proxy.port, context=context, timeout=10)
    client.set_tunnel(host, port)
    try:
        client.request("POST", "/login", b"password=s3cret", {"Authorization": "Bearer t0ken"})
        return client.getresponse().status
    finally:
        client.close()


def test_an_unpinned_client_is_read(proxy: Interceptor, bank: TlsServer) -> None:
    """A client that trusts the proxy's CA hands over its password, its token, and is answered as ever."""
    before = len(proxy.flows())
    assert 200 == posted(proxy, proxy.ca_pem)
    proxy.wait_idle()
    established, request = proxy.flows()[before:]
    assert ("tls-established", "bank.test") == (established.kind, established.host)
    assert ("request", "https", "POST", "bank.test", "/login") == (
        request.kind, request.scheme, request.method, request.host, request.path
    )  # fmt: skip
    assert (15, b"password=s3cret") == (request.body_bytes, request.body)
    assert ("Authorization", "Bearer t0ken") in request.fields
    assert request.application_bytes > 15
    assert b"password=s3cret" in bank.evidence[0].content


def test_a_client_that_does_not_trust_the_proxy_is_not(proxy: Interceptor, root: Authority) -> None:
    """A client that refuses the proxy's certificate is on record as that, and not one byte of it was read."""
    before, read = len(proxy.flows()), proxy.application_bytes
    with pytest.raises(ssl.SSLCertVerificationError):
        posted(proxy, root.pem)
    proxy.wait_idle()
    (failed,) = proxy.flows()[before:]
    assert ("tls-failed", "bank.test", 0) == (failed.kind, failed.host, failed.application_bytes)
    assert "unknown ca" in str(failed.error)
    assert read == proxy.application_bytes


def test_what_is_not_http_is_read_too(proxy: Interceptor, root: Authority, intermediate: Authority) -> None:
    """Bytes of a protocol that mitmproxy does not know are on record as they are."""
    with (
        TlsServer(intermediate.issue("queue.test"), protocol="echo") as queue,
        Interceptor(routes={"queue.test": queue.address}, upstream_ca=root.pem) as other,
    ):
        with through(other, "queue.test") as client:
            client.sendall(b"\x00\x01secret\xff")
            assert client.recv(100) == b"\x00\x01secret\xff"
        other.wait_idle()
        read = next(flow for flow in other.flows() if flow.kind == "request")
    assert ("tcp", "queue.test", b"\x00\x01secret\xff", 9) == (
        read.scheme, read.host, read.body, read.application_bytes
    )  # fmt: skip


def test_messages_of_a_websocket_are_read(proxy: Interceptor, root: Authority, intermediate: Authority) -> None:
    """What a client sends through a WebSocket is on record after its opening request."""
    websockets = importlib.import_module("websockets.asyncio.client")

    async def say(context: ssl.SSLContext, way: str) -> str:
        """Send the password and return what comes back."""
        async with websockets.connect("wss://chat.test/room", ssl=context, proxy=way) as client:
            await client.send("pa55word")
            return str(await client.recv())

    with (
        TlsServer(intermediate.issue("chat.test"), protocol="websocket") as chat,
        Interceptor(routes={"chat.test": chat.address}, upstream_ca=root.pem) as other,
    ):
        assert "pa55word" == asyncio.run(say(unpinned(other), other.url))
        other.wait_idle()
        read = next(flow for flow in other.flows() if flow.kind == "request")
    assert ("/room", b"pa55word") == (read.path, read.body)


def test_a_host_without_a_route_is_not_reached(proxy: Interceptor, bank: TlsServer) -> None:
    """A request to a host that the lab has no route to is read and goes no further."""
    bank.wait_idle()
    before = len(bank.evidence)
    assert posted(proxy, proxy.ca_pem, "127.0.0.1", bank.port) == 502
    bank.wait_idle()
    assert before == len(bank.evidence)


def test_a_proxy_may_pass_on(proxy: Interceptor, held: HeldCertificate, root: Authority) -> None:
    """A proxy that was told to pass on reaches hosts without a route as well."""
    with TlsServer(held) as server, Interceptor(passes_on=True, upstream_ca=root.pem) as other:
        assert posted(other, other.ca_pem, "127.0.0.1", server.port) == 200
        server.wait_idle()
        assert b"password=s3cret" in server.evidence[0].content


def test_a_request_that_never_ends_was_read(proxy: Interceptor) -> None:
    """A client that stalls in the middle of its body has given away its header."""
    with through(proxy, "bank.test") as client:
        client.sendall(b"POST /stalled HTTP/1.1\r\nHost: bank.test\r\nCookie: id=7\r\nContent-Length: 9\r\n\r\n")
    proxy.wait_idle()
    assert ("Cookie", "id=7") in next(flow for flow in proxy.flows() if flow.path == "/stalled").fields


def test_the_ca_is_nobody_elses(proxy: Interceptor) -> None:
    """The directory with the CA's key can be read by this user alone."""
    assert 0o700 == stat.S_IMODE(os.stat(proxy.ca_file.parent).st_mode)
    assert proxy.url == f"http://127.0.0.1:{proxy.port}"


def test_nothing_is_left_of_a_proxy(proxy: Interceptor) -> None:
    """When the block is left, the proxy, its CA and its directory are gone, and its evidence is kept."""
    with Interceptor() as other:
        directory = other.ca_file.parent
        with pytest.raises(ssl.SSLCertVerificationError):
            posted(other, proxy.ca_pem)
        other.wait_idle()
    assert not directory.exists()
    assert ["tls-failed"] == [flow.kind for flow in other.flows()]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((other.host, other.port), timeout=5)


def test_waiting_for_a_client_that_stays(proxy: Interceptor) -> None:
    """Waiting for the end of a connection that goes on times out."""
    with socket.create_connection((proxy.host, proxy.port)), pytest.raises(InterceptionError, match="hang up"):
        proxy.wait_idle(0.1)


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "os.killpg(0, signal.SIGTERM)"])
def test_a_crash_leaves_nothing(proxy: Interceptor, end: str) -> None:
    """When the program that started it is killed, alone or with its group, the proxy ends and takes its CA with it."""
    program = (
        "import os, signal\nfrom pinscher.lab.interception import Interceptor\n"
        f"proxy = Interceptor().__enter__()\nprint(proxy.ca_file.parent, proxy.port, flush=True)\n{end}"
    )
    command = [sys.executable, "-c", program]
    completed = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=30, start_new_session=True
    )  # fmt: skip
    assert completed.returncode < 0
    directory, port = completed.stdout.split()
    with socket.socket() as client:
        client.settimeout(20)
        if client.connect_ex(("127.0.0.1", int(port))) == 0:
            assert _end_of(client)
    assert not os.path.exists(directory)


def _end_of(client: socket.socket) -> bool:
    """Wait until the other side is gone."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("program", ["exit 3", "echo 'no \x1b[31mway' >&2; exit 1"])
def test_a_proxy_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """A mitmproxy that does not start is reported with what it said, escaped, and leaves nothing behind."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    path = tmp_path / "mitmdump"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o700)
    said = (
        r"did not start and ended with exit code 1\n  no \\x1b\[31mway$" if "echo" in program else r"with exit code 3$"
    )
    with pytest.raises(InterceptionError, match=said):
        Interceptor(mitmdump=path).__enter__()
    assert [] == list(temporary.iterdir())
