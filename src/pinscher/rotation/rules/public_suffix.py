"""Rule ``public-suffix``: no pattern reaches over a public suffix, below which the hosts belong to strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.host import Reach
from pinscher.rotation.circumstances import is_public_suffix
from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding


def check(policy: Policy, _circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each pattern whose name is on the public suffix list."""
    for entry in policy.hosts:
        pattern = entry.pattern
        if pattern.reach is not Reach.EXACT and is_public_suffix(pattern.name):
            text = f"{pattern} reaches over the public suffix {pattern.name}: its hosts belong to different people"
            yield RULE.finding(text, place_of(entry))


RULE = Rule(
    "public-suffix",
    "no pattern reaches over a public suffix",
    check,
    Severity.ERROR,
    Confidence.HIGH,
    "list the registered names below it that are yours",
)
