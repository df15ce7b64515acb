"""The validated chain of a handshake; one of the two places that construct one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.chain import EmptyChainError, PresentedChain, ValidatedChain
from pinscher.tls._cpython import der_of

if TYPE_CHECKING:
    from pinscher.tls._cpython import Handshake


def validated_chain(handshake: Handshake) -> ValidatedChain:
    """
    Return the chain that OpenSSL verified in a full handshake that succeeded under ``CERT_REQUIRED``.

    The caller has made sure of both. Where no certificate was verified (an anonymous cipher suite, a pre-shared key,
    a resumed session) there is no chain, and this raises :class:`EmptyChainError`.
    """
    built, leaf = handshake.built, handshake.leaf
    if not built or leaf is None:
        raise EmptyChainError("no certificate was verified in this handshake")
    return ValidatedChain.deferred(leaf, lambda: map(der_of, built[1:]))


def leaf_presented(handshake: Handshake) -> PresentedChain:
    """Return the leaf that a server proved to hold the key of, and nothing that it claims to stand above it."""
    return PresentedChain(() if handshake.leaf is None else (handshake.leaf,))


def chain_tried(handshake: Handshake) -> PresentedChain | None:
    """Return what OpenSSL looked at before it refused, for a diagnosis and never for a decision."""
    tried = handshake.built
    return PresentedChain(map(der_of, tried)) if tried else None
