"""What becomes of open connections when another policy comes into force."""

from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.tls.danger import LeafOnlyContext

from .conftest import HOST, connected, wrapped
from .test_data_paths import _pump

if TYPE_CHECKING:
    from .conftest import Scene


def _denying(scene: Scene) -> pinscher.Policy:
    denied = f'denied-keys = ["{pinscher.Pin.of(scene.genuine.der)}"]'
    return scene.policy(pinscher.Pin.of(scene.rogue.der), version=2, more=denied)


def _removing(scene: Scene) -> pinscher.Policy:
    return scene.policy(pinscher.Pin.of(scene.rogue.der), version=2)


def test_a_denied_key_ends_its_connection_at_once(scene: Scene) -> None:
    """A connection whose key a new policy denies neither sends nor receives, and the server sees it end."""
    server, context = scene.serve(scene.genuine), scene.context()
    with wrapped(context, server) as secured:
        secured.sendall(b"before")
        assert b"before" == secured.recv(16)
        context.policy = _denying(scene)
        server.wait_idle()
        for move in (lambda: secured.send(b"after"), lambda: secured.recv(16), lambda: secured.sendall(b"after")):
            with pytest.raises(pinscher.PinMismatchError) as caught:
                move()
            assert pinscher.Outcome.DENIED_KEY is caught.value.verdict.outcome
        assert () == context.connections
    assert (6, ["MATCH", "DENIED_KEY"]) == (server.application_bytes, scene.outcomes())


def test_a_removed_pin_lets_the_answer_arrive_and_nothing_more_be_asked(scene: Scene) -> None:
    """A connection whose key is merely no longer pinned hears the answer to what it sent, and sends nothing more."""
    server, context = scene.serve(scene.genuine), scene.context()
    with wrapped(context, server) as secured:
        secured.sendall(b"before")
        context.policy = _removing(scene)
        assert (b"before", HOST) == (secured.recv(16), secured.server_hostname)
        with pytest.raises(pinscher.PinMismatchError) as caught:
            secured.sendall(b"after")
        assert pinscher.Outcome.NO_MATCHING_PIN is caught.value.verdict.outcome
        with pytest.raises(pinscher.PinMismatchError):
            secured.recv(16)
    server.wait_idle()
    assert (6, 2) == (server.application_bytes, caught.value.verdict.policy.version)


def test_a_policy_that_still_lists_the_key_keeps_the_connection(scene: Scene) -> None:
    """A connection that the new policy lets through as well goes on, and its verdict names the new policy."""
    server, context = scene.serve(scene.genuine), scene.context()
    with wrapped(context, server) as secured:
        context.policy = scene.policy(version=2)
        secured.sendall(b"after")
        assert (b"after", 2, (secured,)) == (secured.recv(16), secured.verdict.policy.version, context.connections)


def test_a_report_only_policy_keeps_the_connection_too(scene: Scene) -> None:
    """A mismatch that is only reported ends no connection."""
    context = scene.context()
    softened = 'mode = "report-only"\nreport-only-since = 2026-01-01'
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        context.policy = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2, more=softened)
        secured.sendall(b"after")
        assert (b"after", "NO_MATCHING_PIN") == (secured.recv(16), secured.verdict.outcome.name)


def test_a_withdrawal_is_for_good(scene: Scene) -> None:
    """A connection that was withdrawn sends nothing under a later policy that lists its key again."""
    context = scene.context()
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        context.policy = _removing(scene)
        context.policy = scene.policy(version=3)
        with pytest.raises(pinscher.PinMismatchError):
            secured.sendall(b"after")


def test_a_withdrawn_connection_can_still_be_denied(scene: Scene) -> None:
    """A connection that may still receive is ended as soon as a policy denies its key."""
    context = scene.context()
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        secured.sendall(b"before")
        context.policy = _removing(scene)
        context.policy = _denying(scene)
        with pytest.raises(pinscher.PinMismatchError):
            secured.recv(16)


@pytest.mark.parametrize("denies", [True, False])
def test_memory_buffers_are_withdrawn_too(scene: Scene, denies: bool) -> None:
    """A connection over memory buffers hands out no more bytes once its key was withdrawn."""
    context = scene.context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    with connected(scene.serve(scene.genuine)) as plain:
        _pump(plain, incoming, outgoing, secured.do_handshake)
    context.policy = _denying(scene) if denies else _removing(scene)
    with pytest.raises(pinscher.PinMismatchError if denies else ssl.SSLWantReadError):
        secured.read(16)
    with pytest.raises(pinscher.PinMismatchError):
        secured.write(b"after")
    assert b"" == outgoing.read()


@pytest.mark.parametrize("is_injected", [False, True], ids=["pinned", "injected"])
def test_nothing_is_sent_in_clear_after_a_withdrawn_connection_ended_tls(scene: Scene, is_injected: bool) -> None:
    """``unwrap`` ends a withdrawn connection and does not open the way to clear text that it opens for others."""
    with contextlib.ExitStack() as stack:
        server, plain = scene.serve(scene.genuine), ssl.create_default_context(cadata=scene.root.pem.decode())
        holder: Any = scene.context() if not is_injected else stack.enter_context(pinscher.injected(scene.policy()))
        secured = stack.enter_context(wrapped(plain if is_injected else holder, server))
        secured.sendall(b"before")
        assert b"before" == secured.recv(16)
        holder.policy = _removing(scene)
        with contextlib.suppress(OSError):
            secured.unwrap()
        with pytest.raises(pinscher.PinMismatchError):
            secured.sendall(b"after, in clear")
    server.wait_idle()
    assert 6 == server.application_bytes


def test_a_clock_that_breaks_during_the_change_withdraws(scene: Scene) -> None:
    """Whatever goes wrong while open connections are judged again ends their sending, and never the change itself."""
    clock = [datetime.now(UTC)]

    def now() -> datetime:
        if not clock:
            raise OverflowError("the clock stopped")
        return clock[0]

    context = scene.context(now=now)
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        clock.clear()
        context.policy = scene.policy(version=2)
        with pytest.raises(pinscher.PinMismatchError, match="OverflowError"):
            secured.sendall(b"after")


def test_danger_judges_its_connections_again(scene: Scene) -> None:
    """A context that matches the leaf alone withdraws a connection by that leaf."""
    context = LeafOnlyContext(scene.policy())
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        secured.sendall(b"x")
        context.policy = _removing(scene)
        with pytest.raises(pinscher.PinMismatchError):
            secured.sendall(b"after")
