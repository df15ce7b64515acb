"""
Fingerprints for urllib3 and requests (``assert_fingerprint``): one host and one SHA-256 of a certificate a line.

Rules of this file, read in urllib3's ``connection.py`` and ``util/ssl_.py``:

1. The fingerprint is the SHA-256 of the whole leaf certificate, and a connection has exactly one.
2. With a fingerprint urllib3 does not compare the certificate's names; the authorities are still asked unless
   ``cert_reqs`` says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.formats.format import Format
from pinscher.formats.loss import Loss, LossLedger
from pinscher.formats.reading import Reader
from pinscher.formats.roles import Position, only_leaves
from pinscher.formats.said import Said, Target, said_entries
from pinscher.formats.text_form import comments
from pinscher.formats.text_lines import lines_of
from pinscher.pin import PinKind

if TYPE_CHECKING:
    from pinscher.formats.format import Choices, Reading
    from pinscher.policy import Policy

_NAME = "fingerprint"
_TARGET = Target(_NAME, key_pins=False, certificate_pins=True, ip_addresses=True, patterns=False)


def write(policy: Policy, choices: Choices) -> bytes:
    """Return a line for every host, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    hosts = only_leaves(policy, said_entries(policy, _TARGET, losses), losses)
    for host, pins in hosts.items():
        if len(pins) > 1:
            losses.add(Loss("several-pins", host, f"a connection has one fingerprint, the entry accepts {len(pins)}",
                            ("keep the certificate that is deployed",),
                            given_up="only the first certificate is accepted"))  # fmt: skip
    lines = comments(losses.settle(), "#")
    lines += [f"{host} {pins[0].digest.hex(':').upper()}" for host, pins in hosts.items() if pins]
    return "\n".join([*lines, ""]).encode()


def read(content: bytes, choices: Choices) -> Reading:
    """Return what the lines say; a host stands once."""
    reader = Reader(_NAME, choices)
    pinned: dict[str, Said] = {}
    for number, line in lines_of(content, reader):
        if line.startswith("#"):
            continue
        host, _, text = line.partition(" ")
        name = reader.host(host, line=number)
        if name in pinned:
            raise reader.refuse(f"the host {name!r} stands twice, and a connection has one fingerprint", line=number)
        digits = text.strip().lower().removeprefix("sha256:").replace(":", "")
        if len(digits) in (32, 40):
            raise reader.refuse(
                "MD5 and SHA-1 fingerprints are broken; take the SHA-256 of the certificate", line=number
            )
        pin = reader.hexadecimal_pin(digits, line=number, kind=PinKind.CERTIFICATE)
        reader.keys.note(pin, Position.LEAF)
        reader.weakening("no-authority", name, "with a fingerprint urllib3 does not compare the certificate's names")
        pinned[name] = Said((pin,))
    return reader.reading(pinned, pinned.get)


FORMAT = Format(
    name=_NAME, title="urllib3 and requests fingerprints", file_name="fingerprints.txt", read=read, write=write
)
