"""Whatever interrupts a check or comes in between, no byte goes to a server that was not judged."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.lab.server import load
from pinscher.tls import context as context_module
from pinscher.tls.danger import LeafOnlyContext

from .conftest import HOST, SECRET, connected, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Scene

ENDINGS = pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit(3)], ids=["Ctrl-C", "exit"])


class WordlessError(Exception):
    """An error that cannot even say what it is."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("no words")


def _denying(scene: Scene) -> pinscher.Policy:
    denied = f'denied-keys = ["{pinscher.Pin.of(scene.genuine.der)}"]'
    return scene.policy(pinscher.Pin.of(scene.rogue.der), version=2, more=denied)


# A policy is replaced, and somebody ends the program meanwhile.


@ENDINGS
def test_a_callback_that_ends_the_program_leaves_no_connection_unjudged(scene: Scene, ending: BaseException) -> None:
    """Every open connection is judged by the new policy before what ``on_verdict`` raised goes on."""

    def end(verdict: pinscher.Verdict) -> None:
        if verdict.action is pinscher.Action.BLOCK:
            raise ending

    server, context = scene.serve(scene.genuine), scene.context(on_verdict=end)
    with contextlib.ExitStack() as open_ones:
        secured = [open_ones.enter_context(wrapped(context, server)) for _ in range(3)]
        with pytest.raises(type(ending)):
            context.policy = _denying(scene)
        for one in secured:
            with pytest.raises(pinscher.PinMismatchError):
                one.sendall(SECRET)
    server.wait_idle()
    assert (0, ()) == (server.application_bytes, context.connections)


def test_a_judgement_that_is_interrupted_ends_its_connection_and_no_other(scene: Scene) -> None:
    """Ctrl-C while one connection is judged again ends that one; the others are judged, and it is raised at the end."""
    moments = iter([None, None, KeyboardInterrupt()])

    def now() -> datetime:
        if (moment := next(moments, None)) is not None:
            raise moment
        return datetime.now(UTC)

    server, context = scene.serve(scene.genuine, tickets=False), scene.context(now=now)
    with wrapped(context, server) as first, wrapped(context, server) as second:
        with pytest.raises(KeyboardInterrupt):
            context.policy = scene.policy(version=2)
        kept = [one for one in (first, second) if one.verdict is not None]
        assert [2] == [one.verdict.policy.version for one in kept]
        kept[0].sendall(b"goes on")
        (ended,) = {first, second} - set(kept)
        with pytest.raises(pinscher.PinMismatchError, match="interrupted"):
            ended.sendall(SECRET)
    server.wait_idle()
    assert len(b"goes on") == server.application_bytes


# The check fails after the connection was opened, because its policy was replaced in that moment.


@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt(), WordlessError(), RecursionError()], ids=lambda one: type(one).__name__
)
def test_a_check_that_fails_once_the_connection_is_open_closes_it(scene: Scene, failure: BaseException) -> None:
    """What was opened by the policy before is closed where judging it by the new one fails, whatever it fails with."""
    moments = iter([lambda: setattr(context, "policy", _denying(scene)), lambda: _raise(failure)])

    def now() -> datetime:
        next(moments)()
        return datetime.now(UTC)

    server = scene.serve(scene.genuine)
    context = scene.context(now=now)
    with connected(server) as plain:
        secured = context.wrap_socket(plain, server_hostname=HOST, do_handshake_on_connect=False)
        with pytest.raises((pinscher.PinMismatchError, type(failure))):
            secured.do_handshake()
        moments = iter([lambda: None] * 9)
        with pytest.raises((pinscher.PinMismatchError, OSError)):
            secured.sendall(SECRET)
        assert secured.verdict is None
        secured.close()
    server.wait_idle()
    assert 0 == server.application_bytes


def _raise(failure: BaseException) -> None:
    raise failure


# The early judgement is interrupted: the client's certificate stays here.


@ENDINGS
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_an_interrupted_early_judgement_sends_no_certificate(
    scene: Scene, ending: BaseException, version: ssl.TLSVersion
) -> None:
    """The flight with the client's certificate is thrown away where somebody ends the program during the judgement."""
    context = _with_certificate(scene, lambda: _raise(ending))
    context.minimum_version = context.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    server = _asking(scene).wrap_bio(outgoing, incoming, server_side=True)
    with pytest.raises(type(ending)):
        _shake_hands(client, server)
    with pytest.raises(pinscher.PinMismatchError, match="interrupted"):
        client.do_handshake()
    assert 0 == outgoing.pending
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()


def _shake_hands(*sides: ssl.SSLObject) -> None:
    for _ in range(8):
        for side in sides:
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()


@ENDINGS
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_an_interrupted_early_judgement_hangs_up(scene: Scene, ending: BaseException, version: ssl.TLSVersion) -> None:
    """On a socket the connection ends before the client's certificate could leave."""
    context = _with_certificate(scene, lambda: _raise(ending))
    context.minimum_version = context.maximum_version = version
    server = scene.serve(scene.rogue, client_ca=scene.root.pem)
    with pytest.raises(type(ending)), wrapped(context, server):
        pass
    server.wait_idle()
    assert [None] == [record.client_certificate for record in server.evidence.connections]


