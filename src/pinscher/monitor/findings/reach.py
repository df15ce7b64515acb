"""Findings about an endpoint that gives no answer, or none that could be verified, or that could not be looked at."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.monitor.findings.finding import Finding, Severity
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.monitor.findings.history import History, Sighting
    from pinscher.policy import Policy

_PATIENCE = timedelta(hours=1)


def unreachable(history: History, _policy: Policy, _at: datetime) -> Finding | None:
    """Nothing answered, twice in a row at least; critical after an hour. A look that was not made says nothing."""
    failures: list[Sighting] = []
    for sighting in reversed([one for one in history.sightings if one.is_looked_at]):
        if not sighting.failure:
            break
        failures.append(sighting)
    times = sum(sighting.times for sighting in failures)
    if times < 2:
        return None
    since, latest = failures[-1].first, failures[0]
    return Finding(
        rule="unreachable",
        severity=Severity.CRITICAL if latest.last - since >= _PATIENCE else Severity.WARNING,
        said=f"no answer since {since:%Y-%m-%d %H:%M} UTC: {latest.failure}",
        advice="look at the server and at the way to it; pins say nothing about a server that is not there",
    )


def look_failed(history: History, _policy: Policy, _at: datetime) -> Finding | None:
    """The monitor could not look at the endpoint, for a fault at its own end: it is blind, and says so at once."""
    latest = history.latest
    if latest is None or latest.is_looked_at:
        return None
    return Finding(
        rule="look-failed",
        severity=Severity.CRITICAL,
        said=f"nobody watches this endpoint since {latest.first:%Y-%m-%d %H:%M} UTC: it {latest.failure}",
        advice="mend what the monitor stumbles over, such as a file of --ca-file that is gone: it is blind here",
    )


def not_validated(history: History, _policy: Policy, _at: datetime) -> Finding | None:
    """What the endpoint presents is verified by no root that the monitor trusts."""
    latest = history.latest
    if latest is None or latest.outcome is not Outcome.CHAIN_NOT_VALIDATED:
        return None
    return Finding(
        rule="not-validated",
        severity=Severity.CRITICAL,
        cause=latest.cause,
        said=f"no validated chain since {latest.first:%Y-%m-%d %H:%M} UTC: {latest.said}",
        advice=latest.advice,
    )
