"""Kinds of keys: the SubjectPublicKeyInfo is hashed as it stands in the certificate, and never encoded anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.keys import SigningKey
from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import each, scenario
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

KINDS = ("p256", "p384", "rsa2048", "rsa4096", "ed25519", "rsa-pss")
REFUSED = Outcome.NO_MATCHING_PIN
EVERY_KIND = each(tls=("1.2", "1.3"), key=KINDS)


def _key(kind: str, label: str) -> SigningKey:
    """Return a fresh key, but for RSA, which is slow to generate: one for each process and label."""
    return SigningKey.kept(kind, label) if kind.startswith("rsa") else SigningKey.generate(kind)


@scenario(cases=EVERY_KIND)
def pinned_key_of_a_kind(stage: Stage, tls: str, key: str) -> Sequence[Visit]:
    """
    A pinned key of every kind that TLS knows lets the client through.

        [leaf with such a key, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank(key=_key(key, "genuine"))
    return [stage.visit(stage.serve(bank.genuine, tls=tls), pins=[bank.genuine], trust=[bank.root])]


@scenario(REFUSED, cases=EVERY_KIND)
def rogue_key_of_a_kind(stage: Stage, tls: str, key: str) -> Sequence[Visit]:
    """
    Another key of the same kind is refused.

        rogue leaf with such a key <- intermediate <- root (trusted)
    """
    bank = stage.bank(key=_key(key, "genuine"))
    server = stage.serve(bank.rogue(key=_key(key, "rogue")), tls=tls)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], expected=REFUSED)]


@scenario(Outcome.MATCH, Capability.AUTHORITY_PINS, cases=EVERY_KIND)
def pinned_authority_of_a_kind(stage: Stage, tls: str, key: str) -> Sequence[Visit]:
    """
    A pinned authority with a key of every kind lets its leaves through.

        leaf <- [intermediate with such a key, pinned] <- root with the same (trusted)
    """
    bank = stage.bank(authority_key=_key(key, "authority"))
    return [stage.visit(stage.serve(bank.genuine, tls=tls), pins=[bank.authority], trust=[bank.root])]


@scenario(cases=each(tls=("1.2", "1.3"), form=("without-null", "compressed")))
def unusual_encoding(stage: Stage, tls: str, form: str) -> Sequence[Visit]:
    """
    An RSA key without its NULL, or an EC key in compressed form, is pinned by the bytes that stand in the certificate.

        [leaf, its key in an unusual encoding, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank(key=_key("rsa2048" if form == "without-null" else "p256", "genuine"))
    leaf = bank.genuine.reencoded(form)
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[leaf], trust=[bank.root])]


@scenario(REFUSED, cases=each(tls=("1.2", "1.3"), form=("without-null", "compressed")))
def usual_encoding_of_an_unusual_pin(stage: Stage, tls: str, form: str) -> Sequence[Visit]:
    """
    The digest of a key's usual encoding is not the digest of the unusual one that stands in the certificate.

        leaf, its key in an unusual encoding <- intermediate <- root (trusted)        pinned: the usual encoding
    """
    bank = stage.bank(key=_key("rsa2048" if form == "without-null" else "p256", "genuine"))
    leaf = bank.genuine.reencoded(form)
    server = stage.serve(leaf, tls=tls)
    return [stage.visit(server, pins=[Pin.of(bank.genuine.der)], trust=[bank.root], expected=REFUSED)]


@scenario(Outcome.CHAIN_NOT_VALIDATED)
def curve_written_out(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A curve whose parameters are written out instead of named is refused by OpenSSL 3 itself (CVE-2020-0601).

    https://nvd.nist.gov/vuln/detail/CVE-2020-0601

        [leaf on a curve of explicit parameters, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    leaf = bank.genuine.reencoded("explicit")
    server = stage.serve(leaf, tls=tls)
    return [stage.visit(server, pins=[leaf], trust=[bank.root], expected=Outcome.CHAIN_NOT_VALIDATED)]


@scenario()
def unknown_algorithm_behind(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A certificate whose key is of an algorithm that nobody knows, sent along, changes nothing for the pinned key.

    No server of OpenSSL can show such a leaf of its own, because it holds no key for it.

        [leaf, pinned] <- intermediate <- root (trusted)        sent too: a certificate with a key of nobody's kind
    """
    bank = stage.bank()
    strange = bank.rogue("stranger.test").reencoded("unknown")
    server = stage.serve(bank.genuine, tls=tls, present=[strange.der], shows_anything=True)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root])]


@scenario(REFUSED)
def unknown_algorithm_behind_a_rogue(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The pinned bytes as the key of a certificate of nobody's kind, sent behind a rogue leaf, prove nothing.

        rogue leaf <- intermediate <- root (trusted)        sent too: [a key of nobody's kind, pinned]
    """
    bank = stage.bank()
    strange = bank.rogue("localhost").reencoded("unknown")
    server = stage.serve(bank.rogue(), tls=tls, present=[strange.der], shows_anything=True)
    return [stage.visit(server, pins=[strange], trust=[bank.root], expected=REFUSED)]
