"""Where a repository stands: who has signed, what waits for whom, and what lapses when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.updates.repository.keys import name_of
from pinscher.updates.repository.layout import TOP_ROLES
from pinscher.updates.repository.roles import role_of, signatures

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.updates.repository.layout import Repository


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """One role's newest metadata, published or staged."""

    role: str
    version: int
    is_staged: bool
    expires: datetime
    threshold: int
    signed: tuple[str, ...]
    """The names of the keys that have signed."""
    unsigned: tuple[str, ...]
    """The names of those that could."""
    missing: int
    """How many signatures it lacks."""


def status(repository: Repository) -> tuple[RoleStatus, ...]:
    """Return every role: those that are published, then those that are staged."""
    repository.require()
    delegations = repository.targets().delegations
    names = [*TOP_ROLES, *((delegations and delegations.roles) or ())]
    found = [_status(repository, name, is_staged=False) for name in names]
    found += [_status(repository, name, is_staged=True) for name in repository.staged_roles()]
    return tuple(one for one in found if one is not None)


def _status(repository: Repository, role: str, *, is_staged: bool) -> RoleStatus | None:
    metadata = repository.staged(role) if is_staged else repository.published(role)
    if metadata is None:
        return None
    known = signatures(repository, role, metadata)
    names = {key.keyid: name_of(key) for key in known.candidates}
    return RoleStatus(
        role=role,
        version=metadata.signed.version,
        is_staged=is_staged,
        expires=metadata.signed.expires,
        threshold=role_of(repository, role).threshold,
        signed=tuple(sorted(names[keyid] for keyid in known.signed)),
        unsigned=tuple(sorted(name for keyid, name in names.items() if keyid not in known.signed)),
        missing=known.missing,
    )
