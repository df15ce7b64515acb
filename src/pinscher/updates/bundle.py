"""
What a client demands of a bundle beyond its signatures.

Rules of this file:

1. The signed bytes are the bytes that are parsed: a bundle is a policy's canonical JSON, octet for octet.
2. A role that was given hosts speaks of these hosts and no others.
3. A policy has one content for one version.
4. An override names its hosts one by one, pins each of them, and ends soon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pinscher.entry import InvalidPolicyError
from pinscher.errors import escaped
from pinscher.host import HostPattern, InvalidHostError, Reach
from pinscher.policy import Policy
from pinscher.updates.errors import InvalidBundleError, RollbackError, UnreadableMetadataError, WrongTargetError
from pinscher.updates.limits import LONGEST_OVERRIDE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pinscher.entry import HostPolicy

HOSTS_FIELD = "x-pinscher-hosts"
"""The field of a delegation that lists the host patterns which the role may speak of; signed by the delegating role."""


def policy_of(content: bytes, *, was_accepted: bool = False) -> Policy:
    """
    Read a bundle (rule 1); raise :class:`InvalidBundleError` for anything else.

    To find that ten thousand hosts are in canonical form takes a fifth of a second: these same octets, once accepted
    and now again found to be the signed ones, are not asked again.
    """
    try:
        policy = Policy.loads(content)
    except InvalidPolicyError as error:
        raise InvalidBundleError(f"the bundle is no policy: {error}") from None
    if not was_accepted and policy.to_json() != content:
        raise InvalidBundleError("the bundle is a policy, and not in its canonical form")
    return policy


def patterns_of(field: Any) -> tuple[HostPattern, ...]:
    """Read the host patterns of a delegation; raise :class:`UnreadableMetadataError` for anything else."""
    if not isinstance(field, list):
        raise UnreadableMetadataError(f"{HOSTS_FIELD} is a list of host patterns")
    try:
        return tuple(HostPattern.parse(text) for text in field)
    except InvalidHostError as error:
        raise UnreadableMetadataError(f"{HOSTS_FIELD}: {error}") from None


def check_hosts(policy: Policy, allowed: Iterable[tuple[HostPattern, ...]]) -> None:
    """Refuse a policy with an entry outside the patterns of any role on the way to it (rule 2)."""
    for patterns in allowed:
        for entry in policy.hosts:
            if not any(covers(pattern, entry.pattern) for pattern in patterns):
                listed = ", ".join(map(str, patterns)) or "no host"
                raise WrongTargetError(f"the bundle speaks of {entry.host}, its signers may speak of {listed}")


def covers(outer: HostPattern, inner: HostPattern) -> bool:
    """Tell whether every host under one pattern is under another."""
    if inner.reach is Reach.EXACT:
        return outer.matches(inner.name)
    if outer.reach is Reach.ONE_LABEL:
        return inner == outer
    below = inner.name == outer.name or inner.name.endswith("." + outer.name)
    return outer.reach is Reach.ANY_DEPTH and below


def check_same_version(policy: Policy, *, epoch: int, held: Policy | None, held_epoch: int) -> None:
    """Refuse another content under the version that is in force (rule 3)."""
    if held is not None and (epoch, policy.version) == (held_epoch, held.version) and policy != held:
        raise RollbackError(f"version {policy.version} is offered with another content than the one that was accepted")


@dataclass(frozen=True, slots=True)
class Override:
    """A signed emergency policy; ``lookup`` answers for its hosts until each entry's own end."""

    policy: Policy

    def lookup(self, host: str, at: datetime) -> HostPolicy | None:
        """Return the entry for a host while it lasts, or None."""
        entry = self.policy.lookup(host)
        return entry if entry is not None and entry.expires is not None and at < entry.expires else None

    @property
    def ends(self) -> datetime:
        """When the last of its entries ends."""
        return max(entry.expires for entry in self.policy.hosts if entry.expires is not None)


def override_of(policy: Policy, at: datetime) -> Override:
    """Take a policy as an override (rule 4); raise :class:`InvalidBundleError` for one that is none."""
    for entry in policy.hosts:
        where = f"override of {escaped(entry.host)}"
        if entry.pattern.reach is not Reach.EXACT:
            raise InvalidBundleError(f"{where}: an override names its hosts one by one")
        if entry.pinset is None:
            raise InvalidBundleError(f"{where}: an override changes pins, and never removes them")
        if entry.expires is None:
            raise InvalidBundleError(f"{where}: an override says when it ends")
        if entry.expires > at + LONGEST_OVERRIDE:
            hours = LONGEST_OVERRIDE.total_seconds() / 3600
            raise InvalidBundleError(f"{where}: an override ends within {hours:.0f} hours, found {entry.expires}")
    return Override(policy)
