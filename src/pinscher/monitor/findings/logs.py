"""Findings about the logs themselves: what they sign wrongly, take back, damage, or do not serve."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.monitor.findings.finding import Finding, Severity
from pinscher.monitor.transparency.follower import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pinscher.monitor.transparency.logs import CtLog
    from pinscher.monitor.transparency.memory import Known

LOG_RULES = (
    "ct-log-forked", "ct-log-unsigned", "ct-log-damaged", "ct-log-behind", "ct-log-unreachable", "ct-log-stale",
    "ct-log-malformed",
)  # fmt: skip
"""The rules of this file's findings."""
_PATIENCE = timedelta(hours=1)


def subject_of(log: CtLog) -> str:
    """Return what a finding about a log is about."""
    return f"log {log.name} {log.id.hex()[:16]}"


def log_findings(log: CtLog, known: Known, at: datetime) -> list[Finding]:
    """Return what there is to say about a log."""
    found = (judge(log, known, at) for judge in _JUDGES)
    return [finding for finding in found if finding is not None]


def _forked(_log: CtLog, known: Known, _at: datetime) -> Finding | None:
    """It was told once, and no later head takes it back."""
    if not known.forked:
        return None
    return Finding(
        rule="ct-log-forked",
        severity=Severity.CRITICAL,
        said=known.forked,
        advice="keep both signed heads as evidence, tell the log's operator and the browsers that trust it, "
        "and leave the log out of the list",
    )


def _unsigned(_log: CtLog, known: Known, _at: datetime) -> Finding | None:
    return _told(known, Trouble.UNSIGNED, Severity.CRITICAL, "somebody stands between you and the log, "
                 "or the list of logs has the wrong key")  # fmt: skip


def _damaged(_log: CtLog, known: Known, at: datetime) -> Finding | None:
    is_long = known.since is not None and at - known.since >= _PATIENCE
    return _told(known, Trouble.DAMAGED, Severity.CRITICAL if is_long else Severity.WARNING,
                 "look whether others see the same; what this log says is not believed until it proves it")  # fmt: skip


def _behind(_log: CtLog, known: Known, _at: datetime) -> Finding | None:
    return _told(known, Trouble.BEHIND, Severity.WARNING, "wait for the log's mirrors to agree; if they do not, "
                 "the log was restored from a copy or holds entries back")  # fmt: skip


def _unreachable(_log: CtLog, known: Known, at: datetime) -> Finding | None:
    """It is waited for an hour: public logs are busy."""
    if known.since is None or at - known.since < _PATIENCE:
        return None
    return _told(known, Trouble.UNREACHABLE, Severity.WARNING, "look at the way to the log; if it was retired, "
                 "take a newer list of logs")  # fmt: skip


def _stale(log: CtLog, known: Known, at: datetime) -> Finding | None:
    """A log signs a head at least as often as it promises to include what it was given."""
    if known.place is None or at - known.place.head.at <= log.longest_delay:
        return None
    return Finding(
        rule="ct-log-stale",
        severity=Severity.WARNING,
        said=f"its newest head is of {known.place.head.at:%Y-%m-%d %H:%M} UTC, older than the log's own limit of "
        f"{log.longest_delay / timedelta(hours=1):g} hours",
        advice="what was issued since is not seen; look whether the log is read-only, and take a newer list of logs",
    )


def _malformed(_log: CtLog, known: Known, _at: datetime) -> Finding | None:
    if not known.unreadable:
        return None
    return Finding(
        rule="ct-log-malformed",
        severity=Severity.WARNING,
        said=f"leaves of its tree that are no entries, and hold the name of one of your hosts: {known.unreadable}",
        advice="tell the log's operator; what such a leaf hides, no monitor can tell",
    )


def _told(known: Known, trouble: Trouble, severity: Severity, advice: str) -> Finding | None:
    if known.trouble is not trouble or known.since is None:
        return None
    said = f"since {known.since:%Y-%m-%d %H:%M} UTC: {known.said}"
    return Finding(rule=f"ct-log-{trouble.value}", severity=severity, said=said, advice=advice)


_JUDGES: tuple[Callable[[CtLog, Known, datetime], Finding | None], ...] = (
    _forked, _unsigned, _damaged, _behind, _unreachable, _stale, _malformed,
)  # fmt: skip
