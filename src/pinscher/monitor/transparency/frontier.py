"""A Merkle tree that grows at its right edge, remembered by the few hashes that its growth and its root need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.updates.log.hashing import EMPTY_ROOT, HASH_LENGTH, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Frontier:
    """
    The complete subtrees that the first ``size`` leaves fall into, the greatest first.

    There are as many as the size has ones in binary. It says nothing of whose tree it is: a head does.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse a number of subtrees that no tree of this size has."""
        if len(self.hashes) != self.size.bit_count() or any(len(one) != HASH_LENGTH for one in self.hashes):
            raise ValueError(f"a tree of {self.size} has {self.size.bit_count()} complete subtrees")

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def grown(self, leaves: Iterable[bytes]) -> Frontier:
        """Return the tree with more leaves, given by their hashes."""
        size, hashes = self.size, list(self.hashes)
        for leaf in leaves:
            hashes.append(leaf)
            size += 1
            # As many subtrees close as the size has zeros at its end.
            for _ in range((size & -size).bit_length() - 1):
                right = hashes.pop()
                hashes[-1] = node_hash(hashes[-1], right)
        return Frontier(size, tuple(hashes))

    @classmethod
    def of_last_leaf(cls, leaf: bytes, size: int, proof: Sequence[bytes]) -> Frontier:
        """
        Return the tree of a size by its last leaf and that leaf's proof of inclusion, which was verified.

        All that stands beside the way from the last leaf to the root is on its left: these are the subtrees.
        """
        closed = (size & -size).bit_length() - 1
        smallest = leaf
        for left in proof[:closed]:
            smallest = node_hash(left, smallest)
        return cls(size, (*reversed(proof[closed:]), smallest))
