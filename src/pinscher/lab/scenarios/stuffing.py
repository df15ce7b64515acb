"""
The genuine certificates, shown by somebody who does not hold their keys (CVE-2016-2402).

A server may send whatever certificates it likes after its own. A client that looks for pins among what was *presented*
finds them, and accepts anybody: https://nvd.nist.gov/vuln/detail/CVE-2016-2402
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.authority import Authority
from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import each, scenario
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Bank, Pinned, Stage

REFUSED = Outcome.NO_MATCHING_PIN


def _stuffed(stage: Stage, tls: str, bank: Bank, pins: Sequence[Pinned], *sent: bytes) -> Sequence[Visit]:
    """Let an interceptor with a trusted root send *sent* after its own leaf."""
    interceptor = Authority.root("mitmproxy")
    server = stage.serve(interceptor.issue("localhost"), tls=tls, present=sent)
    return [stage.visit(server, pins=pins, trust=[bank.root, interceptor], expected=REFUSED)]


@scenario()
def genuine_with_junk_behind(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Certificates that have nothing to do with the chain change nothing for the genuine server.

        [leaf, pinned] <- intermediate <- root (trusted)        sent too: two strangers
    """
    bank, stranger = stage.bank(), Authority.root("Stranger")
    server = stage.serve(bank.genuine, tls=tls, present=[stranger.issue("stranger.test").der, stranger.certificate])
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root])]


@scenario(REFUSED)
def genuine_leaf_behind(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The pinned leaf, sent after the interceptor's own, proves nothing.

        rogue leaf <- interceptor's root (trusted)        sent too: [genuine leaf, pinned]
    """
    bank = stage.bank()
    return _stuffed(stage, tls, bank, [bank.genuine], bank.genuine.der)


@scenario(REFUSED)
def genuine_chain_behind(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The whole genuine chain, sent after the interceptor's leaf, proves nothing.

        rogue leaf <- interceptor's root (trusted)        sent too: [genuine leaf, pinned], intermediate, root
    """
    bank = stage.bank()
    return _stuffed(stage, tls, bank, [bank.genuine], *bank.genuine.chain, bank.root.certificate)


@scenario(REFUSED, Capability.AUTHORITY_PINS)
def genuine_intermediate_behind(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The pinned intermediate, sent by an interceptor, signed nothing on the interceptor's chain.

        rogue leaf <- interceptor's root (trusted)        sent too: [genuine intermediate, pinned]
    """
    bank = stage.bank()
    return _stuffed(stage, tls, bank, [bank.authority], bank.authority.certificate)


@scenario(REFUSED, Capability.AUTHORITY_PINS)
def genuine_root_behind(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The pinned root, sent and trusted, is not on the chain that was validated.

        rogue leaf <- interceptor's root (trusted)        sent too: [genuine root, pinned and trusted]
    """
    bank = stage.bank()
    return _stuffed(stage, tls, bank, [bank.root], bank.root.certificate)


@scenario(REFUSED)
def genuine_leaf_many_times(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Sending the pinned leaf twenty times proves as little as sending it once.

        rogue leaf <- interceptor's root (trusted)        sent too: twenty times [genuine leaf, pinned]
    """
    bank = stage.bank()
    return _stuffed(stage, tls, bank, [bank.genuine], *([bank.genuine.der] * 20))


@scenario(REFUSED, Capability.CERTIFICATE_PINS)
def genuine_certificate_behind(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pin of the whole certificate is looked for on the validated chain as well.

        rogue leaf <- interceptor's root (trusted)        sent too: [genuine leaf, its certificate pinned]
    """
    bank = stage.bank()
    pin = Pin.of(bank.genuine.der, kind="certificate")
    return _stuffed(stage, tls, bank, [pin], bank.genuine.der)


@scenario(REFUSED, cases=each(tls=("1.2", "1.3"), place=("first", "last")))
def genuine_leaf_inside_a_rogue_chain(stage: Stage, tls: str, place: str) -> Sequence[Visit]:
    """
    The pinned leaf, sent between the rogue leaf and its issuer or behind both, is skipped by validation.

        rogue leaf <- rogue intermediate <- interceptor's root (trusted)        sent between: [genuine leaf, pinned]
    """
    bank, interceptor = stage.bank(), Authority.root("mitmproxy")
    rogue = interceptor.intermediate("Rogue Intermediate").issue("localhost")
    leaf, issuer = rogue.chain
    chain = [leaf, bank.genuine.der, issuer] if place == "first" else [leaf, issuer, bank.genuine.der]
    server = stage.serve(rogue, tls=tls, chain=chain)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root, interceptor], expected=REFUSED)]


@scenario(REFUSED, Capability.AUTHORITY_PINS)
def genuine_intermediate_under_its_own_authority(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The pinned intermediate, sent along by a customer of another intermediate of the same root, proves nothing.

        rogue leaf <- other intermediate <- root (trusted)        sent too: [genuine intermediate, pinned]
    """
    bank = stage.bank()
    rogue = bank.root.intermediate("Other Intermediate").issue("localhost")
    server = stage.serve(rogue, tls=tls, present=[bank.authority.certificate])
    return [stage.visit(server, pins=[bank.authority], trust=[bank.root], expected=REFUSED)]
