"""Findings about what comes to its end: a certificate on the path, and the pins of a host."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.der import certificate_summary
from pinscher.entry import OnExpiry
from pinscher.monitor.findings.finding import Finding, Severity

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.monitor.findings.history import History
    from pinscher.policy import Policy

_FOLLOWS = {
    OnExpiry.KEEP_ENFORCING: "they stay enforced",
    OnExpiry.REPORT: "mismatches are only reported from then on",
    OnExpiry.FAIL: "every connection is refused from then on",
}


def certificate_ends(history: History, _policy: Policy, at: datetime) -> Finding | None:
    """
    A certificate on the validated path has a third of its life left at most, and 14 days at most.

    A certificate of a few days would otherwise be near its end all its life.
    """
    latest = history.latest
    if latest is None:
        return None
    ends = []
    for der in latest.validated:
        summary = certificate_summary(der)
        if summary.not_before is not None and summary.not_after is not None:
            notice = min(timedelta(days=14), (summary.not_after - summary.not_before) / 3)
            if summary.not_after - at <= notice:
                ends.append((summary.not_after, summary.subject))
    if not ends:
        return None
    end, subject = min(ends)
    return Finding(
        rule="certificate-ends",
        severity=Severity.CRITICAL if end - at <= timedelta(days=3) else Severity.WARNING,
        said=f"the certificate of {subject} {_tense(end, at)} on {end:%Y-%m-%d %H:%M} UTC",
        advice="renew it with the same key, or with a key that the policy pins already",
    )


def policy_ends(history: History, policy: Policy, at: datetime) -> Finding | None:
    """The pins of the host expire within 30 days, or have expired."""
    entry = policy.lookup_canonical(history.endpoint.host)
    if entry is None or entry.expires is None or entry.expires - at > timedelta(days=30):
        return None
    return Finding(
        rule="policy-ends",
        severity=Severity.CRITICAL if entry.expires - at <= timedelta(days=7) else Severity.WARNING,
        said=f"the pins {_tense(entry.expires, at, many=True)} on {entry.expires:%Y-%m-%d %H:%M} UTC, "
        f"and {_FOLLOWS[entry.on_expiry]}",
        advice="confirm the pins with the host's operator, then ship a policy with a later 'expires'",
    )


def _tense(end: datetime, at: datetime, *, many: bool = False) -> str:
    if end <= at:
        return "expired"
    return "expire" if many else "expires"
