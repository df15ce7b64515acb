"""
The entries of a log: a certificate, or what a CA is about to sign (RFC 6962 section 3.4; static-ct-api for tiles).

Rules of this file:

1. An entry is hashed as it was served: what cannot be read further is an entry of the tree all the same.
2. Only what the hash is over is believed. The chain beside it is not, and is kept apart.
3. A tile of entries that cannot be taken apart raises ``LogDamagedError``, for any bytes at all, and no more of it is
   taken apart than was asked for.
4. A leaf has no bound of its own below those of its length fields and of the answer: who could be too large to be read
   would be too large to be found.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pinscher.updates.log import LogDamagedError
from pinscher.updates.log.hashing import leaf_hash

LARGEST_CHAIN = 16
"""Certificates of a chain that are read."""
_VERSION = b"\x00\x00"
"""Version 1 and the kind of leaf that is a timestamped entry."""
_HEAD = 10
"""Octets of a moment and of an entry's kind."""
_KEY_HASH = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EntryKind(enum.IntEnum):
    """What an entry holds."""

    CERTIFICATE = 0
    PRECERTIFICATE = 1


@dataclass(frozen=True, slots=True)
class Leaf:
    """The octets that are hashed, and what was served beside them."""

    hashed: bytes
    beside: bytes

    @property
    def hash(self) -> bytes:
        """The leaf's hash."""
        return leaf_hash(self.hashed)


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What a leaf says; ``signed`` is a certificate, or a TBSCertificate with the digest of its issuer's key.

    ``issuer_key`` is empty for a certificate.
    """

    kind: EntryKind
    at: datetime
    signed: bytes
    issuer_key: bytes


class UnreadableLeafError(ValueError):
    """A leaf of the tree that is no entry."""


def entry_of(leaf: Leaf) -> Entry:
    """Read a leaf; raise :class:`UnreadableLeafError` for anything that RFC 6962 does not describe."""
    hashed = leaf.hashed
    if hashed[:2] != _VERSION:
        raise UnreadableLeafError("not a timestamped entry of version 1")
    try:
        entry, end = _entry(hashed, len(_VERSION))
    except (ValueError, struct.error) as error:
        raise UnreadableLeafError(str(error)) from None
    if end != len(hashed):
        raise UnreadableLeafError("octets after its end")
    return entry


def _entry(octets: bytes, start: int) -> tuple[Entry, int]:
    """Read a TimestampedEntry, and return it with its end."""
    milliseconds, number = struct.unpack_from(">QH", octets, start)
    kind, place = EntryKind(number), start + _HEAD
    issuer_key = b""
    if kind is EntryKind.PRECERTIFICATE:
        issuer_key, place = octets[place : place + _KEY_HASH], place + _KEY_HASH
    signed, place = _opaque(octets, place, 3)
    _, place = _opaque(octets, place, 2)
    try:
        at = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise ValueError("a moment beyond the year 9999") from None
    return Entry(kind, at, signed, issuer_key), place


def _opaque(octets: bytes, start: int, width: int) -> tuple[bytes, int]:
    """Read octets with a length of so many octets before them, and return them with their end."""
    content = start + width
    end = content + int.from_bytes(octets[start:content])
    if content > len(octets) or end > len(octets):
        raise ValueError("it ends within a field")
    return octets[content:end], end


def leaves_of_tile(content: bytes, path: str, width: int, *, is_full: bool = False) -> list[Leaf]:
    """
    Take a tile of *width* entries apart; beside each stand the fingerprints of its chain (rule 3).

    Where the full tile stands in for the one that was asked for, what is behind those entries is left alone.
    """
    leaves: list[Leaf] = []
    place = 0
    try:
        while place < len(content) and len(leaves) < width:
            entry, end = _entry(content, place)
            hashed = _VERSION + content[place:end]
            if entry.kind is EntryKind.PRECERTIFICATE:
                _, end = _opaque(content, end, 3)
            beside, place = _opaque(content, end, 2)
            leaves.append(Leaf(hashed, beside))
    except (ValueError, struct.error):
        raise LogDamagedError(f"{path} cannot be read after entry {len(leaves)}") from None
    if len(leaves) < width:
        raise LogDamagedError(f"{path} has {len(leaves)} entries, expected {width}")
    if place < len(content) and not is_full:
        raise LogDamagedError(f"{path} has more than {width} entries")
    return leaves


def fingerprints_of(beside: bytes) -> list[bytes]:
    """Return the digests of a chain's certificates, as a tile has them."""
    return [beside[place : place + 32] for place in range(0, len(beside) - 31, 32)][:LARGEST_CHAIN]


def chain_beside(kind: EntryKind, beside: bytes) -> list[bytes]:
    """Return the chain of an entry as ``get-entries`` has it beside it; what cannot be read is no chain."""
    chain: list[bytes] = []
    try:
        place = 0
        if kind is EntryKind.PRECERTIFICATE:
            _, place = _opaque(beside, place, 3)
        listed, _ = _opaque(beside, place, 3)
        place = 0
        while place < len(listed) and len(chain) < LARGEST_CHAIN:
            certificate, place = _opaque(listed, place, 3)
            chain.append(certificate)
    except ValueError:
        return []
    return chain
