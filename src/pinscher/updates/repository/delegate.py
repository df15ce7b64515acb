"""A team's own role: its keys sign its own bundle, for its own hosts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tuf.api.metadata import DelegatedRole, Delegations, Targets

from pinscher.errors import escaped
from pinscher.updates.bundle import HOSTS_FIELD
from pinscher.updates.limits import TARGETS_LIFETIME
from pinscher.updates.repository.errors import RepositoryError
from pinscher.updates.repository.layout import OVERRIDE_ROLE, TOP_ROLES, new_metadata
from pinscher.updates.repository.roles import restage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pinscher.host import HostPattern
    from pinscher.updates.repository.layout import Repository
    from pinscher.updates.repository.roles import RoleKeys

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def delegate(
    repository: Repository, name: str, part: RoleKeys, *, hosts: Iterable[HostPattern] = (), at: datetime
) -> None:
    """
    Stage a new role that signs the bundle ``NAME/policy.json``.

    Args:
        repository: where to.
        name: the role's name: lower-case letters, digits and hyphens.
        part: its keys and its threshold.
        hosts: the hosts that its policy may speak of; any when empty.
        at: the time.
    """
    if not _NAME.fullmatch(name) or name in {*TOP_ROLES, OVERRIDE_ROLE}:
        raise RepositoryError(f"a role's name is lower-case letters, digits and '-', found '{escaped(name)}'")
    metadata = restage(repository, "targets", at=at, lifetime=TARGETS_LIFETIME)
    targets = metadata.signed
    if targets.delegations is None or targets.delegations.roles is None:
        targets.delegations = Delegations({}, {})
    if name in targets.delegations.roles:
        raise RepositoryError(
            f"there is a role called '{escaped(name)}' already; 'pinscher repo rotate' changes its keys"
        )
    listed = [str(pattern) for pattern in hosts]
    role = DelegatedRole(
        name,
        [key.keyid for key in part.keys],
        part.threshold,
        terminating=True,
        paths=[f"{name}/*"],
        unrecognized_fields={HOSTS_FIELD: listed} if listed else {},
    )
    targets.delegations.roles[name] = role
    targets.delegations.keys.update({key.keyid: key for key in part.keys})
    repository.stage("targets", metadata)
    repository.stage(name, new_metadata(Targets(1, None, at + TARGETS_LIFETIME, {})))
