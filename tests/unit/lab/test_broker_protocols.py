"""Brokers and databases of the lab, spoken to byte by byte as their specifications have it."""

from __future__ import annotations

import json
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.protocols.kafka import Kafka
from pinscher.lab.server import TlsServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from pinscher.lab.authority import HeldCertificate


def exactly(connection: socket.socket, length: int) -> bytes:
    """Return the next *length* bytes."""
    found = b""
    while len(found) < length and (more := connection.recv(length - len(found))):
        found += more
    return found


@pytest.fixture
def dial(trusting: ssl.SSLContext) -> Callable[[TlsServer], ssl.SSLSocket]:
    """Return what connects to a server through TLS."""

    def connected(server: TlsServer) -> ssl.SSLSocket:
        raw = socket.create_connection(server.address, timeout=10)
        return trusting.wrap_socket(raw, server_hostname="localhost")

    return connected


def test_mqtt(held: HeldCertificate, dial: Callable[[TlsServer], ssl.SSLSocket]) -> None:
    """A broker of MQTT lets a client in, and acknowledges what it publishes, asks for and pings (MQTT 3.1.1)."""
    with TlsServer(held, protocol="mqtt") as server:
        with dial(server) as client:
            client.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a")
            assert b"\x20\x02\x00\x00" == exactly(client, 4)
            message = b"\x00\x01t\x00\x07" + b"x" * 200
            client.sendall(b"\x32" + bytes((len(message) & 0x7F | 0x80, len(message) >> 7)) + message)
            assert b"\x40\x02\x00\x07" == exactly(client, 4)
            client.sendall(b"\x30\x04\x00\x01ty\x82\x06\x00\x08\x00\x01t\x00\xc0\x00")
            assert b"\x90\x03\x00\x08\x00\xd0\x00" == exactly(client, 7)
            client.sendall(b"\xe0\x00")
        server.wait_idle()
        assert [None] == [record.error for record in server.evidence.connections]


