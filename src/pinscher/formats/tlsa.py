"""
DANE TLSA records (RFC 6698, RFC 7671) as zone text.

Rules of this file:

1. Usage 0 is an authority's and 1 a leaf's certificate, both beside ordinary validation; 2 and 3 stand in its place.
2. Selector 0 is the whole certificate, 1 its key; matching 0 is the bytes themselves, 1 SHA-256, 2 SHA-512.
3. Any one record of a name matches. A record names a port and a protocol, a policy does not.
4. A policy's pins stand beside validation, so we write usages 0 and 1; of 2 and 3 we read the pin and report the rest.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from pinscher.formats.format import Format
from pinscher.formats.loss import LossLedger
from pinscher.formats.reading import Reader
from pinscher.formats.roles import Position, split
from pinscher.formats.said import Said, Target, said_entries
from pinscher.formats.text_form import comments
from pinscher.formats.text_lines import lines_of
from pinscher.pin import Pin, PinKind

if TYPE_CHECKING:
    from pinscher.formats.format import Choices, Reading
    from pinscher.policy import Policy

_NAME = "tlsa"
_TARGET = Target(_NAME, certificate_pins=True, patterns=False)
_TTL = 3600
"""Seconds that a record may be cached; a zone text without $TTL needs one in every record."""
_SELECTORS = {PinKind.CERTIFICATE: 0, PinKind.SPKI: 1}
_POSITIONS = {0: Position.AUTHORITY, 1: Position.LEAF, 2: Position.AUTHORITY, 3: Position.LEAF}


def write(policy: Policy, choices: Choices) -> bytes:
    """Return TLSA records for port 443 of every host, or raise ``FormatLossError``."""
    losses = LossLedger(_NAME, choices.accepted)
    lines = []
    for pattern, said in said_entries(policy, _TARGET, losses).items():
        leaves, authorities = split(policy, str(pattern), said.pins, losses)
        for usage, pins in ((1, leaves), (0, authorities)):
            lines += [
                f"_443._tcp.{pattern.name}. {_TTL} IN TLSA {usage} {_SELECTORS[pin.kind]} 1 {pin.digest.hex()}"
                for pin in pins
            ]
    return "\n".join([*comments(losses.settle(), ";"), *lines, ""]).encode()


_RECORD = re.compile(
    r"_(?P<port>\d{1,5})\._(?P<protocol>tcp|udp|sctp)\.(?P<host>\S+?)\.?\s+(?:\d+\s+)?(?:IN\s+)?(?:\d+\s+)?TLSA\s+"
    r"(?P<usage>\d)\s+(?P<selector>\d)\s+(?P<matching>\d)\s+(?P<content>[0-9A-Fa-f\s()]+)$",
    re.IGNORECASE,
)


def read(content: bytes, choices: Choices) -> Reading:
    """Return what the TLSA records of a zone text say; other records and directives are refused."""
    reader = Reader(_NAME, choices)
    services: dict[tuple[str, str], dict[Pin, None]] = {}
    for number, line in lines_of(content, reader):
        record = line.partition(";")[0].strip()
        if not record:
            continue
        match = _RECORD.match(record)
        if match is None:
            raise reader.refuse(
                "a record is '_443._tcp.NAME. IN TLSA USAGE SELECTOR MATCHING HEX', on one line", line=number
            )
        host = reader.host(match["host"], line=number)
        service = (host, f"_{match['port']}._{match['protocol']}".lower())
        services.setdefault(service, {})[_pin(match, reader, host, number)] = None
    pinned: dict[str, Said] = {}
    for (host, port), pins in services.items():
        if pinned.setdefault(host, Said(tuple(pins))) != Said(tuple(pins)):
            raise reader.refuse(f"{port}.{host} differs from another port; a policy has one entry for all of them")
    return reader.reading(pinned, pinned.get)


def _pin(match: re.Match[str], reader: Reader, host: str, number: int) -> Pin:
    usage, selector, matching = (int(match[name]) for name in ("usage", "selector", "matching"))
    if usage not in _POSITIONS or selector not in (0, 1) or matching not in (0, 1):
        raise reader.refuse(
            f"usage 0 to 3, selector 0 or 1, matching 0 or 1, found {usage} {selector} {matching}", line=number
        )
    kind = PinKind.SPKI if selector else PinKind.CERTIFICATE
    digits = re.sub(r"[\s()]", "", match["content"])
    if matching == 0:
        if len(digits) % 2:
            raise reader.refuse("an odd number of hexadecimal digits", line=number)
        digits = hashlib.sha256(bytes.fromhex(digits)).hexdigest()
    pin = reader.hexadecimal_pin(digits, line=number, kind=kind)
    if usage > 1:
        reader.weakening("no-authority", host, f"usage {usage} asks for no public authority, the policy does")
    reader.keys.note(pin, _POSITIONS[usage])
    return pin


FORMAT = Format(name=_NAME, title="DANE TLSA records", file_name="tlsa.zone", read=read, write=write)
