"""Which machine this is, so that a store that was copied to another one is told."""

from __future__ import annotations

import hashlib
import hmac

_PLACES = ("/etc/machine-id", "/var/lib/dbus/machine-id")
_LONGEST = 64
UNBOUND = bytes(32)
"""The mark of a store that was made where no machine could be told from another."""


def machine_identity() -> bytes:
    """Return what tells this machine from others, or no octets where nothing does (a container, another system)."""
    for place in _PLACES:
        try:
            with open(place, "rb") as stream:
                identity = stream.read(_LONGEST).strip()
        except OSError:
            continue
        if identity and identity != b"uninitialized":
            return identity
    return b""


def machine_mark(identity: bytes, store: bytes) -> bytes:
    """Return the mark of a store on a machine; the machine's own identity cannot be computed from it."""
    return hmac.digest(identity, b"pinscher store " + store, hashlib.sha256) if identity else UNBOUND
