"""Findings about how a host is pinned: a trial that nobody ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.entry import Mode
from pinscher.monitor.findings.finding import Finding, Severity

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.monitor.findings.history import History
    from pinscher.policy import Policy

LONGEST_TRIAL = timedelta(days=60)
"""How long a host is in report-only mode before somebody is asked why."""


def report_only_too_long(history: History, policy: Policy, at: datetime) -> Finding | None:
    """A host has been in report-only mode for more than two months: its pins protect nobody."""
    entry = policy.lookup_canonical(history.endpoint.host)
    if entry is None or entry.mode is not Mode.REPORT_ONLY or entry.report_only_since is None:
        return None
    days = (at.date() - entry.report_only_since).days
    if days <= LONGEST_TRIAL.days:
        return None
    return Finding(
        rule="report-only-too-long",
        severity=Severity.WARNING,
        said=f"in report-only mode since {entry.report_only_since:%Y-%m-%d}, for {days} days: no mismatch is refused",
        advice="look at what clients reported; if nothing speaks against it, ship a policy that enforces",
    )
