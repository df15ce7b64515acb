"""
Who signs for which role, and whether enough of them have.

Root signs for the four top-level roles; targets signs for every other role. A new root needs the signatures of the root
before it as well as its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuf.api.metadata import Root

from pinscher.errors import escaped
from pinscher.updates.repository.errors import RepositoryError
from pinscher.updates.repository.layout import TOP_ROLES, copy_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from securesystemslib.signer import Key
    from tuf.api.metadata import Metadata, Role, Targets

    from pinscher.updates.repository.layout import Repository


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """The keys of a role, and how many of them must sign."""

    keys: tuple[Key, ...]
    threshold: int

    def __post_init__(self) -> None:
        """Refuse a threshold that could never be reached, or that demands nobody."""
        if len({key.keyid for key in self.keys}) != len(self.keys):
            raise RepositoryError("one key is given twice for a role, and each counts once")
        if not 1 <= self.threshold <= len(self.keys):
            raise RepositoryError(
                f"a threshold is from 1 to the number of keys, {len(self.keys)}: found {self.threshold}"
            )


@dataclass(frozen=True, slots=True)
class Signatures:
    """Which keys have signed for a role, and which of the others still can; each demand has its own threshold."""

    signed: frozenset[str]
    candidates: tuple[Key, ...]
    missing: int

    @property
    def is_complete(self) -> bool:
        """Whether every threshold is reached."""
        return self.missing == 0


def delegator_of(repository: Repository, role: str) -> Root | Targets:
    """Return the metadata that say who signs for a role, staged ones first."""
    return repository.root() if role in TOP_ROLES else repository.targets()


def role_of(repository: Repository, role: str) -> Role:
    """Return a role's keys and threshold; raise :class:`RepositoryError` where there is no such role."""
    try:
        return delegator_of(repository, role).get_delegated_role(role)
    except ValueError:
        raise RepositoryError(f"there is no role called '{escaped(role)}'") from None


def signatures(repository: Repository, role: str, metadata: Metadata[Any]) -> Signatures:
    """Return who has signed *metadata* as a role."""
    role_of(repository, role)
    if isinstance(metadata.signed, Root):
        before = repository.published("root", metadata.signed.version - 1)
        demands = [metadata.signed] + ([before.signed] if before else [])
    else:
        demands = [delegator_of(repository, role)]
    results = [demand.get_verification_result(role, metadata.signed_bytes, metadata.signatures) for demand in demands]
    signed: dict[str, Key] = {}
    unsigned: dict[str, Key] = {}
    for result in results:
        signed.update(result.signed)
        unsigned.update(result.unsigned)
    missing = max(result.missing for result in results)
    return Signatures(frozenset(signed), tuple({**signed, **unsigned}.values()), missing)


def restage(repository: Repository, role: str, *, at: datetime, lifetime: timedelta) -> Metadata[Any]:
    """Return the next version of a role's metadata, unsigned; who changes it stages it afterwards."""
    current = repository.current(role)
    if current is None:
        raise RepositoryError(f"the role '{escaped(role)}' has nothing published or staged")
    copied = copy_of(current)
    copied.signed.version = repository.version(role) + 1
    copied.signed.expires = at + lifetime
    return copied


def set_keys(delegator: Root | Targets, role: str, keys: Sequence[Key], threshold: int) -> None:
    """Give a role exactly these keys, and forget those that no role uses any more."""
    found = delegator.get_delegated_role(role)
    found.keyids = [key.keyid for key in keys]
    found.threshold = threshold
    holder = delegator if isinstance(delegator, Root) else delegator.delegations
    assert holder is not None  # noqa: S101  (the role was found in it)
    holder.keys.update({key.keyid: key for key in keys})
    used = {keyid for other in (holder.roles or {}).values() for keyid in other.keyids}
    for keyid in [keyid for keyid in holder.keys if keyid not in used]:
        del holder.keys[keyid]
