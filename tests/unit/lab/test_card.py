"""Score cards: what counts, what is void, and what stays wrong."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.card import ScoreCard, judge, with_positives
from pinscher.lab.player import Played, Result
from tests.unit.lab.cases import accepts, case, contestant, genuine, obeys, refuses, rogue, scenario

if TYPE_CHECKING:
    from pinscher.lab.scenario import Visit


def card(*results: tuple[object, Result], family: str = "keys") -> ScoreCard:
    """Return the card of a client with these results."""
    played = [
        Played(case=case(function, family=family), client="scripted", result=result)  # type: ignore[arg-type]
        for function, result in results
    ]
    return ScoreCard.of(contestant(refuses), played)


def results(judged: ScoreCard) -> list[Result]:
    """Return the results on a card."""
    return [one.result for one in judged.played]


def test_refusals_count_beside_a_positive_that_passed() -> None:
    """Rule 1: a client that accepts what it must may take credit for what it refuses."""
    assert [Result.PASSED, Result.PASSED] == results(card((genuine, Result.PASSED), (rogue, Result.PASSED)))


def test_refusals_are_void_beside_a_positive_that_failed() -> None:
    """Rule 1: a client that refuses what it must accept proves nothing by its refusals, and the card says why."""
    judged = card((genuine, Result.FAILED), (rogue, Result.PASSED))
    assert [Result.FAILED, Result.VOID] == results(judged)
    assert "refused, but so was genuine, which must be accepted" == judged.played[1].reason
    assert (0, 1, 1) == (judged.score.passed, judged.score.wrong, judged.score.void)


@pytest.mark.parametrize("others", [[], [(genuine, Result.NOT_APPLICABLE)]], ids=["none", "not applicable"])
def test_refusals_are_void_without_a_positive(others: list[tuple[object, Result]]) -> None:
    """Rule 1: where nothing that must be accepted could be played, no refusal counts."""
    assert Result.VOID is results(card((rogue, Result.PASSED), *others))[0]


def test_one_family_does_not_speak_for_another() -> None:
    """Rule 1: a positive of one family says nothing about the refusals of another."""
    played = (*card((genuine, Result.PASSED)).played, *card((rogue, Result.PASSED), family="names").played)
    judged = ScoreCard.of(contestant(refuses), played)
    assert {"keys": (1, 0), "names": (0, 1)} == {name: (one.passed, one.void) for name, one in judged.families.items()}


@pytest.mark.parametrize("wrong", [Result.FAILED, Result.HUNG])
def test_a_leak_is_a_leak(wrong: Result) -> None:
    """Rule 2: what went wrong is not made void by a positive that went wrong too."""
    judged = card((genuine, Result.FAILED), (rogue, wrong))
    assert 2 == judged.score.wrong == len(judged.wrong)


def test_what_a_client_cannot_do_counts_neither_way() -> None:
    """Rule 3: a case that is not applicable is neither passed nor wrong."""
    judged = card((genuine, Result.PASSED), (rogue, Result.NOT_APPLICABLE))
    assert (1, 0, 0, 1) == (judged.score.passed, judged.score.wrong, judged.score.void, judged.score.not_applicable)
    assert 1 == judged.score.counted


def test_a_negative_scenario_brings_its_positives() -> None:
    """To choose a scenario whose clients must refuse is to choose its family's positive ones as well."""
    positive, negative, stranger = scenario(genuine), scenario(rogue), scenario(genuine, family="names")
    assert (positive, negative) == with_positives([negative], [positive, negative, stranger])


def test_cases_are_played_and_kept_in_order() -> None:
    """Cases are played several at once, and stand on the card in the order they were given."""
    counter = itertools.count(1)
    cases = [case(genuine), case(rogue), case(genuine), case(rogue)]
    judged = judge(contestant(obeys), cases, jobs=3, advance=lambda: next(counter))
    assert [one.id for one in cases] == [one.case.id for one in judged.played]
    assert 4 == judged.score.passed == next(counter) - 1


def test_a_client_that_refuses_everything_scores_nothing() -> None:
    """The safest client of all has no score."""
    assert 0 == judge(contestant(refuses), [case(genuine), case(rogue)]).score.passed


def test_a_client_that_accepts_everything_is_wrong() -> None:
    """The most obliging client of all passes the positive cases and no other."""
    judged = judge(contestant(accepts), [case(genuine), case(rogue)])
    assert (1, 1) == (judged.score.passed, judged.score.wrong)


def test_an_interrupted_match_stops_its_programs() -> None:
    """When playing is interrupted, what is running is told to stop and nothing new begins."""
    stopped = threading.Event()

    def waits(_: Visit) -> object:
        stopped.wait(20)
        raise KeyError("stopped")

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(
            contestant(lambda visited: obeys(visited) if visited.is_allowed else waits(visited)),  # type: ignore[arg-type,return-value]
            [case(genuine), case(rogue), *[case(rogue)] * 5], jobs=2, advance=interrupt, stop=stopped.set,
        )  # fmt: skip
    assert stopped.is_set()
