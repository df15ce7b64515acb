"""Rule ``shared-key``: one key of a server does not stand for hosts that have nothing to do with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.entry import Role
from pinscher.host import is_ip_literal
from pinscher.rotation.circumstances import registrable_domain
from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import Standing, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.pin import Pin
    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding


def check(policy: Policy, circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each pin of a server's key that stands for several registrable domains."""
    found: dict[Pin, dict[str, Standing]] = {}
    for one in standing(policy):
        is_of_authority = one.role in (Role.INTERMEDIATE, Role.ROOT) or circumstances.facts.of_root(one.pin) is not None
        if not is_of_authority and not is_ip_literal(one.entry.pattern.name):
            found.setdefault(one.pin, {}).setdefault(registrable_domain(one.entry.pattern.name), one)
    for domains in found.values():
        if len(domains) > 1:
            yield _finding(domains)


def _finding(domains: dict[str, Standing]) -> Finding:
    names, last = list(domains), list(domains.values())[-1]
    text = f"{last.shown} is pinned for unrelated hosts: {', '.join(names[:3])}"
    text += f" and {len(names) - 3} more" if len(names) > 3 else ""
    if last.role is Role.LEAF:
        return RULE.finding(f"{text}: who takes the key of one has them all", last.keys)
    told = f"{text}: if it is a server's key, who takes it has them all"
    return RULE.finding(told, last.keys, severity=Severity.INFORMATION, confidence=Confidence.LOW)


RULE = Rule(
    "shared-key",
    "a server's key is pinned for one registrable domain",
    check,
    Severity.WARNING,
    Confidence.HIGH,
    "give each domain a key of its own; if it is an authority's key, name it under [keys] with its role",
)
