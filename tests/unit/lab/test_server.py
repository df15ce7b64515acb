"""Servers that keep evidence, seen by plain clients of ``ssl``."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.evidence import KEPT_BYTES, Evidence
from pinscher.lab.protocols import protocol_named
from pinscher.lab.server import TlsServer, load

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Connect

    from pinscher.lab.authority import Authority, HeldCertificate
    from pinscher.lab.conversation import Conversation


def exchanged(client: ssl.SSLSocket, message: bytes = b"hello") -> bytes:
    """Send *message* to an echo server and return what comes back."""
    client.sendall(message)
    return client.recv(len(message))


def test_a_connection_is_on_record(held: HeldCertificate, connect: Connect) -> None:
    """A finished connection's record says what was asked for, agreed on, shown and received."""
    with TlsServer(held, protocol="echo", alpn=["x/1"]) as server:
        context = ssl.create_default_context(cadata=held.authority.trust_anchor.pem.decode())
        context.set_alpn_protocols(["x/1", "h2"])
        with connect(server, context) as client:
            assert exchanged(client) == b"hello"
        server.wait_idle()
        record = server.evidence[0]
    assert ("api.test", "TLSv1.3", "x/1") == (record.server_name, record.version, record.alpn)
    assert (True, False, True, None) == (record.handshake_completed, record.resumed, record.ended, record.error)
    assert (held.der, 5, b"hello") == (record.served, record.application_bytes, record.content)
    assert (None, 0) == (record.client_certificate, record.plaintext_bytes)


def test_a_refusal_is_evidence(held: HeldCertificate, connect: Connect) -> None:
    """A client that refuses the certificate leaves its alert on record, and not one byte."""
    with TlsServer(held) as server:
        with pytest.raises(ssl.SSLCertVerificationError), connect(server, ssl.create_default_context()):
            pass
        server.wait_idle()
        record = server.evidence[0]
    assert "unknown ca" in str(record.error)
    assert (False, 0) == (record.handshake_completed, server.application_bytes)


def test_a_client_without_tls_is_evidence(held: HeldCertificate) -> None:
    """A client that does not speak TLS or hangs up at once is on record with the reason."""
    with TlsServer(held) as server:
        for greeting in (b"", b"GET / HTTP/1.1\r\n\r\n"):
            with socket.create_connection(server.address) as client:
                client.sendall(greeting)
        server.wait_idle()
        records = server.evidence.connections
    assert 2 == len(records)
    assert all(record.error and not record.handshake_completed for record in records)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_resumption_is_seen(held: HeldCertificate, connect: Connect, version: ssl.TLSVersion) -> None:
    """A resumed session is on record as one, and a server without tickets resumes none."""
    seen = {}
    for tickets in (True, False):
        with TlsServer(held, protocol="echo", maximum_version=version, tickets=tickets) as server:
            with connect(server) as first:
                exchanged(first)
                session = first.session
            with connect(server, first.context, session=session) as second:
                exchanged(second)
            server.wait_idle()
            seen[tickets] = [record.resumed for record in server.evidence.connections]
    assert {True: [False, True], False: [False, False]} == seen


@pytest.mark.parametrize("tickets", [True, False])
def test_another_certificate_is_shown_at_once(
    held: HeldCertificate, connect: Connect, intermediate: Authority, tickets: bool
) -> None:
    """A running server shows another certificate, of another kind of key, from the next handshake on."""
    other = intermediate.issue("api.test", key="ed25519")
    with TlsServer(held, protocol="echo", tickets=tickets) as server:
        with connect(server) as first:
            assert held.der == first.getpeercert(binary_form=True)
        server.show(other)
        with connect(server) as second:
            assert other.der == second.getpeercert(binary_form=True)
        server.wait_idle()
        assert [held.der, other.der] == [record.served for record in server.evidence.connections]


def test_a_session_survives_another_certificate(
    held: HeldCertificate, connect: Connect, intermediate: Authority, trusting: ssl.SSLContext
) -> None:
    """A session from before a server's change of key can be resumed after it: a pin must be checked again then."""
    with TlsServer(held, protocol="echo") as server:
        with connect(server, trusting) as first:
            exchanged(first)
            session = first.session
        server.show(intermediate.issue("api.test"))
        with connect(server, trusting, session=session) as second:
            assert second.session_reused
            assert held.der == second.getpeercert(binary_form=True)


def test_versions_are_bounded(held: HeldCertificate, connect: Connect, trusting: ssl.SSLContext) -> None:
    """A server speaks no version outside of its bounds."""
    trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        TlsServer(held, minimum_version=ssl.TLSVersion.TLSv1_3) as server,
        pytest.raises(ssl.SSLError, match=r"(?i)version"),
        connect(server, trusting),
    ):
        pass


def test_a_client_certificate_is_on_record(
    held: HeldCertificate, root: Authority, connect: Connect, trusting: ssl.SSLContext
) -> None:
    """A server that asks for a client's certificate keeps it."""
    alice = root.issue_client("alice")
    load(trusting, alice.chain_pem + alice.key_pem)
    with TlsServer(held, protocol="echo", client_ca=root.pem) as server:
        with connect(server, trusting) as client:
            exchanged(client)
        server.wait_idle()
        assert alice.der == server.evidence[0].client_certificate


