"""The hashes of a Merkle tree (RFC 6962 section 2.1, RFC 9162 section 2.1.1): SHA-256, leaves and nodes told apart."""

from __future__ import annotations

import hashlib

HASH_LENGTH = 32
EMPTY_ROOT = hashlib.sha256().digest()
"""The root of a tree without leaves."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(leaves: int) -> int:
    """Return the greatest power of two below a number of leaves: how many of them are on the left of the root."""
    return 1 << (leaves - 1).bit_length() - 1
