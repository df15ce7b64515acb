"""Every deliberately wrong checker is killed by the scenario that it is named for, and by nothing that is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pinscher.lab.client import Contestant
from pinscher.lab.player import Result, play
from pinscher.lab.scenarios import SCENARIOS
from tests.conformance.by_hand_checker import Checker
from tests.conformance.wrong_checkers import WRONG, RefusesEverything, Wrong

RIGHT = Contestant("right", Checker.capabilities, Checker)
_WRONG = (Result.FAILED, Result.HUNG)


@pytest.mark.parametrize("checker", WRONG, ids=str)
def test_a_wrong_checker_is_killed(checker: Wrong) -> None:
    """The scenario that a wrong checker is named for shows what it gets wrong, in at least one of its cases."""
    scenario = SCENARIOS[checker.killed_by]
    results = [play(case, checker.contestant, limit=60) for case in scenario.cases]
    assert any(one.result in _WRONG for one in results), [(one.case.id, one.reason) for one in results]


@pytest.mark.parametrize("checker", [one for one in WRONG if one.kind is not RefusesEverything], ids=str)
def test_a_wrong_checker_is_no_dead_one(checker: Wrong) -> None:
    """It is killed by what it gets wrong, not because it accepts nothing: it passes something positive of the family."""
    family = SCENARIOS[checker.killed_by].family
    positive = [one for one in SCENARIOS.values() if one.family == family and one.is_positive]
    results = (play(case, checker.contestant, limit=60).result for one in positive for case in one.cases)
    assert Result.PASSED in results


@pytest.mark.parametrize("name", sorted({one.killed_by for one in WRONG}))
def test_the_right_checker_lives(name: str) -> None:
    """The same checker with every step right passes each scenario that kills a wrong one."""
    played = [play(case, RIGHT, limit=60) for case in SCENARIOS[name].cases]
    assert not [(one.case.id, one.reason, one.said) for one in played if one.result in _WRONG]
    assert any(one.result is Result.PASSED for one in played)


def test_there_are_enough_of_them() -> None:
    """At least twenty-five ways to get it wrong are tried, each under its own name."""
    assert 25 <= len({one.name for one in WRONG}) == len(WRONG)


def test_the_page_names_every_checker() -> None:
    """The kill matrix in the docs has one line for each checker, with the scenario that kills it."""
    tool = Path(__file__).parents[2] / "tools" / "kill_matrix.py"
    checked = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, check=False, timeout=60)
    assert (0, "the kill matrix is current\n") == (checked.returncode, checked.stdout), checked.stderr
