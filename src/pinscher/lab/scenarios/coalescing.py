"""
HTTP/2 connections that serve more than one host.

A client may send requests for another host over a connection that it has, if the name leads to the same address and the
certificate is right for it (RFC 9113 section 9.1.1). The pins of that other host have not been looked at by then.
"""

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

NEEDS = (Capability.HTTP2, Capability.SEVERAL_VISITS)


@scenario(Outcome.MATCH, *NEEDS)
def one_host_over_http2(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Two requests for one pinned host go through, over one connection or two.

        [leaf, pinned] <- intermediate <- root (trusted)        HTTP/2
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls, protocol="http2", alpn=("h2",))
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root]) for _ in range(2)]


@scenario(Outcome.NO_MATCHING_PIN, *NEEDS)
def another_host_over_one_connection(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A connection that was judged for one host carries no request for another whose pins it does not match.

        visit 1, localhost: [leaf for localhost and 127.0.0.1, pinned for localhost] <- intermediate <- root (trusted)
        visit 2, 127.0.0.1: the same leaf, which is not pinned for 127.0.0.1
    """
    bank = stage.bank("localhost", "127.0.0.1")
    server = stage.serve(bank.genuine, tls=tls, protocol="http2", alpn=("h2",))
    other, unheld = Pin.of(bank.rogue().der), Pin.of(bank.rogue().der)

    def also(host: str, pin: Pin) -> str:
        return f'[hosts."{host}"]\npins = ["{pin}", "{unheld}"]'

    return [
        stage.visit(server, pins=[bank.genuine], trust=[bank.root], more=also("127.0.0.1", other)),
        stage.visit(
            server, host="127.0.0.1", pins=[other], trust=[bank.root], expected=Outcome.NO_MATCHING_PIN,
            more=also("localhost", Pin.of(bank.genuine.der)),
        ),
    ]  # fmt: skip
