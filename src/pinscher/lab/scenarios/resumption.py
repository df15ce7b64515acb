"""Sessions that are resumed: no certificate is sent, and the chain of before is judged by the policy of now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import scenario
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

NEEDS = (Capability.RESUMPTION, Capability.SEVERAL_VISITS)


@scenario(Outcome.MATCH, *NEEDS)
def resumed_under_the_same_policy(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A resumed connection to the pinned server goes through, by the chain that was validated before.

        visit 1: [leaf, pinned] <- intermediate <- root (trusted)
        visit 2: resumed, no certificate
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls)
    settings: dict[str, Any] = {"pins": [bank.genuine], "trust": [bank.root]}
    return [stage.visit(server, **settings), stage.visit(server, **settings)]


@scenario(Outcome.NO_MATCHING_PIN, *NEEDS, Capability.NEW_POLICY)
def resumed_after_the_pin_was_withdrawn(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A session that was made under the old policy does not carry its approval into the new one.

        visit 1, policy 1: [leaf, pinned] <- intermediate <- root (trusted)
        visit 2, policy 2: resumed, the key of before is no longer pinned
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls)
    return [
        stage.visit(server, pins=[bank.genuine], trust=[bank.root]),
        stage.visit(server, pins=[bank.rogue()], trust=[bank.root], version=2, expected=Outcome.NO_MATCHING_PIN),
    ]


@scenario(Outcome.DENIED_KEY, *NEEDS, Capability.NEW_POLICY, Capability.POLICY)
def resumed_after_the_key_was_denied(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A key that was denied after the session was made is denied on the resumed connection too.

        visit 1, policy 1: [leaf, pinned] <- intermediate <- root (trusted)
        visit 2, policy 2: resumed, the key of before is denied
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls)
    denied = f'denied-keys = ["{Pin.of(bank.genuine.der)}"]'
    return [
        stage.visit(server, pins=[bank.genuine], trust=[bank.root]),
        stage.visit(
            server, pins=[bank.rogue()], trust=[bank.root], version=2, entry=denied, expected=Outcome.DENIED_KEY
        ),
    ]


@scenario(Outcome.NO_MATCHING_PIN, *NEEDS, Capability.NAMES)
def resumed_across_hosts(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A session of one host opens no other host, though one server answers for both.

        visit 1, a.test: [leaf for a.test and b.test, pinned for a.test] <- intermediate <- root (trusted)
        visit 2, b.test: the same leaf, which is not pinned for b.test
    """
    bank = stage.bank("a.test", "b.test")
    server = stage.serve(bank.genuine, tls=tls)
    other = bank.rogue()

    def more(host: str, pinned: str) -> str:
        return f'[hosts."{host}"]\npins = ["{pinned}", "{Pin.of(bank.rogue().der)}"]'

    first = more("b.test", str(Pin.of(other.der)))
    second = more("a.test", str(Pin.of(bank.genuine.der)))
    return [
        stage.visit(server, host="a.test", pins=[bank.genuine], trust=[bank.root], more=first),
        stage.visit(
            server, host="b.test", pins=[other], trust=[bank.root], more=second, expected=Outcome.NO_MATCHING_PIN
        ),
    ]


@scenario(Outcome.NO_MATCHING_PIN, Capability.SEVERAL_VISITS)
def server_that_forgot_its_sessions(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A rogue server that takes the genuine one's place knows none of its sessions, and is judged by its own chain.

        visit 1: [leaf, pinned] <- intermediate <- root (trusted)
        visit 2: rogue leaf <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls, tickets=False)
    rogue = bank.rogue()
    settings: dict[str, Any] = {"pins": [bank.genuine], "trust": [bank.root]}
    return [
        stage.visit(server, **settings),
        stage.visit(server, prepare=lambda: server.hand_over(rogue), expected=Outcome.NO_MATCHING_PIN, **settings),
    ]
