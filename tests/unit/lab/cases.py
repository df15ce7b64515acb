"""Small cases and small clients for the tests of what judges clients."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

from pinscher.lab.authority import Authority
from pinscher.lab.client import SECRET, Client, Contestant, Reply
from pinscher.lab.scenario import Capability, Case, Scenario, Visit
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pinscher.lab.stage import Stage

POLICY = """format = 1
name = "case"
version = 1
[hosts."localhost"]
pins = ["{pin}"]
backup-pins = ["sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
"""


AUTHORITY = Authority.root().intermediate()
"""Whom every client of these tests trusts."""


def visit(stage: Stage, *, is_rogue: bool = False, kind: str = "spki", **others: Any) -> Visit:
    """Return a visit to a genuine server, or to one with another key under the same authority."""
    genuine = AUTHORITY.issue("localhost", "127.0.0.1")
    shown = AUTHORITY.issue("localhost", "127.0.0.1") if is_rogue else genuine
    pin = str(Pin.of(genuine.der, kind=kind))
    protocol = others.pop("protocol", "http")
    return Visit(
        host="localhost", server=stage.serve(shown, protocol=protocol), trust=AUTHORITY.trust_anchor.pem,
        policy=POLICY.format(pin=pin), pins=(pin,), is_validated=True,
        expected=Outcome.NO_MATCHING_PIN if is_rogue else Outcome.MATCH, **others,
    )  # fmt: skip


def genuine(stage: Stage, **settings: Any) -> Sequence[Visit]:
    """The pinned key is shown, and a right client gets through."""
    return [visit(stage, **settings)]


def rogue(stage: Stage, **settings: Any) -> Sequence[Visit]:
    """Another key is shown, and a right client refuses."""
    return [visit(stage, is_rogue=True, **settings)]


def scenario(
    function: Callable[..., Sequence[Visit]], *, family: str = "keys", needs: Iterable[Capability] = (), **settings: Any
) -> Scenario:
    """Return a scenario of one case; one whose function is called a rogue's is refused."""
    expected = Outcome.NO_MATCHING_PIN if "rogue" in function.__name__ else Outcome.MATCH
    return Scenario(function, family, expected, frozenset(needs), (settings,))


def case(function: Callable[..., Sequence[Visit]], **settings: Any) -> Case:
    """Return the one case of :func:`scenario`."""
    return scenario(function, **settings).cases[0]


class Scripted:
    """A client that does what a function says."""

    def __init__(self, function: Callable[[Visit], Reply], at_close: Callable[[], object] = lambda: None) -> None:
        self.visit = function
        self.close = at_close


def contestant(
    function: Callable[[Visit], Reply], *, can: Iterable[Capability] = (), at_close: Callable[[], object] = lambda: None
) -> Contestant:
    """Return a contestant that does what *function* says."""

    def new() -> Client:
        return Scripted(function, at_close)

    return Contestant("scripted", frozenset(can), new)


def connected(visited: Visit) -> ssl.SSLSocket:
    """Connect as a client of plain ``ssl``."""
    context = ssl.create_default_context(cadata=visited.trust.decode())
    with socket.create_connection(visited.address, 10) as tcp:
        return context.wrap_socket(tcp, server_hostname=visited.host)


def send(visited: Visit) -> None:
    """Send the secret and read the answer, whoever the server is."""
    with connected(visited) as secured:
        secured.sendall(
            f"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: {len(SECRET)}\r\n\r\n{SECRET}".encode()
        )
        secured.recv(1)


def accepts(visited: Visit) -> Reply:
    """Accept everything."""
    send(visited)
    return Reply(accepted=True)


def refuses(_: Visit) -> Reply:
    """Refuse everything."""
    return Reply(accepted=False, said="no")


def obeys(visited: Visit) -> Reply:
    """Refuse exactly what must be refused, as a right client does."""
    return accepts(visited) if visited.is_allowed else refuses(visited)