@pytest.mark.parametrize("required", [True, False])
def test_a_client_certificate_may_be_required(
    held: HeldCertificate, root: Authority, connect: Connect, required: bool
) -> None:
    """A client without a certificate is turned away only where one is required."""
    with TlsServer(held, protocol="echo", client_ca=root.pem, require_client_certificate=required) as server:
        with contextlib.suppress(OSError), connect(server) as client:
            exchanged(client)
        server.wait_idle()
        record = server.evidence[0]
    assert ((False, 0) if required else (True, 5)) == (record.handshake_completed, record.application_bytes)


def test_what_is_presented_can_be_stuffed(held: HeldCertificate, root: Authority, connect: Connect) -> None:
    """A server can present certificates after its chain, or others in its place."""
    stray = root.issue("stray.test").der
    presented = {}
    for name, settings in {"after": {"present": [stray]}, "instead": {"chain": [held.der]}}.items():
        with TlsServer(held, protocol="hang-up", **settings) as server:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with connect(server, context) as client:
                presented[name] = tuple(
                    ssl.PEM_cert_to_DER_cert(each.public_bytes()) if hasattr(each, "public_bytes") else each
                    for each in (getattr(client, "_sslobj").get_unverified_chain() or ())  # noqa: B009
                )
    assert {"after": (*held.chain, stray), "instead": (held.der,)} == presented


def test_many_clients_at_once(held: HeldCertificate, connect: Connect, trusting: ssl.SSLContext) -> None:
    """A server serves clients side by side, each while the others are still connected."""
    everybody = threading.Barrier(8)

    def talk(number: int) -> bytes:
        with connect(server, trusting) as client:
            everybody.wait(10)
            return exchanged(client, b"%d" % number)

    with TlsServer(held, protocol="echo") as server, ThreadPoolExecutor(8) as clients:
        assert [b"%d" % number for number in range(8)] == list(clients.map(talk, range(8)))
        server.wait_idle()
        assert 8 == len(server.evidence) == server.application_bytes


def test_waiting_for_a_client_that_stays(held: HeldCertificate, connect: Connect) -> None:
    """Waiting for the end of a connection that goes on times out with the number of connections open."""
    with (
        TlsServer(held, protocol="silent") as server,
        connect(server),
        pytest.raises(TimeoutError, match="1 connections"),
    ):
        server.wait_idle(0.05)


@pytest.mark.parametrize("protocol", ["silent", "unresponsive", "echo", "http"])
def test_nothing_is_left_behind(
    held: HeldCertificate, protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is left while clients hang on it ends every thread, descriptor and file."""
    before = threading.active_count(), len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with TlsServer(held, protocol=protocol) as server:
        clients = [socket.create_connection(server.address) for _ in range(5)]
    for client in clients:
        client.close()
    after = threading.active_count(), len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert before == after
    assert [] == list(tmp_path.iterdir())
    assert 5 == len(server.evidence) == sum(record.ended for record in server.evidence.connections)


def test_a_left_server_refuses_connections(held: HeldCertificate) -> None:
    """Nothing listens on the port of a server that was left."""
    with TlsServer(held) as server:
        assert ("127.0.0.1", server.port) == server.address == (server.host, server.port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address, timeout=5)


def test_a_protocol_may_be_any_callable(held: HeldCertificate, connect: Connect) -> None:
    """A scenario can hand in a protocol of its own."""

    def contrary(conversation: Conversation) -> None:
        conversation.secure()
        conversation.send(conversation.receive_exactly(5)[::-1])

    with TlsServer(held, protocol=contrary) as server, connect(server) as client:
        assert b"olleh" == exchanged(client)


def test_an_unknown_protocol_is_named() -> None:
    """Asking for a protocol that the lab does not speak lists those it does."""
    with pytest.raises(ValueError, match=r"'gopher', expected one of .*connect-intercept, .*websocket"):
        protocol_named("gopher")


def test_all_bytes_are_counted_and_the_first_kept() -> None:
    """Evidence counts every byte of each layer and keeps the first 64 KiB."""
    evidence = Evidence()
    number = evidence.begin()
    for received in (b"a" * 40_000, b"b" * 40_000):
        evidence.decrypted(number, received)
        evidence.in_clear(number, received)
        evidence.tunnelled(number, received)
    record = evidence[0]
    assert (80_000, 80_000, 80_000) == (record.application_bytes, record.plaintext_bytes, record.tunnelled_bytes)
    assert b"a" * 40_000 + b"b" * (KEPT_BYTES - 40_000) == record.content == record.plaintext
    assert (80_000, 80_000) == (evidence.application_bytes, evidence.plaintext_bytes)


def test_waiting_for_the_end_of_all(held: HeldCertificate) -> None:
    """Evidence knows whether every connection has ended."""
    evidence = Evidence()
    number = evidence.begin()
    assert not evidence.wait_ended(0)
    evidence.note(number, ended=True)
    assert evidence.wait_ended(0)
