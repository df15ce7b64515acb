"""Every client that takes a context reaches the genuine server, and gives an impostor not one byte."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.lab.keys import SigningKey
from pinscher.lab.protocols.http2 import http2
from pinscher.lab.protocols.kafka import Kafka
from pinscher.lab.server import TlsServer

from . import (  # noqa: F401  (they fill the table)
    by_hand,
    clients_adapted,
    clients_databases,
    clients_messaging,
    clients_streams,
    proxied,
)
from .clients import BODY, CLIENTS, HOST, Client

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY = pytest.mark.parametrize("client", CLIENTS, ids=str)


@dataclass
class World:
    """An authority, its genuine server, and what a pinned context is told."""

    root: Authority = field(default_factory=lambda: Authority.root("Lab Root"))
    backup: SigningKey = field(default_factory=lambda: SigningKey.generate("p256"))
    told: list[pinscher.Verdict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.genuine = self.root.issue(HOST)

    def context(self, more: str = "", *, host: str = HOST, trust: bytes | None = None) -> pinscher.PinnedContext:
        """Return a context that pins the genuine key and the backup key."""
        backup = pinscher.Pin.of(self.root.issue(HOST, key=self.backup).der)
        policy = pinscher.Policy.loads(
            f'format = 1\nname = "bank"\nversion = 7\n[hosts."{host}"]\n'
            f'pins = ["{pinscher.Pin.of(self.genuine.der)}"]\nbackup-pins = ["{backup}"]\n{more}\n'
        )
        return pinscher.PinnedContext(policy, trust=trust or self.root.pem, on_verdict=self.told.append)

    def outcomes(self) -> list[str]:
        """Return the names of the outcomes told."""
        return [verdict.outcome.name for verdict in self.told]


@pytest.fixture
def world() -> World:
    """Return a world with fresh keys."""
    return World()


@contextlib.contextmanager
def serving(client: Client, held: HeldCertificate, *, is_let_through: bool = False) -> Iterator[TlsServer]:
    """Run the server that a client expects."""
    is_http2 = client.protocol == "http2"
    protocol: Any = http2 if is_http2 else client.protocol
    newest = client.talks_at_most if is_let_through else None
    with TlsServer(held, protocol=protocol, alpn=["h2"] if is_http2 else [], maximum_version=newest) as server:
        if isinstance(protocol, Kafka):
            protocol.port = server.port
        yield server


def play(client: Client, context: pinscher.PinnedContext, server: TlsServer) -> BaseException | None:
    """Play a client's exchange and return the error that its user catches, or None."""
    caught: BaseException | None = None
    try:
        client.exchange(context, server.port)
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  (whatever the user would catch is what is looked at)
        caught = error
    server.wait_idle()
    return caught


def reached(client: Client, error: BaseException | None, context: pinscher.PinnedContext, log: str) -> pinscher.Verdict:
    """Return the verdict that a user finds behind an error, or by the id in the client's log where the error is lost."""
    verdict = pinscher.verdict_of(error)
    if client.loses_errors:
        assert verdict is None, f"{client} does not lose its errors"
        assert error is not None
        return next(verdict for verdict in context.verdicts if verdict.id in f"{error}{log}")
    assert verdict is not None
    return verdict


def received(server: TlsServer) -> bytes:
    """Return all that a server decrypted."""
    return b"".join(record.content for record in server.evidence.connections)


@EVERY
def test_the_genuine_server_is_reached(world: World, client: Client) -> None:
    """With the pinned key the exchange takes place, and the verdict is a match."""
    with serving(client, world.genuine, is_let_through=True) as server:
        assert None is play(client, world.context(), server)
        assert {"MATCH"} == set(world.outcomes())
        assert server.application_bytes >= len(BODY)
        # A websocket masks what a client sends, so there the count alone tells.
        assert client.protocol == "websocket" or b"correct-horse" in received(server)


