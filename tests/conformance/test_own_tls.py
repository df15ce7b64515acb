"""Every stack with a TLS of its own reaches the genuine server, and gives an impostor not one byte."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.clients import UnsupportedTransportError
from pinscher.lab.server import TlsServer

from .clients import BODY, HOST
from .own_tls import STACKS, Pinning, Stack, http3, quic
from .quic_server import QuicServer
from .test_clients import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pinscher.lab.authority import HeldCertificate

EVERY = pytest.mark.parametrize("stack", STACKS, ids=str)


class Scene(World):
    """A world whose pins are said to be a leaf's, so that every stack can express them."""

    def pinning(self, folder: Path, more: str = "", *, host: str = HOST) -> Pinning:
        """Return what a stack is told."""
        ca = folder / "ca.pem"
        ca.write_bytes(self.root.pem)
        genuine, backup = (pinscher.Pin.of(held.der) for held in (self.genuine, self.root.issue(HOST, key=self.backup)))
        policy = pinscher.Policy.loads(
            f'format = 1\nname = "bank"\nversion = 7\n[keys.now]\npin = "{genuine}"\nrole = "leaf"\n'
            f'[keys.next]\npin = "{backup}"\nrole = "leaf"\n'
            f'[hosts."{host}"]\npins = ["now"]\nbackup-pins = ["next"]\n{more}\n'
        )
        return Pinning(policy, ca, self.told)


@pytest.fixture
def scene() -> Scene:
    """Return a scene with fresh keys."""
    return Scene()


def played(stack: Stack, pinning: Pinning, held: HeldCertificate) -> tuple[Exception | None, TlsServer]:
    """Play an exchange, and return the error that a user catches and the server's evidence."""
    caught: Exception | None = None
    with TlsServer(held, protocol=stack.protocol) as server:
        try:
            stack.exchange(pinning, server.port)
        except Exception as error:  # noqa: BLE001  (whatever the user would catch is what is looked at)
            caught = error
        server.wait_idle()
    return caught, server


def check_refused(
    stack: Stack, error: Exception | None, server: TlsServer, outcome: pinscher.Outcome, scene: Scene
) -> None:
    """Check that an impostor got nothing, and that the user is told what was found."""
    assert error is not None
    assert (0, b"") == (server.application_bytes, b"".join(one.plaintext for one in server.evidence.connections))
    if stack.refuses_in_handshake:
        assert {False} >= {one.handshake_completed for one in server.evidence.connections}
    if stack.has_verdict:
        verdict = pinscher.verdict_of(error)
        assert verdict is not None, repr(error)
        assert outcome is verdict.outcome
        assert [outcome] == [one.outcome for one in scene.told]


@EVERY
@pytest.mark.parametrize("shown", ["genuine", "renewed", "rotated"])
def test_the_genuine_server_is_reached(scene: Scene, stack: Stack, tmp_path: Path, shown: str) -> None:
    """The pinned key, its renewed certificate and the backup key let the exchange take place."""
    held = {
        "genuine": scene.genuine,
        "renewed": scene.genuine.renew(),
        "rotated": scene.root.issue(HOST, key=scene.backup),
    }
    error, server = played(stack, scene.pinning(tmp_path), held[shown])
    assert None is error
    assert server.application_bytes >= len(BODY)
    assert [pinscher.Outcome.MATCH] * stack.has_verdict == [one.outcome for one in scene.told]


@EVERY
def test_a_rogue_key_gets_nothing(scene: Scene, stack: Stack, tmp_path: Path) -> None:
    """Under the right authority and name, with another key: refused, and zero application bytes."""
    error, server = played(stack, scene.pinning(tmp_path), scene.root.issue(HOST))
    check_refused(stack, error, server, pinscher.Outcome.NO_MATCHING_PIN, scene)


@EVERY
def test_an_untrusted_authority_gets_nothing(scene: Scene, stack: Stack, tmp_path: Path) -> None:
    """The pinned key itself, under an authority that nobody trusts: the stack's own verification comes first."""
    forged = scene.root.twin().issue(HOST, key=scene.genuine.key)
    error, server = played(stack, scene.pinning(tmp_path), forged)
    check_refused(stack, error, server, pinscher.Outcome.CHAIN_NOT_VALIDATED, scene)


