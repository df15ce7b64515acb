"""What the ladder of a host does before a connection is refused, on blocking sockets and in memory buffers."""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.tls.danger import LeafOnlyContext
from pinscher.tls.healing import seconds_to_wait

from .conftest import HOST, SECRET, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Scene

LADDER = 'on-mismatch = ["refresh", "override", "abort"]'
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])


@dataclass
class Repairer:
    """A healer that does what a test tells it, and remembers what it was asked."""

    comes: Callable[[], str] = lambda: "nothing newer"
    emergency: pinscher.Policy | None = None
    waits: list[float] = field(default_factory=list)
    heard: list[pinscher.Verdict] = field(default_factory=list)

    def refresh(self, refused: pinscher.Verdict, seconds: float) -> str:
        """Do what the test wants to have happened."""
        assert refused.action is pinscher.Action.BLOCK
        self.waits.append(seconds)
        return self.comes()

    def override(self, refused: pinscher.Verdict) -> pinscher.Policy | None:
        """Return the emergency policy of the test."""
        assert HOST == refused.host
        return self.emergency

    def hear(self, verdict: pinscher.Verdict) -> None:
        """Remember a verdict."""
        self.heard.append(verdict)


def kept(scene: Scene, repairer: Repairer, ladder: str = LADDER, **options: Any) -> pinscher.PinnedContext:
    """Return a context with a healer whose policy pins the genuine key, under a ladder."""
    return scene.context(scene.policy(more=ladder), healer=repairer, **options)


def mended(scene: Scene, *, more: str = LADDER) -> pinscher.Policy:
    """Return the newer policy, which pins the key that nobody announced."""
    return scene.policy(pinscher.Pin.of(scene.rogue.der), version=2, more=more)


def brings(context: pinscher.PinnedContext, policy: pinscher.Policy) -> str:
    """Put another policy in force, as a refresh does, and say so."""
    context.policy = policy
    return f"version {policy.version}"


def talk(context: ssl.SSLContext, scene: Scene, **options: Any) -> Any:
    """Talk to a server that has the unannounced key, and return the verdict of the connection."""
    with wrapped(context, scene.serve(scene.rogue, **options)) as secured:
        secured.sendall(SECRET)
        assert SECRET == secured.recv(100)
        return secured.verdict  # type: ignore[attr-defined]


def test_a_blocking_socket_heals_in_place(scene: Scene) -> None:
    """A refresh that brings the policy lets the very connection through that had no matching pin."""
    repairer = Repairer()
    context = kept(scene, repairer)
    repairer.comes = lambda: brings(context, mended(scene))
    verdict = talk(context, scene)
    assert (pinscher.Outcome.MATCH, 2) == (verdict.outcome, verdict.policy.version)
    assert ("refresh: version 2",) == verdict.steps
    assert ([10.0], [verdict], ()) == (repairer.waits, repairer.heard, context.verdicts)
    talk(context, scene)
    assert ([10.0], [verdict]) == (repairer.waits, repairer.heard)


def test_a_ladder_that_heals_nothing_ends_in_the_refusal(scene: Scene) -> None:
    """Where nothing newer and no emergency policy can be had, the refusal tells each step."""
    repairer = Repairer()
    with pytest.raises(pinscher.PinMismatchError) as caught:
        talk(kept(scene, repairer), scene)
    steps = ("refresh: nothing newer", "override: none is in force for this host", "abort")
    assert steps == caught.value.verdict.steps
    assert [steps] == [verdict.steps for verdict in repairer.heard]


@pytest.mark.parametrize("ladder", ["", 'on-mismatch = ["abort"]'])
def test_a_ladder_without_rungs_asks_nobody(scene: Scene, ladder: str) -> None:
    """A host whose ladder is abort alone is refused without a question, and without steps."""
    repairer = Repairer()
    with pytest.raises(pinscher.PinMismatchError) as caught:
        talk(kept(scene, repairer, ladder), scene)
    assert ((), []) == (caught.value.verdict.steps, repairer.waits)
    assert 1 == len(repairer.heard)