def test_nats(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A server of NATS demands TLS in clear, then answers a PING and takes what is published."""
    with TlsServer(held, protocol="nats") as server:
        with socket.create_connection(server.address, timeout=10) as raw:
            with raw.makefile("rb", buffering=0) as lines:
                verb, _, information = lines.readline().partition(b" ")
            assert (b"INFO", True) == (verb, json.loads(information)["tls_required"])
            with trusting.wrap_socket(raw, server_hostname="localhost") as client:
                client.sendall(b'CONNECT {"pass":"s3cret"}\r\nPUB a 5\r\nhello\r\nPING\r\n')
                assert b"PONG\r\n" == exactly(client, 6)
        server.wait_idle()
        (record,) = server.evidence.connections
    assert b"" == record.plaintext
    assert b"s3cret" in record.content


def _frame(channel: int, method: tuple[int, int], arguments: bytes = b"") -> bytes:
    payload = struct.pack("!HH", *method) + arguments
    return struct.pack("!BHI", 1, channel, len(payload)) + payload + b"\xce"


def test_amqp(held: HeldCertificate, dial: Callable[[TlsServer], ssl.SSLSocket]) -> None:
    """A broker of AMQP 0-9-1 starts, tunes, opens and closes, and overlooks a heartbeat."""
    with TlsServer(held, protocol="amqp") as server:
        with dial(server) as client:
            client.sendall(b"AMQP\x00\x00\x09\x01")
            answered = []
            for sent in (
                b"", b"\x08\x00\x00\x00\x00\x00\x00\xce" + _frame(0, (10, 11)), _frame(0, (10, 31)) + _frame(0, (10, 40)),
                _frame(1, (20, 10)), _frame(1, (20, 40)), _frame(0, (10, 50)),
            ):  # fmt: skip
                client.sendall(sent)
                _, channel, size = struct.unpack("!BHI", exactly(client, 7))
                payload = exactly(client, size + 1)
                answered.append((channel, *struct.unpack("!HH", payload[:4])))
        server.wait_idle()
    assert [(0, 10, 10), (0, 10, 30), (0, 10, 41), (1, 20, 11), (1, 20, 41), (0, 10, 51)] == answered


def _request(key: int, version: int, body: bytes = b"") -> bytes:
    request = struct.pack("!hhih", key, version, 9, -1) + body
    return struct.pack("!i", len(request)) + request


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (_request(18, 0), struct.pack("!hi", 0, 4)),
        (_request(18, 3), struct.pack("!hi", 35, 4)),
        (_request(17, 1), struct.pack("!hih", 0, 1, 5) + b"PLAIN"),
        (_request(36, 0, b"password"), struct.pack("!hhi", 0, -1, 0)),
        (_request(3, 1), struct.pack("!iih", 1, 0, 8) + b"bank.lab" + struct.pack("!ihii", 9093, -1, 0, 0)),
    ],
)
def test_kafka(
    held: HeldCertificate, dial: Callable[[TlsServer], ssl.SSLSocket], request_: bytes, answer: bytes
) -> None:
    """A broker of Kafka says which requests it knows, accepts a login, and names itself as the only broker."""
    with TlsServer(held, protocol=Kafka("bank.lab", 9093)) as server, dial(server) as client:
        client.sendall(request_)
        body = exactly(client, int.from_bytes(exactly(client, 4), "big"))
    assert struct.pack("!i", 9) + answer == body[: 4 + len(answer)]


def _packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes((number,)) + payload


def test_mysql(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A server of MySQL begins TLS although the ClientHello follows the request at once, and answers every command."""
    with TlsServer(held, protocol="mysql") as server:
        with socket.create_connection(server.address, timeout=10) as raw:
            head = exactly(raw, 4)
            assert b"\x0a8.0.36-lab\x00" == exactly(raw, int.from_bytes(head[:3], "little"))[:12]
            raw.sendall(_packet(1, bytes(32)))
            with trusting.wrap_socket(raw, server_hostname="localhost") as client:
                client.sendall(_packet(2, b"login of ada"))
                assert _packet(3, b"\x00\x00\x00\x02\x00\x00\x00") == exactly(client, 11)
                client.sendall(_packet(0, b"\x01"))
        server.wait_idle()
        (record,) = server.evidence.connections
    assert (b"login of ada" in record.content, None) == (True, record.error)


def test_mysql_in_clear(held: HeldCertificate) -> None:
    """A client of MySQL that asks for no TLS logs in in clear, and what it says is on record as such."""
    with TlsServer(held, protocol="mysql") as server:
        with socket.create_connection(server.address, timeout=10) as client:
            exactly(client, int.from_bytes(exactly(client, 4)[:3], "little"))
            client.sendall(_packet(1, b"login of ada"))
            assert _packet(2, b"\x00\x00\x00\x02\x00\x00\x00") == exactly(client, 11)
        server.wait_idle()
        (record,) = server.evidence.connections
    assert (0, "the client ended the connection") == (server.application_bytes, record.error)
    assert b"login of ada" in record.plaintext


def test_redis(held: HeldCertificate, dial: Callable[[TlsServer], ssl.SSLSocket]) -> None:
    """A server of Redis takes a login, refuses RESP 3, answers a PING and has nothing."""
    with TlsServer(held, protocol="redis") as server:
        with dial(server) as client:
            client.sendall(b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*2\r\n$4\r\nAUTH\r\n$6\r\ns3cret\r\n*1\r\n$4\r\nping\r\n")
            assert b"-ERR unknown command\r\n+OK\r\n+PONG\r\n" == exactly(client, 34)
        server.wait_idle()
        assert b"s3cret" in server.evidence.connections[0].content


def test_ldap(held: HeldCertificate, trusting: ssl.SSLContext) -> None:
    """A directory upgrades to TLS, takes a bind, finds nothing and hears the goodbye; a long message is read whole."""
    success = b"\x0a\x01\x00\x04\x00\x04\x00"
    with TlsServer(held, protocol="ldap") as server:
        with socket.create_connection(server.address, timeout=10) as raw:
            raw.sendall(b"\x30\x05\x02\x01\x01\x77\x00")
            assert b"\x30\x0c\x02\x01\x01\x78\x07" + success == exactly(raw, 14)
            with trusting.wrap_socket(raw, server_hostname="localhost") as client:
                name = b"x" * 200
                client.sendall(b"\x30\x81\xce\x02\x01\x02\x60\x81\xc8" + name)
                assert b"\x30\x0c\x02\x01\x02\x61\x07" + success == exactly(client, 14)
                client.sendall(b"\x30\x05\x02\x01\x03\x63\x00\x30\x05\x02\x01\x04\x42\x00")
                assert b"\x30\x0c\x02\x01\x03\x65\x07" + success == exactly(client, 14)
        server.wait_idle()
        assert [None] == [record.error for record in server.evidence.connections]


@pytest.mark.parametrize(("operation", "answered", "ahead"), [(2004, 1, 20), (2013, 2013, 5)])
def test_mongodb(
    held: HeldCertificate, dial: Callable[[TlsServer], ssl.SSLSocket], operation: int, answered: int, ahead: int
) -> None:
    """A server of MongoDB greets in the form that it was asked in, the legacy one or today's."""
    with TlsServer(held, protocol="mongodb") as server, dial(server) as client:
        client.sendall(struct.pack("<iiii", 20, 7, 0, operation) + b"text")
        length, _, to, kind = struct.unpack("<iiii", exactly(client, 16))
        body = exactly(client, length - 16)
    assert (7, answered, length - 16 - ahead) == (to, kind, int.from_bytes(body[ahead : ahead + 4], "little"))
    assert b"\x01ok\x00" + struct.pack("<d", 1.0) in body
