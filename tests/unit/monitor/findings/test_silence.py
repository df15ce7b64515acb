"""The dead-man alarm, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pinscher.monitor.columns import LONGEST_SUBJECT
from pinscher.monitor.findings.finding import Severity
from pinscher.monitor.findings.silence import MOST_TOLD, Habit, Heard, Scope, clients_silent, silences
from pinscher.monitor.findings.told import Told
from tests.unit.monitor.scene import AT, DAY, HOUR


def _habit(scope: Scope = Scope.APPLICATION, **changed: Any) -> Habit:
    habit = {
        "scope": scope, "application": "bank-app", "name": "" if scope is Scope.APPLICATION else "7",
        "first": AT - 9 * DAY, "last": AT - 2 * DAY, "times": 50, "longest_pause": HOUR,
    }  # fmt: skip
    return Habit(**habit | changed)


@pytest.mark.parametrize(
    ("scope", "severity"),
    [(Scope.APPLICATION, Severity.CRITICAL), (Scope.HOST, Severity.WARNING), (Scope.VERSION, Severity.NOTICE)],
)
def test_silence_is_as_grave_as_what_is_silent(scope: Scope, severity: Severity) -> None:
    """A whole application is critical, a host a warning, and a version usually an update."""
    found = clients_silent(_habit(scope), AT)
    assert found is not None
    assert severity is found.severity


@pytest.mark.parametrize(
    "changed",
    [{"times": 2}, {"first": AT - 2 * DAY}, {"last": AT - 23 * HOUR}, {"longest_pause": timedelta(hours=17)}],
    ids=["too few", "too short", "not a day yet", "pauses like this were usual"],
)
def test_without_a_habit_there_is_no_silence(changed: dict[str, Any]) -> None:
    """Few heartbeats, a short time, a short silence and long usual pauses raise no alarm."""
    assert None is clients_silent(_habit(**changed), AT)


def test_one_long_outage_hides_no_later_silence() -> None:
    """After an outage of twelve days the next silence is told after fifteen, while the habit is still remembered."""
    habit = _habit(first=AT - 29 * DAY, longest_pause=12 * DAY)
    assert None is clients_silent(replace(habit, last=AT - 14 * DAY), AT)
    assert clients_silent(replace(habit, last=AT - 16 * DAY), AT) is not None


def test_under_a_silent_application_its_parts_are_not_told_again() -> None:
    """One cause is one finding; another application's host is told."""
    habits = [
        _habit(),
        _habit(Scope.HOST),
        _habit(Scope.HOST, application="shop"),
        _habit(application="quiet", times=1),
    ]
    assert ["clients of bank-app", "clients of shop host 7"] == sorted(silences(Heard(habits), AT))


def _told(habit: Habit, **changed: Any) -> dict[str, Told]:
    finding = clients_silent(habit, AT)
    assert finding is not None
    return {habit.subject: Told(finding, **changed)}


@pytest.mark.parametrize("scope", [Scope.APPLICATION, Scope.HOST])
def test_silence_outlasts_what_is_remembered(scope: Scope) -> None:
    """Rule 4: what was told stays, in the same words, when hardly a heartbeat of before is remembered, or none."""
    habit = _habit(scope)
    told = _told(habit)
    later = replace(habit, times=1, first=habit.last)
    for habits in ([habit], [later], []):
        assert {subject: one.finding for subject, one in told.items()} == silences(Heard(habits, told), AT + 40 * DAY)


def test_silence_ends_when_it_is_heard_of_again() -> None:
    """Rule 4: one heartbeat of today closes what was told."""
    habit = _habit()
    heard = replace(habit, first=AT, last=AT, times=1)
    assert {} == silences(Heard([heard], _told(habit)), AT + HOUR)


def test_silence_that_a_person_has_seen_is_forgotten_with_its_heartbeats() -> None:
    """Rule 4: what is acknowledged stays while it is remembered; a version goes without."""
    habit, version = _habit(), _habit(Scope.VERSION)
    seen = _told(habit, is_acknowledged=True)
    assert [habit.subject] == list(silences(Heard([habit], seen), AT))
    assert {} == silences(Heard([], seen), AT + 40 * DAY) == silences(Heard([], _told(version)), AT + 40 * DAY)


@pytest.mark.parametrize(("scope", "many"), [(Scope.HOST, "hosts"), (Scope.VERSION, "policy versions")])
def test_beyond_fifty_one_finding_says_that_there_are_many(scope: Scope, many: str) -> None:
    """Rule 5: a flood is one finding, and what is told already stays among them, whatever stands in front of it."""
    habits = [_habit(scope, name=str(number)) for number in range(MOST_TOLD + 30)]
    last = _told(habits[-1])
    for known in ({}, last):
        found = silences(Heard(habits, known), AT)
        assert (MOST_TOLD + 1, True) == (len(found), f"clients of bank-app many {many}" in found)
    assert last.keys() < found.keys()


def test_many_are_told_no_more_once_few_are_left() -> None:
    """Rule 5: that there are many closes by itself, for those that are told one by one stay."""
    habits = [_habit(Scope.HOST, name=str(number)) for number in range(MOST_TOLD + 1)]
    told = {subject: Told(finding) for subject, finding in silences(Heard(habits), AT).items()}
    assert MOST_TOLD + 1 == len(told)
    assert {habit.subject for habit in habits[:MOST_TOLD]} == silences(Heard(habits[:MOST_TOLD], told), AT).keys()


def test_a_subject_fits_its_column() -> None:
    """A host and an application of the greatest length make a subject that a database takes, and two make two."""
    subjects = {_habit(Scope.HOST, application="a" * 128, name=f"**.{'b' * 250}{end}").subject for end in "xy"}
    assert [LONGEST_SUBJECT] * 2 == [len(subject) for subject in subjects]
