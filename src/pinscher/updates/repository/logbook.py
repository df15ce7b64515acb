"""
The transparency log of a repository: every policy is entered before it can be fetched, and served with its proof.

Rules of this file:

1. A policy is entered and proved before the metadata that name it are written. Who is killed in between enters it
   again, which harms nobody.
2. The log's key signs heads and nothing else: whoever holds it can publish no policy, and whoever publishes without it
   is refused by clients that know the log.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from tuf.api.metadata import Targets

from pinscher.errors import escaped
from pinscher.replacement import replace_file
from pinscher.updates.bundle import policy_of
from pinscher.updates.log import FolderSource, LogProof, LogWriter, NoteSigner, NoteVerifier, pin_set_entry
from pinscher.updates.logged import LOG_FOLDER, proof_path
from pinscher.updates.repository.errors import BrokenRepositoryError, RepositoryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tuf.api.metadata import Metadata

    from pinscher.policy import Policy
    from pinscher.updates.repository.layout import Repository

_KEY, _VERIFIER = "log.key", "log.pub"
_LARGEST = 64 * 1024


def start_log(repository: Repository, name: str) -> NoteVerifier:
    """
    Give a repository a log, and return the key that clients have to know.

    The private key lies in the repository's folder as ``log.key``, outside what is served.

    Raises:
        RepositoryError: there is one already, or it cannot be written.
        InvalidNoteError: no name that a log can have.
    """
    place = os.path.join(repository.path, _KEY)
    if os.path.lexists(place):
        raise RepositoryError(f"'{escaped(place)}' exists: the repository has a log already")
    signer = NoteSigner(name, Ed25519PrivateKey.generate())
    verifier = signer.verifier
    try:
        os.makedirs(repository.path, exist_ok=True)
        replace_file(os.path.join(repository.path, _VERIFIER), f"{verifier}\n".encode(), mode=0o644)
        spelt = signer.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        replace_file(place, spelt, mode=0o600)
    except OSError as error:
        raise RepositoryError(f"cannot write '{escaped(place)}': {error.strerror}") from error
    LogWriter(_folder(repository), signer).append([])
    return verifier


def enter(repository: Repository, coming: Iterable[Metadata[Any]]) -> None:
    """Enter the policies of metadata that are about to be published, if the repository has a log (rule 1)."""
    signer = _signer(repository)
    if signer is None:
        return
    for metadata in coming:
        targets = metadata.signed.targets.values() if isinstance(metadata.signed, Targets) else ()
        for described in targets:
            _enter(repository, signer, policy_of(repository.bundle(described)))


def _enter(repository: Repository, signer: NoteSigner, policy: Policy) -> None:
    folder = _folder(repository)
    place = os.path.join(folder, proof_path(policy))
    if os.path.exists(place):
        return
    head = LogWriter(folder, signer).append([pin_set_entry(policy)])
    proof = LogProof.make(FolderSource(folder), signer.verifier, head.size - 1)
    try:
        os.makedirs(os.path.dirname(place), mode=0o755, exist_ok=True)
        replace_file(place, proof.write(), mode=0o644)
    except OSError as error:
        raise RepositoryError(f"cannot write '{escaped(place)}': {error.strerror}") from error


def _folder(repository: Repository) -> str:
    return os.path.join(repository.public, LOG_FOLDER)


def _signer(repository: Repository) -> NoteSigner | None:
    """Return the log's signer, or None for a repository without a log."""
    try:
        with open(os.path.join(repository.path, _VERIFIER), encoding="utf-8") as stream:
            verifier = NoteVerifier.parse(stream.read(_LARGEST).strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise BrokenRepositoryError(f"'{_VERIFIER}' is no key of a log") from None
    try:
        with open(os.path.join(repository.path, _KEY), "rb") as stream:
            private = load_pem_private_key(stream.read(_LARGEST), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise BrokenRepositoryError(f"the repository has a log, and '{_KEY}' cannot be read") from None
    if not isinstance(private, Ed25519PrivateKey) or NoteSigner(verifier.name, private).verifier != verifier:
        raise BrokenRepositoryError(f"'{_KEY}' is not the key that '{_VERIFIER}' says")
    return NoteSigner(verifier.name, private)
