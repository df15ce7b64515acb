"""A server whose pins do not match sees neither the client's certificate nor its Finished."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.tls.danger import LeafOnlyContext

from . import wiretap
from .conftest import HOST, SECRET

if TYPE_CHECKING:
    from pinscher.lab.server import TlsServer

    from .conftest import Scene

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
Talk = Callable[[ssl.SSLContext, int], object]


def blocking(context: ssl.SSLContext, port: int) -> None:
    """Send a secret over a blocking socket."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=HOST) as secured:
            secured.sendall(SECRET)
            secured.recv(len(SECRET))


def without_a_time_limit(context: ssl.SSLContext, port: int) -> None:
    """Send a secret over a socket that waits for ever, whose first data runs the handshake."""
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with context.wrap_socket(plain, server_hostname=HOST, do_handshake_on_connect=False) as secured:
            secured.sendall(SECRET)
            secured.recv(len(SECRET))


def not_blocking(context: ssl.SSLContext, port: int) -> None:
    """Send a secret over a socket that never blocks, whose handshake is made in steps."""
    import select

    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=HOST, do_handshake_on_connect=False) as secured:
            secured.setblocking(False)
            while True:
                try:
                    secured.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    select.select([secured], [], [], 10)
            secured.setblocking(True)
            secured.sendall(SECRET)
            secured.recv(len(SECRET))


def asynchronous(context: ssl.SSLContext, port: int) -> None:
    """Send a secret over an asyncio stream."""

    async def talk() -> None:
        """Open a stream, write and read."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=HOST)
        try:
            writer.write(SECRET)
            await reader.readexactly(len(SECRET))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    asyncio.run(talk())


TALKS = pytest.mark.parametrize("talk", [blocking, without_a_time_limit, not_blocking, asynchronous])


def _load(context: ssl.SSLContext, scene: Scene) -> None:
    held = scene.root.issue_client("alice")
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(held.chain_pem + held.key_pem)
        file.flush()
        context.load_cert_chain(file.name)


def _asking(scene: Scene, held: Any, version: ssl.TLSVersion, **options: Any) -> TlsServer:
    return scene.serve(held, client_ca=scene.root.pem, minimum_version=version, maximum_version=version, **options)


def _shows_its_certificate(tap: wiretap.Wiretap) -> bool:
    """Tell whether a client showed its certificate: in clear in TLS 1.2, and in an encrypted record in TLS 1.3."""
    return wiretap.CERTIFICATE in tap.clear_messages or tap.encrypted_records > 0


@VERSIONS
@TALKS
def test_a_rogue_that_asks_for_the_client_certificate_sees_neither_it_nor_the_finished(
    scene: Scene, version: ssl.TLSVersion, talk: Talk
) -> None:
    """To a server whose pins do not match, a client with a certificate of its own sends its hello and nothing else."""
    context = scene.context()
    _load(context, scene)
    rogue = _asking(scene, scene.rogue, version)
    with wiretap.tapped(rogue) as tap:
        with pytest.raises(pinscher.PinMismatchError) as caught:
            talk(context, tap.port)
    rogue.wait_idle()
    assert pinscher.Outcome.NO_MATCHING_PIN is caught.value.verdict.outcome
    assert ([wiretap.CLIENT_HELLO], 0) == (tap.clear_messages, tap.encrypted_records)
    record = rogue.evidence.connections[0]
    assert (None, False, 0) == (record.client_certificate, record.handshake_completed, record.application_bytes)
    assert ["NO_MATCHING_PIN"] == scene.outcomes()


@VERSIONS
@TALKS
def test_the_same_tap_sees_the_certificate_that_a_plain_context_shows_a_rogue(
    scene: Scene, version: ssl.TLSVersion, talk: Talk
) -> None:
    """A context without pins shows the client's certificate to anybody whom a CA vouched for."""
    context = ssl.create_default_context(cadata=scene.root.pem.decode())
    _load(context, scene)
    rogue = _asking(scene, scene.rogue, version)
    with wiretap.tapped(rogue) as tap:
        talk(context, tap.port)
    rogue.wait_idle()
    assert _shows_its_certificate(tap)
    assert None is not rogue.evidence.connections[0].client_certificate


