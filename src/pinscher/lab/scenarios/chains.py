"""Chains that are long, large, out of order, or lead in a circle."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pinscher.lab.authority import Authority
from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import scenario
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

CA = Capability.AUTHORITY_PINS
DEEP = 12
"""Intermediates of a deep chain; OpenSSL goes on to a hundred."""


def _deep(root: Authority) -> list[Authority]:
    authorities = [root]
    for number in range(DEEP):
        authorities.append(authorities[-1].intermediate(f"Intermediate {number}"))
    return authorities


@scenario()
def deep_chain(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pinned leaf at the end of twelve intermediates is reached.

        [leaf, pinned] <- intermediate 11 <- ... <- intermediate 0 <- root (trusted)
    """
    authorities = _deep(Authority.root("Genuine Root"))
    leaf = authorities[-1].issue("localhost")
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[leaf], trust=authorities[:1])]


@scenario(Outcome.MATCH, CA)
def pin_in_the_middle_of_a_deep_chain(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pin anywhere on a validated chain of twelve intermediates matches.

        leaf <- ... <- [intermediate 6, pinned] <- ... <- root (trusted)
    """
    authorities = _deep(Authority.root("Genuine Root"))
    server = stage.serve(authorities[-1].issue("localhost"), tls=tls)
    return [stage.visit(server, pins=[authorities[DEEP // 2]], trust=authorities[:1])]


@scenario(Outcome.NO_MATCHING_PIN, CA)
def deep_chain_without_the_pin(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Twelve intermediates of which none is pinned do not add up to one that is.

        leaf <- intermediate 11 <- ... <- intermediate 0 <- root (trusted)        pinned: another intermediate
    """
    root = Authority.root("Genuine Root")
    server = stage.serve(_deep(root)[-1].issue("localhost"), tls=tls)
    pinned = root.intermediate("Pinned Intermediate")
    return [stage.visit(server, pins=[pinned], trust=[root], expected=Outcome.NO_MATCHING_PIN)]


@scenario()
def out_of_order(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Intermediates may come in any order after the leaf, and the client gets through.

        [leaf, pinned] <- second <- first <- root (trusted)        sent: leaf, first, second
    """
    root = Authority.root("Genuine Root")
    leaf = root.intermediate("First").intermediate("Second").issue("localhost")
    server = stage.serve(leaf, tls=tls, chain=[leaf.chain[0], *reversed(leaf.chain[1:])])
    return [stage.visit(server, pins=[leaf], trust=[root])]


@scenario()
def everything_twice(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Every certificate may be sent twice, the root too, and the client gets through.

        [leaf, pinned] <- intermediate <- root (trusted)        sent: each of them twice
    """
    bank = stage.bank()
    sent = [*bank.genuine.chain, bank.root.certificate]
    server = stage.serve(bank.genuine, tls=tls, chain=[*sent, *sent])
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root])]


@scenario(Outcome.NO_MATCHING_PIN)
def everything_twice_without_the_pin(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A rogue chain that is sent twice is as rogue as it was.

        rogue leaf <- intermediate <- root (trusted)        sent: each of them twice
    """
    bank = stage.bank()
    rogue = bank.rogue()
    server = stage.serve(rogue, tls=tls, chain=[*rogue.chain, bank.root.certificate] * 2)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], expected=Outcome.NO_MATCHING_PIN)]


@scenario()
def circle_of_authorities(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Two authorities that certify each other do not lead validation in a circle while one of them is trusted.

        [leaf, pinned] <- A <- B <- A <- ...        trusted: B
    """
    first, second = Authority.root("A"), Authority.root("B")
    leaf = first.cross_signed_by(second).issue("localhost")
    server = stage.serve(leaf, tls=tls, present=[second.cross_signed_by(first).certificate])
    return [stage.visit(server, pins=[leaf], trust=[second])]


@scenario(Outcome.CHAIN_NOT_VALIDATED)
def circle_without_an_anchor(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Two authorities that certify each other, and that nobody trusts, are refused in finite time.

        [leaf, pinned] <- A <- B <- A <- ...        trusted: another root
    """
    first, second, other = (Authority.root(name) for name in ("A", "B", "C"))
    leaf = first.cross_signed_by(second).issue("localhost")
    server = stage.serve(leaf, tls=tls, present=[second.cross_signed_by(first).certificate])
    return [stage.visit(server, pins=[leaf], trust=[other], expected=Outcome.CHAIN_NOT_VALIDATED)]


@scenario()
def giant_leaf(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A leaf with a thousand names is a large one, and the client gets through.

        [leaf with a thousand names, pinned] <- intermediate <- root (trusted)
    """
    names = ["localhost", *(f"host{number}.example.test" for number in range(1000))]
    bank = stage.bank(*names)
    return [stage.visit(stage.serve(bank.genuine, tls=tls), pins=[bank.genuine], trust=[bank.root])]


@scenario(Outcome.NO_MATCHING_PIN)
def giant_rogue_leaf(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A rogue leaf does not get in by being large.

        rogue leaf with a thousand names <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    names = ["localhost", *(f"host{number}.example.test" for number in range(1000))]
    server = stage.serve(bank.rogue(*names), tls=tls)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], expected=Outcome.NO_MATCHING_PIN)]


@scenario()
def sixty_strangers_behind(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Sixty certificates that belong to nobody change nothing for the genuine server.

        [leaf, pinned] <- intermediate <- root (trusted)        sent too: sixty strangers
    """
    bank = stage.bank()
    stranger = Authority.root("Stranger").issue("stranger.test").der
    server = stage.serve(bank.genuine, tls=tls, present=[stranger] * 60)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root])]


@scenario(Outcome.MATCH, CA)
def two_paths_to_one_root(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Where two certificates of the pinned intermediate are sent, either path has its key.

        leaf <- [intermediate or intermediate', one key, pinned] <- root (trusted)
    """
    bank = stage.bank()
    other = dataclasses.replace(bank.authority.reissued())
    server = stage.serve(bank.genuine, tls=tls, present=[other.certificate])
    return [stage.visit(server, pins=[bank.authority], trust=[bank.root])]
