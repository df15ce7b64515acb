"""Certificates that are odd: undecodable names, controls for a terminal, encodings that are BER and not DER."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import NameOID

from pinscher.lab.encoding import elements
from pinscher.lab.scenarios.registry import each, scenario
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.authority import HeldCertificate
    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

ODD_NAMES = {
    "terminal-escape": "\x1b[2J\x1b]0;owned\x07",
    "right-to-left": "\u202etset.knab",
    "line-break": "bank.test\nverdict: match",
    "markup": "<script>alert(1)</script>",
    "format": "%s%n{0.__class__}",
}
EVERY_NAME = each(tls=("1.2", "1.3"), name=tuple(ODD_NAMES))


@scenario(cases=EVERY_NAME)
def odd_subject(stage: Stage, tls: str, name: str) -> Sequence[Visit]:
    """
    A subject that would rather be a command is text, and the pinned key gets through.

        [leaf, odd subject, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    leaf = bank.rogue(common_name=ODD_NAMES[name])
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[leaf], trust=[bank.root])]


@scenario(Outcome.NO_MATCHING_PIN, cases=EVERY_NAME)
def odd_subject_of_a_rogue(stage: Stage, tls: str, name: str) -> Sequence[Visit]:
    """
    A rogue's subject is shown to the person who reads the refusal, and stays text.

        rogue leaf, odd subject <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.rogue(common_name=ODD_NAMES[name]), tls=tls)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], expected=Outcome.NO_MATCHING_PIN)]


@scenario()
def empty_subject(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A leaf without any subject has its names in the extension for them (RFC 5280 section 4.1.2.6).

        [leaf, empty subject, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    leaf = bank.rogue(common_name="")
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[leaf], trust=[bank.root])]


@scenario()
def undecodable_subject(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A subject whose bytes are no text in the encoding that it claims does not disturb a pinned key.

        [leaf, subject of unprintable printables, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    leaf = _with_broken_subject(bank.rogue(common_name="marker"))
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[leaf], trust=[bank.root])]


@scenario(Outcome.NO_MATCHING_PIN)
def undecodable_subject_of_a_rogue(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A subject whose bytes are no text does not turn a refusal into an error of another kind.

        rogue leaf, subject of unprintable printables <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(_with_broken_subject(bank.rogue(common_name="marker")), tls=tls)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], expected=Outcome.NO_MATCHING_PIN)]


def _with_broken_subject(held: HeldCertificate) -> HeldCertificate:
    """Make the common name *marker* a PrintableString of bytes that are not printable, and sign again."""
    return held.rewritten(lambda body: body.replace(b"\x0c\x06marker", b"\x13\x06\xff\x00\x1b\xc0\x07m"))


@scenario()
def repeated_attributes(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A subject with fifty common names is large and harmless.

        [leaf, fifty common names, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"name {number}") for number in range(50)])
    leaf = bank.rogue(subject=subject)
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[leaf], trust=[bank.root])]


@scenario()
def serial_number_of_twenty_octets(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The largest serial number that RFC 5280 allows is a serial number like any other.

        [leaf, serial number 2^159 - 1, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    leaf = bank.rogue(serial_number=(1 << 159) - 1)
    return [stage.visit(stage.serve(leaf, tls=tls), pins=[leaf], trust=[bank.root])]


@scenario(Outcome.NO_MATCHING_PIN)
def length_in_more_octets_than_needed(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A rogue certificate with a length in BER and not in DER is refused, whoever reads it how.

        rogue leaf, the length of its subject in three octets instead of one <- intermediate <- root (trusted)
    """
    bank = stage.bank()
    server = stage.serve(bank.rogue(common_name="marker").rewritten(_longer_length), tls=tls)
    return [stage.visit(server, pins=[bank.genuine], trust=[bank.root], expected=Outcome.NO_MATCHING_PIN)]


def _longer_length(body: bytes) -> bytes:
    """Write the length of the subject's common name in three octets."""
    fields = [field.encoded for field in elements(body)]
    subject = elements(fields[_SUBJECT])[0].content
    fields[_SUBJECT] = b"\x30\x82" + len(subject).to_bytes(2, "big") + subject
    return b"".join(fields)


_SUBJECT = 5
"""Where a TBSCertificate that states its version has its subject (RFC 5280 section 4.1)."""