@VERSIONS
@TALKS
def test_the_pinned_server_gets_the_client_certificate(scene: Scene, version: ssl.TLSVersion, talk: Talk) -> None:
    """The server whose pins match is shown the client's certificate and sent the data."""
    context = scene.context()
    _load(context, scene)
    genuine = _asking(scene, scene.genuine, version)
    with wiretap.tapped(genuine) as tap:
        talk(context, tap.port)
    genuine.wait_idle()
    assert _shows_its_certificate(tap)
    record = genuine.evidence.connections[0]
    assert (True, len(SECRET)) == (record.client_certificate is not None, record.application_bytes)
    assert ["MATCH"] == scene.outcomes()


@VERSIONS
def test_a_denied_key_is_refused_before_the_certificate_too(scene: Scene, version: ssl.TLSVersion) -> None:
    """A key that the policy denies, beside a pin that matches, sees no client certificate."""
    denied = f'denied-keys = ["{pinscher.Pin.of(scene.genuine.der)}"]'
    context = scene.context(scene.policy(pinscher.Pin.of(scene.genuine.chain[1]), more=denied))
    _load(context, scene)
    genuine = _asking(scene, scene.genuine, version)
    with wiretap.tapped(genuine) as tap:
        with pytest.raises(pinscher.PinMismatchError):
            blocking(context, tap.port)
    assert not _shows_its_certificate(tap)


@VERSIONS
def test_a_leaf_alone_is_judged_before_the_certificate_too(scene: Scene, version: ssl.TLSVersion) -> None:
    """The named weakening without a CA shows a server whose leaf does not match no client certificate either."""
    rogue, genuine = _asking(scene, scene.rogue, version), _asking(scene, scene.genuine, version)
    context = LeafOnlyContext(scene.policy())
    _load(context, scene)
    with wiretap.tapped(rogue) as tap:
        with pytest.raises(pinscher.PinMismatchError):
            blocking(context, tap.port)
    assert not _shows_its_certificate(tap)
    with wiretap.tapped(genuine) as tap:
        blocking(context, tap.port)
    assert _shows_its_certificate(tap)


@VERSIONS
def test_an_error_inside_the_early_check_is_a_refusal(
    scene: Scene, version: ssl.TLSVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong in the judgement before the certificate is a refusal before the certificate."""
    from pinscher.tls import judgement

    def broken(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(judgement, "validated_chain", broken)
    context = scene.context()
    _load(context, scene)
    with wiretap.tapped(_asking(scene, scene.genuine, version)) as tap:
        with pytest.raises(pinscher.PinMismatchError, match="out of order"):
            blocking(context, tap.port)
    assert not _shows_its_certificate(tap)


@VERSIONS
def test_a_session_is_resumed_with_a_client_certificate(scene: Scene, version: ssl.TLSVersion) -> None:
    """A client with a certificate of its own resumes sessions of the pinned server."""
    context = scene.context()
    _load(context, scene)
    genuine = _asking(scene, scene.genuine, version)
    with socket.create_connection(genuine.address, timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=HOST) as secured:
            secured.sendall(SECRET)
            secured.recv(len(SECRET))
            session = secured.session
    with socket.create_connection(genuine.address, timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=HOST, session=session) as secured:
            assert secured.session_reused
            secured.sendall(SECRET)


def test_the_message_callback_of_a_context_with_a_client_certificate_cannot_be_exchanged(scene: Scene) -> None:
    """Pins are judged in the message callback then, and a context that has another already takes no certificate."""
    context = scene.context()
    _load(context, scene)
    with pytest.raises(pinscher.tls.InsecureContextError, match="message callback"):
        context._msg_callback = print
    _load(context, scene)
    taken = scene.context()
    taken._msg_callback = print
    with pytest.raises(pinscher.tls.InsecureContextError, match="message callback"):
        _load(taken, scene)


def test_a_certificate_that_cannot_be_loaded_leaves_the_context_as_it_was(scene: Scene) -> None:
    """A context whose client certificate could not be read listens to no handshake."""
    context = scene.context()
    with pytest.raises(FileNotFoundError):
        context.load_cert_chain("/nonexistent.pem")
    assert None is context._msg_callback
