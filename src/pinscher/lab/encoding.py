"""
DER as the lab writes it: elements put together and taken apart byte by byte, and PEM around them.

For the lab's own certificates only. What a stranger sends is read by ``pinscher.der``.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT = 0x06
SEQUENCE = 0x30


@dataclass(frozen=True, slots=True)
class Element:
    """One DER element: its tag, its content, and the bytes of the whole."""

    tag: int
    content: bytes
    encoded: bytes


def element(tag: int, *content: bytes) -> bytes:
    """Return the DER element of *tag* around *content*."""
    joined = b"".join(content)
    length = len(joined)
    if length < _SHORT:
        return bytes((tag, length)) + joined
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, _SHORT | len(octets))) + octets + joined


def elements(encoded: bytes) -> list[Element]:
    """Take apart a run of DER elements with single-octet tags."""
    found, at = [], 0
    while at < len(encoded):
        start, tag, length, at = at, encoded[at], encoded[at + 1], at + 2
        if length >= _SHORT:
            octets = length - _SHORT
            length, at = int.from_bytes(encoded[at : at + octets], "big"), at + octets
        end = at + length
        found.append(Element(tag, encoded[at:end], encoded[start:end]))
        at = end
    return found


def pem(label: str, *encoded: bytes) -> bytes:
    """Return each of the DER values as one PEM block, one after another."""
    return b"".join(_block(label, value) for value in encoded)


def _block(label: str, encoded: bytes) -> bytes:
    lines = base64.encodebytes(encoded).replace(b"\n", b"")
    wrapped = b"\n".join(lines[at : at + _LINE] for at in range(0, len(lines), _LINE))
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label.encode(), wrapped, label.encode())


_SHORT = 0x80
_LINE = 64
