"""Clients whose own TLS gives no hook, behind the forwarder: they reach the pinned server, and no other hears of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import pytest

from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.lab.encoding import pem
from pinscher.lab.protocols.kafka import Kafka
from pinscher.lab.server import TlsServer

from .clients import SECRET, TIMEOUT
from .forwarding import HOST, forwarding
from .postgresql import PASSWORD, USER, cluster, programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .postgresql import Cluster

WHERE = programs()
METHOD = "/bank.Transfers/Send"


class World:
    """An authority, the pinned server's certificate, and a rogue one."""

    def __init__(self) -> None:
        self.root = Authority.root("Lab Root")
        self.genuine, self.rogue = self.root.issue(HOST), self.root.issue(HOST)


@pytest.fixture
def world() -> World:
    """Return a world with fresh keys."""
    return World()


class GrpcServer:
    """A server of grpcio that keeps what it was asked."""

    def __init__(self, held: HeldCertificate) -> None:
        import grpc

        self.asked: list[bytes] = []
        self._server = grpc.server(ThreadPoolExecutor(4))
        answers = grpc.unary_unary_rpc_method_handler(self._answer)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("bank.Transfers", {"Send": answers}),)
        )
        keys = grpc.ssl_server_credentials([(held.key_pem, pem("CERTIFICATE", *held.chain))])
        self.port = self._server.add_secure_port("127.0.0.1:0", keys)

    def _answer(self, asked: bytes, _: object) -> bytes:
        self.asked.append(asked)
        return b"done: " + asked

    def __enter__(self) -> Self:
        """Serve."""
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End every call, and wait for that."""
        self._server.stop(None).wait(TIMEOUT)


def asked(port: int, *, times: int = 1) -> list[bytes]:
    """Call over an insecure channel, several times at once."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.enable_retries", 0)]) as channel:
        call: Callable[..., Any] = channel.unary_unary(METHOD)
        calls = [call.future(f"{SECRET} {number}".encode(), timeout=TIMEOUT) for number in range(times)]
        return [one.result() for one in calls]


def test_grpcio_reaches_the_pinned_server(world: World, tmp_path: Path) -> None:
    """An insecure channel to the forwarder carries calls to a server of grpcio, which insists on h2."""
    with GrpcServer(world.genuine) as server:
        with forwarding(tmp_path, world.root, world.genuine, server.port, "--alpn", "h2") as forwarded:
            assert [f"done: {SECRET} {number}".encode() for number in range(50)] == asked(forwarded.port, times=50)
    assert 50 == len(server.asked)
    assert "refused" not in forwarded.said


def test_grpcio_tells_a_rogue_server_nothing(world: World, tmp_path: Path) -> None:
    """A server with another key is asked nothing, and the channel is unavailable."""
    import grpc

    with GrpcServer(world.rogue) as server:
        with forwarding(tmp_path, world.root, world.genuine, server.port, "--alpn", "h2") as forwarded:
            with pytest.raises(grpc.RpcError) as caught:
                asked(forwarded.port)
    code: Any = caught.value
    assert grpc.StatusCode.UNAVAILABLE is code.code()
    assert [] == server.asked
    assert "refused: no-matching-pin" in forwarded.said


def test_grpcio_sends_a_rogue_lab_server_no_octet(world: World, tmp_path: Path) -> None:
    """By the lab's own record: not one octet of a call of grpcio reaches a server with another key."""
    import grpc

    with TlsServer(world.rogue, protocol="http2", alpn=["h2"]) as server:
        with forwarding(tmp_path, world.root, world.genuine, server.port, "--alpn", "h2") as forwarded:
            with pytest.raises(grpc.RpcError):
                asked(forwarded.port)
        server.wait_idle()
        _assert_nothing_was_said(server)


def _assert_nothing_was_said(server: TlsServer) -> None:
    assert 0 == server.application_bytes
    assert len(server.evidence.connections) > 0
    assert SECRET.encode() not in b"".join(record.plaintext for record in server.evidence.connections)