@EVERY
def test_another_name_gets_nothing(scene: Scene, stack: Stack, tmp_path: Path) -> None:
    """The pinned key itself, in a certificate for another name: the name is checked too."""
    other = scene.root.issue("other.test", key=scene.genuine.key)
    error, server = played(stack, scene.pinning(tmp_path), other)
    check_refused(stack, error, server, pinscher.Outcome.CHAIN_NOT_VALIDATED, scene)


@EVERY
def test_a_pinned_certificate_appended_gets_nothing(scene: Scene, stack: Stack, tmp_path: Path) -> None:
    """A rogue that sends the genuine certificate along: what is only presented matches nothing (CVE-2016-2402)."""
    caught: Exception | None = None
    pinning = scene.pinning(tmp_path)
    with TlsServer(scene.root.issue(HOST), protocol=stack.protocol, present=[scene.genuine.der]) as server:
        try:
            stack.exchange(pinning, server.port)
        except Exception as error:  # noqa: BLE001  (as above)
            caught = error
        server.wait_idle()
    check_refused(stack, caught, server, pinscher.Outcome.NO_MATCHING_PIN, scene)


@EVERY
def test_an_unlisted_host_sees_no_hello(scene: Scene, stack: Stack, tmp_path: Path) -> None:
    """A host that the policy does not list is refused before the ClientHello, by name."""
    error, server = played(stack, scene.pinning(tmp_path, host="other.test"), scene.genuine)
    verdict = pinscher.verdict_of(error)
    assert verdict is not None
    assert pinscher.Outcome.UNLISTED_HOST is verdict.outcome
    assert {None} >= {one.server_name for one in server.evidence.connections}


@EVERY
def test_a_denied_key_gets_nothing(scene: Scene, stack: Stack, tmp_path: Path) -> None:
    """A denied key is refused beside a matching pin, or the policy itself where a stack cannot look for it."""
    pinning = scene.pinning(tmp_path, f'denied-keys = ["{pinscher.Pin.of(scene.root.certificate)}"]')
    error, server = played(stack, pinning, scene.genuine)
    assert 0 == server.application_bytes
    if stack.has_verdict:
        check_refused(stack, error, server, pinscher.Outcome.DENIED_KEY, scene)
    else:
        assert isinstance(error, UnsupportedTransportError)
        assert "denies keys" in str(error)


@EVERY
def test_report_only_goes_through_and_is_told(scene: Scene, stack: Stack, tmp_path: Path) -> None:
    """A report-only entry lets the exchange take place and tells the mismatch, or is refused as not expressible."""
    pinning = scene.pinning(tmp_path, 'mode = "report-only"\nreport-only-since = 2026-11-01')
    error, _ = played(stack, pinning, scene.root.issue(HOST))
    if stack.has_verdict:
        assert None is error
        assert [pinscher.Outcome.NO_MATCHING_PIN] == [one.outcome for one in scene.told]
    else:
        assert isinstance(error, UnsupportedTransportError)


def quic_played(
    pinning: Pinning, held: HeldCertificate, exchange: Callable[[Pinning, int], None] = quic
) -> tuple[Exception | None, QuicServer]:
    """Play an exchange over QUIC."""
    caught: Exception | None = None
    with QuicServer(held).running() as server:
        try:
            exchange(pinning, server.port)
        except Exception as error:  # noqa: BLE001  (as above)
            caught = error
    return caught, server


@pytest.mark.parametrize("shown", ["genuine", "renewed", "rotated"])
def test_quic_reaches_the_genuine_server(scene: Scene, tmp_path: Path, shown: str) -> None:
    """Over QUIC the pinned key, its renewed certificate and the backup key let the exchange take place."""
    held = {
        "genuine": scene.genuine,
        "renewed": scene.genuine.renew(),
        "rotated": scene.root.issue(HOST, key=scene.backup),
    }
    error, server = quic_played(scene.pinning(tmp_path), held[shown])
    assert (None, BODY, 1) == (error, server.content, server.handshakes)
    assert [pinscher.Outcome.MATCH] == [one.outcome for one in scene.told]


