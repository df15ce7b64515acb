"""Rule ``report-only``: an entry that only reports is on its way to be enforced, and arrives."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.rotation.finding import Confidence, Severity
from pinscher.rotation.rules.rule import Rule
from pinscher.rotation.rules.standing import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.policy import Policy
    from pinscher.rotation.circumstances import Circumstances
    from pinscher.rotation.finding import Finding

LONGEST = timedelta(days=90)
"""Long enough to hear from clients that connect once a month."""


def check(policy: Policy, circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding for each entry that has been report-only for more than three months."""
    for entry in policy.hosts:
        if entry.report_only_since is None:
            continue
        lasted = circumstances.at.date() - entry.report_only_since
        if lasted > LONGEST:
            text = f"{entry.pattern} has been report-only for {lasted.days} days: it stops nobody"
            yield RULE.finding(text, (*place_of(entry), "mode"))
        elif lasted.days < 0:
            text = f"{entry.pattern} is report-only since {entry.report_only_since}, which has not come yet"
            yield RULE.finding(text, (*place_of(entry), "report-only-since"))


RULE = Rule(
    "report-only",
    "an entry is report-only for no more than 90 days",
    check,
    Severity.WARNING,
    Confidence.HIGH,
    'read the reports, correct the pins, and say mode = "enforce"',
)
