"""Rule ``expiry``: pins expire neither so soon that clients are caught out, nor long after they stop being true."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.entry import OnExpiry
from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding

NEAR = timedelta(days=30)
"""Left to bring a new policy to every client."""
FAR = timedelta(days=730)
"""Two years, in which certificates, authorities and trust stores have all changed."""
_CONSEQUENCES = {
    OnExpiry.KEEP_ENFORCING: "an alarm alone, the pins hold",
    OnExpiry.REPORT: "mismatches are let through",
    OnExpiry.FAIL: "every connection is refused",
}


def check(policy: Policy, circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each entry that has expired, will soon, or will after more than two years."""
    for entry in policy.hosts:
        if entry.expires is None:
            continue
        left = entry.expires - circumstances.at
        place = (*place_of(entry), "expires")
        consequence = _CONSEQUENCES[entry.on_expiry]
        if left < timedelta(0):
            is_alarm = entry.on_expiry is OnExpiry.KEEP_ENFORCING
            severity = Severity.WARNING if is_alarm else Severity.ERROR
            yield RULE.finding(
                f"{entry.pattern} expired {-left.days} days ago: {consequence}", place, severity=severity
            )
        elif left < NEAR:
            yield RULE.finding(f"{entry.pattern} expires in {left.days} days: then {consequence}", place)
        elif left > FAR:
            text = f"{entry.pattern} expires in {left.days} days: nobody knows today which keys will be right then"
            yield RULE.finding(text, place, severity=Severity.INFORMATION)


RULE = Rule(
    "expiry",
    "pins expire no sooner than in 30 days and no later than in two years",
    check,
    Severity.WARNING,
    Confidence.HIGH,
    "ship a new version of the policy whose expires lies between a month and two years ahead",
)
