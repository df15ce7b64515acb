"""What the peers that compare the hash of the server's own certificate have in common."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING

from pinscher.lab.client import CannotExpressError
from pinscher.lab.peers import PeerMissingError
from pinscher.lab.scenario import Transport
from pinscher.pin import Pin, PinKind

if TYPE_CHECKING:
    from types import ModuleType

    from pinscher.lab.scenario import Visit


def package(name: str, distribution: str | None = None) -> tuple[ModuleType, str]:
    """Return a peer's module and its version."""
    try:
        return import_module(name), metadata.version(distribution or name)
    except ModuleNotFoundError:
        wanted = distribution or name
        raise PeerMissingError(f"{wanted} is not installed; install it with: pip install {wanted}") from None


def fingerprint_of(visit: Visit) -> bytes:
    """Return the one SHA-256 of a whole certificate that stands for the visit's pins."""
    if visit.transport is not Transport.HTTPS:
        raise CannotExpressError("speaks HTTPS only")
    pins = [Pin.parse(pin) for pin in visit.pins]
    if any(pin.kind is not PinKind.CERTIFICATE for pin in pins):
        raise CannotExpressError("takes the hash of a whole certificate, not of a key")
    if len(pins) != 1:
        raise CannotExpressError(f"takes one hash, and the host has {len(pins)} pins")
    return pins[0].digest
