"""
An emergency policy: what a person on call publishes at night, and what ends by itself.

A client uses it only for a host whose ladder says ``override``, after a mismatch, and says so in every report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuf.api.metadata import Targets

from pinscher.entry import HostPolicy
from pinscher.host import HostPattern
from pinscher.pin import PinSet
from pinscher.policy import Policy
from pinscher.updates.bundle import override_of
from pinscher.updates.errors import UpdateError
from pinscher.updates.repository.errors import RepositoryError
from pinscher.updates.repository.layout import OVERRIDE_BUNDLE, OVERRIDE_ROLE, new_metadata
from pinscher.updates.repository.publish import published_policy
from pinscher.updates.repository.roles import restage, role_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pinscher.pin import Pin
    from pinscher.updates.repository.layout import Repository


def override(
    repository: Repository,
    hosts: Sequence[str],
    pins: Sequence[Pin],
    *,
    ends: datetime,
    current: Policy | None,
    at: datetime,
    is_rehearsal: bool = False,
) -> Policy:
    """
    Stage an emergency policy for its signers, and return it.

    Args:
        repository: where to.
        hosts: the hosts, one by one.
        pins: what is accepted there instead.
        ends: when it ends; at most 72 hours ahead.
        current: the policy in force, whose denied keys stay denied.
        at: the time.
        is_rehearsal: build it, and change nothing.
    """
    if not at < ends:
        raise RepositoryError(f"an override ends in the future, found {ends:%Y-%m-%d %H:%M} UTC")
    role_of(repository, OVERRIDE_ROLE)
    before = published_policy(repository, OVERRIDE_BUNDLE, OVERRIDE_ROLE)
    entries = [_entry(host, pins, ends, current) for host in hosts]
    policy = Policy(entries, name="override", version=before.version + 1 if before else 1)
    try:
        override_of(policy, at)
    except UpdateError as error:
        raise RepositoryError(str(error)) from None
    if not is_rehearsal:
        _stage(repository, policy, ends=ends, at=at)
    return policy


def _entry(host: str, pins: Sequence[Pin], ends: datetime, current: Policy | None) -> HostPolicy:
    pattern = HostPattern.parse(host)
    known = current.lookup(pattern.name) if current is not None else None
    denied = known.pinset.denied_keys if known is not None and known.pinset is not None else ()
    return HostPolicy(pattern, PinSet(pins, denied_keys=denied), expires=ends)


def _stage(repository: Repository, policy: Policy, *, ends: datetime, at: datetime) -> None:
    """Stage the bundle, its metadata lapsing with it."""
    if repository.current(OVERRIDE_ROLE) is None:
        metadata = new_metadata(Targets(1, None, ends, {}))
    else:
        metadata = restage(repository, OVERRIDE_ROLE, at=at, lifetime=ends - at)
    metadata.signed.targets = {OVERRIDE_BUNDLE: repository.stage_bundle(OVERRIDE_BUNDLE, policy.to_json())}
    repository.stage(OVERRIDE_ROLE, metadata)
