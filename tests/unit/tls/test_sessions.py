"""A resumed connection verifies no certificate, so it is judged by the chain remembered with its session."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.tls import RememberedSession

from .conftest import HOST, SECRET, connected, wrapped

if TYPE_CHECKING:
    from pinscher.lab.server import TlsServer

    from .conftest import Scene

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


def _session(context: ssl.SSLContext, server: TlsServer, **options: Any) -> Any:
    """Return the session of a connection that carried data, as TLS 1.3 sends its tickets after the handshake."""
    with wrapped(context, server, **options) as secured:
        secured.sendall(SECRET)
        assert SECRET == secured.recv(100)
        return secured.session


@VERSIONS
def test_h7_resumption_works_and_is_judged(scene: Scene, version: ssl.TLSVersion) -> None:
    """A session resumes with its host, and the verdict holds the chain that was validated at first."""
    server, context = scene.serve(scene.genuine, maximum_version=version), scene.context()
    session = _session(context, server)
    with wrapped(context, server, session=session) as secured:
        assert secured.session_reused
        secured.sendall(SECRET)
        assert SECRET == secured.recv(100)
        first, second = scene.told
        assert (False, True) == (first.resumed, second.resumed)
        assert first.chain is second.chain
        again = secured.session
    with wrapped(context, server, session=again) as secured:
        assert (True, first.chain) == (secured.session_reused, secured.verdict.chain)


@VERSIONS
def test_a_session_is_set_after_wrapping(scene: Scene, version: ssl.TLSVersion) -> None:
    """A session can be set on a connection until its handshake, as pymongo does."""
    server, context = scene.serve(scene.genuine, maximum_version=version), scene.context()
    session = _session(context, server)
    with wrapped(context, server, do_handshake_on_connect=False) as secured:
        assert None is secured.session
        secured.session = session
        secured.sendall(SECRET)
        assert secured.session_reused
        with pytest.raises(ValueError, match="cannot set session after handshake"):
            secured.session = session


@VERSIONS
def test_resumption_after_a_pin_change_is_refused(scene: Scene, version: ssl.TLSVersion) -> None:
    """
    A session from before the pins changed is judged by the pins of now.

    https://github.com/golang/go/issues/77217 is the same gap elsewhere.
    """
    server, context = scene.serve(scene.genuine, maximum_version=version), scene.context()
    session = _session(context, server)
    context.policy = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2)
    with wrapped(context, server, session=session, do_handshake_on_connect=False) as secured:
        with pytest.raises(pinscher.PinMismatchError) as caught:
            secured.sendall(b"after the change")
    assert not caught.value.verdict.resumed, "a session that would be refused is not offered"
    server.wait_idle()
    assert len(SECRET) == server.application_bytes


@VERSIONS
def test_resumption_while_the_pins_change_is_refused(scene: Scene, version: ssl.TLSVersion) -> None:
    """A session that was offered before the pins changed, and resumed after, is judged by the pins of now."""
    server, context = scene.serve(scene.genuine, maximum_version=version), scene.context()
    session = _session(context, server)
    with wrapped(context, server, session=session, do_handshake_on_connect=False) as secured:
        context.policy = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2)
        with pytest.raises(pinscher.PinMismatchError) as caught:
            secured.sendall(b"after the change")
    assert caught.value.verdict.resumed
    server.wait_idle()
    assert len(SECRET) == server.application_bytes


@VERSIONS
def test_resumption_across_hosts_is_a_full_handshake(scene: Scene, version: ssl.TLSVersion) -> None:
    """
    A session of one host is not offered to another, whose name would never be verified.

    CVE-2026-48934 in Node authenticated a session for one host and resumed it for another.
    """
    held = scene.authority.issue(HOST, "evil.test", key=scene.genuine.key)
    server = scene.serve(held, maximum_version=version)
    policy = scene.policy(host="**.test")
    context = scene.context(policy)
    session = _session(context, server)
    with wrapped(context, server, host="evil.test", session=session) as secured:
        assert (False, "evil.test") == (secured.session_reused, secured.verdict.host)
    server.show(scene.rogue)
    with pytest.raises(ssl.SSLCertVerificationError), wrapped(context, server, host="evil.test", session=session):
        pass


@VERSIONS
def test_resumption_on_another_port_is_a_full_handshake(scene: Scene, version: ssl.TLSVersion) -> None:
    """A session is not offered to another port, where another server may answer."""
    context = scene.context()
    session = _session(context, scene.serve(scene.genuine, maximum_version=version))
    with wrapped(context, scene.serve(scene.genuine, maximum_version=version), session=session) as secured:
        assert not secured.session_reused
    rogue = scene.serve(scene.rogue, maximum_version=version)
    with pytest.raises(pinscher.PinMismatchError), wrapped(context, rogue, session=session):
        pass


def test_foreign_sessions_are_refused(scene: Scene) -> None:
    """A session of another context, pinned or plain, is an error, as it is in the standard library."""
    server = scene.serve(scene.genuine)
    plain_context = ssl.create_default_context(cadata=scene.root.pem.decode())
    context = scene.context()
    for session in (_session(plain_context, server), _session(scene.context(), server), b"session"):
        with connected(server) as plain, pytest.raises(ValueError, match="not made by this context"):
            context.wrap_socket(plain, server_hostname=HOST, session=session)


def test_a_session_of_an_unverified_handshake_is_unknown(scene: Scene) -> None:
    """A raw session, made behind the context's back, has no remembered chain, and its resumption is refused."""
    server, context = scene.serve(scene.genuine, maximum_version=ssl.TLSVersion.TLSv1_2), scene.context()
    with wrapped(context, server) as secured:
        raw = secured._sslobj.session
    with wrapped(context, server, do_handshake_on_connect=False) as secured:
        secured._sslobj._inner.session = raw
        with pytest.raises(pinscher.PinMismatchError, match="not remembered") as caught:
            secured.sendall(SECRET)
    assert pinscher.Outcome.CHAIN_NOT_VALIDATED is caught.value.verdict.outcome
    server.wait_idle()
    assert 0 == server.application_bytes


