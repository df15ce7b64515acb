"""Rule ``backup-rehearsed``: somebody has lately proved that the backup key still opens and matches its pin."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import BACKUP_PINS, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding

LONGEST = timedelta(days=400)
"""A year, and a month to find the day."""


def check(policy: Policy, circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each stored backup key that was never tried, or not for more than a year."""
    today = circumstances.at.date()
    for one in standing(policy, BACKUP_PINS):
        if one.key is None or one.key.stored is None:
            continue
        rehearsed = one.key.rehearsed
        if rehearsed is None:
            yield RULE.finding(f"the backup key {one.key.name} of {one.entry.pattern} was never rehearsed", one.keys)
        elif today - rehearsed > LONGEST:
            text = f"the backup key {one.key.name} of {one.entry.pattern} was last rehearsed on {rehearsed}"
            yield RULE.finding(f"{text}, {(today - rehearsed).days} days ago", one.keys)
        elif rehearsed > today:
            text = f"the backup key {one.key.name} of {one.entry.pattern} is said to be rehearsed on {rehearsed}"
            yield RULE.finding(f"{text}, which has not come yet", one.keys)


RULE = Rule(
    "backup-rehearsed",
    "a backup key was proved to open within the last 400 days",
    check,
    Severity.WARNING,
    Confidence.HIGH,
    "run 'pinscher key rehearse FILE --policy POLICY', which opens the key, compares its pin and writes the day down",
)
