"""
The validated chain of stacks that bring an OpenSSL of their own; one of the three places that construct one.

pyOpenSSL's handshake tells its callback of certificates one by one, and aioquic verifies by a store and keeps no chain.
So the chain is built once more, by OpenSSL, from the same leaf, the same intermediates and the same anchors. What it
returns was verified up to an anchor whatever the handshake said; the name and the proof of the leaf's key are what the
handshake itself has to have checked.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from OpenSSL import crypto

from pinscher.chain import EmptyChainError, ValidatedChain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509

NotValidated = crypto.X509StoreContextError
"""What is raised where no chain to an anchor can be built."""


def validated_chain(
    store: crypto.X509Store, leaf: x509.Certificate, presented: Sequence[x509.Certificate]
) -> ValidatedChain:
    """Return the chain from *leaf* to an anchor of *store*, by way of what was *presented*, as OpenSSL verifies it."""
    intermediates = [crypto.X509.from_cryptography(one) for one in presented]
    verification = crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf), intermediates)
    built = verification.get_verified_chain()
    if not built:
        raise EmptyChainError("no certificate was verified in this handshake")
    return ValidatedChain(tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in built))


def load(store: crypto.X509Store, trust: str | os.PathLike[str] | bytes) -> None:
    """Put trust anchors into a store: the path of a file or a folder, or PEM."""
    if not isinstance(trust, bytes):
        path = os.fspath(trust)
        store.load_locations(None if os.path.isdir(path) else path, path if os.path.isdir(path) else None)
        return
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415  (only who names anchors pays for it)

    for anchor in load_pem_x509_certificates(trust):
        store.add_cert(crypto.X509.from_cryptography(anchor))