def test_a_remembered_session_reads_as_a_session(scene: Scene) -> None:
    """It has what the standard library's session has, compares like one, and shows nothing secret."""
    server, context = scene.serve(scene.genuine, maximum_version=ssl.TLSVersion.TLSv1_2), scene.context()
    with wrapped(context, server) as secured:
        session, same = secured.session, secured.session
    assert isinstance(session, RememberedSession)
    assert (session, hash(session)) == (same, hash(same))
    assert session != _session(context, server)
    assert (bytes, True, True) == (type(session.id), session.has_ticket, session.time > 0)
    assert (True, True) == (session.timeout > 0, session.ticket_lifetime_hint > 0)
    assert "<RememberedSession of bank.test>" == repr(session)


def test_memory_connections_resume(scene: Scene) -> None:
    """A session taken from a memory connection resumes on another, and is judged."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.maximum_version = ssl.TLSVersion.TLSv1_2
    _load(server_context, scene)
    context = scene.context()
    first = _handshake(context, server_context)
    second = _handshake(context, server_context, session=first.session)
    assert (False, True) == (first.session_reused, second.session_reused)
    third = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    assert None is third.session
    third.session = first.session
    context.policy = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2)
    with pytest.raises(pinscher.PinMismatchError):
        _handshake(context, server_context, session=first.session)


def test_a_clock_that_fails_while_a_session_is_offered_refuses(scene: Scene) -> None:
    """A session that cannot be judged is not resumed; the full handshake is judged as well, and is what is refused."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.maximum_version = ssl.TLSVersion.TLSv1_2
    _load(server_context, scene)
    clock = [datetime.now(UTC)]
    context = scene.context(now=lambda: clock[0])
    first = _handshake(context, server_context)
    clock.clear()
    with pytest.raises(pinscher.PinMismatchError, match="IndexError"):
        _handshake(context, server_context, session=first.session)


def _load(context: ssl.SSLContext, scene: Scene) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(scene.genuine.key_pem + scene.genuine.chain_pem)
        file.flush()
        context.load_cert_chain(file.name)


def _handshake(context: ssl.SSLContext, server_context: ssl.SSLContext, **options: Any) -> Any:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=HOST, **options)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(20):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    assert [] == waiting
    return client
