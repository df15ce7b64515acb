"""Rule ``fails-open``: what a policy does not foresee is refused, and not let through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.entry import OnExpiry, Redirects, UnlistedHosts
from pinscher.host import Reach
from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.entry import HostPolicy
    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding


def check(policy: Policy, _circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each choice by which something unforeseen is let through."""
    if policy.unlisted_hosts is UnlistedHosts.ALLOW:
        text = "hosts without an entry are let through: a misspelt or new host is not pinned, and nobody hears of it"
        yield RULE.finding(text, ("defaults", "unlisted-hosts"))
    for entry in policy.hosts:
        for field, text in _openings(entry):
            yield RULE.finding(f"{entry.pattern} {text}", (*place_of(entry), field))


def _openings(entry: HostPolicy) -> Iterator[tuple[str, str]]:
    if entry.on_expiry is OnExpiry.REPORT:
        yield "on-expiry", "stops enforcing at its expiry: a clock that is set forward opens it"
    if entry.redirects is Redirects.ALLOW:
        yield "redirects", "lets redirects lead to hosts that are not pinned"
    if entry.unpinned is not None and entry.pattern.reach is not Reach.EXACT:
        yield "unpinned", "takes every host below it out of the pinning"


RULE = Rule(
    "fails-open",
    "what a policy does not foresee is refused",
    check,
    Severity.WARNING,
    Confidence.HIGH,
    "keep the default (deny, keep-enforcing, pinned-only), and list exceptions one by one",
)
