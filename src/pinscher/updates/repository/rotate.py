"""Keys that come and go: the next version of who may sign what, staged for those who may say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.updates.limits import ROOT_LIFETIME, TARGETS_LIFETIME
from pinscher.updates.repository.errors import RepositoryError
from pinscher.updates.repository.keys import name_of
from pinscher.updates.repository.layout import TOP_ROLES
from pinscher.updates.repository.roles import RoleKeys, restage, set_keys
from pinscher.updates.trust import EPOCH_FIELD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from securesystemslib.signer import Key, SSlibKey

    from pinscher.updates.repository.layout import Repository

ONLINE = "online"
"""The name under which snapshot and timestamp, which the same keys sign, are changed together."""


def rotate(
    repository: Repository,
    role: str,
    *,
    add: Sequence[SSlibKey] = (),
    remove: Sequence[str] = (),
    threshold: int | None = None,
    begins_epoch: bool = False,
    at: datetime,
) -> tuple[str, ...]:
    """
    Stage other keys or another threshold for a role, and return the roles that now wait for signatures.

    Args:
        repository: where to.
        role: ``root``, ``targets``, ``online`` or a delegated role.
        add: keys to add.
        remove: names or identifiers of keys to remove.
        threshold: how many must sign; as before when None.
        begins_epoch: let the policy's versions begin anew, after somebody published too high a one.
        at: the time.
    """
    names = ("snapshot", "timestamp") if role == ONLINE else (role,)
    is_top = names[0] in TOP_ROLES
    if role in {"snapshot", "timestamp"}:
        raise RepositoryError(f"the role '{role}' is changed with its twin, as '{ONLINE}'")
    if begins_epoch and not is_top:
        raise RepositoryError("an epoch is begun by root, with 'root', 'targets' or 'online'")
    lifetime = ROOT_LIFETIME if is_top else TARGETS_LIFETIME
    metadata = restage(repository, "root" if is_top else "targets", at=at, lifetime=lifetime)
    delegator = metadata.signed
    for name in names:
        try:
            found = delegator.get_delegated_role(name)
        except ValueError:
            raise RepositoryError(f"there is no role called '{escaped(name)}'") from None
        known = [delegator.get_key(keyid) for keyid in found.keyids]
        keys = _changed(known, add, remove)
        part = RoleKeys(tuple(keys), found.threshold if threshold is None else threshold)
        set_keys(delegator, name, part.keys, part.threshold)
    if begins_epoch:
        delegator.unrecognized_fields[EPOCH_FIELD] = int(delegator.unrecognized_fields.get(EPOCH_FIELD, 0)) + 1
    repository.stage("root" if is_top else "targets", metadata)
    waiting = ["root" if is_top else "targets"]
    if role == "targets" or (not is_top and repository.current(role) is not None):
        # What the role signed before has to be signed by the keys that it has now.
        repository.stage(role, restage(repository, role, at=at, lifetime=TARGETS_LIFETIME))
        waiting.append(role)
    return tuple(waiting)


def _changed(known: Sequence[Key], add: Sequence[SSlibKey], remove: Sequence[str]) -> list[Key]:
    for name in remove:
        if not any(name in {name_of(key), key.keyid} for key in known):
            raise RepositoryError(f"the role has no key called '{escaped(name)}'")
    kept = [key for key in known if not {name_of(key), key.keyid}.intersection(remove)]
    present = {key.keyid for key in kept}
    for key in add:
        if key.keyid in present:
            raise RepositoryError(f"the role has the key {name_of(key)} already")
    return [*kept, *add]
