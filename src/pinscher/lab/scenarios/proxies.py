"""Proxies on the way: a tunnel is not the server, and TLS to a proxy is not TLS to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.authority import Authority
from pinscher.lab.protocols.connect_proxy import ConnectProxy
from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import scenario
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.authority import HeldCertificate
    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

REFUSED = Outcome.NO_MATCHING_PIN


@scenario(Outcome.MATCH, Capability.PROXY)
def tunnel_to_the_genuine_server(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A proxy that passes bytes on does not stand between the client and the pinned key.

        client -> proxy -> [leaf, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    proxy = stage.serve(bank.genuine, protocol="connect-proxy")
    server = stage.serve(bank.genuine, tls=tls)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], proxy=f"http://127.0.0.1:{proxy.port}")]


@scenario(REFUSED, Capability.PROXY)
def tunnel_to_a_rogue(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A proxy that leads to another server is found out by the key that answers.

        client -> proxy -> rogue leaf <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    proxy = stage.serve(bank.genuine, protocol="connect-proxy")
    server = stage.serve(bank.rogue(), tls=tls)
    url = f"http://127.0.0.1:{proxy.port}"
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], proxy=url, expected=REFUSED)]


@scenario(REFUSED, Capability.PROXY)
def proxy_that_answers_itself(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A proxy that shakes hands in the server's place, with a root that the machine trusts, is refused.

        client -> proxy: rogue leaf <- interceptor's root (trusted)
    """
    bank, interceptor = stage.bank(), Authority.root("mitmproxy")
    proxy = stage.serve(interceptor.issue("localhost"), tls=tls, protocol="connect-intercept")
    url = f"http://127.0.0.1:{proxy.port}"
    return [stage.visit(proxy, pins=[bank.genuine], trust=[bank.root, interceptor], proxy=url, expected=REFUSED)]


def _secured(stage: Stage, tls: str, held: HeldCertificate, **settings: object) -> Sequence[Visit]:
    """Visit a server that shows *held* through a proxy that speaks TLS itself, and is pinned under its address."""
    root = held.authority.trust_anchor
    shown = root.issue("127.0.0.1")
    proxy = stage.serve(shown, tls=tls, protocol=ConnectProxy(secured=True))
    server = stage.serve(held, tls=tls)
    more = f'[hosts."127.0.0.1"]\npins = ["{Pin.of(shown.der)}", "{Pin.of(root.issue("127.0.0.1").der)}"]'
    url = f"https://127.0.0.1:{proxy.port}"
    return [stage.visit(server, trust=[root], more=more, proxy=url, **settings)]  # type: ignore[arg-type]


@scenario(Outcome.MATCH, Capability.SECURE_PROXY)
def tls_inside_tls(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Through a pinned proxy that speaks TLS itself, the pinned server is reached.

        client -> proxy [leaf, pinned] -> server [leaf, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    return _secured(stage, tls, bank.genuine, pins=[bank.genuine])


@scenario(REFUSED, Capability.SECURE_PROXY)
def rogue_inside_a_genuine_tunnel(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A proxy whose key is right does not vouch for the server behind it.

        client -> proxy [leaf, pinned] -> server: rogue leaf <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    return _secured(stage, tls, bank.rogue(), pins=[bank.genuine], expected=REFUSED)
