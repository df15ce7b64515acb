"""Rule ``leaf-only``: a host whose certificates are short-lived is not pinned by its certificates' keys alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.der import certificate_summary
from pinscher.entry import Role
from pinscher.rotation.circumstances import is_pin_of
from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import Standing, place_of, standing_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.chain import PresentedChain
    from pinscher.entry import HostPolicy
    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding

SHORT = 100
"""Days; certificates that last no longer are renewed by a machine, and most such machines make a new key each time."""


def check(policy: Policy, circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each entry that pins nothing above the leaf, where the leaf is known to change soon."""
    known = policy.keys
    for entry in policy.hosts:
        pins = list(standing_in(entry, known))
        chains = list(circumstances.chains_of(policy, entry))
        if not pins or any(_is_above_leaf(one, chains, circumstances) for one in pins):
            continue
        for chain in chains:
            summary = certificate_summary(chain.leaf)
            if summary.not_after is None or summary.not_before is None or not any(_is_leaf(one, chain) for one in pins):
                continue
            days = (summary.not_after - summary.not_before).days
            if days <= SHORT:
                yield _finding(entry, f"its certificate lasts {days} days", Confidence.HIGH)
        if not chains and all(one.role is Role.LEAF for one in pins):
            yield from _by_authority(policy, entry, circumstances)


def _by_authority(policy: Policy, entry: HostPolicy, circumstances: Circumstances) -> Iterator[Finding]:
    found = circumstances.authority_of(policy, entry)
    if found is not None and found[0].certificate_days is not None and found[0].certificate_days <= SHORT:
        yield _finding(entry, f"{found[0].name} issues for {found[0].certificate_days} days", found[1])


def _finding(entry: HostPolicy, why: str, confidence: Confidence) -> Finding:
    text = f"{entry.pattern} is pinned by leaf keys alone, and {why}: a renewal with a new key locks every client out"
    return RULE.finding(text, place_of(entry), confidence=confidence)


def _is_leaf(one: Standing, chain: PresentedChain) -> bool:
    return one.role is Role.LEAF or is_pin_of(one.pin, chain.leaf)


def _is_above_leaf(one: Standing, chains: list[PresentedChain], circumstances: Circumstances) -> bool:
    if one.role in (Role.INTERMEDIATE, Role.ROOT) or circumstances.facts.of_root(one.pin) is not None:
        return True
    return any(is_pin_of(one.pin, certificate) for chain in chains for certificate in chain.certificates[1:])


RULE = Rule(
    "leaf-only",
    "a host with short-lived certificates is not pinned by leaf keys alone",
    check,
    Severity.WARNING,
    Confidence.HIGH,
    "keep the key at every renewal (certbot: --reuse-key) until clients have the next pin, or pin a root as well",
)
