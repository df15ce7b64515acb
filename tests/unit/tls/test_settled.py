"""Most handshakes are the same match as their host's last one; what is taken for the same, and what is not."""

from __future__ import annotations

import contextlib
import gc
import ssl
import weakref
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.lab.authority import Authority
from pinscher.tls.danger import LeafOnlyContext

from .conftest import HOST, connected, wrapped
from .test_healing import LADDER, Repairer, mended

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pinscher.lab.server import TlsServer
    from pinscher.tls import PinnedSocket

    from .conftest import Scene


def _quiet(scene: Scene, policy: pinscher.Policy | None = None, **options: Any) -> pinscher.PinnedContext:
    """Return a context that nobody listens to, for only such a one takes a match for settled."""
    return scene.context(policy, on_verdict=None, **options)


@contextlib.contextmanager
def _again(context: ssl.SSLContext, server: TlsServer) -> Iterator[Any]:
    """Yield the second connection of a context to a server."""
    with wrapped(context, server):
        pass
    with wrapped(context, server) as second:
        yield second


def _is_settled(connection: Any) -> bool:
    """Tell whether a connection was taken for the same match as the last, and its verdict is made on demand."""
    return connection.judged is not None and not isinstance(connection.judged, pinscher.Verdict)


def _refused(context: ssl.SSLContext, server: TlsServer) -> pinscher.Outcome:
    with connected(server) as plain, pytest.raises(pinscher.PinMismatchError) as caught:
        context.wrap_socket(plain, server_hostname=HOST)
    return caught.value.verdict.outcome


def test_the_verdict_of_a_settled_match_is_that_of_its_own_connection(scene: Scene) -> None:
    """Whoever asks a connection that matched as the last one did is told of this one: its time, port and chain."""
    server, context = scene.serve(scene.genuine), _quiet(scene)
    with wrapped(context, server) as first:
        assert not _is_settled(first)
        before = first.verdict
    began = datetime.now(UTC)
    with wrapped(context, server) as second:
        assert _is_settled(second)
        ended = datetime.now(UTC)
        verdict = second.verdict
        assert (pinscher.Outcome.MATCH, pinscher.Action.ALLOW) == (verdict.outcome, verdict.action)
        assert (before.matched, before.host_policy, before.policy) == (
            verdict.matched, verdict.host_policy, verdict.policy,
        )  # fmt: skip
        assert (HOST, server.address[1], False, ()) == (verdict.host, verdict.port, verdict.resumed, verdict.steps)
        assert began <= verdict.at <= ended
        assert verdict.chain is not before.chain
        assert verdict.chain == before.chain
        assert verdict is second.verdict
        assert second in context.connections


def test_settled_matches_are_counted(scene: Scene) -> None:
    """A match that is like the last one is counted as that one was."""
    server, context = scene.serve(scene.genuine), _quiet(scene, scene.policy(version=77))
    with _again(context, server) as second:
        assert _is_settled(second)
    assert [2] == [one.times for one in pinscher.stats() if one.version == 77]


def test_the_application_s_clock_gives_the_time_of_a_settled_match(scene: Scene) -> None:
    """A clock that the application gave is asked at the handshake, and not when somebody looks."""
    times = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    context = _quiet(scene, now=lambda: times.pop(0))
    with _again(context, scene.serve(scene.genuine)) as second:
        assert _is_settled(second)
        assert datetime(2026, 1, 2, tzinfo=UTC) == second.verdict.at


def test_a_clock_that_fails_refuses_what_was_settled(scene: Scene) -> None:
    """An error inside the check is a refusal, also where the same match was found a moment ago."""
    times = [datetime(2026, 1, 1, tzinfo=UTC)]
    context, server = _quiet(scene, now=times.pop), scene.serve(scene.genuine)
    with wrapped(context, server):
        pass
    assert pinscher.Outcome.CHAIN_NOT_VALIDATED is _refused(context, server)
    assert 0 == server.application_bytes


def test_another_key_after_a_settled_match_is_refused(scene: Scene) -> None:
    """An attacker gains nothing from the match of the connection before."""
    context = _quiet(scene)
    with _again(context, scene.serve(scene.genuine)) as second:
        assert _is_settled(second)
    rogue = scene.serve(scene.rogue)
    assert pinscher.Outcome.NO_MATCHING_PIN is _refused(context, rogue)
    assert 0 == rogue.application_bytes


