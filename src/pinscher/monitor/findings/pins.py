"""Findings about the pins of an endpoint: none matches, only a backup does, a backup was never rehearsed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.der import CertificateParseError
from pinscher.entry import Mode
from pinscher.monitor.findings.finding import Finding, Severity
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.monitor.findings.history import History
    from pinscher.pin import Pin, PinSet
    from pinscher.policy import Policy

_MISMATCHES = frozenset({Outcome.NO_MATCHING_PIN, Outcome.DENIED_KEY, Outcome.POLICY_EXPIRED})
REHEARSED_WITHIN = timedelta(days=365)
"""How long a rehearsal of a backup key counts."""


def pin_mismatch(history: History, policy: Policy, _at: datetime) -> Finding | None:
    """Clients refuse, or in report-only mode would refuse, what the endpoint shows now."""
    latest, entry = history.latest, policy.lookup_canonical(history.endpoint.host)
    if latest is None or entry is None or latest.outcome not in _MISMATCHES:
        return None
    is_enforced = entry.mode is Mode.ENFORCE
    follows = "clients refuse it" if is_enforced else "clients only report it"
    return Finding(
        rule="pin-mismatch",
        severity=Severity.CRITICAL if is_enforced else Severity.WARNING,
        cause=latest.cause,
        said=f"{latest.outcome.value} since {latest.first:%Y-%m-%d %H:%M} UTC, and {follows}: {latest.said}",
        advice=latest.advice,
    )


def backup_only(history: History, policy: Policy, _at: datetime) -> Finding | None:
    """The endpoint is reached by a backup pin alone: its backup is deployed, and nothing is left behind it."""
    latest, pins = history.latest, _pins(history, policy)
    if latest is None or pins is None or latest.outcome is not Outcome.MATCH:
        return None
    matching = [pin for pin in (_accepted(pins, der) for der in latest.validated) if pin is not None]
    if not matching or not all(map(pins.is_backup, matching)):
        return None
    return Finding(
        rule="backup-only",
        severity=Severity.WARNING,
        said="only a backup pin matches: the backup key is in use, and no pinned key is",
        advice="make the backup a pin, make a new backup key, and ship a policy with both",
    )


def backup_never_rehearsed(history: History, policy: Policy, at: datetime) -> Finding | None:
    """Nobody has proved that the backup key can be used, or not for a year."""
    pins = _pins(history, policy)
    if pins is None or not pins.backup_pins:
        return None
    rehearsals = {key.pin: key.rehearsed for key in policy.keys.values()}
    days = [rehearsals.get(pin) for pin in pins.backup_pins]
    if any(day is not None and at.date() - day <= REHEARSED_WITHIN for day in days):
        return None
    last = max((day for day in days if day is not None), default=None)
    when = "never rehearsed" if last is None else f"last rehearsed on {last:%Y-%m-%d}"
    return Finding(
        rule="backup-never-rehearsed",
        severity=Severity.WARNING,
        said=f"no backup key of this host is known to open: {when}",
        advice="open the backup key where it is stored, sign with it, and write the day into the policy",
    )


def _pins(history: History, policy: Policy) -> PinSet | None:
    entry = policy.lookup_canonical(history.endpoint.host)
    return None if entry is None else entry.pinset


def _accepted(pins: PinSet, certificate_der: bytes) -> Pin | None:
    try:
        return pins.accepted(certificate_der)
    except CertificateParseError:
        return None
