"""A key taken out of service: denied wherever it was accepted, and wherever else it could turn up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pinscher.pin import PinSet
from pinscher.policy import Policy
from pinscher.updates.repository.errors import RepositoryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.entry import HostPolicy
    from pinscher.pin import Pin


def withdrawn(policy: Policy, key: Pin, *, hosts: Sequence[str] = (), instead: Sequence[Pin] = ()) -> Policy:
    """
    Return the next version of a policy, in which a key is denied; the first backup takes the place of an only pin.

    Args:
        policy: the policy in force.
        key: the key to deny.
        hosts: the entries concerned, as the policy writes them; all pinned ones when empty.
        instead: pins to accept where the key was accepted.

    Raises:
        RepositoryError: a host would have no pin left, or there is no such entry.
    """
    known = {entry.host for entry in policy.hosts}
    missing = [host for host in hosts if host not in known]
    if missing:
        raise RepositoryError(f"the policy has no entry {missing[0]!a}; an entry is named as the policy writes it")
    changed = [
        _without(entry, key, instead) if entry.pinset is not None and (not hosts or entry.host in hosts) else entry
        for entry in policy.hosts
    ]
    if tuple(changed) == policy.hosts:
        raise RepositoryError(f"{key} is denied already wherever it was to be")
    return Policy(
        changed,
        name=policy.name,
        version=policy.version + 1,
        unlisted_hosts=policy.unlisted_hosts,
        keys=policy.keys.values(),
        reporting=policy.reporting.values(),
        extensions=dict(policy.extensions),
    )


def _without(entry: HostPolicy, key: Pin, instead: Sequence[Pin]) -> HostPolicy:
    pinset = entry.pinset
    assert pinset is not None  # noqa: S101  (only pinned entries come here)
    if key in pinset.denied_keys:
        return entry
    pins = [pin for pin in pinset.pins if pin != key]
    backups = [pin for pin in pinset.backup_pins if pin != key]
    if key in tuple(pinset):
        pins += [pin for pin in instead if pin not in pins and pin not in backups]
    if not pins and backups:
        # The backup is what such a day was prepared for.
        pins, backups = backups[:1], backups[1:]
    if not pins:
        raise RepositoryError(f"{entry.host} would have no pin left: name another with instead")
    return replace(entry, pinset=PinSet(pins, backup_pins=backups, denied_keys=(*pinset.denied_keys, key)))
