"""Merkle trees as RFC 9162 defines them, for what the log computes otherwise."""

from __future__ import annotations

from hashlib import sha256


def naive_root(entries: list[bytes]) -> bytes:
    """Return MTH(D[n]) as RFC 9162 section 2.1.1 defines it."""
    if not entries:
        return sha256().digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return sha256(b"\x01" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


def naive_path(index: int, entries: list[bytes]) -> list[bytes]:
    """Return PATH(m, D[n]) as RFC 9162 section 2.1.3.1 defines it."""
    if len(entries) == 1:
        return []
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if index < k:
        return [*naive_path(index, entries[:k]), naive_root(entries[k:])]
    return [*naive_path(index - k, entries[k:]), naive_root(entries[:k])]


def naive_subproof(old: int, entries: list[bytes], *, is_known: bool = True) -> list[bytes]:
    """Return SUBPROOF(m, D[n], b) as RFC 9162 section 2.1.4.1 defines it."""
    if old == len(entries):
        return [] if is_known else [naive_root(entries)]
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if old <= k:
        return [*naive_subproof(old, entries[:k], is_known=is_known), naive_root(entries[k:])]
    return [*naive_subproof(old - k, entries[k:], is_known=False), naive_root(entries[:k])]


def made(count: int) -> list[bytes]:
    """Return so many different entries."""
    return [number.to_bytes(2, "big") for number in range(count)]
