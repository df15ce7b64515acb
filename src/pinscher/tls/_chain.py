"""The validated chain of a handshake; one of the two places that construct one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.chain import EmptyChainError, PresentedChain, ValidatedChain

if TYPE_CHECKING:
    from pinscher.tls._cpython import Gate


def validated_chain(gate: Gate, leaf: bytes | None) -> ValidatedChain:
    """
    Return the chain that OpenSSL verified in a full handshake that succeeded under ``CERT_REQUIRED``.

    The caller has made sure of the three: that it succeeded, was not resumed, and verified. Where no certificate was
    verified (an anonymous cipher suite) there is no chain, and this raises :class:`EmptyChainError`. What stands above
    the leaf is fetched from the connection when somebody looks at it; until then the chain keeps its memory alive.
    """
    if leaf is None:
        raise EmptyChainError("no certificate was verified in this handshake")
    return ValidatedChain.deferred(leaf, gate.certificates_above)


def leaf_presented(leaf: bytes | None) -> PresentedChain:
    """Return the leaf that a server proved to hold the key of, and nothing that it claims to stand above it."""
    return PresentedChain(() if leaf is None else (leaf,))


def chain_tried(gate: Gate) -> PresentedChain | None:
    """Return what OpenSSL looked at before it refused, for a diagnosis and never for a decision."""
    tried = gate.certificates_built()
    return PresentedChain(tried) if tried else None


def chain_shown(gate: Gate) -> PresentedChain | None:
    """Return what the server sent in this handshake, for a diagnosis and never for a decision."""
    shown = gate.certificates_shown()
    return PresentedChain(shown) if shown else None
