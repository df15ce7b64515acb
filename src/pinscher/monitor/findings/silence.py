"""
The dead-man alarm: clients that used to report and have gone silent.

Rules of this file:

1. Who reported fewer than three times, or for less than an hour, has no habit that could be broken.
2. Silence is three times the longest pause that there ever was, a day at least and fifteen at most: one long outage
   must not make the next silence outlast what is remembered.
3. A version that falls silent while its application goes on is usually an update, and merely a notice; a host that
   falls silent while its application goes on is a warning; a whole application is critical.
4. What is told of an application or a host stays as it was told until it is heard of again, or until a person has
   acknowledged it and its heartbeats are not remembered any more. Heartbeats can be forged: one that is heard again
   does not prove that its real clients are.
5. Of one application fifty silent hosts and fifty silent versions are told one by one; beyond them one finding more
   says that there are many. What is told already is not taken back for it.
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from pinscher.errors import escaped
from pinscher.host import LONGEST_HOST
from pinscher.monitor.columns import fitting
from pinscher.monitor.findings.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pinscher.monitor.findings.told import Told

LEAST_HEARTBEATS = 3
LEAST_SPAN = timedelta(hours=1)
LEAST_SILENCE = timedelta(days=1)
MOST_SILENCE = timedelta(days=15)
MOST_TOLD = 50
"""Hosts, and versions, of one application that are told one by one (rule 5)."""


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
        name = fitting(escaped(self.name), LONGEST_HOST)
        of = "" if self.scope is Scope.APPLICATION else f" {self.scope.value} {name}"
        return fitting(f"{_CLIENTS}{escaped(self.application)}{of}")

    def is_silent(self, at: datetime) -> bool:
        """Tell whether this pause is longer than those before it (rule 2)."""
        return at - self.last > min(max(LEAST_SILENCE, 3 * self.longest_pause), MOST_SILENCE)


@dataclass(frozen=True, slots=True)
class Heard:
    """The habits that are remembered, those that matter most first, and which silences are told already."""

    habits: Sequence[Habit]
    told: Mapping[str, Told] = field(default_factory=dict)


_SEVERITIES = {
    Scope.APPLICATION: Severity.CRITICAL, Scope.HOST: Severity.WARNING, Scope.VERSION: Severity.NOTICE,
}  # fmt: skip
_ADVICE = "find out whether pinning is still on in this application, and whether its reports are let through"


def clients_silent(habit: Habit, at: datetime) -> Finding | None:
    """Something that used to report does so no more."""
    if habit.times < LEAST_HEARTBEATS or habit.last - habit.first < LEAST_SPAN or not habit.is_silent(at):
        return None
    said = f"nothing heard since {habit.last:%Y-%m-%d %H:%M} UTC, after {habit.times} heartbeats"
    return _finding(habit.scope, said)


def silences(heard: Heard, at: datetime) -> dict[str, Finding]:
    """Return the silent ones by subject; under a silent application its hosts and versions are not told again."""
    found = _kept(heard, at)
    fresh = [(habit, finding) for habit in heard.habits if (finding := clients_silent(habit, at)) is not None]
    told = Counter((_application_of(subject), finding.severity) for subject, finding in found.items())
    for habit, finding in sorted(fresh, key=lambda pair: -pair[1].severity):
        is_under = habit.scope is not Scope.APPLICATION and told[habit.application, Severity.CRITICAL]
        if habit.subject in found or is_under:
            continue
        told[habit.application, finding.severity] += 1
        is_many = told[habit.application, finding.severity] > MOST_TOLD
        found |= _many(habit) if is_many else {habit.subject: finding}
    return found


def _kept(heard: Heard, at: datetime) -> dict[str, Finding]:
    """Return what was told and holds still (rule 4), in the words in which it was told."""
    habits = {habit.subject: habit for habit in heard.habits}
    kept = {}
    for subject, told in heard.told.items():
        habit = habits.get(subject)
        is_one = told.finding.severity > Severity.NOTICE and not subject.endswith(_MANY)
        is_lasting = is_one and not told.is_acknowledged
        if is_lasting if habit is None else habit.is_silent(at):
            kept[subject] = told.finding
    return kept


_CLIENTS = "clients of "
_MANY = " many hosts", " many policy versions"


def _application_of(subject: str) -> str:
    """Return the application of a subject; its name has no space (``Tokens.make``)."""
    return subject.removeprefix(_CLIENTS).partition(" ")[0]


def _many(habit: Habit) -> dict[str, Finding]:
    subject = f"{_CLIENTS}{escaped(habit.application)} many {habit.scope.value}s"
    return {subject: _finding(habit.scope, f"more than {MOST_TOLD} of them are silent")}


def _finding(scope: Scope, said: str) -> Finding:
    return Finding(rule="clients-silent", severity=_SEVERITIES[scope], said=said, advice=_ADVICE)