@pytest.mark.parametrize(
    ("shown", "outcome"),
    [
        ("rogue", pinscher.Outcome.NO_MATCHING_PIN),
        ("untrusted", pinscher.Outcome.CHAIN_NOT_VALIDATED),
        ("another name", pinscher.Outcome.CHAIN_NOT_VALIDATED),
        ("denied", pinscher.Outcome.DENIED_KEY),
        ("unlisted", pinscher.Outcome.UNLISTED_HOST),
    ],
)
def test_quic_gives_an_impostor_nothing(scene: Scene, tmp_path: Path, shown: str, outcome: pinscher.Outcome) -> None:
    """Over QUIC an impostor sees no end of the handshake and no byte of a stream, and the user is told what was found."""
    held = {
        "rogue": scene.root.issue(HOST),
        "untrusted": scene.root.twin().issue(HOST, key=scene.genuine.key),
        "another name": scene.root.issue("other.test", key=scene.genuine.key),
    }.get(shown, scene.genuine)
    more = f'denied-keys = ["{pinscher.Pin.of(scene.root.certificate)}"]' if shown == "denied" else ""
    pinning = scene.pinning(tmp_path, more, host="other.test" if shown == "unlisted" else HOST)
    error, server = quic_played(pinning, held)
    assert (0, 0) == (server.application_bytes, server.handshakes)
    verdict = pinscher.verdict_of(error)
    assert verdict is not None, repr(error)
    assert (outcome, [outcome]) == (verdict.outcome, [one.outcome for one in scene.told])


def test_quic_report_only_goes_through_and_is_told(scene: Scene, tmp_path: Path) -> None:
    """Over QUIC a report-only entry lets the exchange take place and tells the mismatch."""
    pinning = scene.pinning(tmp_path, 'mode = "report-only"\nreport-only-since = 2026-11-01')
    error, server = quic_played(pinning, scene.root.issue(HOST))
    assert (None, BODY) == (error, server.content)
    assert [pinscher.Outcome.NO_MATCHING_PIN] == [one.outcome for one in scene.told]


def test_http3_reaches_the_genuine_server_and_gives_an_impostor_nothing(scene: Scene, tmp_path: Path) -> None:
    """A request in HTTP/3's framing is answered by the pinned server; an impostor sees no byte of a stream."""
    error, server = quic_played(scene.pinning(tmp_path), scene.genuine, http3)
    assert (None, True) == (error, BODY in server.content)
    error, server = quic_played(scene.pinning(tmp_path), scene.root.issue(HOST), http3)
    assert (0, 0) == (server.application_bytes, server.handshakes)
    verdict = pinscher.verdict_of(error)
    assert verdict is not None
    assert pinscher.Outcome.NO_MATCHING_PIN is verdict.outcome


def test_pyopenssl_refuses_to_renegotiate(scene: Scene, tmp_path: Path) -> None:
    """In TLS 1.2 a server that has been let through cannot show another certificate on the same connection."""
    from cryptography import x509
    from OpenSSL import SSL

    from pinscher.clients.pyopenssl import Connector

    pinning = scene.pinning(tmp_path)
    settings = SSL.Context(SSL.TLS_SERVER_METHOD)
    settings.set_max_proto_version(SSL.TLS1_2_VERSION)
    settings.use_certificate(x509.load_der_x509_certificate(scene.genuine.der))
    settings.use_privatekey(scene.genuine.key.private)
    client, server = Connector(pinning.judge).connection(HOST), SSL.Connection(settings, None)
    server.set_accept_state()
    _pump(client, server)
    client.send(BODY)
    _carry(client, server)
    assert BODY == server.recv(len(BODY))
    assert server.renegotiate()
    with pytest.raises(SSL.Error, match=r"no.renegotiation"):
        _turn(client, server)


def _turn(client: Any, server: Any) -> None:
    """Let both sides say and hear what is waiting."""
    from OpenSSL import SSL

    for _ in range(4):
        with contextlib.suppress(SSL.WantReadError):
            server.do_handshake()
        for side, other in ((server, client), (client, server)):
            _carry(side, other)
            with contextlib.suppress(SSL.WantReadError):
                other.recv(1)


def _pump(client: Any, server: Any) -> None:
    from OpenSSL import SSL

    for _ in range(4):
        for side, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                side.do_handshake()
            _carry(side, other)


def _carry(source: Any, sink: Any) -> None:
    from OpenSSL import SSL

    with contextlib.suppress(SSL.WantReadError):
        while waiting := source.bio_read(65_536):
            sink.bio_write(waiting)
