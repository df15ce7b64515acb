"""Servers and policies that change between the connections of one client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.lab.authority import Authority
from pinscher.lab.protocols.http import Http
from pinscher.lab.scenario import Capability, Midway
from pinscher.lab.scenarios.registry import scenario
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.conversation import Conversation
    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

SEVERAL = Capability.SEVERAL_VISITS
REFUSED = Outcome.NO_MATCHING_PIN


@scenario(Outcome.MATCH, SEVERAL)
def renewal_between_visits(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A server that renews its certificate between two connections stays the same server.

        visit 1: [leaf, pinned] <- intermediate <- root (trusted)
        visit 2: [leaf', same key, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls, tickets=False)
    settings: dict[str, Any] = {"pins": [bank.genuine], "trust": [bank.root]}
    renewed = bank.genuine.renew()
    return [stage.visit(server, **settings), stage.visit(server, prepare=lambda: server.hand_over(renewed), **settings)]


@scenario(REFUSED, SEVERAL)
def interception_that_begins_later(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An interceptor that comes between the first and the second connection is refused at the second.

        visit 1: [leaf, pinned] <- intermediate <- root (trusted)
        visit 2: rogue leaf <- interceptor's root (trusted)
    """
    bank, interceptor = stage.bank(), Authority.root("mitmproxy")
    server = stage.serve(bank.genuine, tls=tls, tickets=False)
    rogue = interceptor.issue("localhost")
    settings: dict[str, Any] = {"pins": [bank.genuine], "trust": [bank.root, interceptor]}
    return [
        stage.visit(server, **settings),
        stage.visit(server, prepare=lambda: server.hand_over(rogue), expected=REFUSED, **settings),
    ]


@scenario(Outcome.MATCH, SEVERAL)
def interception_that_ends(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A client that refused an interceptor reaches the genuine server as soon as the interceptor is gone.

        visit 1: rogue leaf <- interceptor's root (trusted)
        visit 2: [leaf, pinned] <- intermediate <- root (trusted)
    """
    bank, interceptor = stage.bank(), Authority.root("mitmproxy")
    server = stage.serve(interceptor.issue("localhost"), tls=tls, tickets=False)
    settings: dict[str, Any] = {"pins": [bank.genuine], "trust": [bank.root, interceptor]}
    return [
        stage.visit(server, expected=REFUSED, **settings),
        stage.visit(server, prepare=lambda: server.hand_over(bank.genuine), **settings),
    ]


@scenario(REFUSED, SEVERAL, Capability.NEW_POLICY)
def policy_that_goes_from_report_to_enforce(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    What report-only let through is refused as soon as the policy enforces, in the same client.

        visit 1, report-only: rogue leaf <- intermediate <- root (trusted)
        visit 2, enforce: the same
    """
    bank = stage.bank()
    server = stage.serve(bank.rogue(), tls=tls, tickets=False)
    settings: dict[str, Any] = {"pins": [bank.genuine], "trust": [bank.root], "expected": REFUSED}
    softened = 'mode = "report-only"\nreport-only-since = 2026-01-01'
    return [
        stage.visit(server, entry=softened, is_reported=True, **settings),
        stage.visit(server, version=2, **settings),
    ]


@scenario(REFUSED, SEVERAL)
def third_time_unlucky(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A server that was genuine twice is judged as strictly the third time.

        visits 1 and 2: [leaf, pinned] <- intermediate <- root (trusted)
        visit 3: rogue leaf <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls, tickets=False)
    rogue = bank.rogue()
    settings: dict[str, Any] = {"pins": [bank.genuine], "trust": [bank.root]}
    return [
        stage.visit(server, **settings),
        stage.visit(server, **settings),
        stage.visit(server, prepare=lambda: server.hand_over(rogue), expected=REFUSED, **settings),
    ]


@scenario(REFUSED, SEVERAL, Capability.NAMES)
def another_host_on_the_same_address(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Being right for one host of an address says nothing about the next host there.

        visit 1, a.test: [leaf for a.test, pinned] <- intermediate <- root (trusted)
        visit 2, b.test: leaf for b.test, not pinned <- intermediate <- root (trusted)
    """
    bank = stage.bank("a.test")
    server = stage.serve(bank.genuine, tls=tls, tickets=False)
    other = bank.rogue("b.test")
    return [
        stage.visit(server, host="a.test", pins=[bank.genuine], trust=[bank.root]),
        stage.visit(
            server, host="b.test", pins=[bank.rogue()], trust=[bank.root], expected=REFUSED,
            prepare=lambda: server.hand_over(other),
        ),
    ]  # fmt: skip


class _HandsOver:
    """A web server that has a client's policy changed between its ClientHello and the answer."""

    speaks = Http()

    def __init__(self, midway: Midway) -> None:
        self._midway = midway

    def __call__(self, conversation: Conversation) -> None:
        """Wait for the greeting, hand over, and serve."""
        conversation.wait_for_greeting()
        self._midway.hand_over(self._midway.policy)
        self.speaks(conversation)


def _midway(stage: Stage, tls: str, *, adopts: bool) -> Sequence[Visit]:
    """Change the policy during the handshake, to one that pins the genuine key or to one that no longer does."""
    bank = stage.bank()
    other = bank.rogue()
    settings: dict[str, Any] = {"trust": [bank.root]}
    first, second = (other, bank.genuine) if adopts else (bank.genuine, other)
    midway = Midway("")
    server = stage.serve(bank.genuine, tls=tls, protocol=_HandsOver(midway))
    midway.policy = stage.visit(server, pins=[second], version=2, **settings).policy
    expected = Outcome.MATCH if adopts else REFUSED
    return [stage.visit(server, pins=[first], midway=midway, expected=expected, **settings)]


@scenario(REFUSED, Capability.NEW_POLICY_MIDWAY)
def policy_that_withdraws_the_key_during_the_handshake(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A policy that comes into force between the ClientHello and the server's answer judges that handshake, alone.

        policy 1: [leaf, pinned] <- intermediate <- root (trusted)
        policy 2, during the handshake: leaf, no longer pinned
    """
    return _midway(stage, tls, adopts=False)


@scenario(Outcome.MATCH, Capability.NEW_POLICY_MIDWAY)
def policy_that_adopts_the_key_during_the_handshake(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A key that a policy adopts between the ClientHello and the server's answer is right by the time it is judged.

        policy 1: leaf, not pinned <- intermediate <- root (trusted)
        policy 2, during the handshake: [leaf, pinned]
    """
    return _midway(stage, tls, adopts=True)
