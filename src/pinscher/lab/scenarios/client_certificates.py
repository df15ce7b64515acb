"""
Servers that ask the client for a certificate of its own.

Which certificate a client showed to whom is in the server's record. In TLS 1.3 a client's certificate travels with its
Finished, and in TLS 1.2 in clear text before it: a client that judges pins after the handshake has shown it by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import scenario
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

HAS_ONE = Capability.CLIENT_CERTIFICATE


@scenario(Outcome.MATCH, HAS_ONE)
def client_certificate_for_the_genuine_server(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The pinned server asks for the client's certificate, gets it, and lets the client in.

        [leaf, pinned] <- intermediate <- root (trusted)        asks for a certificate of the same root
    """
    bank = stage.bank()
    client = bank.root.issue_client("alice")
    server = stage.serve(bank.genuine, tls=tls, client_ca=bank.root.pem)
    pem = client.chain_pem + client.key_pem
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], client_certificate=pem)]


@scenario(Outcome.NO_MATCHING_PIN, HAS_ONE)
def client_certificate_asked_for_by_a_rogue(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A rogue that asks for the client's certificate gets no request, and its record says what it saw of the client.

        rogue leaf <- intermediate <- root (trusted)        asks for a certificate of the same root
    """
    bank = stage.bank()
    client = bank.root.issue_client("alice")
    server = stage.serve(bank.rogue(), tls=tls, client_ca=bank.root.pem)
    pem = client.chain_pem + client.key_pem
    return [
        stage.visit(
            server, pins=[bank.genuine], trust=[bank.root], client_certificate=pem, expected=Outcome.NO_MATCHING_PIN
        )
    ]