def test_a_denied_key_is_not_healed(scene: Scene) -> None:
    """A denied key asks for no refresh, and an emergency policy does not let it through."""
    denied = f'denied-keys = ["{pinscher.Pin.of(scene.rogue.der)}"]\n{LADDER}'
    repairer = Repairer(emergency=mended(scene))
    with pytest.raises(pinscher.PinMismatchError):
        talk(kept(scene, repairer, denied), scene)
    assert [] == repairer.waits
    repairer = Repairer(emergency=mended(scene))
    context = kept(scene, repairer)
    repairer.comes = lambda: brings(context, scene.policy(version=2, more=denied))
    with pytest.raises(pinscher.PinMismatchError) as caught:
        talk(context, scene)
    assert ("refresh: version 2", "abort") == caught.value.verdict.steps
    assert pinscher.Outcome.DENIED_KEY is caught.value.verdict.outcome


def test_an_emergency_policy_lets_through_and_says_so(scene: Scene) -> None:
    """What an emergency policy lets through is told each time, with the version that it stands in for."""
    repairer = Repairer(emergency=mended(scene))
    context = kept(scene, repairer)
    for _ in range(2):
        verdict = talk(context, scene)
        assert ("refresh: nothing newer", "override: version 2 is used, for policy 'bank' version 1 has no pin of this "
                "chain") == verdict.steps  # fmt: skip
    assert 2 == len(repairer.heard)


def test_an_emergency_policy_without_the_key_changes_nothing(scene: Scene) -> None:
    """An emergency policy that does not pin the chain either, or allows it for another reason, leaves the refusal."""
    soft = 'mode = "report-only"\nreport-only-since = 2026-01-01'
    for emergency in (scene.policy(version=3), scene.policy(version=3, more=soft)):
        with pytest.raises(pinscher.PinMismatchError) as caught:
            talk(kept(scene, Repairer(emergency=emergency)), scene)
        assert "override: version 3 has no pin of this chain either" == caught.value.verdict.steps[1]


def test_a_newer_policy_can_take_a_rung_away(scene: Scene) -> None:
    """After a refresh the newer policy's ladder decides whether an emergency policy may be used."""
    repairer = Repairer(emergency=mended(scene))
    context = kept(scene, repairer)
    repairer.comes = lambda: brings(context, scene.policy(version=2))
    with pytest.raises(pinscher.PinMismatchError) as caught:
        talk(context, scene)
    assert ("refresh: version 2", "abort") == caught.value.verdict.steps