@EVERY
@pytest.mark.parametrize("change", ["renewal", "rotation"])
def test_renewal_and_rotation_go_unnoticed(world: World, client: Client, change: str) -> None:
    """A renewed certificate with the same key, and a rotation to the backup key, refuse no genuine connection."""
    held = world.genuine.renew() if change == "renewal" else world.root.issue(HOST, key=world.backup)
    with serving(client, held, is_let_through=True) as server:
        assert None is play(client, world.context(), server)
        assert {change == "rotation"} == {verdict.is_backup for verdict in world.told}


@EVERY
def test_a_rogue_key_gets_nothing(world: World, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """
    Under the right authority and name, with another key: refused, zero application bytes, and the verdict is reached.

    The text of the error, or of the client's log, has the host and both sides; one attack is told once, however often
    the client retries.
    """
    context, rogue = world.context(), world.root.issue(HOST)
    with caplog.at_level(logging.DEBUG), serving(client, rogue) as server:
        error = play(client, context, server)
        assert 0 == server.application_bytes
        assert b"correct-horse" not in b"".join(record.plaintext for record in server.evidence.connections)
    assert ["NO_MATCHING_PIN"] == world.outcomes()
    assert world.told == list(context.verdicts)
    assert world.told[0].id == reached(client, error, context, caplog.text).id
    text = f"{error}{caplog.text}" if client.loses_errors else str(_pinning_error(error))
    assert f"no pinned key in the validated chain of {HOST}" in text
    assert str(pinscher.Pin.of(rogue.der)) in text
    assert str(pinscher.Pin.of(world.genuine.der)) in text


def _pinning_error(error: BaseException | None) -> BaseException | None:
    from pinscher.tls.enforcement import _behind

    return next((found for found in _behind(error) if isinstance(found, pinscher.PinMismatchError)), None)


@EVERY
def test_an_untrusted_authority_gets_nothing(world: World, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A CA that this machine does not trust, the commonest interception: OpenSSL refuses, and that is told too."""
    context = world.context()
    with caplog.at_level(logging.DEBUG), serving(client, world.root.twin().issue(HOST)) as server:
        error = play(client, context, server)
        assert 0 == server.application_bytes
    assert {"CHAIN_NOT_VALIDATED"} == set(world.outcomes())
    assert pinscher.Outcome.CHAIN_NOT_VALIDATED is reached(client, error, context, caplog.text).outcome


@EVERY
def test_an_unlisted_host_sees_no_hello(world: World, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A host that the policy does not list is refused before the ClientHello."""
    context = world.context(host="other.test")
    with caplog.at_level(logging.DEBUG), serving(client, world.genuine) as server:
        error = play(client, context, server)
        assert 0 == server.application_bytes
        assert {(None, False)} >= {
            (record.server_name, record.handshake_completed) for record in server.evidence.connections
        }
    assert pinscher.Outcome.UNLISTED_HOST is reached(client, error, context, caplog.text).outcome


@EVERY
def test_a_denied_key_gets_nothing(world: World, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A key that was denied is refused although the authority above it is pinned."""
    rogue = world.root.issue(HOST)
    denied = pinscher.Pin.of(rogue.der)
    context = world.context(f'denied-keys = ["{denied}"]')
    with caplog.at_level(logging.DEBUG), serving(client, rogue) as server:
        error = play(client, context, server)
        assert 0 == server.application_bytes
    assert pinscher.Outcome.DENIED_KEY is reached(client, error, context, caplog.text).outcome


@EVERY
def test_report_only_goes_through_and_is_told(world: World, client: Client) -> None:
    """A report-only entry lets the exchange take place and tells the mismatch."""
    more = 'mode = "report-only"\nreport-only-since = 2026-11-01'
    with serving(client, world.root.issue(HOST), is_let_through=True) as server:
        assert None is play(client, world.context(more), server)
    assert {"NO_MATCHING_PIN"} == set(world.outcomes())
