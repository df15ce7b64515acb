"""Rule ``delivery-network``: who pins a root for a delivery network's host pins all the roots that the network uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.der import certificate_summary
from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.entry import HostPolicy
    from pinscher.pin import Pin
    from pinscher.policy import Policy
    from pinscher.rotation.authority_facts import Authority, Network
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding


def check(policy: Policy, circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each entry of a network's host that pins a root and leaves out one the network may use."""
    for entry in policy.hosts:
        found = _network(policy, entry, circumstances)
        if found is None or entry.pinset is None:
            continue
        network, confidence = found
        pinned = frozenset(entry.pinset)
        rooted = any(circumstances.facts.of_root(pin) is not None for pin in pinned)
        missing = [one for one in network.authorities if not _is_covered(one, pinned)]
        if rooted and missing:
            names = ", ".join(_missing(one, pinned) for one in missing)
            text = f"{entry.pattern} is served by {network.name}, which may take a certificate from {names}: not pinned"
            place = f"{text} ({network.source}, {network.date})"
            yield RULE.finding(place, place_of(entry), confidence=confidence)


def _is_covered(authority: Authority, pinned: frozenset[Pin]) -> bool:
    found = pinned & authority.roots.keys()
    return len(found) == len(authority.roots) if authority.all_roots else bool(found)


def _missing(authority: Authority, pinned: frozenset[Pin]) -> str:
    left = [name for pin, name in authority.roots.items() if pin not in pinned]
    return f"{authority.name} ({', '.join(left)})" if authority.all_roots else authority.name


def _network(policy: Policy, entry: HostPolicy, circumstances: Circumstances) -> tuple[Network, Confidence] | None:
    """Return the network of an entry by the host's own name, or by the name that a certificate of it carries."""
    found = circumstances.facts.network_of(entry.pattern.name)
    if found is not None:
        return found, Confidence.HIGH
    for chain in circumstances.chains_of(policy, entry):
        for part in certificate_summary(chain.leaf).subject.split(", "):
            if part.startswith("CN=") and (found := circumstances.facts.network_of(part.removeprefix("CN="))):
                return found, Confidence.MEDIUM
    return None


RULE = Rule(
    "delivery-network",
    "a root is pinned on a delivery network's host only together with the other roots that the network uses",
    check,
    Severity.WARNING,
    Confidence.HIGH,
    "pin the roots of every authority that the network may use, bring your own certificate to it, "
    "or do not pin this host",
)