def test_a_healer_that_fails_leaves_the_refusal(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """A defect of the healer is logged, and the refusal stands and says so."""

    def fail() -> str:
        raise OSError("no")

    with caplog.at_level(logging.ERROR), pytest.raises(pinscher.PinMismatchError) as caught:
        talk(kept(scene, Repairer(fail)), scene)
    assert ("failed: OSError", "abort") == caught.value.verdict.steps
    assert "healing a connection failed; its refusal stands" in caplog.text


def test_asyncio_is_refused_once_and_does_not_wait(scene: Scene) -> None:
    """A connection in memory buffers gives the healer no time; the next one is judged by what it brought."""
    repairer = Repairer()
    context = kept(scene, repairer)
    server = scene.serve(scene.rogue)

    async def connect() -> None:
        """Connect once."""
        _, writer = await asyncio.open_connection(*server.address, ssl=context, server_hostname=HOST)
        writer.close()
        await writer.wait_closed()

    with pytest.raises(pinscher.PinMismatchError):
        asyncio.run(connect())
    assert [0.0] == repairer.waits
    context.policy = mended(scene)
    asyncio.run(connect())


def test_who_may_wait(scene: Scene) -> None:
    """A socket waits as long as its own time limit; one that never blocks, and memory buffers, do not wait."""
    server, context = scene.serve(scene.genuine), scene.context()
    with wrapped(context, server) as secured:
        found = []
        for limit in (None, 3.0, 0.0):
            secured.settimeout(limit)
            found.append(seconds_to_wait(secured))  # type: ignore[arg-type]
        assert [float("inf"), 3.0, 0.0] == found
    memory = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    assert [0.0, 0.0] == [seconds_to_wait(memory), seconds_to_wait(None)]


@VERSIONS
@pytest.mark.parametrize("rung", ["refresh", "override", "nothing"])
def test_the_early_judgement_heals_too(scene: Scene, version: ssl.TLSVersion, rung: str) -> None:
    """With a client certificate the ladder is climbed in the middle of the handshake, once, and its steps are kept."""
    repairer = Repairer(emergency=mended(scene) if rung == "override" else None)
    context = kept(scene, repairer)
    context.maximum_version = version
    client = scene.root.issue_client("client")
    with tempfile.NamedTemporaryFile() as file:
        file.write(client.chain_pem + client.key_pem)
        file.flush()
        context.load_cert_chain(file.name)
    if rung == "refresh":
        repairer.comes = lambda: brings(context, mended(scene))
    server = scene.serve(scene.rogue, client_ca=scene.root.pem)
    if rung == "nothing":
        with pytest.raises(pinscher.PinMismatchError) as caught, wrapped(context, server):
            pass
        steps = caught.value.verdict.steps
        server.wait_idle()
        assert [None] == [record.client_certificate for record in server.evidence.connections]
    else:
        with wrapped(context, server) as secured:
            secured.sendall(SECRET)
            assert SECRET == secured.recv(100)
            steps = secured.verdict.steps  # type: ignore[attr-defined]
    assert [10.0] == repairer.waits
    assert {"refresh": ["refresh"], "override": ["refresh", "override"], "nothing": ["refresh", "override", "abort"]}[
        rung
    ] == [step.partition(":")[0] for step in steps]


def test_an_overridden_connection_survives_another_policy(scene: Scene) -> None:
    """A new policy that still lacks the key leaves the connection to the emergency policy, and ends it without one."""
    repairer = Repairer(emergency=mended(scene))
    context = kept(scene, repairer)
    server = scene.serve(scene.rogue)
    with wrapped(context, server) as secured:
        context.policy = scene.policy(version=3, more=LADDER)
        secured.sendall(SECRET)
        assert SECRET == secured.recv(100)
        repairer.emergency = None
        context.policy = scene.policy(version=4, more=LADDER)
        with pytest.raises(pinscher.PinMismatchError):
            secured.sendall(SECRET)
    with wrapped(context := kept(scene, Repairer(emergency=mended(scene))), server) as secured:
        context.policy = scene.policy(version=3)
        with pytest.raises(pinscher.PinMismatchError):
            secured.sendall(SECRET)


def test_a_policy_that_changes_while_the_emergency_one_is_read_counts(scene: Scene) -> None:
    """A healed connection opens only under the policy that is in force by then."""
    denied = f'denied-keys = ["{pinscher.Pin.of(scene.rogue.der)}"]'

    class Late(Repairer):
        def override(self, refused: pinscher.Verdict) -> pinscher.Policy | None:
            """Put a policy in force that denies the key, after the refusal was judged."""
            context.policy = scene.policy(version=2, more=denied)
            return super().override(refused)

    context = kept(scene, Late(emergency=mended(scene)))
    with pytest.raises(pinscher.PinMismatchError) as caught:
        talk(context, scene)
    assert pinscher.Outcome.DENIED_KEY is caught.value.verdict.outcome


def test_the_leaf_alone_heals_too(scene: Scene) -> None:
    """A context without a CA climbs the ladder as well, and takes nothing but a match."""
    repairer = Repairer()
    context = LeafOnlyContext(scene.policy(more=LADDER), healer=repairer)
    repairer.comes = lambda: brings(context, mended(scene))
    assert pinscher.Outcome.MATCH is talk(context, scene).outcome


def test_a_clock_that_breaks_meanwhile_leaves_the_refusal(scene: Scene) -> None:
    """A defect in the second judgement is a step like any other, and the refusal stands."""
    times = [datetime.now(UTC)]
    with pytest.raises(pinscher.PinMismatchError) as caught:
        talk(kept(scene, Repairer(), now=times.pop), scene)
    assert ("refresh: nothing newer", "failed: IndexError", "abort") == caught.value.verdict.steps


def test_what_is_let_through_all_the_same_is_heard_of(scene: Scene) -> None:
    """A mismatch in report-only mode reaches the keeper, and a match does not."""
    repairer = Repairer()
    soft = 'mode = "report-only"\nreport-only-since = 2026-01-01'
    context = kept(scene, repairer, soft)
    talk(context, scene)
    assert [pinscher.Outcome.NO_MATCHING_PIN] == [verdict.outcome for verdict in repairer.heard]
    with wrapped(context, scene.serve(scene.genuine)):
        pass
    assert 1 == len(repairer.heard)
