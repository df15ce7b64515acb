"""
Pins that were meant for a key on the chain and are written wrongly.

Nobody can make a key whose digest agrees with a pin in 200 bits. A pin that nearly is the digest of what stands on the
validated chain was copied from it with a mistake.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from pinscher.pin import Pin, PinKind

if TYPE_CHECKING:
    from collections.abc import Iterable

_PINS_COMPARED = 100
_CERTIFICATES_COMPARED = 12
_LETTERS = 43
"""Characters of a digest in base64 without its padding, of six bits each."""
_MISTAKES = 8
"""Characters that may differ: 35 of them agree in 210 bits."""


def mistake_in(pins: Iterable[Pin], chain: tuple[bytes, ...], keys: tuple[bytes | None, ...]) -> str | None:
    """Return what is wrong with a pin that was meant for this chain, or None."""
    meant = list(zip(chain, keys, strict=True))[:_CERTIFICATES_COMPARED]
    for pin in list(pins)[:_PINS_COMPARED]:
        for certificate, key in meant:
            found = _mistake(pin, hashlib.sha256(certificate).digest(), key)
            if found is not None:
                return found
    return None


def _mistake(pin: Pin, certificate: bytes, key: bytes | None) -> str | None:
    of_key, of_certificate = (key, certificate) if pin.kind is PinKind.SPKI else (certificate, key)
    what, other = ("key", "certificate") if pin.kind is PinKind.SPKI else ("certificate", "key")
    if pin.digest == of_certificate:
        return f"the digest of the {other} on this chain, written as that of a {what}"
    if of_key is None:
        return None
    written, right = (base64.b64encode(digest).decode("ascii") for digest in (pin.digest, of_key))
    if written.lower() == right.lower():
        return f"the digest of the {what} on this chain with capitals and small letters mixed up"
    same = sum(one == other for one, other in zip(written[:_LETTERS], right[:_LETTERS], strict=True))
    if same >= _LETTERS - _MISTAKES:
        return f"the digest of the {what} on this chain with {_LETTERS - same} wrong characters"
    return None