def test_a_renewed_certificate_is_judged_anew(scene: Scene) -> None:
    """A new certificate of the pinned key matches by a judgement of its own, and is what counts from then on."""
    context, renewed = _quiet(scene), scene.authority.issue(HOST, key=scene.genuine.key)
    with wrapped(context, scene.serve(scene.genuine)):
        pass
    server = scene.serve(renewed)
    with wrapped(context, server) as second, wrapped(context, server) as third:
        assert (False, True) == (_is_settled(second), _is_settled(third))
        assert renewed.der == third.verdict.chain.leaf


def test_one_host_settles_nothing_for_another(scene: Scene) -> None:
    """The same certificate is judged for each host that shows it."""
    held = scene.authority.issue(HOST, "other.test")
    both = pinscher.Policy.loads(
        f'format = 1\nname = "bank"\nversion = 1\n[hosts."{HOST}"]\npins = ["{pinscher.Pin.of(held.der)}"]\n'
        f'[hosts."other.test"]\npins = ["{pinscher.Pin.of(scene.rogue.der)}"]\n'
    )
    context, server = _quiet(scene, both), scene.serve(held)
    with _again(context, server) as second:
        assert _is_settled(second)
    with connected(server) as plain, pytest.raises(pinscher.PinMismatchError):
        context.wrap_socket(plain, server_hostname="other.test")


def test_a_policy_that_changed_settles_nothing(scene: Scene) -> None:
    """A match under one policy says nothing under the next, which may deny the key."""
    context, server = _quiet(scene), scene.serve(scene.genuine)
    with _again(context, server) as second:
        assert _is_settled(second)
    context.policy = scene.policy(version=2)
    with wrapped(context, server) as third:
        assert (False, 2) == (_is_settled(third), third.verdict.policy.version)
    context.policy = scene.policy(pinscher.Pin.of(scene.rogue.der), version=3)
    assert pinscher.Outcome.NO_MATCHING_PIN is _refused(context, server)


def test_a_policy_that_changes_while_a_settled_match_opens_judges_it(scene: Scene) -> None:
    """A policy that comes into force between the comparison and the opening judges the connection itself."""
    context: Any = None
    coming: list[pinscher.Policy] = []

    def now() -> datetime:
        if coming:
            context.policy = coming.pop()
        return datetime.now(UTC)

    context, server = _quiet(scene, now=now), scene.serve(scene.genuine)
    with wrapped(context, server):
        pass
    coming.append(scene.policy(pinscher.Pin.of(scene.rogue.der), version=2))
    assert pinscher.Outcome.NO_MATCHING_PIN is _refused(context, server)
    assert 0 == server.application_bytes


def test_a_policy_that_changes_during_the_handshake_judges_it(scene: Scene) -> None:
    """A connection that was begun under the policy of a settled match is judged by the one of its end."""
    context, server = _quiet(scene), scene.serve(scene.genuine)
    with wrapped(context, server):
        pass
    with connected(server) as plain:
        secured = context.wrap_socket(plain, server_hostname=HOST, do_handshake_on_connect=False)
        context.policy = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2)
        with pytest.raises(pinscher.PinMismatchError):
            secured.do_handshake()
        secured.close()
    assert 0 == server.application_bytes


def test_the_same_leaf_by_another_path_is_refused(scene: Scene) -> None:
    """A leaf that was accepted for a pinned root above it is refused when another root, trusted too, stands there."""
    another = Authority.root("Another Root")
    crossed = replace(scene.genuine, authority=scene.authority.cross_signed_by(another))
    policy = scene.policy(pinscher.Pin.of(scene.root.certificate))
    context, server = _quiet(scene, policy, trust=scene.root.pem + another.pem), scene.serve(crossed)
    with _again(context, scene.serve(scene.genuine)) as second:
        assert not _is_settled(second)
        assert scene.genuine.der == crossed.der
    assert pinscher.Outcome.NO_MATCHING_PIN is _refused(context, server)
    assert 0 == server.application_bytes


@pytest.mark.parametrize("why", ["it ends", "it denies a key", "somebody listens", "only the leaf is judged"])
def test_what_more_than_the_leaf_decides_is_never_settled(scene: Scene, why: str) -> None:
    """An entry that ends, one that denies keys, and a context that somebody listens to judge every connection."""
    entries = {
        "it ends": 'expires = 2099-01-01T00:00:00Z\non-expiry = "fail"',
        "it denies a key": f'denied-keys = ["{pinscher.Pin.of(scene.rogue.der)}"]',
    }
    policy = scene.policy(more=entries.get(why, ""))
    if why == "only the leaf is judged":
        context: ssl.SSLContext = LeafOnlyContext(policy)
    else:
        context = scene.context(policy) if why == "somebody listens" else _quiet(scene, policy)
    with _again(context, scene.serve(scene.genuine)) as second:
        assert not _is_settled(second)
        assert pinscher.Outcome.MATCH is second.verdict.outcome


