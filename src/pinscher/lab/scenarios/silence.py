"""Servers that are slow, fall silent or hang up: a client that waits for ever is as useless as one that trusts all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.scenarios.registry import scenario
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

REFUSED = Outcome.NO_MATCHING_PIN


@scenario()
def genuine_server_in_single_octets(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A server whose handshake arrives octet by octet is slow and genuine, and the client gets through.

        [leaf, pinned] <- intermediate <- root (trusted)        one octet at a time
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls, protocol="http-in-octets")
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root])]


@scenario(REFUSED)
def rogue_in_single_octets(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A rogue whose handshake arrives octet by octet is refused at its end.

        rogue leaf <- intermediate <- root (trusted)        one octet at a time
    """
    bank = stage.bank()
    server = stage.serve(bank.rogue(), tls=tls, protocol="http-in-octets")
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED)
def rogue_that_says_nothing(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A rogue that shakes hands and then only listens hears nothing.

        rogue leaf <- intermediate <- root (trusted)        listens, and never answers
    """
    bank = stage.bank()
    server = stage.serve(bank.rogue(), tls=tls, protocol="silent")
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED)
def rogue_that_hangs_up(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A rogue that shakes hands and hangs up was refused, whichever of the two ended the connection first.

        rogue leaf <- intermediate <- root (trusted)        hangs up
    """
    bank = stage.bank()
    server = stage.serve(bank.rogue(), tls=tls, protocol="hang-up")
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], expected=REFUSED, has_verdict=False)]
