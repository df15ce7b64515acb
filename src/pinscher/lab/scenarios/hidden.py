"""The pinned bytes, put somewhere in a rogue certificate where a careless search finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier

from pinscher.lab.authority import Authority
from pinscher.lab.scenarios.registry import scenario
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Bank, Stage

REFUSED = Outcome.NO_MATCHING_PIN


def _hidden(stage: Stage, tls: str, bank: Bank, *extensions: x509.ExtensionType, **settings: object) -> Sequence[Visit]:
    """Let an interceptor with a trusted root show a leaf with *extensions*."""
    interceptor = Authority.root("mitmproxy")
    rogue = interceptor.issue("localhost", extensions=extensions, **settings)  # type: ignore[arg-type]
    server = stage.serve(rogue, tls=tls)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root, interceptor], expected=REFUSED)]


def _unknown(content: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.2"), content)


@scenario()
def strange_extension_beside_the_pinned_key(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An extension that nobody knows does not disturb a pinned key.

        [leaf, pinned, with an extension of nobody's] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    leaf = bank.rogue(extensions=[_unknown(b"\x04\x20" + bytes(32))])
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[leaf], trust=[bank.root])]


@scenario(REFUSED)
def key_in_an_extension(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The pinned SubjectPublicKeyInfo, hidden in an extension of a rogue leaf, is no key of that leaf.

        rogue leaf { extension: genuine SubjectPublicKeyInfo } <- interceptor's root (trusted)
    """
    bank = stage.bank()
    return _hidden(stage, tls, bank, _unknown(bank.genuine.key.spki))


@scenario(REFUSED)
def certificate_in_an_extension(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The whole genuine certificate, hidden in an extension of a rogue leaf, is not the leaf.

        rogue leaf { extension: genuine certificate } <- interceptor's root (trusted)
    """
    bank = stage.bank()
    return _hidden(stage, tls, bank, _unknown(bank.genuine.der))


@scenario(REFUSED)
def digest_as_key_identifier(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A subject key identifier says whatever the issuer wants it to, the pinned digest too.

        rogue leaf { extension: the pinned digest } <- interceptor's root (trusted)
    """
    bank = stage.bank()
    return _hidden(stage, tls, bank, _unknown(b"\x04\x20" + Pin.of(bank.genuine.der).digest))


@scenario(REFUSED)
def pin_as_common_name(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A rogue leaf that carries the text of the pin as its name is not pinned by it.

        rogue leaf, CN=sha256/... <- interceptor's root (trusted)
    """
    bank = stage.bank()
    return _hidden(stage, tls, bank, common_name=str(Pin.of(bank.genuine.der)))


@scenario(REFUSED)
def digest_as_serial_number(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A rogue leaf whose serial number begins the pinned digest is not pinned by it.

        rogue leaf, serial number = beginning of the pinned digest <- interceptor's root (trusted)
    """
    bank = stage.bank()
    number = int.from_bytes(Pin.of(bank.genuine.der).digest[:19], "big") | 1
    return _hidden(stage, tls, bank, serial_number=number)


@scenario(REFUSED)
def key_of_the_client_in_its_own_name(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A rogue leaf that names the genuine authority and subject in its extensions belongs to its own issuer.

        rogue leaf { names: the genuine issuer } <- interceptor's root (trusted)
    """
    bank = stage.bank()
    issuer = x509.load_der_x509_certificate(bank.genuine.der).issuer
    return _hidden(stage, tls, bank, x509.IssuerAlternativeName([x509.DirectoryName(issuer)]))