def test_an_entry_that_ended_refuses_what_matched_before(scene: Scene) -> None:
    """The connection after the end of an entry that then fails is refused, however often it matched before."""
    ends = datetime(2026, 1, 1, tzinfo=UTC)
    times = [ends - timedelta(hours=1), ends - timedelta(minutes=1), ends + timedelta(minutes=1)]
    policy = scene.policy(more='expires = 2026-01-01T00:00:00Z\non-expiry = "fail"')
    context, server = _quiet(scene, policy, now=lambda: times.pop(0)), scene.serve(scene.genuine)
    with _again(context, server):
        pass
    assert pinscher.Outcome.POLICY_EXPIRED is _refused(context, server)


def test_a_resumed_connection_is_never_settled(scene: Scene) -> None:
    """A connection that resumes a session is judged by the chain that was remembered with it."""
    server, context = scene.serve(scene.genuine), _quiet(scene)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with wrapped(context, server) as first:
        session = first.session
    with wrapped(context, server, session=session) as second:
        assert second.session_reused
        assert (False, True) == (_is_settled(second), second.verdict.resumed)


def test_a_session_of_a_settled_match_is_remembered_with_its_chain(scene: Scene) -> None:
    """A session that a settled connection hands out is judged by the chain that was validated on that connection."""
    server, context = scene.serve(scene.genuine), _quiet(scene)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with _again(context, server) as second:
        assert _is_settled(second)
        session, chain = second.session, second.verdict.chain
    with wrapped(context, server, session=session) as third:
        assert third.session_reused
        assert chain == third.verdict.chain


@pytest.mark.parametrize("denied", [True, False])
def test_a_settled_connection_is_withdrawn_like_any_other(scene: Scene, denied: bool) -> None:
    """A new policy that denies the key ends it; one that merely lost the pin lets it send nothing more."""
    server, context = scene.serve(scene.genuine), _quiet(scene)
    more = f'denied-keys = ["{pinscher.Pin.of(scene.genuine.der)}"]' if denied else ""
    with _again(context, server) as second:
        assert _is_settled(second)
        second.sendall(b"before")
        assert b"before" == second.recv(16)
        context.policy = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2, more=more)
        with pytest.raises(pinscher.PinMismatchError):
            second.sendall(b"after")
        assert () == context.connections
    server.wait_idle()
    assert 6 == server.application_bytes


def test_the_verdict_can_be_asked_for_when_the_connection_is_closed(scene: Scene) -> None:
    """Clients ask for a verdict late; its chain is still that of the connection."""
    with _again(_quiet(scene), scene.serve(scene.genuine)) as second:
        pass
    assert _is_settled(second)
    assert 3 == len(second.verdict.chain)


def test_a_settled_connection_that_nobody_holds_is_gone_at_once(scene: Scene) -> None:
    """Nothing that waits for somebody to ask for the verdict keeps the connection or its memory."""
    context, server = _quiet(scene), scene.serve(scene.genuine)
    with wrapped(context, server):
        pass
    gc.disable()
    try:
        with connected(server) as plain:
            secured: PinnedSocket = context.wrap_socket(plain, server_hostname=HOST)
            assert _is_settled(secured)
            seen = weakref.ref(secured)
            secured.close()
            del secured
        assert seen() is None
    finally:
        gc.enable()


def test_what_healed_the_early_judgement_is_not_lost_to_a_settled_match(scene: Scene, tmp_path: Path) -> None:
    """A policy that comes back during a handshake, after its ladder was climbed, leaves the steps in the verdict."""
    strict = scene.policy(more=LADDER)
    loose = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2)

    class Wavering(Repairer):
        """Puts the policy in force that the key had matched before, while the ladder is climbed."""

        def override(self, refused: pinscher.Verdict) -> pinscher.Policy | None:
            context.policy = loose
            return super().override(refused)

    context = _quiet(scene, loose, healer=Wavering(emergency=mended(scene)))
    held = scene.root.issue_client("client")
    client = tmp_path / "client.pem"
    client.write_bytes(held.chain_pem + held.key_pem)
    context.load_cert_chain(client)
    server = scene.serve(scene.rogue, client_ca=scene.root.pem)
    with _again(context, server) as second:
        assert _is_settled(second)
    # Or it would be judged again by the strict policy, and its ladder climbed.
    del second
    context.policy = strict
    with wrapped(context, server) as third:
        assert ["refresh", "override"] == [step.partition(":")[0] for step in third.verdict.steps]  # type: ignore[attr-defined]
