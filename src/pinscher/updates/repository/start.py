"""The beginning of a repository: who may sign what, staged for the first signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuf.api.metadata import DelegatedRole, Delegations, Role, Root, Targets

from pinscher.errors import escaped
from pinscher.updates.limits import ROOT_LIFETIME, TARGETS_LIFETIME
from pinscher.updates.repository.errors import RepositoryError
from pinscher.updates.repository.layout import OVERRIDE_BUNDLE, OVERRIDE_ROLE, new_metadata

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.updates.repository.layout import Repository
    from pinscher.updates.repository.roles import RoleKeys


def start(
    repository: Repository,
    *,
    root: RoleKeys,
    targets: RoleKeys,
    online: RoleKeys,
    override: RoleKeys | None = None,
    at: datetime,
) -> None:
    """
    Stage a first root and an empty first targets role.

    Args:
        repository: a folder without a repository in it.
        root: the offline keys that everything rests on.
        targets: the keys that sign policies.
        online: the keys that sign snapshot and timestamp; they alone cannot change a policy.
        override: the keys that sign emergency policies; those of *targets* when None.
        at: the time.
    """
    if repository.exists():
        raise RepositoryError(f"'{escaped(repository.path)}' holds a repository already")
    _check_apart(online, root, targets, *([override] if override else []))
    parts = {"root": root, "targets": targets, "snapshot": online, "timestamp": online}
    keys = {key.keyid: key for part in parts.values() for key in part.keys}
    roles = {name: _role(part) for name, part in parts.items()}
    first = Root(1, None, at + ROOT_LIFETIME, keys, roles, consistent_snapshot=True)
    emergency = override or targets
    delegations = Delegations(
        {key.keyid: key for key in emergency.keys},
        {
            OVERRIDE_ROLE: DelegatedRole(
                OVERRIDE_ROLE,
                [key.keyid for key in emergency.keys],
                emergency.threshold,
                terminating=True,
                paths=[OVERRIDE_BUNDLE],
            )
        },
    )
    repository.stage("targets", new_metadata(Targets(1, None, at + TARGETS_LIFETIME, {}, delegations)))
    repository.stage("root", new_metadata(first))


def _role(part: RoleKeys) -> Role:
    return Role([key.keyid for key in part.keys], part.threshold)


def _check_apart(online: RoleKeys, *others: RoleKeys) -> None:
    """Refuse an online key that is also an offline one: who steals it must not get any further."""
    lying_about = {key.keyid for key in online.keys}
    if any(key.keyid in lying_about for part in others for key in part.keys):
        raise RepositoryError("the online key also stands in an offline role; it has to be a key of its own")
