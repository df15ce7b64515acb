"""Roots and proofs of a tree whose complete subtrees somebody else can look up (RFC 9162 sections 2.1.1 to 2.1.4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.updates.log.hashing import EMPTY_ROOT, node_hash, split

if TYPE_CHECKING:
    from collections.abc import Callable

    Node = Callable[[int, int], bytes]
    """Returns the hash of the complete subtree of a height, the n-th of that height."""


def root_of(node: Node, size: int) -> bytes:
    """Return the root of the tree that the first *size* leaves make."""
    return _range(node, 0, size) if size else EMPTY_ROOT


def inclusion_proof(node: Node, index: int, size: int) -> list[bytes]:
    """Return the proof that a leaf is in the tree of the first *size* leaves."""
    start, end, proof = 0, size, []
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            proof.append(_range(node, middle, end))
            end = middle
        else:
            proof.append(_range(node, start, middle))
            start = middle
    return proof[::-1]


def consistency_proof(node: Node, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of the first *old* leaves is how that of the first *new* began."""
    if old in (0, new):
        return []
    start, end, proof = 0, new, []
    while old != end:
        middle = start + split(end - start)
        if old <= middle:
            proof.append(_range(node, middle, end))
            end = middle
        else:
            proof.append(_range(node, start, middle))
            start = middle
    # Where the old tree is a complete subtree on the left edge, whoever verifies knows its root already.
    return ([_range(node, start, end)] if start else []) + proof[::-1]


def _range(node: Node, start: int, end: int) -> bytes:
    leaves = end - start
    if leaves & (leaves - 1) == 0:
        height = leaves.bit_length() - 1
        return node(height, start >> height)
    middle = start + split(leaves)
    return node_hash(_range(node, start, middle), _range(node, middle, end))
