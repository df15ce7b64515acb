"""
The dead-man alarm: clients that used to report and have gone silent.

Rules of this file:

1. Who reported fewer than three times, or for less than an hour, has no habit that could be broken.
2. Silence is three times the longest pause that there ever was, and a day at least.
3. A version that falls silent while its application goes on is usually an update, and merely a notice; a host that
   falls silent while its application goes on is a warning; a whole application is critical.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.monitor.findings.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

LEAST_HEARTBEATS = 3
LEAST_SPAN = timedelta(hours=1)
LEAST_SILENCE = timedelta(days=1)


class Scope(enum.Enum):
    """What fell silent; the value is the word in front of its name."""

    APPLICATION = "application"
    HOST = "host"
    VERSION = "policy version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """Since when, until when and how often something was heard of, and the longest pause in between."""

    scope: Scope
    application: str
    name: str
    first: datetime
    last: datetime
    times: int
    longest_pause: timedelta

    @property
    def subject(self) -> str:
        """What the finding is about."""
        of = "" if self.scope is Scope.APPLICATION else f" {self.scope.value} {escaped(self.name)}"
        return f"clients of {escaped(self.application)}{of}"


_SEVERITIES = {
    Scope.APPLICATION: Severity.CRITICAL, Scope.HOST: Severity.WARNING, Scope.VERSION: Severity.NOTICE,
}  # fmt: skip


def clients_silent(habit: Habit, at: datetime) -> Finding | None:
    """Something that used to report does so no more."""
    if habit.times < LEAST_HEARTBEATS or habit.last - habit.first < LEAST_SPAN:
        return None
    if at - habit.last <= max(LEAST_SILENCE, 3 * habit.longest_pause):
        return None
    return Finding(
        rule="clients-silent",
        severity=_SEVERITIES[habit.scope],
        said=f"nothing heard since {habit.last:%Y-%m-%d %H:%M} UTC, after {habit.times} heartbeats",
        advice="find out whether pinning is still on in this application, and whether its reports are let through",
    )


def silences(habits: Iterable[Habit], at: datetime) -> dict[str, Finding]:
    """Return the silent ones by subject; under a silent application its hosts and versions are not told again."""
    found = [(habit, finding) for habit in habits if (finding := clients_silent(habit, at)) is not None]
    whole = {habit.application for habit, _ in found if habit.scope is Scope.APPLICATION}
    return {
        habit.subject: finding
        for habit, finding in found
        if habit.scope is Scope.APPLICATION or habit.application not in whole
    }