def _with_certificate(scene: Scene, interrupt: Callable[[], object]) -> pinscher.PinnedContext:
    def now() -> datetime:
        interrupt()
        return datetime.now(UTC)

    context, held = scene.context(now=now), scene.root.issue_client("alice")
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(held.chain_pem + held.key_pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _asking(scene: Scene) -> ssl.SSLContext:
    """Return a rogue server's context that asks for a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load(context, scene.rogue.chain_pem + scene.rogue.key_pem)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=scene.root.pem.decode())
    return context


# One thread ends a connection while another sends over it.


@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_RDWR, socket.SHUT_WR])
def test_what_another_thread_sends_during_a_shutdown_is_not_in_clear(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, how: int
) -> None:
    """At the moment at which the operating system is asked to shut down, a send is an error (urllib3 shuts down so)."""
    server = scene.serve(scene.genuine)
    with wrapped(scene.context(), server) as secured:
        shut_down = socket.socket.shutdown

        def meanwhile(sock: socket.socket, how: int) -> None:
            monkeypatch.setattr(socket.socket, "shutdown", shut_down)
            with pytest.raises(OSError, match="sends no clear text"):
                secured.send(SECRET)
            shut_down(sock, how)

        monkeypatch.setattr(socket.socket, "shutdown", meanwhile)
        secured.shutdown(how)
    server.wait_idle()
    assert (0, 0) == (server.application_bytes, server.evidence.plaintext_bytes)


def test_what_another_thread_sends_during_a_close_is_not_in_clear(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the moment at which the descriptor is about to be closed, a send is an error."""
    server = scene.serve(scene.genuine)
    secured: Any = scene.context().wrap_socket(
        socket.create_connection(server.address, timeout=10), server_hostname=HOST
    )
    close = socket.socket._real_close  # type: ignore[attr-defined]

    def meanwhile(sock: socket.socket) -> None:
        if sock is secured:
            with pytest.raises(OSError, match="sends no clear text"):
                secured.send(SECRET)
        close(sock)

    monkeypatch.setattr(socket.socket, "_real_close", meanwhile)
    secured.close()
    server.wait_idle()
    assert (0, 0) == (server.application_bytes, server.evidence.plaintext_bytes)
    with pytest.raises(OSError, match="Bad file descriptor"):
        secured.send(SECRET)


# What is over is not judged, and what was withdrawn is told of once.


def test_a_closed_connection_is_not_judged_again(scene: Scene) -> None:
    """A connection that was closed, and that somebody still holds, is no alarm when the next policy denies its key."""
    context = scene.context()
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        pass
    assert () == context.connections
    context.policy = _denying(scene)
    assert (["MATCH"], ()) == (scene.outcomes(), context.verdicts)
    with pytest.raises(OSError, match="Bad file descriptor"):
        secured.recv(1)


def test_a_withdrawn_connection_has_no_verdict(scene: Scene) -> None:
    """It may receive, is not among the connections that were let through, and no later policy lets it send again."""
    context = scene.context()
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        context.policy = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2)
        assert (None, ()) == (secured.verdict, context.connections)
        context.policy = scene.policy(version=3)
        assert (None, ()) == (secured.verdict, context.connections)
        with pytest.raises(pinscher.PinMismatchError):
            secured.sendall(SECRET)


# Names and tables that a stranger fills.


def test_a_name_of_any_length_is_remembered_nowhere(scene: Scene) -> None:
    """A name that no host can have, and that a redirect may bring, is refused and leaves nothing behind."""
    context, before = scene.context(), context_module._usable_name.cache_info().currsize
    for number in range(5):
        with pytest.raises(pinscher.PinMismatchError), connected(scene.serve(scene.genuine)) as plain:
            context.wrap_socket(plain, server_hostname=f"{number}{'a' * 70_000}.test")
    assert before == context_module._usable_name.cache_info().currsize


@pytest.mark.parametrize("name", [None, "", "a..b", "a\0b", "ü" * 80, b"\xff", bytearray(b"bank.test"), 7])
@pytest.mark.parametrize("kind", [pinscher.PinnedContext, LeafOnlyContext])
def test_a_name_that_cannot_be_used_is_refused_as_such(scene: Scene, kind: type, name: Any) -> None:
    """Whatever stands in a name's place, the refusal is the documented one, over a socket and over memory buffers."""
    context = kind(scene.policy(), trust=scene.root.pem)
    with connected(scene.serve(scene.genuine)) as plain, pytest.raises(pinscher.PinMismatchError):
        context.wrap_socket(plain, server_hostname=name)
    made = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=name)
    with pytest.raises(pinscher.PinMismatchError):
        made.do_handshake()


class _Changing(dict[Any, Any]):
    """A dictionary that another thread changes while it is gone through for the first time."""

    changes = 1

    def __iter__(self) -> Any:
        """Fail as often as it was changed."""
        if self.changes:
            self.changes -= 1
            raise RuntimeError("dictionary changed size during iteration")
        return super().__iter__()


def test_another_thread_that_matches_meanwhile_refuses_nobody(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgetting the oldest host goes on where another thread remembered one at the same time."""
    monkeypatch.setattr("pinscher.tls.bench._HOSTS_REMEMBERED", 2)
    context = scene.context()
    context._bench.accepted = _Changing({str(number): None for number in range(2)})
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        secured.sendall(SECRET)
    assert ["1", HOST] == list(context._bench.accepted)
