"""The server that was pinned, in every form in which its key may go on being right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.authority import Authority
from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import scenario
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage


@scenario()
def pinned_leaf(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The server shows the pinned key, and the client gets through.

        [leaf, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    return [stage.visit(stage.serve(bank.genuine, tls=tls), pins=[bank.genuine], trust=[bank.root])]


@scenario()
def renewed_certificate(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A new certificate for the pinned key is the same server, and the client gets through.

        [leaf', same key, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    return [stage.visit(stage.serve(bank.genuine.renew(), tls=tls), pins=[bank.genuine], trust=[bank.root])]


@scenario()
def renewed_by_another_authority(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The pinned key may move to another trusted authority, and the client gets through.

        [leaf', same key, pinned] <- another intermediate <- another root (trusted)
    """
    bank = stage.bank()
    other = Authority.root("Other Root").intermediate("Other Intermediate")
    moved = other.issue("localhost", key=bank.genuine.key)
    return [stage.visit(stage.serve(moved, tls=tls), pins=[bank.genuine], trust=[bank.root, other.trust_anchor])]


@scenario()
def leaf_without_an_intermediate(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A root that issues leaves itself is nothing special, and the client gets through.

        [leaf, pinned] <- root (trusted)
    """
    bank = stage.bank()
    leaf = bank.root.issue("localhost")
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[leaf], trust=[bank.root])]


@scenario(Outcome.MATCH, Capability.AUTHORITY_PINS)
def pinned_intermediate(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pinned intermediate lets every leaf below it through.

        leaf <- [intermediate, pinned] <- root (trusted)
    """
    bank = stage.bank()
    return [stage.visit(stage.serve(bank.rogue(), tls=tls), pins=[bank.authority], trust=[bank.root])]


@scenario(Outcome.MATCH, Capability.AUTHORITY_PINS)
def pinned_root(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pinned root, which no server sends, is on the validated chain all the same.

        leaf <- intermediate <- [root, pinned] (trusted, not sent)
    """
    bank = stage.bank()
    return [stage.visit(stage.serve(bank.genuine, tls=tls), pins=[bank.root], trust=[bank.root])]


@scenario(Outcome.MATCH, Capability.CERTIFICATE_PINS)
def pinned_certificate(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pin of the whole certificate lets that certificate through.

        [leaf, its certificate pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    pin = Pin.of(bank.genuine.der, kind="certificate")
    return [stage.visit(stage.serve(bank.genuine, tls=tls), pins=[pin], trust=[bank.root])]


@scenario(Outcome.MATCH, Capability.SEVERAL_PINS)
def second_of_several_pins(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Any one of several pins is enough, in whatever place it stands.

        [leaf, the second pin] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    pins = [bank.rogue(), bank.genuine, bank.rogue()]
    return [stage.visit(stage.serve(bank.genuine, tls=tls), pins=pins, trust=[bank.root])]
