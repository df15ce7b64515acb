"""One person's signature under whatever waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.updates.repository.errors import SigningKeyError
from pinscher.updates.repository.roles import signatures

if TYPE_CHECKING:
    from pinscher.updates.repository.keys import SigningKey
    from pinscher.updates.repository.layout import Repository


def sign(repository: Repository, key: SigningKey, *, roles: tuple[str, ...] = ()) -> dict[str, int]:
    """
    Sign what is staged with one key, and return how many signatures each role that it signed still lacks.

    Args:
        repository: with something staged.
        key: the private key.
        roles: the roles to sign for; all that are staged when empty.

    Raises:
        SigningKeyError: nothing that is staged waits for this key.
    """
    repository.require()
    lacking: dict[str, int] = {}
    for role in repository.staged_roles():
        staged = repository.staged(role)
        if staged is None or (roles and role not in roles):
            continue
        content = staged.signed_bytes
        signature = key.sign(content, signatures(repository, role, staged).candidates)
        if signature is not None:
            staged.signatures[signature.keyid] = signature
            repository.stage(role, staged)
            lacking[role] = signatures(repository, role, staged).missing
    if not lacking:
        waiting = ", ".join(repository.staged_roles()) or "nothing"
        raise SigningKeyError(f"the key '{escaped(key.place)}' has nothing to sign here; staged: {escaped(waiting)}")
    return lacking
