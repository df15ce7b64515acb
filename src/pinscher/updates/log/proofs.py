"""
Whether a proof leads where it says (RFC 9162 sections 2.1.3.2 and 2.1.4.2), decided from its octets alone.

A proof proves what its two ends say and no more: whose root it is, the checkpoint's signature says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.updates.log.errors import InvalidProofError
from pinscher.updates.log.hashing import EMPTY_ROOT, HASH_LENGTH, node_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST_SIZE = 2**63 - 1
LONGEST_PROOF = 64
"""Hashes of a consistency proof: one for each level, and the node it begins at."""


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise :class:`InvalidProofError` unless *leaf* is the leaf at *index* of the tree with this size and root."""
    if not 0 <= index < size <= LARGEST_SIZE:
        raise InvalidProofError(f"leaf {index} of a tree of {size}")
    _check_hashes(proof)
    number, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise InvalidProofError("the proof of inclusion is longer than the tree is high")
        if number & 1 or number == last:
            found = node_hash(step, found)
            number, last = _to_a_right_child(number, last)
        else:
            found = node_hash(found, step)
        number, last = number >> 1, last >> 1
    if last or found != root:
        raise InvalidProofError(f"leaf {index} is not in the tree of {size} with this root")


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise :class:`InvalidProofError` unless the old tree is how the new one began."""
    if not 0 <= old_size <= new_size <= LARGEST_SIZE:
        raise InvalidProofError(f"a tree of {old_size} is not how one of {new_size} began")
    _check_hashes(proof)
    if old_size in (0, new_size):
        expected = EMPTY_ROOT if old_size == 0 else new_root
        if proof or old_root != expected:
            raise InvalidProofError(f"the tree of {old_size} has another root, or its proof is not empty")
        return
    rest = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not rest or _climbed(old_size - 1, new_size - 1, rest) != (old_root, new_root):
        raise InvalidProofError(f"the tree of {old_size} is not how the tree of {new_size} began")


def _climbed(number: int, last: int, rest: list[bytes]) -> tuple[bytes, bytes] | None:
    """Return the old root and the new one to which the hashes lead, or None if they are too few or too many."""
    while number & 1:
        number, last = number >> 1, last >> 1
    old = new = rest[0]
    for step in rest[1:]:
        if last == 0:
            return None
        if number & 1 or number == last:
            old, new = node_hash(step, old), node_hash(step, new)
            number, last = _to_a_right_child(number, last)
        else:
            new = node_hash(new, step)
        number, last = number >> 1, last >> 1
    return None if last else (old, new)


def _to_a_right_child(number: int, last: int) -> tuple[int, int]:
    """Skip the levels at which a node on the right edge has no sibling."""
    while not number & 1 and number:
        number, last = number >> 1, last >> 1
    return number, last


def _check_hashes(proof: Sequence[bytes]) -> None:
    if len(proof) > LONGEST_PROOF or any(len(step) != HASH_LENGTH for step in proof):
        raise InvalidProofError(f"a proof has at most {LONGEST_PROOF} hashes of {HASH_LENGTH} octets")
