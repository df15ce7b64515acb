"""Rotation: the server moves to a backup key, and the pins of before stop being enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import scenario
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage


@scenario(Outcome.MATCH, Capability.SEVERAL_PINS)
def rotation_to_the_backup(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A server that moved to its backup key is the same server, and the client gets through.

        [leaf', backup pin] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    backup = bank.rogue()
    return [stage.visit(stage.serve(backup, tls=tls), pins=[bank.genuine], backups=[backup], trust=[bank.root])]


@scenario(Outcome.MATCH, Capability.SEVERAL_PINS, Capability.AUTHORITY_PINS)
def rotation_to_the_backup_authority(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A backup pin of another authority lets the move to that authority through.

        leaf' <- [other intermediate, backup pin] <- root (trusted)
    """
    bank = stage.bank()
    other = bank.root.intermediate("Backup Intermediate")
    server = stage.serve(other.issue("localhost"), tls=tls)
    return [stage.visit(server, pins=[bank.authority], backups=[other], trust=[bank.root])]


@scenario(Outcome.NO_MATCHING_PIN, Capability.SEVERAL_PINS)
def rotation_to_an_unknown_key(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A rotation that the policy was not told of looks like an attack, and is refused.

        leaf', neither pin nor backup <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.rogue(), tls=tls)
    return [
        stage.visit(
            server, pins=[bank.genuine], backups=[bank.rogue()], trust=[bank.root], expected=Outcome.NO_MATCHING_PIN
        )
    ]


@scenario(Outcome.MATCH, Capability.SEVERAL_PINS, Capability.SEVERAL_VISITS)
def rotation_between_visits(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A server may change from the pin to the backup pin between two connections of one client.

        visit 1: [leaf, pinned] <- intermediate <- root (trusted)
        visit 2: [leaf', backup pin] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    backup = bank.rogue()
    server = stage.serve(bank.genuine, tls=tls, tickets=False)
    settings: dict[str, Any] = {"pins": [bank.genuine], "backups": [backup], "trust": [bank.root]}
    return [stage.visit(server, **settings), stage.visit(server, prepare=lambda: server.hand_over(backup), **settings)]


@scenario(Outcome.NO_MATCHING_PIN, Capability.SEVERAL_PINS, Capability.NEW_POLICY, Capability.SEVERAL_VISITS)
def retired_key(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A key that a new policy no longer lists is refused from then on, in the same client.

        visit 1, policy 1: [leaf, pinned] <- intermediate <- root (trusted)
        visit 2, policy 2: leaf, no longer pinned <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls, tickets=False)
    return [
        stage.visit(server, pins=[bank.genuine], trust=[bank.root]),
        stage.visit(server, pins=[bank.rogue()], trust=[bank.root], version=2, expected=Outcome.NO_MATCHING_PIN),
    ]


@scenario(Outcome.MATCH, Capability.NEW_POLICY, Capability.SEVERAL_VISITS)
def adopted_key(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A key that a new policy lists is accepted from then on, in the same client that refused it before.

        visit 1, policy 1: leaf, not pinned <- intermediate <- root (trusted)
        visit 2, policy 2: [leaf, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls, tickets=False)
    return [
        stage.visit(server, pins=[bank.rogue()], trust=[bank.root], expected=Outcome.NO_MATCHING_PIN),
        stage.visit(server, pins=[bank.genuine], trust=[bank.root], version=2),
    ]
