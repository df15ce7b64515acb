"""Another server in the pinned one's place, with a certificate that the machine trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.lab.authority import Authority
from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import scenario
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

REFUSED = Outcome.NO_MATCHING_PIN


@scenario()
def nobody_in_between(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    With an interceptor's authority in the trust store and nobody using it, the client gets through.

        [leaf, pinned] <- intermediate <- root (trusted)        interceptor's root (trusted)
    """
    bank, interceptor = stage.bank(), Authority.root("mitmproxy")
    return [stage.visit(stage.serve(bank.genuine, tls=tls), pins=[bank.genuine], trust=[bank.root, interceptor])]


@scenario(REFUSED)
def interception_by_a_trusted_root(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An interceptor whose root the machine trusts issues leaves on the fly, and is refused.

        rogue leaf <- interceptor's root (trusted)
    """
    bank, interceptor = stage.bank(), Authority.root("mitmproxy")
    server = stage.serve(interceptor.issue("localhost"), tls=tls)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root, interceptor], expected=REFUSED)]


@scenario(REFUSED, Capability.AUTHORITY_PINS)
def interception_where_the_root_is_pinned(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pin of the genuine root refuses what an interceptor's root issued.

        rogue leaf <- interceptor's root (trusted)        pinned: the genuine root
    """
    bank, interceptor = stage.bank(), Authority.root("mitmproxy")
    server = stage.serve(interceptor.issue("localhost"), tls=tls)
    return [stage.visit(server, pins=[bank.root], trust=[bank.root, interceptor], expected=REFUSED)]


@scenario(REFUSED)
def wrong_key_under_the_right_authority(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A second certificate of the genuine authority for the genuine name has another key, and is refused.

        rogue leaf <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.rogue(), tls=tls)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED, Capability.AUTHORITY_PINS)
def another_intermediate(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Where the intermediate is pinned, another intermediate of the same root is refused.

        leaf <- other intermediate <- root (trusted)        pinned: the first intermediate
    """
    bank = stage.bank()
    server = stage.serve(bank.root.intermediate("Other Intermediate").issue("localhost"), tls=tls)
    return [stage.visit(server, pins=[bank.authority], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED, Capability.AUTHORITY_PINS)
def intermediate_of_the_same_name(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An intermediate is its key, and one of the same name with another key is refused.

        leaf <- intermediate, same subject, other key <- root (trusted)        pinned: the first intermediate
    """
    bank = stage.bank()
    server = stage.serve(bank.root.intermediate("Genuine Intermediate").issue("localhost"), tls=tls)
    return [stage.visit(server, pins=[bank.authority], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED, Capability.AUTHORITY_PINS)
def root_of_the_same_name_and_serial(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A root with the subject and the serial number of the pinned one, and another key, is refused.

        leaf <- root, same subject and serial, other key (trusted)        pinned: the genuine root
    """
    bank = stage.bank()
    twin = bank.root.twin()
    server = stage.serve(twin.issue("localhost"), tls=tls)
    return [stage.visit(server, pins=[bank.root], trust=[bank.root, twin], expected=REFUSED)]


@scenario(REFUSED)
def leaf_of_the_same_name_and_serial(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A leaf with the issuer, the subject and the serial number of the pinned one has another key, and is refused.

        leaf, same subject and serial, other key <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    serial_number = _serial_number(bank.genuine.der)
    server = stage.serve(bank.rogue(serial_number=serial_number), tls=tls)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED)
def key_of_another_host(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A key that is pinned for one host is no key of another, though one authority issued both.

        leaf for localhost with the key of other.test <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    other = bank.rogue("other.test")
    more = f'[hosts."other.test"]\npins = ["{Pin.of(other.der)}", "{Pin.of(bank.rogue().der)}"]'
    server = stage.serve(bank.authority.issue("localhost", key=other.key), tls=tls)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], more=more, expected=REFUSED)]


@scenario(REFUSED, Capability.CERTIFICATE_PINS)
def renewal_where_the_certificate_is_pinned(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A pin of the whole certificate refuses the same key in a renewed one: that is what such a pin says.

        leaf', same key, other certificate <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    pin = Pin.of(bank.genuine.der, kind="certificate")
    server = stage.serve(bank.genuine.renew(), tls=tls)
    return [stage.visit(server, pins=[pin], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED, Capability.CERTIFICATE_PINS)
def digest_of_the_other_kind(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The digest of a certificate, written as the pin of a key, matches no key and no certificate.

        leaf <- intermediate <- root (trusted)        pinned: its certificate's digest, as if it were its key's
    """
    bank = stage.bank()
    digest = str(Pin.of(bank.genuine.der, kind="certificate")).removeprefix("cert-")
    server = stage.serve(bank.genuine, tls=tls)
    return [stage.visit(server, pins=[digest], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED)
def digest_in_another_case(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Base64 tells capitals from small letters, and a pin that differs in nothing else matches nothing.

        leaf <- intermediate <- root (trusted)        pinned: its digest with the case of its letters swapped
    """
    bank = stage.bank()
    server = stage.serve(bank.genuine, tls=tls)
    return [stage.visit(server, pins=[swapped(str(Pin.of(bank.genuine.der)))], trust=[bank.root], expected=REFUSED)]


def swapped(pin: str) -> str:
    """Return a pin whose letters have the other case, but for the last, which base64 may not allow to change."""
    kind, _, digest = pin.partition("/")
    return f"{kind}/{digest[:-2].swapcase()}{digest[-2:]}"


@scenario(REFUSED)
def digest_of_the_same_beginning(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A digest that agrees in all but its last byte is another digest.

        leaf <- intermediate <- root (trusted)        pinned: its digest with the last byte changed
    """
    bank = stage.bank()
    pin = Pin.of(bank.genuine.der)
    nearly = Pin(pin.digest[:-1] + bytes([pin.digest[-1] ^ 1]))
    return [stage.visit(stage.serve(bank.genuine, tls=tls), pins=[nearly], trust=[bank.root], expected=REFUSED)]


def _serial_number(der: bytes) -> int:
    from cryptography import x509  # noqa: PLC0415  (only this scenario needs to read one)

    return x509.load_der_x509_certificate(der).serial_number
