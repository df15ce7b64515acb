"""
Which released versions a step of a plan breaks when it is late.

Rules of this file:

1. A certificate that is renewed or replaced too late has expired, and every version that connects to the host refuses.
2. A pin that is out too late is missing where a version enforces pins and does not accept that key, unless the version
   also pins an authority: then the chain decides, which a plan does not know.
3. A pin that goes too late breaks nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.entry import Mode, Role
from pinscher.rotation.planning.plan import StepKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pinscher.entry import HostPolicy
    from pinscher.pin import Pin
    from pinscher.policy import Policy
    from pinscher.rotation.deployments import Deployment
    from pinscher.rotation.planning.plan import Step


@dataclass(frozen=True, slots=True)
class Exposure:
    """The released versions that would refuse, and those of which that cannot be told (rule 2)."""

    refusing: tuple[Deployment, ...] = ()
    unclear: tuple[Deployment, ...] = ()


def exposure(step: Step, deployments: Iterable[Deployment], *, host: str, pins: Sequence[Pin]) -> Exposure | None:
    """
    Return whom a late *step* breaks on a canonical host; *pins* are those of key 1 and of the keys after it.

    None where the step is about a key whose pin was not given.
    """
    if step.kind is StepKind.UNPIN:
        return Exposure()
    if step.kind is not StepKind.PIN:
        return Exposure(tuple(one for one in deployments if one.policy.lookup_canonical(host) is not None))
    if step.key > len(pins):
        return None
    refusing: list[Deployment] = []
    unclear: list[Deployment] = []
    for one in deployments:
        entry = _lacking(one, host, pins[step.key - 1])
        if entry is not None:
            (unclear if _names_an_authority(entry, one.policy) else refusing).append(one)
    return Exposure(tuple(refusing), tuple(unclear))


def _lacking(one: Deployment, host: str, pin: Pin) -> HostPolicy | None:
    """Return the entry of a version that enforces pins on the host and does not accept this one."""
    entry = one.policy.lookup_canonical(host)
    if entry is None or entry.pinset is None or entry.mode is Mode.REPORT_ONLY or pin in set(entry.pinset):
        return None
    return entry


def _names_an_authority(entry: HostPolicy, policy: Policy) -> bool:
    """Tell whether an accepted key, and not a denied one alone, is said to be an authority's."""
    known, accepted = policy.keys, set(entry.pinset or ())
    roles = {known[name].role for pin, name in entry.names.items() if pin in accepted}
    return not roles.isdisjoint((Role.INTERMEDIATE, Role.ROOT))
