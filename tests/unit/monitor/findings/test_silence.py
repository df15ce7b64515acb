"""The dead-man alarm, without a database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pinscher.monitor.findings.finding import Severity
from pinscher.monitor.findings.silence import Habit, Scope, clients_silent, silences
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


def test_under_a_silent_application_its_parts_are_not_told_again() -> None:
    """One cause is one finding; another application's host is told."""
    habits = [
        _habit(),
        _habit(Scope.HOST),
        _habit(Scope.HOST, application="shop"),
        _habit(application="quiet", times=1),
    ]
    assert ["clients of bank-app", "clients of shop host 7"] == sorted(silences(habits, AT))
