"""Merkle trees, against a naive reading of the RFC and its examples."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.updates.log import InvalidProofError
from pinscher.updates.log.hashing import EMPTY_ROOT, leaf_hash, node_hash
from pinscher.updates.log.proofs import verify_consistency, verify_inclusion
from pinscher.updates.log.tiles import complete_root
from pinscher.updates.log.tree import consistency_proof, inclusion_proof, root_of
from tests.unit.updates.log.naive import made, naive_path, naive_root, naive_subproof

ENTRIES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"
)]  # fmt: skip
ROOTS = [bytes.fromhex(text) for text in (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)]  # fmt: skip
"""The entries that tests of Certificate Transparency use, and the roots of the first so many of them."""


class Nodes:
    """The complete subtrees of entries, in memory."""

    def __init__(self, entries: list[bytes]) -> None:
        self._leaves = [leaf_hash(entry) for entry in entries]

    def __call__(self, height: int, index: int) -> bytes:
        """Return the hash of a complete subtree."""
        hashes = self._leaves[index << height : (index + 1) << height]
        assert len(hashes) == 1 << height
        return complete_root(hashes)


SIZES = st.integers(1, 300).flatmap(lambda new: st.tuples(st.integers(0, new), st.just(new)))


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    """The roots of the well-known eight entries are the well-known ones."""
    assert ROOTS[size] == root_of(Nodes(ENTRIES), size) == naive_root(ENTRIES[:size])


def test_the_proofs_of_rfc_9162_section_2_1_5() -> None:
    """The example with seven leaves has the proofs that the RFC writes in letters."""
    node = Nodes(ENTRIES)
    a, b, c, d, e, f, j = (leaf_hash(entry) for entry in ENTRIES[:7])
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k = node_hash(g, h)
    l = node_hash(i, j)  # noqa: E741  (the RFC's letter)
    assert ROOTS[7] == node_hash(k, l)
    paths = {0: [b, h, l], 3: [c, g, l], 4: [f, j, k], 6: [i, k]}
    assert paths == {index: inclusion_proof(node, index, 7) for index in paths}
    proofs = {3: [c, d, g, l], 4: [l], 6: [i, j, k]}
    assert proofs == {old: consistency_proof(node, old, 7) for old in proofs}
    for index, path in paths.items():
        verify_inclusion(leaf_hash(ENTRIES[index]), index, 7, path, ROOTS[7])
    for old, proof in proofs.items():
        verify_consistency(old, ROOTS[old], 7, ROOTS[7], proof)


@given(st.integers(1, 300).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_inclusion_as_the_naive_reading_says(case: tuple[int, int]) -> None:
    """Each entry of each tree has the proof of the RFC's definition, and it verifies for it and for no other place."""
    index, size = case
    entries = made(size)
    proof, root = inclusion_proof(Nodes(entries), index, size), naive_root(entries)
    assert naive_path(index, entries) == proof
    verify_inclusion(leaf_hash(entries[index]), index, size, proof, root)
    for other in {index - 1, index + 1, index ^ 2, index + size} - {index}:
        with pytest.raises(InvalidProofError):
            verify_inclusion(leaf_hash(entries[index]), other, size, proof, root)
    with pytest.raises(InvalidProofError):
        verify_inclusion(leaf_hash(b"another"), index, size, proof, root)


@given(SIZES)
def test_consistency_as_the_naive_reading_says(case: tuple[int, int]) -> None:
    """Each pair of trees has the proof of the RFC's definition, and it verifies for these two roots and no others."""
    old, new = case
    entries = made(new)
    node = Nodes(entries)
    proof = consistency_proof(node, old, new)
    assert (naive_subproof(old, entries) if 0 < old < new else []) == proof
    old_root, new_root = naive_root(entries[:old]), naive_root(entries)
    verify_consistency(old, old_root, new, new_root, proof)
    for wrong_old, wrong_new in ((sha256(b"x").digest(), new_root), (old_root, sha256(b"x").digest())):
        if old == 0 and wrong_new != new_root:
            continue
        with pytest.raises(InvalidProofError):
            verify_consistency(old, wrong_old, new, wrong_new, proof)


@given(SIZES.filter(lambda case: 0 < case[0] < case[1]), st.data())
def test_a_changed_proof_proves_nothing(case: tuple[int, int], data: st.DataObject) -> None:
    """A proof with a hash changed, left out or added verifies no longer."""
    old, new = case
    entries = made(new)
    proof = consistency_proof(Nodes(entries), old, new)
    place = data.draw(st.integers(0, len(proof) - 1))
    old_root, new_root = naive_root(entries[:old]), naive_root(entries)
    changed = [*proof[:place], sha256(proof[place]).digest(), *proof[place + 1 :]]
    for wrong in (
        changed,
        proof[:place] + proof[place + 1 :],
        [*proof, proof[place]],
        [*proof, b"short"],
        proof * 65,
        [],
    ):
        with pytest.raises(InvalidProofError):
            verify_consistency(old, old_root, new, new_root, wrong)


def test_inclusion_proofs_have_one_length() -> None:
    """A proof of inclusion that is too long, too short or about no leaf of the tree is refused."""
    entries = made(5)
    proof, root, leaf = inclusion_proof(Nodes(entries), 4, 5), naive_root(entries), leaf_hash(entries[4])
    for index, size, wrong in ((4, 5, [*proof, root]), (4, 5, []), (5, 5, proof), (-1, 5, proof), (4, 2**63, proof)):
        with pytest.raises(InvalidProofError):
            verify_inclusion(leaf, index, size, wrong, root)


def test_an_empty_tree_is_how_every_tree_began() -> None:
    """An empty tree precedes every other, with an empty proof and its one root; no tree precedes a smaller one."""
    verify_consistency(0, EMPTY_ROOT, 3, ROOTS[3], [])
    for old, old_root, new, proof in (
        (0, ROOTS[1], 3, []),
        (0, EMPTY_ROOT, 3, [ROOTS[1]]),
        (4, ROOTS[4], 3, []),
        (-1, EMPTY_ROOT, 3, []),
    ):
        with pytest.raises(InvalidProofError):
            verify_consistency(old, old_root, new, ROOTS[3], proof)
