"""Redirects: a pinned server sends the client elsewhere, and the pins go along or the client stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import scenario
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

FOLLOWS = Capability.REDIRECTS


def _entry(*pins: Pin) -> str:
    return '[hosts."127.0.0.1"]\npins = [' + ", ".join(f'"{pin}"' for pin in pins) + "]"


@scenario(Outcome.MATCH, FOLLOWS)
def redirect_to_a_pinned_host(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A redirect to a host with pins of its own, which match, is followed.

        localhost [leaf, pinned] -> 307 -> 127.0.0.1 [leaf, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    other = bank.rogue("127.0.0.1")
    front, server = stage.serve(bank.genuine, tls=tls), stage.serve(other, tls=tls)
    more = _entry(Pin.of(other.der), Pin.of(bank.rogue().der))
    path = f"/redirect?to=https://127.0.0.1:{server.port}/"
    return [stage.visit(server, front=front, path=path, pins=[bank.genuine], trust=[bank.root], more=more)]


@scenario(Outcome.NO_MATCHING_PIN, FOLLOWS)
def redirect_to_a_rogue(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A redirect to a pinned host where another key answers ends there.

        localhost [leaf, pinned] -> 307 -> 127.0.0.1: rogue leaf <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    front, server = stage.serve(bank.genuine, tls=tls), stage.serve(bank.rogue("127.0.0.1"), tls=tls)
    more = _entry(Pin.of(bank.rogue().der), Pin.of(bank.rogue().der))
    path = f"/redirect?to=https://127.0.0.1:{server.port}/"
    return [
        stage.visit(
            server, front=front, path=path, pins=[bank.genuine], trust=[bank.root], more=more,
            expected=Outcome.NO_MATCHING_PIN,
        )
    ]  # fmt: skip


@scenario(Outcome.UNLISTED_HOST, FOLLOWS)
def redirect_to_an_unlisted_host(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A redirect to a host that nobody listed is not followed with what the first host was told.

        localhost [leaf, pinned] -> 307 -> 127.0.0.1: leaf <- intermediate <- root (trusted), not listed
    """
    bank = stage.bank()
    front, server = stage.serve(bank.genuine, tls=tls), stage.serve(bank.rogue("127.0.0.1"), tls=tls)
    path = f"/redirect?to=https://127.0.0.1:{server.port}/"
    return [
        stage.visit(
            server, front=front, path=path, pins=[bank.genuine], trust=[bank.root], expected=Outcome.UNLISTED_HOST,
            has_verdict=False,
        )
    ]  # fmt: skip


@scenario(Outcome.CHAIN_NOT_VALIDATED, FOLLOWS)
def redirect_to_clear_text(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A redirect that leaves TLS is not followed.

        localhost [leaf, pinned] -> 307 -> http://localhost, no TLS at all
    """
    bank = stage.bank()
    front, server = stage.serve(bank.genuine, tls=tls), stage.serve(bank.genuine, protocol="http-in-clear")
    path = f"/redirect?to=http://localhost:{server.port}/"
    return [
        stage.visit(
            server, front=front, path=path, pins=[bank.genuine], trust=[bank.root], has_verdict=False,
            expected=Outcome.CHAIN_NOT_VALIDATED,
        )
    ]  # fmt: skip