def curl(port: int) -> subprocess.CompletedProcess[str]:
    """Post a secret in clear to the forwarder."""
    command = ["curl", "-sS", "--noproxy", "*", "-H", f"Host: {HOST}", "-d", SECRET, f"http://127.0.0.1:{port}/"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(shutil.which("curl") is None and "CI" not in os.environ, reason="no curl is installed")
@pytest.mark.parametrize("shown", ["genuine", "rogue"])
def test_curl_in_clear_is_carried_over_pinned_tls(world: World, tmp_path: Path, shown: str) -> None:
    """HTTP that curl speaks to the forwarder in clear: the pinned server answers, and a rogue one gets not one octet."""
    with TlsServer(getattr(world, shown)) as server:
        with forwarding(tmp_path, world.root, world.genuine, server.port) as forwarded:
            done = curl(forwarded.port)
        server.wait_idle()
        if shown == "genuine":
            assert (0, "") == (done.returncode, done.stderr)
            assert SECRET.encode() in b"".join(record.content for record in server.evidence.connections)
            return
        _assert_nothing_was_said(server)
    assert (56, "") == (done.returncode, done.stdout)
    assert "refused: no-matching-pin" in forwarded.said


@pytest.mark.parametrize("shown", ["genuine", "rogue"])
def test_redis_in_clear_is_carried_over_pinned_tls(world: World, tmp_path: Path, shown: str) -> None:
    """A client of Redis without TLS sends its password to the pinned server, and to no other."""
    import redis

    with TlsServer(getattr(world, shown), protocol="redis") as server:
        with forwarding(tmp_path, world.root, world.genuine, server.port) as forwarded:
            with redis.Redis(
                port=forwarded.port, password=SECRET, protocol=2, socket_timeout=TIMEOUT, retry=None
            ) as client:
                if shown == "genuine":
                    assert client.set("balance", SECRET)
                else:
                    with pytest.raises(redis.ConnectionError):
                        client.set("balance", SECRET)
        server.wait_idle()
        if shown == "rogue":
            _assert_nothing_was_said(server)
        else:
            assert SECRET.encode() in b"".join(record.content for record in server.evidence.connections)


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    """Return a database cluster that takes nothing but TLS."""
    if WHERE is None and "CI" not in os.environ:
        pytest.skip("no PostgreSQL server is installed")
    assert WHERE is not None, "install a PostgreSQL server: Debian's package is postgresql"
    with cluster(WHERE) as made:
        yield made


def _authenticate(made: Cluster, world: World, method: str) -> None:
    """Have the database ask for a password, or for a client certificate under this world's authority."""
    folder = made.directory / "data"
    (folder / "pg_hba.conf").write_text(f"hostssl all all 127.0.0.1/32 {method}\n")
    (folder / "clients.pem").write_bytes(world.root.pem)
    (folder / "postgresql.auto.conf").write_text("ssl_ca_file = 'clients.pem'\n")
    for name in ("pg_hba.conf", "clients.pem", "postgresql.auto.conf"):
        (folder / name).chmod(0o644)


def queried(port: int, **more: Any) -> str:
    """Log in through libpq without TLS, and return the answer to a query."""
    import psycopg

    with psycopg.connect(
        host="127.0.0.1", port=port, user=USER, dbname="postgres", sslmode="disable", gssencmode="disable",
        connect_timeout=TIMEOUT, application_name=SECRET, **more,
    ) as connection:  # fmt: skip
        row = connection.execute("select %s || (select ssl from pg_stat_ssl where pid = pg_backend_pid())", [SECRET])
        return str(row.fetchone()[0])  # type: ignore[index]


def _options(world: World, folder: Path, method: str) -> list[str]:
    """Return the options of a forwarder to a database, with a client certificate where that is what it asks for."""
    person = world.root.issue_client(USER)
    (folder / "ada.pem").write_bytes(pem("CERTIFICATE", *person.chain) + person.key_pem)
    return ["--starttls", "postgres", *(["--cert", "ada.pem"] if method == "cert" else [])]


@pytest.mark.parametrize("method", ["password", "cert"])
def test_libpq_reaches_the_pinned_database(database: Cluster, world: World, tmp_path: Path, method: str) -> None:
    """
    What libpq says in clear to the forwarder arrives at a real PostgreSQL over TLS.

    It logs in with a password, which PostgreSQL asks for in clear, or by the forwarder's client certificate.
    """
    _authenticate(database, world, method)
    more = {"password": PASSWORD} if method == "password" else {}
    with database.serving(world.genuine) as server:
        options = _options(world, tmp_path, method)
        with forwarding(tmp_path, world.root, world.genuine, server.port, *options) as forwarded:
            assert f"{SECRET}true" == queried(forwarded.port, **more)
    assert f"connection authorized: user={USER}" in "".join(server.log)


@pytest.mark.parametrize("method", ["password", "cert"])
@pytest.mark.parametrize("shown", ["rogue", "stranger"])
def test_libpq_tells_a_rogue_database_nothing(
    database: Cluster, world: World, tmp_path: Path, shown: str, method: str
) -> None:
    """A database with another key, or under another authority: its own log has no user and no query."""
    import psycopg

    _authenticate(database, world, method)
    held = world.rogue if shown == "rogue" else world.root.twin().issue(HOST)
    with database.serving(held) as server:
        options = _options(world, tmp_path, method)
        with forwarding(tmp_path, world.root, world.genuine, server.port, *options) as forwarded:
            with pytest.raises(psycopg.OperationalError):
                queried(forwarded.port, password=PASSWORD)
    log = "".join(server.log)
    assert "connection received: host=127.0.0.1" in log
    assert [] == [word for word in (USER, SECRET, "connection authorized") if word in log]
    assert "refused: " in forwarded.said


def test_libpq_refuses_scram_behind_a_forwarder(database: Cluster, world: World, tmp_path: Path) -> None:
    """A server asks for SCRAM with channel binding over TLS, and libpq, which sees none, takes that for an attack."""
    import psycopg

    _authenticate(database, world, "scram-sha-256")
    with database.serving(world.genuine) as server:
        with forwarding(tmp_path, world.root, world.genuine, server.port, "--starttls", "postgres") as forwarded:
            with pytest.raises(psycopg.OperationalError, match="SCRAM-SHA-256-PLUS authentication over a non-SSL"):
                queried(forwarded.port, password=PASSWORD)


@pytest.mark.parametrize("shown", ["genuine", "rogue"])
def test_librdkafka_in_clear_is_carried_over_pinned_tls(world: World, tmp_path: Path, shown: str) -> None:
    """Kafka's C client logs in through the forwarder, whose address the broker advertises, and tells a rogue nothing."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    broker = Kafka(host="127.0.0.1")
    with TlsServer(getattr(world, shown), protocol=broker) as server:
        with forwarding(tmp_path, world.root, world.genuine, server.port) as forwarded:
            broker.port = forwarded.port
            client = AdminClient(
                {"bootstrap.servers": f"127.0.0.1:{forwarded.port}", "security.protocol": "SASL_PLAINTEXT",
                 "sasl.mechanism": "PLAIN", "sasl.username": "ada", "sasl.password": SECRET, "log_level": 0}
            )  # fmt: skip
            if shown == "genuine":
                assert [("127.0.0.1", forwarded.port)] == [
                    (one.host, one.port) for one in client.list_topics(timeout=TIMEOUT).brokers.values()
                ]
            else:
                with pytest.raises(KafkaException):
                    client.list_topics(timeout=1)
            del client
        server.wait_idle()
        if shown == "rogue":
            _assert_nothing_was_said(server)
        else:
            assert SECRET.encode() in b"".join(record.content for record in server.evidence.connections)
