"""
A policy on its way to the clients: checked, put into the staging folder, and left to its signers.

A policy comes from a document that somebody wrote. Nothing here looks at a server: what was merely seen on the wire is
never signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.updates.bundle import HOSTS_FIELD, check_hosts, patterns_of, policy_of
from pinscher.updates.errors import UpdateError
from pinscher.updates.limits import TARGETS_LIFETIME
from pinscher.updates.repository.errors import RefusedPublicationError, RepositoryError
from pinscher.updates.repository.layout import BUNDLE, OVERRIDE_BUNDLE, OVERRIDE_ROLE, TOP_ROLES
from pinscher.updates.repository.roles import restage, role_of
from pinscher.updates.trust import EPOCH_FIELD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from pinscher.policy import Policy
    from pinscher.updates.repository.layout import Repository

    Check = Callable[["Policy | None", Policy], Iterable["Objection"]]
    """What judges a new policy beside the one that is published, or beside None for the first."""


@dataclass(frozen=True, slots=True)
class Objection:
    """Something that a check has against a policy; who means it accepts it by its name."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Publication:
    """What was staged: the bundle's name, its role, the policy before, and the objections that were accepted."""

    bundle: str
    role: str
    before: Policy | None
    accepted: tuple[Objection, ...]


def publish(
    repository: Repository,
    policy: Policy,
    *,
    checks: Iterable[Check] = (),
    accepted: Iterable[str] = (),
    role: str = "targets",
    at: datetime,
    is_rehearsal: bool = False,
) -> Publication:
    """
    Check a policy and stage it for its signers.

    Args:
        repository: where to.
        policy: the new policy.
        checks: what judges it; what they object to is refused.
        accepted: names of objections that are meant.
        role: ``targets``, or the delegated role whose bundle it is.
        at: the time.
        is_rehearsal: judge, and change nothing.

    Raises:
        RefusedPublicationError: a check objects, and nobody accepted that.
        RepositoryError: the version does not go up, or the role may not speak of these hosts.
    """
    bundle = bundle_of(repository, role)
    before = published_policy(repository, bundle, role)
    if before is not None and not begins_epoch(repository) and policy.version <= before.version and policy != before:
        raise RepositoryError(f"version {policy.version} does not follow version {before.version}: clients refuse it")
    _check_role(repository, role, policy)
    found = [objection for check in checks for objection in check(before, policy)]
    meant = frozenset(accepted)
    refused = [objection for objection in found if objection.name not in meant]
    if refused:
        raise RefusedPublicationError(refused)
    if not is_rehearsal:
        stage_bundle(repository, role, bundle, policy, at=at)
    return Publication(bundle, role, before, tuple(found))


def bundle_of(repository: Repository, role: str) -> str:
    """Return the name of a role's bundle."""
    repository.require()
    if role == "targets":
        return BUNDLE
    if role in TOP_ROLES:
        raise RepositoryError(f"the role '{role}' carries no policy")
    role_of(repository, role)
    return f"{role}/{BUNDLE}"


def published_policy(repository: Repository, bundle: str, role: str) -> Policy | None:
    """Return the policy that clients have now, or None before the first."""
    metadata = repository.published(role)
    described = None if metadata is None else metadata.signed.targets.get(bundle)
    if described is None:
        return None
    try:
        return policy_of(repository.bundle(described))
    except UpdateError as error:
        raise RepositoryError(f"the published bundle cannot be used: {error}") from None


def staged_policy(repository: Repository, role: str) -> Policy | None:
    """Return the policy that is staged for a role, as its signers should see it, or None."""
    metadata = repository.staged(role)
    targets = getattr(metadata.signed, "targets", None) if metadata is not None else None
    bundle = OVERRIDE_BUNDLE if role == OVERRIDE_ROLE else BUNDLE if role == "targets" else f"{role}/{BUNDLE}"
    if not isinstance(targets, dict) or bundle not in targets:
        return None
    try:
        return policy_of(repository.bundle(targets[bundle]))
    except UpdateError as error:
        raise RepositoryError(f"what is staged for '{escaped(role)}' cannot be used: {error}") from None


def stage_bundle(repository: Repository, role: str, bundle: str, policy: Policy, *, at: datetime) -> None:
    """Put a policy's canonical bytes and the metadata that name them into the staging folder."""
    metadata = restage(repository, role, at=at, lifetime=TARGETS_LIFETIME)
    described = repository.stage_bundle(bundle, policy.to_json())
    metadata.signed.targets[bundle] = described
    repository.stage(role, metadata)


def begins_epoch(repository: Repository) -> bool:
    """Tell whether the staged root lets the policy's versions begin anew."""
    staged, published = repository.staged("root"), repository.published("root")
    if staged is None or published is None:
        return False
    epochs = [metadata.signed.unrecognized_fields.get(EPOCH_FIELD, 0) for metadata in (published, staged)]
    return bool(epochs[0] < epochs[1])


def _check_role(repository: Repository, role: str, policy: Policy) -> None:
    """Refuse what every client would refuse: a role that speaks of hosts which are not its own."""
    field = role_of(repository, role).unrecognized_fields.get(HOSTS_FIELD)
    if field is None:
        return
    try:
        check_hosts(policy, [patterns_of(field)])
    except UpdateError as error:
        raise RepositoryError(f"the role '{escaped(role)}': {error}") from None
